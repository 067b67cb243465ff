import { copyBytes } from "./_copy_bytes.ts";
import { Handout } from "./_handout.ts";
import type { Bytes } from "../channel.ts";
import { MessageTooLongError, TruncatedError } from "../errors.ts";
import { type Decoder, DEFAULT_MAX_MESSAGE_SIZE, type FramingOptions } from "../framing.ts";

/** What is read into, unless a frame needs more. */
const CHUNK = 64 * 1024;
/** What is read into until more has come at once, four times as much each time: most of a crowd say little. */
const FIRST_CHUNK = 512;
/** A read into less than this costs more calls than a new chunk costs. */
const LEAST_ROOM = 4 * 1024;
/** The same while the first chunk is enough. */
const FIRST_LEAST_ROOM = FIRST_CHUNK / 2;
/** From here on a message is handed out where it was read to, and the next chunk is made for more of its kind. */
const LARGE = 16 * 1024;
/** So many bytes are copied out at once rather than message by message. */
const WORTH_COPYING = 1024;
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
 * The memory of a decoder.
 *
 * It owns the chunk that is read into, and nobody else ever sees a byte of it that was not delivered: short
 * messages are copied out, all that one read brought at once; a large one is handed out together with the
 * chunk, after the bytes behind it were moved to a new one.
 *
 * A peer that claims a huge frame and sends nothing gets no memory for it: a chunk is at most 64 KiB and four
 * times the bytes that have really arrived, in this frame or in a large one just before it. One that is idle
 * costs 512 bytes: chunks grow when a read fills one.
 */
export abstract class ArenaDecoder implements Decoder {
  /** The memory that is read into now. */
  protected chunk: Bytes = NOTHING;
  /** Where the undelivered bytes start. */
  protected start = 0;
  /** Where the undelivered bytes end. */
  protected filled = 0;
  /** How many bytes the frame at `start` has in all; 0: not known, or all of them are here. */
  protected need = 0;
  /** What a chunk has, unless a frame needs more. */
  #size = FIRST_CHUNK;
  #leastRoom = FIRST_LEAST_ROOM;
  readonly #handout = new Handout();
  /** The size of a large frame that was delivered from the last chunk or two. */
  #large = 0;
  /** A copy of what stood in the chunk between two places, that messages are views of. */
  #copied: ArrayBuffer | undefined;
  #copiedFrom = 0;
  #copiedTo = 0;

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

  /** The whole messages that are there, at most `max` in all, behind those in `into`. */
  nextMany(into: Bytes[], max: number): void {
    while (into.length < max) {
      const message = this.next();
      if (message === undefined) break;
      into.push(message);
    }
  }

  /** Free space to read the next bytes into. */
  room(): Bytes {
    this.#forgetCopied();
    if (this.#isCramped(this.#leastRoom)) this.#makeRoom(this.#leastRoom);
    return this.filled === 0 ? this.chunk : this.chunk.subarray(this.filled);
  }

  /** Hands out the message at `at`; the next frame starts at `end`. */
  protected deliver(at: number, length: number, end: number): Bytes {
    const { chunk, filled } = this;
    const size = end - this.start;
    this.need = 0;
    this.start = end;
    if (length < LARGE) {
      const message = this.#copyOut(at, length);
      if (end === filled) this.#moved(0);
      return message;
    }
    this.#large = size;
    // Where more lies behind it than it has itself, it is the message that moves.
    if (filled - end > length) return chunk.slice(at, at + length);
    this.#renew(LEAST_ROOM);
    return chunk.subarray(at, at + length);
  }

  /** A copy of a short message: alone, or as a view of a copy of all that is there. */
  #copyOut(at: number, length: number): Bytes {
    const { chunk, filled } = this;
    if (this.#copied === undefined || at + length > this.#copiedTo) {
      if (filled - at < WORTH_COPYING) return this.#handout.copy(chunk, at, length);
      this.#copied = chunk.slice(at, filled).buffer;
      this.#copiedFrom = at;
      this.#copiedTo = filled;
    }
    try {
      return new Uint8Array(this.#copied, at - this.#copiedFrom, length);
    } catch {
      // Somebody transferred it away with a message that he was given.
      this.#copied = undefined;
      return this.#handout.copy(chunk, at, length);
    }
  }

  /** What was copied is about to be written over. */
  #forgetCopied(): void {
    if (this.filled < this.#copiedTo) this.#copied = undefined;
  }

  /** The undelivered bytes, `unread` of them, stand at the beginning of the chunk now. */
  #moved(unread: number): void {
    this.start = 0;
    this.filled = unread;
    this.#copied = undefined;
  }

  /** The first `length` bytes of the last `room()` have arrived. */
  commit(length: number): void {
    if (!(length >= 0 && length <= this.chunk.length - this.filled)) {
      throw new RangeError(`Cannot commit ${length} bytes: the room has ${this.chunk.length - this.filled}`);
    }
    this.filled += length;
    // There is more where that came from.
    if (this.filled === this.chunk.length) this.#grow();
  }

  /** Copies the first `length` bytes in. */
  push(bytes: Uint8Array, length: number = bytes.length): void {
    this.#forgetCopied();
    if (this.#isCramped(length)) this.#makeRoom(length);
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
    const rest = this.chunk.slice(this.start, this.filled);
    this.#moved(0);
    this.need = 0;
    this.reset();
    return rest;
  }

  #grow(): void {
    this.#size = Math.min(CHUNK, 4 * this.#size);
    this.#leastRoom = LEAST_ROOM;
  }

  /** Whether there is no room for `more`, or the frame could have a chunk now that holds all of it. */
  #isCramped(more: number): boolean {
    const { start, filled, need } = this;
    const { length } = this.chunk;
    return length - filled < more || length < this.#size ||
      (need > length - start && need + LEAST_ROOM <= this.#allowance());
  }

  #allowance(): number {
    return 4 * (this.filled - this.start) + Math.max(CHUNK, this.#large);
  }

  /** Moves the undelivered bytes down, or to a larger chunk, so that there is room for at least `more`. */
  #makeRoom(more: number): void {
    const { chunk, start, filled } = this;
    const least = Math.max(this.#size, this.need, filled - start + more);
    if (least > chunk.length || start === 0) return this.#renew(more);
    chunk.copyWithin(0, start, filled);
    this.#moved(filled - start);
  }

  /** Moves the undelivered bytes to a new chunk with room for at least `more`. */
  #renew(more: number): void {
    const { start, filled } = this;
    const unread = filled - start;
    if (unread + more > this.#size) this.#grow();
    let size = this.#size;
    if (this.need > 0 || unread > CHUNK / 4) {
      const whole = (this.need > 0 ? this.need : this.longest) + LEAST_ROOM;
      size = Math.max(size, Math.min(whole, this.#allowance()));
    }
    // Large frames come in rows: the chunk ends just behind the next one, so that a read brings next to nothing
    // of the frame after it, which would have to move.
    if (this.#large > 0) size = Math.max(size, this.#large + LEAST_ROOM);
    this.#large = this.#large > LARGE ? this.#large >>> 1 : 0;
    const chunk = new Uint8Array(Math.max(size, unread + more));
    if (unread > 0) chunk.set(this.chunk.subarray(start, filled));
    this.chunk = chunk;
    this.#moved(unread);
  }
}
