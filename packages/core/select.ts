/**
 * One message from whichever of several channels has one.
 *
 * @module
 */

import { Taker } from "./_take.ts";
import type { Receiver, WaitOptions } from "./channel.ts";

/** What a receiver gives. */
export type MessageOf<R> = R extends Receiver<infer In> ? In : never;

/** What {@linkcode select} gives: a message, or `undefined` for the end, and the name of its channel. */
export type Selected<C extends Readonly<Record<string, Receiver<unknown>>>> = {
  [K in keyof C & string]: { readonly from: K; readonly message: MessageOf<C[K]> | undefined };
}[keyof C & string];

/**
 * Takes exactly one message from exactly one of several channels, and says from which.
 *
 * The message `undefined` is that channel's end: leave it out from then on, or it is selected again and again.
 * Where several have a message, which of them is taken is not promised; {@linkcode merge} takes turns.
 *
 * Nothing is lost: the channels of this project say when a message is there, and only then one is asked for
 * it. A foreign receiver that cannot say so is asked to receive, and the losers are aborted; should one have
 * got a message all the same, it is kept, and the next `select` or `merge` over that receiver delivers it
 * first (a plain `receive` does not see it).
 *
 * @throws {TypeError} if there are no channels.
 * @throws {TimeoutError} if no message came within `timeout`.
 *
 * @example
 * ```ts
 * import { select } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * using control = createPipe();
 * using data = createPipe();
 * await data.writer.send(new Uint8Array([1]));
 * const { from, message } = await select({ control: control.reader, data: data.reader });
 * assertEquals(from, "data");
 * assertEquals(message, new Uint8Array([1]));
 * ```
 */
export async function select<const C extends Readonly<Record<string, Receiver<unknown>>>>(
  channels: C,
  options: WaitOptions = {},
): Promise<Selected<C>> {
  const taker = new Taker(channels);
  if (taker.size === 0) throw new TypeError("Cannot select: there are no channels");
  try {
    return await taker.take(options) as Selected<C>;
  } finally {
    await taker.leave();
  }
}
