import { copyBytes } from "./_copy_bytes.ts";
import { ViewsAhead } from "./_views_ahead.ts";
import type { Bytes } from "../channel.ts";
import { MessageTooLongError, TruncatedError } from "../errors.ts";
import { type Decoder, DEFAULT_MAX_MESSAGE_SIZE, type FramingOptions } from "../framing.ts";

/** Messages of many reads share chunks of this size. */
const CHUNK = 64 * 1024;
/** A read into less than this costs more calls than a new chunk costs. */
const LEAST_ROOM = 4 * 1024;
/** From here on a frame counts as large, and the next chunk is made for more of its kind. */
export const LARGE = 16 * 1024;
/** A u32 prefix cannot say more, and 0xFFFFFFFF is kept as the mark of a peer that speaks something else. */
const LONGEST = 0xfffffffe;

const NOTHING: Bytes = new Uint8Array(0);

/** What stands after a message where nothing does. */
export const NO_SUFFIX: Bytes = new Uint8Array(0);

/** The limit that a framing is given, checked. */
export function maxMessageSizeOf(options: FramingOptions): number {
  const { maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE } = options;
  if (!Number.isInteger(maxMessageSize) || maxMessageSize < 1 || maxMessageSize > LONGEST) {
    throw new RangeError(`Cannot limit messages to ${maxMessageSize} bytes: the limit is 1 to ${LONGEST}`);
  }
  return maxMessageSize;
}

/** The error for a frame from a peer that is longer than we take. */
export function tooLong(length: number | string, maxMessageSize: number): MessageTooLongError {
  return new MessageTooLongError(
    `Cannot receive: the message has ${length} bytes, the limit is ${maxMessageSize}`,
  );
}

/** Where `value` first is in `bytes[from]` to `bytes[to - 1]`; `to` where it is not. */
export function find(bytes: Uint8Array, value: number, from: number, to: number): number {
  // The call to indexOf costs as much as a hundred turns of this loop.
  const near = Math.min(to, from + 128);
  for (let at = from; at < near; at++) if (bytes[at] === value) return at;
  if (near === to) return to;
  const at = bytes.subarray(near, to).indexOf(value);
  return at < 0 ? to : near + at;
}

/**
 * The memory of a decoder: bytes are read into a chunk and handed out as views of it.
 *
 * It owns the current chunk from `start` on; what lies before belongs to those who got the messages, and is
 * never written again. A new chunk is made when the room runs out, and the undelivered bytes move there.
 *
 * A peer that claims a huge frame and sends nothing gets no memory for it: a chunk is at most 64 KiB and four
 * times the bytes that have really arrived, in this frame or in a large one just before it.
 */
export abstract class ArenaDecoder implements Decoder {
  /** The memory that is read into now. */
  protected chunk: Bytes = NOTHING;
  /** The same memory: making a view of it is cheaper than a `subarray`. */
  protected buffer: ArrayBuffer = NOTHING.buffer;
  /** Where the undelivered bytes start. */
  protected start = 0;
  /** Where the undelivered bytes end. */
  protected filled = 0;
  /** How many bytes the frame at `start` has in all; 0: not known, or all of them are here. */
  protected need = 0;
  readonly #ahead = new ViewsAhead();
  /** The size of a large frame that was delivered from the last chunk or two. */
  protected large = 0;

  /** `longest` is the most bytes that a frame can have, with all that stands around the message. */
  constructor(protected readonly longest: number) {}

  /** The next whole message; `undefined` when more bytes are needed. */
  abstract next(): Bytes | undefined;

  /** Forgets what is known of the frame at `start`. */
  protected abstract reset(): void;

  /** Bytes that have arrived and belong to no message yet delivered. */
  get buffered(): number {
    return this.filled - this.start;
  }

  /** Free space to read the next bytes into. */
  room(): Bytes {
    if (this.#isCramped(LEAST_ROOM)) this.#renew(LEAST_ROOM);
    return new Uint8Array(this.buffer, this.filled);
  }

  /** The message at `at` as a view of the chunk. */
  protected view(at: number, length: number): Bytes {
    return this.#ahead.message(this.buffer, at, length);
  }

  /** The first `length` bytes of the last `room()` have arrived. */
  commit(length: number): void {
    if (!(length >= 0 && length <= this.chunk.length - this.filled)) {
      throw new RangeError(`Cannot commit ${length} bytes: the room has ${this.chunk.length - this.filled}`);
    }
    this.filled += length;
  }

  /** Copies the first `length` bytes in. */
  push(bytes: Uint8Array, length: number = bytes.length): void {
    if (this.#isCramped(length)) this.#renew(length);
    this.filled = copyBytes(bytes, length, this.chunk, this.filled);
  }

  /** Says that nothing will follow: throws `TruncatedError` inside a message. */
  end(): void {
    const { buffered, need } = this;
    if (buffered === 0) return;
    const known = need > 0 ? ` of ${need}` : "";
    throw new TruncatedError(
      `Cannot receive: the stream ended inside a message, after ${buffered}${known} bytes`,
    );
  }

  /** Takes the bytes that belong to no delivered message, as they arrived, out of the decoder. */
  drain(): Bytes {
    const rest = new Uint8Array(this.buffer, this.start, this.filled - this.start);
    this.start = this.filled;
    this.need = 0;
    this.reset();
    return rest;
  }

  /** Whether there is no room for `more`, or the frame could have a chunk now that holds all of it. */
  #isCramped(more: number): boolean {
    const { start, filled, need } = this;
    const { length } = this.chunk;
    return length - filled < more || (need > length - start && need + LEAST_ROOM <= this.#allowance());
  }

  #allowance(): number {
    return 4 * (this.filled - this.start) + Math.max(CHUNK, this.large);
  }

  /** Moves the undelivered bytes to a new chunk with room for at least `more`. */
  #renew(more: number): void {
    const { start, filled, large } = this;
    const unread = filled - start;
    let size = CHUNK;
    if (this.need > 0 || unread > CHUNK / 4) {
      const whole = (this.need > 0 ? this.need : this.longest) + LEAST_ROOM;
      size = Math.max(size, Math.min(whole, this.#allowance()));
    }
    // Large frames come in rows. Several share a chunk; a really large one gets a chunk that ends just behind
    // it, so that a read brings next to nothing of the following frame that would have to move.
    if (large > 0) size = Math.max(size, large <= CHUNK ? 4 * large : large + LEAST_ROOM);
    this.large = large > LARGE ? large >>> 1 : 0;
    const chunk = new Uint8Array(Math.max(size, unread + more));
    if (unread > 0) chunk.set(new Uint8Array(this.buffer, start, unread));
    this.chunk = chunk;
    this.buffer = chunk.buffer;
    this.start = 0;
    this.filled = unread;
  }
}
