/**
 * Messages out of a descriptor that carries bytes.
 *
 * @module
 */

import type { Bytes } from "../channel.ts";
import type { Source } from "../base/mechanism.ts";
import type { Decoder } from "../framing.ts";
import { abi } from "./abi.ts";
import type { Descriptor } from "./descriptor.ts";
import { waitFor } from "./poller.ts";
import { Memory } from "./memory.ts";
import { Reactor } from "./reactor.ts";

/** How a {@linkcode ByteSource} waits and ends. */
export interface ByteSourceOptions {
  /** Whether the runtime's reactor may wait for it: pipes and stream sockets that nobody shares. */
  reactor?: (() => boolean) | undefined;
  /** Asked when a read gives nothing: whether that is the end, for there may be no writer yet. */
  isEnd?: (() => boolean) | undefined;
  /** Asked when the decoder throws: whether it knows where the next message begins all the same. */
  goesOn?: (() => boolean) | undefined;
}

/** A {@linkcode Source} over a descriptor and a decoder; owns the descriptor until it is closed. */
export class ByteSource implements Source<Bytes> {
  readonly #descriptor: Descriptor;
  readonly #decoder: Decoder;
  readonly #mayUseReactor: () => boolean;
  readonly #isEnd: () => boolean;
  readonly #goesOn: () => boolean;
  #room = new Memory(new Uint8Array(0));
  #reactor: Reactor | undefined;
  #atEnd = false;
  #lost = false;
  #failure: { error: unknown } | undefined;

  /** Takes the descriptor over. */
  constructor(descriptor: Descriptor, decoder: Decoder, options: ByteSourceOptions = {}) {
    this.#descriptor = descriptor;
    this.#decoder = decoder;
    this.#mayUseReactor = options.reactor ?? (() => !descriptor.shared);
    this.#isEnd = options.isEnd ?? (() => true);
    this.#goesOn = options.goesOn ?? (() => false);
  }

  /** Whether the end was reached and everything before it delivered. */
  get ended(): boolean {
    return this.#atEnd && this.#failure === undefined;
  }

  /** Bytes that were read and belong to no message yet. */
  get buffered(): number {
    return this.#decoder.buffered;
  }

  /** Takes the next message without waiting. */
  take(): Bytes | undefined {
    while (true) {
      const message = this.#next();
      if (message !== undefined || this.#atEnd) return message;
      if (!this.#read(false)) return undefined;
    }
  }

  /** Takes what one read brings. */
  takeMany(max: number = Infinity): Bytes[] | undefined {
    const batch: Bytes[] = [];
    while (true) {
      try {
        this.#nextMany(batch, max);
      } catch (error) {
        if (batch.length === 0) throw error;
        this.#failure = { error };
      }
      if (batch.length > 0) return batch;
      if (this.#atEnd || !this.#read(false)) return undefined;
    }
  }

  /** Takes the next message, blocking this thread. */
  takeSync(): Bytes | undefined {
    while (true) {
      const message = this.#next();
      if (message !== undefined || this.#atEnd) return message;
      // Without a writer yet, a read does not block.
      if (!this.#read(true)) this.block(undefined);
    }
  }

  /** Reads bytes as they are, those that belong to no message yet first; `undefined`: nothing now, or the end. */
  takeBytes(into: Uint8Array): number | undefined {
    if (this.#decoder.buffered > 0) {
      const bytes = this.#decoder.drain();
      const count = Math.min(bytes.byteLength, into.byteLength);
      into.set(bytes.subarray(0, count));
      if (count < bytes.byteLength) this.#decoder.push(bytes.subarray(count));
      return count;
    }
    if (this.#atEnd || into.byteLength === 0) return this.#atEnd ? undefined : 0;
    const count = this.#descriptor.read(new Memory(into));
    if (count === 0) this.#atZero();
    return count > 0 ? count : undefined;
  }

  /** Blocks this thread until there may be something. */
  block(timeout: number | undefined): void {
    this.#descriptor.poll(abi.POLLIN, timeout);
  }

  /** Waits for bytes, or the end. */
  park(wake: () => void): () => void {
    const reactor = this.#mayUseReactor() ? this.#watch() : undefined;
    if (reactor === undefined) return waitFor(this.#descriptor.fd, "readable", wake);
    this.#descriptor.becameNonblocking();
    return reactor.park(wake);
  }

  /** Closes the descriptor. */
  close(): void {
    this.#reactor?.close();
    this.#descriptor.close();
  }

  #watch(): Reactor | undefined {
    if (this.#reactor?.finished) {
      this.#reactor.close();
      this.#reactor = undefined;
    }
    try {
      return this.#reactor ??= new Reactor(this.#descriptor.fd, (bytes) => this.#decoder.push(bytes));
    } catch {
      // Out of descriptors for the duplicate: the shared waiter needs none.
      return undefined;
    }
  }

  #next(): Bytes | undefined {
    this.#throwFailure();
    if (this.#lost) return undefined;
    try {
      return this.#decoder.next();
    } catch (error) {
      throw this.#lose(error);
    }
  }

  #nextMany(into: Bytes[], max: number): void {
    this.#throwFailure();
    if (this.#lost) return;
    try {
      this.#decoder.nextMany(into, max);
    } catch (error) {
      throw this.#lose(error);
    }
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    this.#failure = undefined;
    throw error;
  }

  /** Where the next message would begin is mostly not known any more. */
  #lose(error: unknown): unknown {
    if (!this.#goesOn()) this.#lost = this.#atEnd = true;
    return error;
  }

  /** Reads on; false: nothing came. */
  #read(blocking: boolean): boolean {
    const room = this.#roomToRead();
    const count = blocking ? this.#descriptor.readBlocking(room) : this.#descriptor.read(room);
    if (count <= 0) return count === 0 && this.#atZero();
    this.#decoder.commit(count);
    return true;
  }

  /** Where to read to: by address when it is the same place again, as in a dialogue of short messages. */
  #roomToRead(): Memory {
    const room = this.#decoder.room();
    if (this.#room.bytes !== room) this.#room = new Memory(room);
    else if (this.#room.address === null) this.#room = Memory.pinned(room);
    return this.#room;
  }

  /** A read gave nothing; true: that is the end. */
  #atZero(): boolean {
    if (!this.#isEnd()) return false;
    this.#atEnd = true;
    this.#decoder.end();
    return true;
  }
}
