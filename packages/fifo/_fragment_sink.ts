/** Messages into a FIFO with several writers: every write is one that the kernel keeps whole. */

import type { Sink } from "@ipc/core/base";
import { abi, type Descriptor, Memory, waitFor } from "@ipc/core/sys";
import {
  FIRST,
  HEADER,
  LAST,
  LONGEST_PIECE,
  LONGEST_WHOLE,
  LONGEST_WRITE,
  type Message,
  PREFIX,
  writeHeader,
  writeU32,
} from "./_fragments.ts";
import { claimNumber } from "./_lifeline.ts";

/** A message in fragments, of which some are gone. */
interface Rest extends Message {
  bytes: Uint8Array;
  /** Where in `bytes` the next fragment begins. */
  at: number;
}

/** A {@linkcode Sink} over a FIFO's writing end; owns the descriptor until it ends or is closed. */
export class FragmentSink implements Sink {
  readonly maxMessageSize: number;
  readonly #descriptor: Descriptor;
  readonly #chunk = new Uint8Array(LONGEST_WRITE);
  readonly #pinned: Memory = Memory.pinned(this.#chunk);
  /** Claimed with the first message in fragments: most writers never send one. */
  #writer: number | undefined;
  #number = 0;
  #rest: Rest | undefined;

  constructor(descriptor: Descriptor, maxMessageSize: number) {
    this.#descriptor = descriptor;
    this.maxMessageSize = maxMessageSize;
  }

  get begun(): boolean {
    return this.#rest !== undefined;
  }

  put(message: Uint8Array): boolean {
    if (message.byteLength <= LONGEST_WHOLE) {
      return this.#descriptor.write(this.#pinned, this.#frame(message, 0)) >= 0;
    }
    const rest = this.#begin(message);
    if (!this.#writeFragment(rest, true)) return false;
    this.#rest = rest;
    return this.finish();
  }

  putMany(messages: readonly Uint8Array[], from: number): number {
    let done = from;
    try {
      while (done < messages.length) {
        let after = done;
        let length = 0;
        while (after < messages.length && this.#fits(messages[after]!, length)) {
          length = this.#frame(messages[after++]!, length);
        }
        if (after > done) {
          if (this.#descriptor.write(this.#pinned, length) < 0) return done;
          done = after;
        } else if (this.put(messages[done]!)) done++;
        else return done;
      }
    } catch (error) {
      // What was taken before it counts; it comes again when it is the first.
      if (done === from) throw error;
    }
    return done;
  }

  finish(): boolean {
    const rest = this.#rest!;
    try {
      while (rest.at < rest.bytes.byteLength) {
        if (!this.#writeFragment(rest, false)) return false;
      }
    } catch (error) {
      this.#rest = undefined;
      throw error;
    }
    this.#rest = undefined;
    return true;
  }

  detach(): void {
    if (this.#rest === undefined) return;
    this.#rest.bytes = this.#rest.bytes.slice(this.#rest.at);
    this.#rest.at = 0;
  }

  putSync(message: Uint8Array): void {
    if (message.byteLength <= LONGEST_WHOLE) {
      return this.#descriptor.writeBlocking(this.#pinned, this.#frame(message, 0));
    }
    const rest = this.#begin(message);
    for (let first = true; rest.at < message.byteLength; first = false) {
      const length = this.#frameFragment(rest, first);
      this.#descriptor.writeBlocking(this.#pinned, HEADER + length);
      rest.at += length;
    }
  }

  block(timeout: number | undefined): void {
    this.#descriptor.poll(abi.POLLOUT, timeout);
  }

  park(wake: () => void): () => void {
    return waitFor(this.#descriptor.fd, "writable", wake);
  }

  end(): void {
    this.#descriptor.close();
  }

  /** What was begun stays a part: with the descriptor goes the lock, and the reader learns of it. */
  close(): void {
    this.#descriptor.close();
  }

  #fits(message: Uint8Array, at: number): boolean {
    return at + PREFIX + message.byteLength <= LONGEST_WRITE;
  }

  /** Puts a message in one piece into the chunk; returns where it ends. */
  #frame(message: Uint8Array, at: number): number {
    const { byteLength } = message;
    const chunk = this.#chunk;
    writeU32(chunk, at, byteLength);
    at += PREFIX;
    // A short loop beats the call to `set`.
    if (byteLength <= 128) {
      for (let index = 0; index < byteLength; index++) chunk[at + index] = message[index]!;
    } else chunk.set(message, at);
    return at + byteLength;
  }

  #begin(message: Uint8Array): Rest {
    const writer = this.#writer ??= claimNumber(this.#descriptor.fd);
    this.#number = (this.#number + 1) >>> 0;
    return { writer, number: this.#number, total: message.byteLength, bytes: message, at: 0 };
  }

  #writeFragment(rest: Rest, first: boolean): boolean {
    const length = this.#frameFragment(rest, first);
    if (this.#descriptor.write(this.#pinned, HEADER + length) < 0) return false;
    rest.at += length;
    return true;
  }

  /** Puts the next fragment into the chunk; returns how much of the message it has. */
  #frameFragment(rest: Rest, first: boolean): number {
    const { bytes, at } = rest;
    const length = Math.min(LONGEST_PIECE, bytes.byteLength - at);
    const last = at + length === bytes.byteLength;
    writeHeader(this.#chunk, (first ? FIRST : 0) | (last ? LAST : 0), length, rest);
    this.#chunk.set(bytes.subarray(at, at + length), HEADER);
    return length;
  }
}
