/** Memory for the messages that are handed out: copies, for what the kernel fills is filled again. */

import type { Bytes } from "@ipc/core";

/** Copies of short messages share chunks of this size: a buffer for each would cost as much as the system call. */
const CHUNK = 64 * 1024;
/** A longer message gets a buffer of its own. */
const LONGEST_SHARED = 4 * 1024;
/** So few bytes are copied sooner word by word than by a call that copies. */
const LONGEST_BY_WORDS = 256;
/**
 * So many places in a chunk get their views at once, if the messages are as long as the last: in a row a view costs
 * 25 ns, alone and right after a switch of process 130.
 */
const MOST_AHEAD = 32;

/** Hands out copies; those of one handout may share a buffer. */
export class Handout {
  #chunk = new ArrayBuffer(0);
  /** The chunk in words. */
  #words = new Int32Array(this.#chunk);
  /** What was copied from last, and the same in words. */
  #from: Bytes | undefined;
  #fromWords = this.#words;
  /** Where the chunk is free. */
  #free = 0;
  /** Views of the places before that, of which those from `next` on are not given away. */
  #ahead: Bytes[] = [];
  #next = 0;
  #length = -1;
  #many = 1;

  /** A copy of the first `length` bytes of memory that begins at a multiple of 4. */
  copy(from: Bytes, length: number): Bytes {
    if (length === 0 || length > LONGEST_SHARED) return from.slice(0, length);
    let copy = this.#ahead[this.#next];
    // Of a chunk that somebody has transferred away the views are empty.
    if (length !== this.#length || copy === undefined || copy.byteLength !== length) {
      this.#lookAhead(length);
      copy = this.#ahead[0]!;
      this.#next = 0;
    }
    this.#next++;
    if (length > LONGEST_BY_WORDS) copy.set(from.subarray(0, length));
    else this.#copyWords(from, copy);
    return copy;
  }

  /** Copies what is short word by word, and its last bytes one by one. */
  #copyWords(from: Bytes, copy: Bytes): void {
    if (from !== this.#from) {
      this.#from = from;
      this.#fromWords = new Int32Array(from.buffer, from.byteOffset, from.length >>> 2);
    }
    const words = this.#words;
    const fromWords = this.#fromWords;
    const { length } = copy;
    const start = copy.byteOffset >>> 2;
    const whole = length >>> 2;
    for (let index = 0; index < whole; index++) words[start + index] = fromWords[index]!;
    for (let index = whole << 2; index < length; index++) copy[index] = from[index]!;
  }

  /** Makes views for messages of this length: one, and twice as many each time that it was not enough. */
  #lookAhead(length: number): void {
    this.#many = length === this.#length ? Math.min(2 * this.#many, MOST_AHEAD) : 1;
    // What was set aside for messages that did not come is free again.
    if (this.#next < this.#ahead.length) this.#free = this.#ahead[this.#next]!.byteOffset;
    this.#length = length;
    // Aligned, so that a message can be viewed as numbers.
    const size = (length + 7) & ~7;
    // One that somebody has transferred away has a length of 0.
    if (this.#free + size > this.#chunk.byteLength) {
      this.#chunk = new ArrayBuffer(CHUNK);
      this.#words = new Int32Array(this.#chunk);
      this.#free = 0;
    }
    const ahead: Bytes[] = this.#ahead = [];
    do {
      ahead.push(new Uint8Array(this.#chunk, this.#free, length));
      this.#free += size;
    } while (ahead.length < this.#many && this.#free + size <= this.#chunk.byteLength);
  }
}
