/** Ends of a bounded buffer in shared memory as ends of a channel. */

import { BrokenPipeError, type Bytes } from "@ipc/core";
import { BaseReceiver, BaseSender, type Sink, type Source } from "@ipc/core/base";
import type { Mapping } from "@ipc/core/sys";
import { Mutex, type MutexGuard } from "../mod.ts";
import { BUFFER_BYTES, LONGEST_MESSAGE, type Make, type SharedBuffer } from "./buffers.ts";

/** Milliseconds after which what blocks looks whether the other end still lives. */
const SLICE = 20;
/** Locks behind the buffer, of which each end holds one as long as it lives. */
const [SENDER, RECEIVER] = [BUFFER_BYTES, BUFFER_BYTES + Mutex.byteLength];

/** Bytes of a channel. */
export const CHANNEL_BYTES: number = BUFFER_BYTES + 2 * Mutex.byteLength;

/** A kind of buffer. */
export type BufferType = new (mapping: Mapping, offset: number, make: Make) => SharedBuffer;

/** What one end has: the buffer, its own life, and the other's. */
class End implements Disposable {
  readonly buffer: SharedBuffer;
  readonly #own: Mutex;
  readonly #other: Mutex;
  readonly #life: MutexGuard;
  #gone = false;

  constructor(Type: BufferType, mapping: Mapping, offset: number, make: Make, own: number, other: number) {
    this.buffer = new Type(mapping, offset, make);
    this.#own = Mutex[make](mapping, offset + own);
    this.#other = Mutex[make](mapping, offset + other);
    const life = this.#own.tryLock();
    if (life === undefined) throw new Error("Somebody has this end already");
    this.#life = life;
  }

  /** Whether the other end was given up, or its process has died. */
  get gone(): boolean {
    if (this.#gone) return true;
    const guard = this.#other.tryLock();
    if (guard !== undefined) this.#found(guard);
    return this.#gone;
  }

  /** Calls `wake` once when `what` is so, or the other end has gone; returns what gives that up. */
  park(what: (signal: AbortSignal) => Promise<void>, wake: () => void): () => void {
    const controller = new AbortController();
    const { signal } = controller;
    const over = () => {
      if (signal.aborted) return;
      controller.abort();
      wake();
    };
    what(signal).then(over, over);
    this.#other.lock({ signal }).then((guard) => this.#found(guard)).then(over, over);
    return () => controller.abort();
  }

  /** The other end learns of it. */
  leave(): void {
    if (this.#life.held) this.#life.unlock();
  }

  [Symbol.dispose](): void {
    this.leave();
    this.buffer[Symbol.dispose]();
    this.#own.close();
    this.#other.close();
  }

  #found(guard: MutexGuard): void {
    this.#gone = true;
    if (!guard.held) return;
    if (guard.abandoned) guard.markConsistent();
    guard.unlock();
  }
}

class BufferSource implements Source<Bytes> {
  readonly #end: End;
  ended = false;
  readonly block?: (timeout: number | undefined) => void;

  constructor(end: End) {
    this.#end = end;
    const { buffer } = end;
    if (buffer.messageSync) this.block = (timeout = SLICE) => buffer.messageSync!(Math.min(timeout, SLICE));
  }

  take(): Bytes | undefined {
    const { buffer } = this.#end;
    const message = buffer.take();
    // What was put before the sender went is still to come.
    if (message !== undefined || this.ended || !this.#end.gone) return message;
    this.ended = buffer.empty;
    return this.ended ? undefined : buffer.take();
  }

  park(wake: () => void): () => void {
    return this.#end.park((signal) => this.#end.buffer.message(signal), wake);
  }

  close(): void {
    this.#end[Symbol.dispose]();
  }
}

class BufferSink implements Sink {
  readonly maxMessageSize = LONGEST_MESSAGE;
  readonly begun = false;
  readonly #end: End;
  readonly block?: (timeout: number | undefined) => void;

  constructor(end: End) {
    this.#end = end;
    const { buffer } = end;
    if (buffer.roomSync) this.block = (timeout = SLICE) => buffer.roomSync!(Math.min(timeout, SLICE));
  }

  put(message: Uint8Array): boolean {
    if (this.#end.gone) throw new BrokenPipeError("Cannot send: the receiver has gone", { code: "EPIPE" });
    return this.#end.buffer.put(message);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park(wake: () => void): () => void {
    return this.#end.park((signal) => this.#end.buffer.room(signal), wake);
  }

  end(): void {
    this.#end.leave();
  }

  close(): void {
    this.#end[Symbol.dispose]();
  }
}

/** The end that messages go into; `make` says whether it is the first to come. */
export function openSender(Type: BufferType, mapping: Mapping, offset: number, make: Make): BaseSender {
  const end = new End(Type, mapping, offset, make, SENDER, RECEIVER);
  return new BaseSender(new BufferSink(end), { maxQueuedBytes: 1024 * 1024 });
}

/** The end that messages come out of. */
export function openReceiver(Type: BufferType, mapping: Mapping, offset: number, make: Make): BaseReceiver {
  return new BaseReceiver(new BufferSource(new End(Type, mapping, offset, make, RECEIVER, SENDER)));
}
