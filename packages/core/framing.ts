/**
 * Messages on a stream of bytes: how each is marked, written and found again.
 *
 * @module
 */

import type { Bytes } from "./channel.ts";
import { MessageTooLongError } from "./errors.ts";

/** The most bytes of one message, unless told otherwise: 16 MiB. */
export const DEFAULT_MAX_MESSAGE_SIZE: number = 16 * 1024 * 1024;

/** What every framing can be told. */
export interface FramingOptions {
  /** The longest message in bytes, 1 to 4,294,967,294; 16 MiB unless told. */
  maxMessageSize?: number | undefined;
}

/** One way to mark messages on a stream of bytes: what stands before and after each. */
export interface Framing {
  /** `"length"`, `"lines"`, `"nul"`, `"content-length"` or `"raw"`. */
  readonly name: string;
  /** The longest message in bytes. */
  readonly maxMessageSize: number;
  /** The most bytes that stand before a message. */
  readonly maxPrefix: number;
  /** What stands after each message. */
  readonly suffix: Bytes;
  /** Throws a `TypeError` for a message that this framing cannot carry, such as a line with a newline in it. */
  check(message: Uint8Array): void;
  /** Writes what stands before the message at `offset` of `target` and returns how many bytes that are. */
  writePrefix(message: Uint8Array, target: Uint8Array, offset: number): number;
  /** A new decoder, at the start of a stream. */
  decoder(): Decoder;
}

/**
 * Finds the messages in a stream of bytes that arrives in any pieces.
 *
 * Bytes go in through {@linkcode Decoder.push}, or without a copy: read into {@linkcode Decoder.room}, then
 * {@linkcode Decoder.commit} what arrived. Nothing is ever written into a message that came out. Messages may
 * share an `ArrayBuffer` with others that came out, never with bytes that did not: transferring it away takes
 * no more than those along, so copy a message before you transfer it.
 */
export interface Decoder {
  /** Free space to read the next bytes into: at least 4 KiB that nobody else has or gets before `commit`. */
  room(): Bytes;
  /** The first `length` bytes of the last `room()` have arrived. */
  commit(length: number): void;
  /** Copies the first `length` bytes in; all of them unless told. */
  push(bytes: Uint8Array, length?: number): void;
  /**
   * The next whole message; `undefined` when more bytes are needed. Call it until then before adding more.
   *
   * Throws `MessageTooLongError` or `DecodeError` for a frame that cannot be read: the stream is then lost,
   * and every later call throws the same.
   */
  next(): Bytes | undefined;
  /** The whole messages that are there, at most `max` in all, behind those in `into`; throws as `next` does. */
  nextMany(into: Bytes[], max: number): void;
  /** Says that nothing will follow, once `next` has given `undefined`: throws `TruncatedError` inside a message. */
  end(): void;
  /** Bytes that have arrived and belong to no message yet delivered. */
  readonly buffered: number;
  /** Takes the bytes that belong to no delivered message, as they arrived, out of the decoder. */
  drain(): Bytes;
}

/**
 * One message with all that its framing puts around it, in an array of its own.
 *
 * @throws {MessageTooLongError} if the message is longer than the framing's `maxMessageSize`.
 * @throws {TypeError} if the framing cannot carry it, such as a line with a newline in it.
 *
 * @example
 * ```ts
 * import { encodeFrame, lengthPrefix } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const frame = encodeFrame(lengthPrefix(), new TextEncoder().encode("hi"));
 * assertEquals([...frame], [2, 0, 0, 0, 104, 105]);
 * ```
 */
export function encodeFrame(framing: Framing, message: Uint8Array): Bytes {
  const { length } = message;
  if (length > framing.maxMessageSize) {
    throw new MessageTooLongError(
      `Cannot encode the message: it has ${length} bytes, the limit is ${framing.maxMessageSize}`,
    );
  }
  framing.check(message);
  const { suffix } = framing;
  const frame = new Uint8Array(framing.maxPrefix + length + suffix.length);
  const prefix = framing.writePrefix(message, frame, 0);
  frame.set(message, prefix);
  frame.set(suffix, prefix + length);
  return frame.subarray(0, prefix + length + suffix.length);
}
