/** Messages over a stream of bytes, as one writes it by hand: a length of four bytes, one write for each. */

import type { Bytes } from "@ipc/core";

/** A stream of bytes. */
export interface Stream {
  /** Writes all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Reads some into `into`, and says how many; 0: the end. */
  read(into: Bytes): Promise<number>;
  /** Says that nothing more will be written. */
  end(): Promise<void>;
  /** Closes it. */
  close(): void;
}

const PREFIX = 4;

/** A channel over it, with only what the peers are measured with. */
export class Framed {
  readonly #stream: Stream;
  /** What was read and not yet taken lies between `start` and `end`. */
  readonly #room: Bytes = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;
  #frame = new Uint8Array(PREFIX);

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  async send(message: Uint8Array): Promise<void> {
    const length = PREFIX + message.length;
    if (this.#frame.length < length) this.#frame = new Uint8Array(length);
    const frame = this.#frame;
    frame[0] = message.length;
    frame[1] = message.length >>> 8;
    frame[2] = message.length >>> 16;
    frame[3] = message.length >>> 24;
    frame.set(message, PREFIX);
    await this.#stream.write(frame.length === length ? frame : frame.subarray(0, length));
  }

  async receive(): Promise<Bytes | undefined> {
    const room = this.#room;
    while (this.#end - this.#start < PREFIX) {
      room.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      const count = await this.#stream.read(room.subarray(this.#end));
      if (count === 0) return undefined;
      this.#end += count;
    }
    const start = this.#start + PREFIX;
    const length = room[start - 4]! | room[start - 3]! << 8 | room[start - 2]! << 16 | room[start - 1]! << 24;
    const after = start + length;
    if (after <= this.#end) {
      this.#start = after;
      return room.slice(start, after);
    }
    const message = new Uint8Array(length);
    message.set(room.subarray(start, this.#end));
    let have = this.#end - start;
    this.#start = this.#end = 0;
    while (have < length) {
      const count = await this.#stream.read(message.subarray(have));
      if (count === 0) return undefined;
      have += count;
    }
    return message;
  }

  end(): Promise<void> {
    return this.#stream.end();
  }

  close(): void {
    this.#stream.close();
  }
}
