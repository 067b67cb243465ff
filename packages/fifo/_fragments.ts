/**
 * The format in which several writers share a FIFO.
 *
 * The kernel keeps a write of up to 4096 bytes (PIPE_BUF) in one piece, whoever else writes. So every write holds
 * whole frames and has at most so many bytes. All numbers are u32, little-endian.
 *
 * - A message of up to 4092 bytes: its length, its bytes.
 * - A longer one: fragments, each `{ 0x80000000 | FIRST | LAST | length, writer, number, total }` and `length` bytes,
 *   at most 4080. `writer` tells apart the writers that are open, `number` counts the longer messages of one
 *   writer, `total` is the length of the message. The first fragment has FIRST, the last one LAST.
 *
 * A writer of longer messages holds a lock on the byte of the FIFO that has its number (see `_lifeline.ts`).
 */

import { type Bytes, DecodeError, LimitError, MessageTooLongError, TruncatedError } from "@ipc/core";
import { ArenaDecoder } from "@ipc/core/base";

/** The most bytes that the kernel keeps in one piece. */
export const LONGEST_WRITE = 4096;
/** What stands before a message in one piece. */
export const PREFIX = 4;
/** The longest message in one piece. */
export const LONGEST_WHOLE: number = LONGEST_WRITE - PREFIX;
/** What stands before a fragment. */
export const HEADER = 16;
/** The most bytes of a message in one fragment. */
export const LONGEST_PIECE: number = LONGEST_WRITE - HEADER;

const FRAGMENT = 0x8000_0000;
/** The fragment begins its message. */
export const FIRST = 0x4000_0000;
/** The fragment ends its message. */
export const LAST = 0x2000_0000;
const LENGTH = 0xfff;
const UNUSED: number = ~(FRAGMENT | FIRST | LAST | LENGTH);

/** The most messages in fragments that are put together at the same time. */
const MOST_OPEN = 1024;
/** Memory for a message in fragments that has only begun; later, four times what has arrived. */
const LEAST_MEMORY = 64 * 1024;
/** Up to so many open messages get at once as much memory as the last long message had. */
const FEW = 8;

/** Writes a u32 at `at` of `target`, little-endian. */
export function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

function readU32(from: Uint8Array, at: number): number {
  return (from[at]! | from[at + 1]! << 8 | from[at + 2]! << 16 | from[at + 3]! << 24) >>> 0;
}

/** A message in fragments, as those say. */
export interface Message {
  /** The writer's number. */
  readonly writer: number;
  /** The how-manieth of this writer's longer messages it is. */
  readonly number: number;
  /** All its bytes. */
  readonly total: number;
}

/** Writes what stands before a fragment of `length` bytes to the beginning of `target`. */
export function writeHeader(target: Uint8Array, flags: number, length: number, message: Message): void {
  writeU32(target, 0, FRAGMENT | flags | length);
  writeU32(target, 4, message.writer);
  writeU32(target, 8, message.number);
  writeU32(target, 12, message.total);
}

/** A message of which fragments are here and others are not. */
class Partial {
  bytes: Bytes = new Uint8Array(0);
  received = 0;

  constructor(readonly number: number, readonly total: number) {}

  /** Memory grows with what has really arrived: a claim costs its maker as much as us. */
  append(piece: Uint8Array, usual: number): void {
    const received = this.received + piece.byteLength;
    if (received > this.bytes.byteLength) {
      const bytes = new Uint8Array(Math.min(this.total, Math.max(LEAST_MEMORY, usual, 4 * received)));
      bytes.set(this.bytes.subarray(0, this.received));
      this.bytes = bytes;
    }
    this.bytes.set(piece, this.received);
    this.received = received;
  }
}

/**
 * Finds the messages of all writers in what is read from the FIFO.
 *
 * A message that cannot be had is told by one error in its place, and the rest of it is passed over; the others
 * go on. The stream is lost only where a frame cannot be read at all, for then nobody knows where the next
 * one begins.
 *
 * - A total over the limit: `MessageTooLongError`.
 * - Fragments of a message whose beginning went to an earlier reader: `TruncatedError`.
 * - LAST before the total: `TruncatedError`; more than the total, or another message's number: `DecodeError`.
 * - FIRST although a message of this writer is open: the writer has given that up, and knows; nothing is told.
 * - More than 1024 messages open at once: `LimitError` for each further one.
 */
export class FragmentDecoder extends ArenaDecoder {
  readonly #max: number;
  readonly #open = new Map<number, Partial>();
  /** Writers of which the rest of a message is passed over. */
  readonly #passedOver = new Set<number>();
  #lost = false;
  /** How long the last message in fragments was: they come in rows. */
  #usual = 0;

  constructor(max: number) {
    super(LONGEST_WRITE);
    this.#max = max;
  }

  /** Whether a frame could not be read. */
  get lost(): boolean {
    return this.#lost;
  }

  /** How many messages are open, of which an error would tell that they will not come. */
  get open(): number {
    return this.#open.size;
  }

  /** The writers that are inside of a message. */
  writers(): number[] {
    return [...this.#open.keys(), ...this.#passedOver];
  }

  /** Whether a writer is inside of a message. */
  get awaiting(): boolean {
    return this.#open.size > 0 || this.#passedOver.size > 0;
  }

  /** Forgets the message that a writer is inside of; returns the error that tells of it, if that is still to do. */
  abandon(writer: number): TruncatedError | undefined {
    this.#passedOver.delete(writer);
    const partial = this.#open.get(writer);
    if (partial === undefined) return undefined;
    this.#open.delete(writer);
    return truncated(partial, "the writer went away inside a message");
  }

  next(): Bytes | undefined {
    while (true) {
      const { chunk, start } = this;
      const have = this.filled - start;
      if (have < PREFIX) return undefined;
      const word = readU32(chunk, start);
      if (word <= LONGEST_WHOLE) {
        if (have < PREFIX + word) return undefined;
        if (word <= this.#max) return this.deliver(start + PREFIX, word, start + PREFIX + word);
        this.start = start + PREFIX + word;
        throw tooLong(word, this.#max);
      }
      const length = word & LENGTH;
      if ((word & FRAGMENT) === 0 || (word & UNUSED) !== 0 || length > LONGEST_PIECE) throw this.#lose();
      if (have < HEADER + length) return undefined;
      this.start = start + HEADER + length;
      const message = this.#fragment(word, start + PREFIX, length);
      // Fragments are copied out: their memory can be read into again.
      if (this.start === this.filled) this.start = this.filled = 0;
      if (message !== undefined) return message;
    }
  }

  protected reset(): void {}

  /** Adds a fragment to its message; returns that when it is whole. */
  #fragment(word: number, at: number, length: number): Bytes | undefined {
    const writer = readU32(this.chunk, at);
    const number = readU32(this.chunk, at + 4);
    const total = readU32(this.chunk, at + 8);
    const last = (word & LAST) !== 0;
    let partial = this.#open.get(writer);
    if ((word & FIRST) !== 0) {
      partial = this.#begin(writer, number, total, last);
    } else if (partial === undefined) {
      return this.#strayed(writer, last);
    }
    if (partial.number !== number || partial.total !== total || partial.received + length > total) {
      this.#passOver(writer, last);
      throw new DecodeError(
        `Cannot receive: the fragments of a message of ${partial.total} bytes contradict each other`,
        partial.bytes.subarray(0, partial.received),
      );
    }
    partial.append(
      this.chunk.subarray(at + HEADER - PREFIX, at + HEADER - PREFIX + length),
      this.open > FEW ? 0 : this.#usual,
    );
    if (!last) return undefined;
    this.#open.delete(writer);
    if (partial.received < total) throw truncated(partial, "the writer cut the message short");
    this.#usual = total;
    return partial.bytes;
  }

  #begin(writer: number, number: number, total: number, last: boolean): Partial {
    this.#open.delete(writer);
    this.#passedOver.delete(writer);
    if (total > this.#max) {
      this.#passOver(writer, last);
      throw tooLong(total, this.#max);
    }
    if (this.#full) {
      throw new LimitError(
        `Cannot receive: ${MOST_OPEN} messages have begun and not ended, the limit is ${MOST_OPEN}`,
        {
          hint: "fewer writers of long messages at the same time",
        },
      );
    }
    const partial = new Partial(number, total);
    this.#open.set(writer, partial);
    return partial;
  }

  /** A fragment of a message that is not open. */
  #strayed(writer: number, last: boolean): undefined {
    if (this.#passedOver.has(writer)) {
      if (last) this.#passedOver.delete(writer);
      return undefined;
    }
    // It may be the rest of one that found no room, which was told.
    if (this.#full) return undefined;
    this.#passOver(writer, last);
    throw new TruncatedError("Cannot receive: the beginning of the message went to an earlier reader");
  }

  #passOver(writer: number, last: boolean): void {
    this.#open.delete(writer);
    if (!last && !this.#full) this.#passedOver.add(writer);
  }

  get #full(): boolean {
    return this.#open.size + this.#passedOver.size >= MOST_OPEN;
  }

  #lose(): DecodeError {
    this.#lost = true;
    return new DecodeError(
      "Cannot receive: what is in the FIFO is neither a message nor a fragment",
      this.chunk.slice(this.start, this.filled),
      { hint: 'somebody writes plain bytes: open it with framing "lines" or "raw"' },
    );
  }
}

function truncated(partial: Partial, why: string): TruncatedError {
  return new TruncatedError(`Cannot receive: ${why}, after ${partial.received} of ${partial.total} bytes`);
}

function tooLong(length: number, max: number): MessageTooLongError {
  return new MessageTooLongError(`Cannot receive: the message has ${length} bytes, the limit is ${max}`);
}
