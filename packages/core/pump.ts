/**
 * From one channel to another.
 *
 * @module
 */

import type { Receiver, Sender } from "./channel.ts";

/** What a pump has moved. */
export interface PumpCounts {
  /** Messages. */
  readonly messages: number;
  /** Their bytes; messages that are not bytes count 0. */
  readonly bytes: number;
}

/** How {@linkcode pump} works. */
export interface PumpOptions<T> {
  /** Ends the pump: nothing more is taken, what was taken is sent, and the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
  /** Whether `to` is ended once `from` has ended; true unless told. */
  end?: boolean | undefined;
  /** The most messages in hand at a time; 1024 unless told. */
  max?: number | undefined;
  /** Called after each batch that was sent, with the counts so far. */
  onProgress?: ((counts: PumpCounts) => void) | undefined;
  /** Called before the promise rejects because a send failed, with what was taken and could not be sent. */
  onUnsent?: ((messages: T[]) => void) | undefined;
}

/** Messages in hand are bounded, so that memory stays flat where a source has many. */
const MOST_IN_HAND = 1024;

/**
 * Moves messages from one channel to another until the end, and tells how many; nothing is lost on the way.
 *
 * It takes what is there and sends it as one batch before it takes more, so a slow `to` slows `from` down.
 *
 * - When `from` ends, `to` is ended (unless `end` is false) and the promise resolves. Neither is closed.
 * - At an abort nothing more is taken. What was taken is still sent, which may wait for room: to leave at
 *   once, close `to`. Then the promise rejects with `signal.reason`, and both can go on being used.
 * - What `from` throws, such as a `DecodeError`, rejects the promise with nothing in hand: pumping again goes
 *   on behind it.
 * - When `to` fails, the messages in hand that it did not take are given to `onUnsent`. The one it was at
 *   comes first; where the error has `partial` set, it has left in part, and is not among them.
 *
 * @throws {RangeError} if `max` is less than 1.
 * @throws {BrokenPipeError} if nobody can receive from `to` any more.
 *
 * @example
 * ```ts
 * import { pump } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * const first = createPipe();
 * const second = createPipe();
 * await first.writer.sendBatch([new Uint8Array(3), new Uint8Array(4)]);
 * await first.writer.end();
 * assertEquals(await pump(first.reader, second.writer), { messages: 2, bytes: 7 });
 * for (const end of [first.reader, first.writer, second.reader, second.writer]) end.close();
 * ```
 */
export async function pump<T>(
  from: Receiver<T>,
  to: Sender<NoInfer<T>>,
  options: PumpOptions<T> = {},
): Promise<PumpCounts> {
  const { signal, max = MOST_IN_HAND, onProgress, onUnsent } = options;
  const receiveOptions = { signal, max };
  let messages = 0;
  let bytes = 0;
  while (true) {
    const batch = await from.receiveBatch(receiveOptions);
    if (batch.length === 0) break;
    try {
      // Without the signal: after an abort nobody could tell which messages of a batch have left.
      if (batch.length === 1) await to.send(batch[0]!);
      else await to.sendBatch(batch);
    } catch (error) {
      onUnsent?.(batch.slice(leftOf(error)));
      throw error;
    }
    messages += batch.length;
    for (const message of batch) if (message instanceof Uint8Array) bytes += message.byteLength;
    onProgress?.({ messages, bytes });
  }
  if (options.end ?? true) await to.end();
  return { messages, bytes };
}

/** How many messages of a batch had left, whole or in part, before its error. */
function leftOf(error: unknown): number {
  if (typeof error !== "object" || error === null) return 0;
  const { sent = 0, partial = false } = error as { sent?: number; partial?: boolean };
  return sent + (partial ? 1 : 0);
}
