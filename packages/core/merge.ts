/**
 * All messages of several channels.
 *
 * @module
 */

import { type Taken, Taker } from "./_take.ts";
import type { Receiver } from "./channel.ts";
import type { MessageOf } from "./select.ts";

/** What {@linkcode merge} gives: a message, and the name of its channel. */
export type Merged<C extends Readonly<Record<string, Receiver<unknown>>>> = {
  [K in keyof C & string]: { readonly from: K; readonly message: MessageOf<C[K]> };
}[keyof C & string];

/**
 * Iterates over the messages of several channels until all of them have ended.
 *
 * Channels that have messages take turns, so a busy one does not keep another waiting. One message is taken
 * when one is asked for; leaving early ends the iteration, not the channels, and loses nothing, as with
 * {@linkcode select}. An error of one channel ends the iteration with that error; a new one goes on behind it.
 *
 * @example
 * ```ts
 * import { merge } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * using left = createPipe();
 * using right = createPipe();
 * for (const { writer } of [left, right]) {
 *   await writer.send(new Uint8Array([1]));
 *   await writer.end();
 * }
 * const seen: string[] = [];
 * for await (const { from } of merge({ left: left.reader, right: right.reader })) seen.push(from);
 * assertEquals(seen.sort(), ["left", "right"]);
 * ```
 */
export function merge<const C extends Readonly<Record<string, Receiver<unknown>>>>(
  channels: C,
): AsyncIterableIterator<Merged<C>> {
  return new Merge(channels) as AsyncIterableIterator<unknown> as AsyncIterableIterator<Merged<C>>;
}

const DONE = { done: true, value: undefined } as const;

/** Written by hand: the `return` of a generator would wait for a pending `next`. */
class Merge implements AsyncIterableIterator<Taken> {
  readonly #taker: Taker;
  #finished = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(channels: Readonly<Record<string, Receiver<unknown>>>) {
    this.#taker = new Taker(channels);
  }

  next(): Promise<IteratorResult<Taken>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => {});
    return result;
  }

  async return(): Promise<IteratorResult<Taken>> {
    this.#finished = true;
    this.#taker.wake();
    await this.#last;
    await this.#taker.leave();
    return DONE;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #next(): Promise<IteratorResult<Taken>> {
    while (!this.#finished && this.#taker.size > 0) {
      let taken: Taken | undefined;
      try {
        taken = await this.#taker.take({}, () => !this.#finished);
      } catch (error) {
        // A loop that is left by an error does not call `return`.
        await this.#taker.leave();
        throw error;
      }
      if (taken === undefined) break;
      if (taken.message !== undefined) return { done: false, value: taken };
      this.#taker.drop(taken.from);
    }
    return DONE;
  }
}
