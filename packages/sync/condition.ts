import { ERRNO, IpcError, type SyncOptions, TimeoutError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import type { Mapping } from "@ipc/core/sys";
import { ADOPT, type Adopting, canAdopt } from "./_adopt.ts";
import { markOf, Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import { Sleepers } from "./_sleep.ts";
import type { MutexGuard } from "./mutex_guard.ts";

const KIND = { name: "condition", mark: markOf("cnd", 1) };
/** Words: how often somebody notified, and how many sleep until that changes. */
const [NOTIFIED, SLEEPERS] = [1, 2];
const BYTES = 16;

/**
 * A condition variable in memory that processes share: who holds a mutex, and finds that what it guards is not yet as
 * it should be, waits here until another has changed it.
 *
 * `wait` gives the lock up, waits for a notification, and takes the lock again; then the same guard holds it. Nothing
 * that is notified after the lock was given up goes unseen, if all change the state under the lock. It may go on
 * **without a notification**, and one notification may let several go on: look at the state, and wait again, as
 * `waitFor` does.
 *
 * **After an error too the lock is taken again** before it is thrown, without a time limit, so that what follows in the
 * block may look at the state: a wait that was aborted ends once the lock is free. Only where it cannot be taken,
 * because it was closed or given up, is that the error, and `guard.held` false.
 *
 * **Waiting gives the lock up as unlocking does**: with a guard that is `abandoned` repair the state and call
 * `markConsistent` first, also after each wait, or nobody can use the mutex any more. `waitFor` may wait several times:
 * there the place for it is the predicate, and behind it for a wait that ends with an error.
 *
 * It works with a `Mutex` and a `PthreadMutex`; all who use one condition use the same mutex. One that is killed while
 * it waits takes no notification with it for longer than a second. The owner of the mutex that dies meanwhile is told
 * by `guard.abandoned`, as when locking. A handle owns nothing: the condition lives as long as its memory.
 *
 * Every method throws a `ClosedError` once the handle, or the mapping, is closed. Needs `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Condition, Mutex } from "@ipc/sync";
 *
 * using mapping = Mapping.anonymous(4096);
 * using mutex = Mutex.initialize(mapping, 0);
 * using changed = Condition.initialize(mapping, 16);
 * let ready = false; // In the mapping, as a rule.
 *
 * const waiting = mutex.withLock(async (guard) => {
 *   await changed.waitFor(guard, () => {
 *     if (guard.abandoned) guard.markConsistent(); // After repairing what the lock guards.
 *     return ready;
 *   });
 * });
 * await mutex.withLock((guard) => { // In another process, as a rule.
 *   if (guard.abandoned) guard.markConsistent();
 *   ready = true;
 * });
 * changed.notifyOne();
 * await waiting;
 * ```
 */
export class Condition implements Disposable, AsyncDisposable {
  /** Bytes that it takes of the mapping. */
  static readonly byteLength: number = BYTES;

  readonly #place: Place;
  readonly #sleepers: Sleepers;
  readonly #line: Waits;
  #blocked = 0;

  private constructor(place: Place) {
    this.#place = place;
    this.#sleepers = new Sleepers(place, NOTIFIED, SLEEPERS);
    this.#line = new Waits({
      action: `wait for ${place.name}`,
      park: (wake) => this.#sleepers.parkAll(wake),
      block: (timeout) => this.#sleepers.block(this.#blocked, timeout),
    });
    place.onEnd(() => this.#line.close(() => place.closedError("wait for")));
  }

  /**
   * Makes a condition of 16 bytes of a mapping, once and before anybody uses it; others find it with `at`.
   *
   * System calls: none.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition, Mutex } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using changed = Condition.initialize(mapping, Mutex.byteLength);
   * changed.notifyAll();
   * ```
   */
  static initialize(mapping: Mapping, offset: number): Condition {
    return new Condition(Place.initialize(KIND, mapping, offset, BYTES));
  }

  /**
   * The condition that somebody has made there.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {UntrustedError} if there is none of this version.
   *
   * @example
   * ```ts
   * import { UntrustedError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition } from "@ipc/sync";
   * import { assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * assertThrows(() => Condition.at(mapping, 16), UntrustedError);
   * Condition.initialize(mapping, 16).close();
   * using changed = Condition.at(mapping, 16); // In another process, as a rule.
   * changed.notifyOne();
   * ```
   */
  static at(mapping: Mapping, offset: number): Condition {
    return new Condition(Place.at(KIND, mapping, offset, BYTES));
  }

  /**
   * The condition in a mapping; where the memory is all zero still it is made: for programs that start together. What is
   * there stays as it is.
   *
   * Throws as `initialize` and `at` do. System calls: none where it is there; `fcntl`, and those of the mapping's
   * `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using condition = Condition.openOrInitialize(mapping, 16);
   * using same = Condition.openOrInitialize(mapping, 16); // In another process, as a rule.
   * same.notifyAll();
   * ```
   */
  static openOrInitialize(mapping: Mapping, offset: number): Condition {
    const [at, make] = [() => Condition.at(mapping, offset), () => Condition.initialize(mapping, offset)];
    return openOrInitialize(KIND, mapping, offset, at, make);
  }

  /**
   * Gives the lock up, waits until somebody notifies, and takes it again, with the same guard.
   *
   * System calls: `futex_waitv` to wait, and those of the mutex.
   *
   * @throws {TimeoutError} if nobody notified within `timeout`; the lock is held again.
   * @throws {NotRecoverableError} if what the lock guards was given up; it is not held.
   * @throws {IpcError} with code `EPERM` if it was not held: nothing was waited for.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition, Mutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using changed = Condition.initialize(mapping, 16);
   * using guard = await mutex.lock();
   * const waiting = changed.wait(guard, { timeout: 5000 });
   * assertEquals(guard.held, false);
   * changed.notifyOne(); // In another process, as a rule.
   * await waiting;
   * assertEquals(guard.held, true);
   * ```
   */
  async wait(guard: MutexGuard, options: WaitOptions = {}): Promise<void> {
    const { own, attempt } = this.#begin(guard, (seen) => this.#sleepers.note(seen));
    try {
      await this.#line.take(attempt, { ...options, watching: true });
    } finally {
      own[ADOPT](await own.mutex.lock());
    }
  }

  /**
   * The same, blocking this thread. System calls: `futex`, and those of the mutex.
   *
   * Throws as `wait` does.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition, Mutex } from "@ipc/sync";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using changed = Condition.initialize(mapping, 16);
   * using guard = mutex.lockSync();
   * assertThrows(() => changed.waitSync(guard, { timeout: 5 }), TimeoutError); // Nobody notifies.
   * assertEquals(guard.held, true);
   * ```
   */
  waitSync(guard: MutexGuard, options: SyncOptions = {}): void {
    const { own, attempt } = this.#begin(guard, (seen) => void (this.#blocked = seen));
    try {
      this.#line.takeSync(attempt, options);
    } finally {
      own[ADOPT](own.mutex.lockSync());
    }
  }

  /**
   * Waits until `predicate` says true, which is asked with the lock held: before, and after each notification.
   *
   * Throws as `wait` does; the `timeout` is for all of it but for taking the lock again at the end.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition, Mutex, type MutexGuard } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using changed = Condition.initialize(mapping, 16);
   * const words = new Int32Array(mapping.buffer, 32, 1);
   * const repair = (guard: MutexGuard) => {
   *   if (guard.abandoned) guard.markConsistent(); // The number alone is always whole.
   * };
   * const taken = mutex.withLock(async (guard) => {
   *   const there = () => (repair(guard), words[0]! > 0);
   *   try {
   *     await changed.waitFor(guard, there, { timeout: 5000 });
   *     return words[0]!--;
   *   } finally {
   *     if (guard.held) repair(guard); // Nobody notified in time.
   *   }
   * });
   * await mutex.withLock((guard) => { // In another process, as a rule.
   *   if (guard.abandoned) guard.markConsistent();
   *   words[0]!++;
   * });
   * changed.notifyOne();
   * assertEquals(await taken, 1);
   * ```
   */
  async waitFor(guard: MutexGuard, predicate: () => boolean, options: WaitOptions = {}): Promise<void> {
    const { timeout } = options;
    const left = countdown(timeout);
    while (!predicate()) {
      try {
        await this.wait(guard, timeout === undefined ? options : { ...options, timeout: left() });
      } catch (error) {
        if (!(error instanceof TimeoutError) || !guard.held) throw error;
        if (predicate()) return;
        throw this.#notWithin(timeout!);
      }
    }
  }

  /**
   * The same, blocking this thread. Throws as `wait` does.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition, Mutex } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using changed = Condition.initialize(mapping, 16);
   * const words = new Int32Array(mapping.buffer, 32, 1);
   * words[0] = 1; // By another process, as a rule, which then calls notifyOne().
   * using guard = mutex.lockSync();
   * changed.waitForSync(guard, () => {
   *   if (guard.abandoned) guard.markConsistent(); // After repairing what the lock guards.
   *   return words[0]! > 0;
   * });
   * ```
   */
  waitForSync(guard: MutexGuard, predicate: () => boolean, options: SyncOptions = {}): void {
    const { timeout } = options;
    const left = countdown(timeout);
    while (!predicate()) {
      try {
        this.waitSync(guard, timeout === undefined ? options : { timeout: left() });
      } catch (error) {
        if (!(error instanceof TimeoutError) || !guard.held) throw error;
        if (predicate()) return;
        throw this.#notWithin(timeout!);
      }
    }
  }

  /**
   * Lets at least one who waits go on, after the state was changed. System calls: none; `futex` to wake.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using changed = Condition.initialize(mapping, 16);
   * changed.notifyOne(); // Nobody waits: nothing is remembered.
   * ```
   */
  notifyOne(): void {
    this.#notify(1);
  }

  /**
   * Lets all who wait go on, after the state was changed. System calls: none; `futex` to wake.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Condition, Mutex } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using changed = Condition.initialize(mapping, 16);
   * using guard = await mutex.lock();
   * const waiting = changed.wait(guard, { timeout: 5000 });
   * changed.notifyAll(); // In another process, as a rule.
   * await waiting;
   * ```
   */
  notifyAll(): void {
    this.#notify(Infinity);
  }

  /** Gives the handle back: waits reject with a `ClosedError`, later calls throw one. Calling it again does nothing. */
  close(): void {
    this.#place.close();
  }

  /** Closes the handle. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the handle. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** Gives the lock up, having looked at the count while it was held. */
  #begin(
    guard: MutexGuard,
    note: (seen: number) => undefined,
  ): { own: Adopting; attempt: () => true | undefined } {
    const { name } = this.#place;
    if (!canAdopt(guard)) throw new TypeError(`Cannot wait for ${name}: that is no guard of a mutex`);
    const start = this.#count();
    if (!guard.held) {
      throw new IpcError(`Cannot wait for ${name}: the mutex is not held`, {
        code: "EPERM",
        errno: ERRNO.EPERM,
      });
    }
    guard.unlock();
    const attempt = () => {
      const seen = this.#count();
      return seen !== start || note(seen);
    };
    return { own: guard, attempt };
  }

  #count(): number {
    return Atomics.load(this.#place.words("wait for"), NOTIFIED);
  }

  #notify(most: number): void {
    const words = this.#place.words("notify");
    Atomics.add(words, NOTIFIED, 1);
    this.#sleepers.wake(words, most);
  }

  #notWithin(timeout: number): TimeoutError {
    return new TimeoutError(`Cannot wait for ${this.#place.name}: it did not come true within ${timeout} ms`);
  }
}

/** What is left of a time, in milliseconds. */
function countdown(timeout: number | undefined): () => number {
  if (timeout !== undefined && !(timeout >= 0)) {
    throw new RangeError(`Cannot wait ${timeout} ms: a timeout is 0 or more`);
  }
  const start = performance.now();
  return () => Math.max(0, timeout! - (performance.now() - start));
}
