/**
 * Messages into a descriptor that carries bytes.
 *
 * @module
 */

import type { Sink } from "../base/mechanism.ts";
import { BrokenPipeError, IpcError } from "../errors.ts";
import type { Framing } from "../framing.ts";
import { copyBytes } from "../framing/_copy_bytes.ts";
import { abi } from "./abi.ts";
import type { Descriptor } from "./descriptor.ts";
import { Memory } from "./memory.ts";
import { waitFor } from "./poller.ts";

/** What one write carries at most when messages are put together, unless told. */
const CHUNK = 68 * 1024;

/** How a {@linkcode ByteSink} writes. */
export interface ByteSinkOptions {
  /** What one write carries at most when messages are put together: `PIPE_BUF` keeps them whole among other writers. */
  maxWrite?: number | undefined;
}

/** Where messages get their frames: free again as soon as a write returns, so that one serves all. */
let memory: Memory | undefined;

/** Said of a message that goes out as it is, without a frame. */
export const UNFRAMED: unique symbol = Symbol("unframed");

/** A {@linkcode Sink} over a descriptor and a framing; owns the descriptor until it ends or is closed. */
export class ByteSink implements Sink {
  readonly #descriptor: Descriptor;
  readonly #framing: Framing;
  readonly #memory: Memory = memory ??= Memory.pinned(new Uint8Array(CHUNK));
  readonly #chunk: Uint8Array = this.#memory.bytes;
  readonly #maxWrite: number;
  /** Where each message in the chunk ends. */
  readonly #ends: number[] = [];
  /** What is left of the message that was begun. */
  #rest: Uint8Array[] = [];
  /** The error that left a message cut off: what was written behind it would be taken for its rest. */
  #torn: { error: unknown } | undefined;

  /** Takes the descriptor over. */
  constructor(descriptor: Descriptor, framing: Framing, options: ByteSinkOptions = {}) {
    this.#descriptor = descriptor;
    this.#framing = framing;
    this.#maxWrite = Math.min(options.maxWrite ?? CHUNK, CHUNK);
  }

  /** The longest message in bytes. */
  get maxMessageSize(): number {
    return this.#framing.maxMessageSize;
  }

  /** Whether bytes of a message are gone and others are not. */
  get begun(): boolean {
    return this.#rest.length > 0;
  }

  /** Writes one message, or what there is room for. */
  put(message: Uint8Array, meta?: unknown): boolean {
    this.#checkWhole();
    if (meta === undefined && this.#fits(message, 0)) {
      const length = this.#frame(message, 0);
      const count = length > 0 ? this.#descriptor.write(this.#memory, length) : 0;
      if (count === length) return true;
      if (count > 0) this.#rest = [this.#chunk.slice(count, length)];
      return false;
    }
    const pieces = this.#pieces(message, meta);
    const taken = this.#write(pieces);
    if (taken > 0) {
      this.#rest = pieces.map((piece) => piece.buffer === this.#chunk.buffer ? piece.slice() : piece);
    }
    return pieces.length === 0;
  }

  /** Writes as many messages as there is room for, many with one call. */
  putMany(messages: readonly Uint8Array[], from: number): number {
    this.#checkWhole();
    let done = from;
    while (done < messages.length) {
      let after = done;
      let length = 0;
      this.#ends.length = 0;
      try {
        while (after < messages.length && this.#fits(messages[after]!, length)) {
          length = this.#frame(messages[after]!, length);
          this.#ends.push(length);
          after++;
        }
        if (after === done) {
          if (!this.put(messages[done]!)) return done;
          done++;
          continue;
        }
      } catch (error) {
        if (after === from && done === from) throw error;
        // What stands before it leaves first; it throws again when it is the first.
        if (after === done) return done;
      }
      let count: number;
      try {
        count = this.#descriptor.write(this.#memory, length);
      } catch (error) {
        if (done === from) throw error;
        return done;
      }
      if (count === length) {
        done = after;
        continue;
      }
      if (count > 0) {
        let index = 0;
        while (this.#ends[index]! <= count) index++;
        done += index;
        const start = index > 0 ? this.#ends[index - 1]! : 0;
        if (count > start) this.#rest = [this.#chunk.slice(count, this.#ends[index]!)];
      }
      return done;
    }
    return done;
  }

  /** Goes on with the message that was begun. */
  finish(): boolean {
    const rest = this.#rest;
    try {
      this.#write(rest);
    } catch (error) {
      this.#rest = [];
      this.#torn = { error };
      throw error;
    }
    return rest.length === 0;
  }

  /** Copies what is left of the message that was begun. */
  detach(): void {
    this.#rest = this.#rest.map((piece) => piece.slice());
  }

  /** Writes one message, blocking this thread as long as it takes. */
  putSync(message: Uint8Array, meta?: unknown): void {
    this.#checkWhole();
    let begun = false;
    try {
      if (meta === undefined && this.#fits(message, 0)) {
        this.#descriptor.writeBlocking(this.#memory, this.#frame(message, 0));
        return;
      }
      for (const piece of this.#pieces(message, meta)) {
        this.#descriptor.writeBlocking(new Memory(piece));
        begun = true;
      }
    } catch (error) {
      if (begun || (error instanceof IpcError && error.partial)) this.#tear(error);
      throw error;
    }
  }

  /** Blocks this thread until there may be room. */
  block(timeout: number | undefined): void {
    this.#descriptor.poll(abi.POLLOUT, timeout);
  }

  /** Waits until there may be room. */
  park(wake: () => void): () => void {
    return waitFor(this.#descriptor.fd, "writable", wake);
  }

  /** Closes the descriptor, which the reader sees as the end. */
  end(): void {
    this.#descriptor.close();
  }

  /** Closes the descriptor. */
  close(): void {
    this.#descriptor.close();
  }

  /** Bytes of a message are gone, and the others never will be. */
  #tear(error: unknown): void {
    this.#torn = { error };
    if (error instanceof IpcError) error.partial = true;
  }

  #checkWhole(): void {
    if (this.#torn === undefined) return;
    throw new BrokenPipeError("Cannot send: an error cut an earlier message off, and nothing can follow it", {
      cause: this.#torn.error,
    });
  }

  #fits(message: Uint8Array, at: number): boolean {
    const { maxPrefix, suffix } = this.#framing;
    return at + maxPrefix + message.byteLength + suffix.byteLength <= this.#maxWrite;
  }

  /** Puts a message with its frame into the chunk; returns where it ends. */
  #frame(message: Uint8Array, at: number): number {
    const framing = this.#framing;
    const first = at === 0;
    framing.check(message);
    at += framing.writePrefix(message, this.#chunk, at);
    // One alone is copied with cold caches, one of many with warm ones.
    if (first) at = copyBytes(message, message.byteLength, this.#chunk, at);
    else {
      this.#chunk.set(message, at);
      at += message.byteLength;
    }
    if (framing.suffix.byteLength > 0) this.#chunk.set(framing.suffix, at);
    return at + framing.suffix.byteLength;
  }

  /** A message with its frame, its beginning copied to be written with the prefix. */
  #pieces(message: Uint8Array, meta: unknown): Uint8Array[] {
    if (meta === UNFRAMED) return message.byteLength > 0 ? [message] : [];
    this.#framing.check(message);
    const prefix = this.#framing.writePrefix(message, this.#chunk, 0);
    // A prefix shorter than the longest may leave more room than the message needs.
    const head = Math.min(this.#chunk.byteLength - prefix, message.byteLength);
    this.#chunk.set(message.subarray(0, head), prefix);
    const pieces = [this.#chunk.subarray(0, prefix + head), message.subarray(head), this.#framing.suffix];
    return pieces.filter((piece) => piece.byteLength > 0);
  }

  /** Writes pieces until there is no room, and leaves in the array what is left; returns how many bytes went. */
  #write(pieces: Uint8Array[]): number {
    let total = 0;
    while (pieces.length > 0) {
      let count: number;
      try {
        count = this.#descriptor.write(new Memory(pieces[0]!));
      } catch (error) {
        if (total > 0) this.#tear(error);
        throw error;
      }
      if (count < 0) break;
      total += count;
      if (count < pieces[0]!.byteLength) pieces[0] = pieces[0]!.subarray(count);
      else pieces.shift();
    }
    return total;
  }
}
