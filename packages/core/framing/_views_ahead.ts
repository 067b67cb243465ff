/**
 * Views of a chunk, made some time before they are needed.
 *
 * A view costs 25 ns to make in a row with others, but 130 to 180 ns when the process has just been switched
 * to and all that makes it is cold. In a dialogue of short messages, one to a read, that was a fifth of the
 * round trip. So when such messages come alike, the views of the next ones are made in a row.
 */

import type { Bytes } from "../channel.ts";

/** How many are made in a row. */
const IN_A_ROW = 32;
/** Copying longer messages costs more than their views. */
const LONGEST = 1024;
/** Such a room takes some messages more than the one expected; its length is one that FFI has at hand. */
const ROOM = 4096;

/** Makes the views of one decoder. */
export class ViewsAhead {
  #buffer: ArrayBuffer | undefined;
  /** The views made ahead: where the bytes of a message will be read to, and the message in them. */
  readonly #rooms: Bytes[] = [];
  readonly #messages: Bytes[] = [];
  #next = 0;
  /** Where the last room began, how far the one before was away, and what was delivered in between. */
  #lastFilled = 0;
  #stride = 0;
  #delivered = 0;
  /** Where in its room the last message stood, and its length. */
  #offset = 0;
  #length = 0;

  /** A view of the chunk from `filled` on; what lies between `start` and there is not delivered yet. */
  room(buffer: ArrayBuffer, start: number, filled: number): Bytes {
    const made = this.#rooms[this.#next];
    if (made !== undefined && made.byteOffset === filled && buffer === this.#buffer) return made;
    const stride = filled - this.#lastFilled;
    const alike = start === filled && this.#delivered === 1 && stride === this.#stride && buffer === this.#buffer;
    if (alike && stride <= LONGEST) this.#make(buffer, filled);
    else this.#rooms.length = this.#messages.length = 0;
    this.#next = 0;
    this.#buffer = buffer;
    this.#lastFilled = filled;
    this.#stride = stride;
    this.#delivered = 0;
    return this.#rooms[0] ?? new Uint8Array(buffer, filled);
  }

  /** A view of a message. */
  message(buffer: ArrayBuffer, at: number, length: number): Bytes {
    const made = this.#messages[this.#next];
    if (made !== undefined && made.byteOffset === at && made.byteLength === length && buffer === this.#buffer) {
      this.#lastFilled = this.#rooms[this.#next++]!.byteOffset;
      this.#delivered = 1;
      return made;
    }
    this.#delivered++;
    this.#offset = at - this.#lastFilled;
    this.#length = length;
    return new Uint8Array(buffer, at, length);
  }

  #make(buffer: ArrayBuffer, filled: number): void {
    const last = Math.min(filled + IN_A_ROW * this.#stride, buffer.byteLength - ROOM);
    let count = 0;
    for (let at = filled; at + this.#stride <= last; at += this.#stride) {
      this.#rooms[count] = new Uint8Array(buffer, at, ROOM);
      this.#messages[count++] = new Uint8Array(buffer, at + this.#offset, this.#length);
    }
    this.#rooms.length = this.#messages.length = count;
  }
}
