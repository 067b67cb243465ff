/** Bounded buffers in shared memory, from one end to one other: with a lock and conditions, and with semaphores. */

import { type Bytes, IpcError, TimeoutError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { Condition, Mutex, type MutexGuard, Semaphore } from "../mod.ts";

/** Places of a buffer, and the longest message in bytes. */
const [ROOM, LONGEST] = [8, 4096];
/** Bytes from the beginning: three objects, how many messages were put and taken, and the places. */
const [FIRST, SECOND, THIRD, COUNTS, PLACES] = [0, 16, 32, 48, 64];
/** A place is a length and a message. */
const PLACE = 8 + LONGEST;

/** How an object is found: made, or as another has made it. */
export type Make = "initialize" | "at";

/** What goes from one end to the other, without waiting, and what may be waited for. */
export interface SharedBuffer extends Disposable {
  /** False: there is no room, or somebody else is just about it. */
  put(message: Uint8Array): boolean;
  /** `undefined`: there is none, or somebody else is just about it. */
  take(): Bytes | undefined;
  /** Whether all that was put was taken; it stays so where the sender has gone. */
  readonly empty: boolean;
  room(signal: AbortSignal): Promise<void>;
  message(signal: AbortSignal): Promise<void>;
  /** Blocks this thread for so many milliseconds at most. */
  roomSync?(timeout: number): void;
  messageSync?(timeout: number): void;
}

/** The places, and how many messages were put there and taken. */
class Places {
  static readonly byteLength = PLACES + ROOM * PLACE;
  static readonly longest = LONGEST;
  static readonly room = ROOM;
  readonly #mapping: Mapping;
  readonly #offset: number;

  constructor(mapping: Mapping, offset: number) {
    this.#mapping = mapping;
    this.#offset = offset;
  }

  get count(): number {
    const counts = this.#counts();
    return Atomics.load(counts, 0) - Atomics.load(counts, 1) | 0;
  }

  /** The count is changed last: who is killed before has put nothing. */
  put(message: Uint8Array): void {
    const counts = this.#counts();
    const view = this.#place(Atomics.load(counts, 0));
    new Int32Array(view.buffer, view.byteOffset, 1)[0] = message.byteLength;
    view.set(message, 8);
    Atomics.add(counts, 0, 1);
  }

  take(): Bytes {
    const counts = this.#counts();
    const view = this.#place(Atomics.load(counts, 1));
    const length = new Int32Array(view.buffer, view.byteOffset, 1)[0]!;
    const message = view.slice(8, 8 + length);
    Atomics.add(counts, 1, 1);
    return message;
  }

  #counts(): Int32Array<ArrayBuffer> {
    return new Int32Array(this.#mapping.buffer, this.#offset + COUNTS, 2);
  }

  #place(number: number): Bytes {
    const index = (number >>> 0) % ROOM;
    return new Uint8Array(this.#mapping.buffer, this.#offset + PLACES + index * PLACE, PLACE);
  }
}

/** Bytes of a buffer. */
export const BUFFER_BYTES: number = Places.byteLength;
/** The longest message in bytes. */
export const LONGEST_MESSAGE: number = LONGEST;

/**
 * Whoever looks holds the lock; who finds nothing sleeps until a condition says that the other end was here.
 *
 * It does not block the thread: a wait that was given up takes the lock once more, in this thread, and what blocked
 * would keep it from giving that back.
 */
export class LockedBuffer implements SharedBuffer {
  readonly #mutex: Mutex;
  readonly #notEmpty: Condition;
  readonly #notFull: Condition;
  readonly #places: Places;

  constructor(mapping: Mapping, offset: number, make: Make) {
    this.#mutex = Mutex[make](mapping, offset + FIRST);
    this.#notEmpty = Condition[make](mapping, offset + SECOND);
    this.#notFull = Condition[make](mapping, offset + THIRD);
    this.#places = new Places(mapping, offset);
  }

  get empty(): boolean {
    return this.#places.count === 0;
  }

  put(message: Uint8Array): boolean {
    const done = this.#locked(() => {
      if (this.#places.count === ROOM) return false;
      this.#places.put(message);
      return true;
    });
    if (done) this.#notEmpty.notifyOne();
    return done === true;
  }

  take(): Bytes | undefined {
    const message = this.#locked(() => this.#places.count > 0 ? this.#places.take() : undefined);
    if (message !== undefined) this.#notFull.notifyOne();
    return message;
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#until(this.#notFull, () => this.#places.count < ROOM, signal);
  }

  message(signal: AbortSignal): Promise<void> {
    return this.#until(this.#notEmpty, () => this.#places.count > 0, signal);
  }

  [Symbol.dispose](): void {
    this.#notEmpty.close();
    this.#notFull.close();
    this.#mutex.close();
  }

  #locked<T>(fn: () => T): T | undefined {
    let guard: MutexGuard;
    try {
      guard = this.#mutex.tryLock() ?? this.#mutex.lockSync({ timeout: 1 });
    } catch (error) {
      // Another process is about it.
      if (error instanceof TimeoutError) return undefined;
      // A wait of this thread has the lock again, and is about to give it back.
      if (error instanceof IpcError && error.code === "EDEADLK") return fn();
      throw error;
    }
    repair(guard);
    try {
      return fn();
    } finally {
      guard.unlock();
    }
  }

  async #until(condition: Condition, seen: () => boolean, signal: AbortSignal): Promise<void> {
    using guard = await this.#mutex.lock({ signal });
    const look = () => {
      repair(guard);
      return seen();
    };
    try {
      await condition.waitFor(guard, look, { signal });
    } finally {
      repair(guard);
    }
  }
}

/** Whoever was killed has put a message in or not, for the count is changed last: nothing is to be repaired. */
function repair(guard: MutexGuard): void {
  if (guard.held && guard.abandoned) guard.markConsistent();
}

/** Two semaphores count the places that are free and those that are not. */
export class CountedBuffer implements SharedBuffer {
  readonly #free: Semaphore;
  readonly #used: Semaphore;
  readonly #places: Places;

  constructor(mapping: Mapping, offset: number, make: Make) {
    this.#free = make === "at"
      ? Semaphore.at(mapping, offset + FIRST)
      : Semaphore.initialize(mapping, offset + FIRST, { value: ROOM });
    this.#used = Semaphore[make](mapping, offset + SECOND);
    this.#places = new Places(mapping, offset);
  }

  get empty(): boolean {
    return this.#used.value === 0;
  }

  put(message: Uint8Array): boolean {
    if (!this.#free.tryAcquire()) return false;
    this.#places.put(message);
    this.#used.release();
    return true;
  }

  take(): Bytes | undefined {
    if (!this.#used.tryAcquire()) return undefined;
    const message = this.#places.take();
    this.#free.release();
    return message;
  }

  // Whoever waits takes one and gives it back: each end is the only one to take from its semaphore.
  async room(signal: AbortSignal): Promise<void> {
    await this.#free.acquire(1, { signal });
    this.#free.release();
  }

  async message(signal: AbortSignal): Promise<void> {
    await this.#used.acquire(1, { signal });
    this.#used.release();
  }

  roomSync(timeout: number): void {
    if (acquired(this.#free, timeout)) this.#free.release();
  }

  messageSync(timeout: number): void {
    if (acquired(this.#used, timeout)) this.#used.release();
  }

  [Symbol.dispose](): void {
    this.#free.close();
    this.#used.close();
  }
}

function acquired(semaphore: Semaphore, timeout: number): boolean {
  try {
    semaphore.acquireSync(1, { timeout });
    return true;
  } catch (error) {
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}
