/**
 * Memory for short messages that are handed out.
 *
 * They are copied out of the memory that is read into, so that whatever a user does to a message, even
 * transferring its buffer away, no byte that he was not given yet is lost.
 *
 * A view costs 25 ns to make in a row with others, but 130 to 180 ns when the process has just been switched
 * to and all that makes it is cold. In a dialogue of short messages that was a tenth of the round trip. So
 * where messages have one length, the views of the next ones are made in a row.
 */

import type { Bytes } from "../channel.ts";

/** Short messages share chunks of this size. */
const CHUNK = 64 * 1024;
/** The first of them are smaller, half as large as the next one each: most of a crowd of receivers gets few. */
const FIRST_CHUNK = 1024;
/** A longer message gets a buffer of its own. */
const LONGEST = 4 * 1024;
/** The most views that are made in a row. */
const LONGEST_ROW = 32;

/** Hands out copies of short messages. */
export class Handout {
  #chunk: ArrayBuffer = new ArrayBuffer(0);
  /** The size of the next chunk. */
  #size = FIRST_CHUNK;
  /** Where the chunk is free behind the row. */
  #free = 0;
  /** Views that were made ahead, all of one length. */
  readonly #row: Bytes[] = [];
  #next = 0;
  #length = -1;

  /** A copy of `from[at]` and what follows, which shares its buffer with nothing but other copies. */
  copy(from: Uint8Array, at: number, length: number): Bytes {
    if (length > LONGEST) return new Uint8Array(from.subarray(at, at + length));
    const view = this.#view(length);
    if (length <= 128) { for (let index = 0; index < length; index++) view[index] = from[at + index]!; }
    else view.set(from.subarray(at, at + length));
    return view;
  }

  #view(length: number): Bytes {
    const row = this.#row;
    if (length === this.#length && this.#next < row.length) {
      const made = row[this.#next++]!;
      if (made.byteLength === length) return made;
    }
    return this.#makeRow(length);
  }

  /** Makes views for this message and, if the last ones were used up, for more like it; returns the first. */
  #makeRow(length: number): Bytes {
    const row = this.#row;
    const wanted = length === this.#length ? Math.min(LONGEST_ROW, 2 * row.length) : 1;
    // What was set aside for messages that did not come is free again.
    if (this.#next < row.length) this.#free = row[this.#next]!.byteOffset;
    // Aligned, so that a message can be viewed as numbers.
    const stride = (length + 7) & ~7;
    if (this.#chunk.detached || this.#free + length > this.#chunk.byteLength) {
      this.#chunk = new ArrayBuffer(Math.max(this.#size, length));
      this.#size = Math.min(CHUNK, 2 * this.#size);
      this.#free = 0;
    }
    row.length = 0;
    do {
      row.push(new Uint8Array(this.#chunk, this.#free, length));
      this.#free += stride;
    } while (row.length < wanted && this.#free + length <= this.#chunk.byteLength);
    this.#length = length;
    this.#next = 1;
    return row[0]!;
  }
}
