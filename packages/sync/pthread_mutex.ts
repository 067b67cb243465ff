import { ERRNO, type SyncOptions, UntrustedError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { lookAgain, type Mapping } from "@ipc/core/sys";
import { Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import {
  checkSupport,
  initialise,
  isMade,
  maybeFree,
  mutexError,
  sizes,
  timedLock,
  tryLock,
} from "./_pthread.ts";
import { PthreadGuard } from "./_pthread_guard.ts";
import type { Lockable, MutexGuard } from "./mutex_guard.ts";

/** What it is libc knows; there is no mark of ours in it. */
const KIND = { name: "pthread mutex", mark: 0 };
/** Milliseconds for which a call blocks at once. */
const SLICE = 1000;

/**
 * libc's mutex, `pthread_mutex_t`, in memory that processes share: one lock for programs in C and in TypeScript.
 *
 * It is robust: when its owner dies, the next one who locks it is told that it was `abandoned`, repairs what the lock
 * guards and calls `markConsistent`. Unlocking without that makes the mutex a `NotRecoverableError` for everybody.
 *
 * **The memory is libc's**: it keeps addresses there, and a program that writes over a mutex that is held can crash
 * those who hold one. Do not give away the mapping's buffer (`transfer`) either while one is held.
 *
 * **Its owner is a thread**, and each isolate has one: the main program, and each Worker. So `lockSync` throws while
 * this thread holds it already, through whatever handle; `lock` waits for its turn, also behind other tasks of this
 * program. A Worker that is terminated counts as an owner that died.
 *
 * **Waiting** asynchronously is looking at it every 1 to 5 ms, for nothing else tells of a mutex of libc without
 * blocking; where all who lock are written in TypeScript a `Mutex` is better, which wakes. An aborted wait holds
 * nothing. Calls of `lock` on one handle are served in their order.
 *
 * **Closing** the handle, or the mapping, gives back what it holds, for memory that is unmapped with a held mutex of
 * this kind in it makes libc crash at the next lock. What was abandoned and not made consistent is given up then.
 * Needs `--allow-ffi`, and glibc 2.34 or musl; the programs need the same libc.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { PthreadMutex } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * using mutex = PthreadMutex.initialize(mapping, 0);
 * {
 *   using guard = await mutex.lock({ timeout: 5000 });
 *   if (guard.abandoned) guard.markConsistent(); // After having repaired what it guards.
 *   assertEquals(mutex.tryLock(), undefined);
 * }
 * ```
 */
export class PthreadMutex implements Lockable, Disposable, AsyncDisposable {
  /** Bytes that it takes of the mapping: `sizeof(pthread_mutex_t)`, 40 or 48. */
  static readonly byteLength: number = sizes.mutex;

  readonly #place: Place;
  readonly #line: Waits;
  #held: PthreadGuard | undefined;
  readonly #hold = (guard: PthreadGuard | undefined): void => void (this.#held = guard);
  /**
   * Where it was locked, which stays mapped until it is locked elsewhere or the handle is closed: libc has a list there
   * of what this thread holds, also when the mapping's size is changed and the mutex is somewhere else.
   */
  #pinned: { words: Int32Array<ArrayBuffer>; pin: Disposable } | undefined;
  /** What the call that blocks has brought, if that is not nothing. */
  #result: number | undefined;

  private constructor(place: Place) {
    this.#place = place;
    this.#line = new Waits({
      action: `lock ${place.name}`,
      park: (wake) => lookAgain(() => this.#maybeFree(), wake),
      block: (timeout) => {
        const result = timedLock(place.words("lock"), Math.min(timeout ?? SLICE, SLICE));
        this.#result = result === ERRNO.ETIMEDOUT ? undefined : result;
      },
    });
    place.onEnd(() => {
      this.#held?.giveBack();
      this.#pinned?.pin[Symbol.dispose]();
    });
    place.onEnd(() => this.#line.close(() => place.closedError("lock")));
  }

  /**
   * Makes a mutex, once and before anybody uses it: robust, error-checking, for several processes. Others find it
   * with `at`, and in C at the same place. System calls: none.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {NotSupportedError} if this libc has no such mutexes.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { PthreadMutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = PthreadMutex.initialize(mapping, 64); // A pthread_mutex_t to programs in C.
   * using _guard = mutex.lockSync();
   * assertEquals(mutex.tryLock(), undefined);
   * ```
   */
  static initialize(mapping: Mapping, offset: number): PthreadMutex {
    const place = placeIn(mapping, offset, "initialize");
    const words = place.words("initialize");
    for (let index = 0; index < words.length; index++) Atomics.store(words, index, 0);
    initialise(words);
    return new PthreadMutex(place);
  }

  /**
   * The mutex that somebody has made there: with `initialize`, or in C with `PTHREAD_PROCESS_SHARED` and
   * `PTHREAD_MUTEX_ROBUST`, and of the normal or the error-checking type.
   *
   * With the normal type `lockSync` waits for ever, or until its timeout, for what this thread itself holds.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {UntrustedError} if there is none of this kind.
   * @throws {NotSupportedError} if this libc has no such mutexes.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { PthreadMutex } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * PthreadMutex.initialize(mapping, 0).close(); // Or a program in C, by pthread_mutex_init.
   * using mutex = PthreadMutex.at(mapping, 0);
   * mutex.lockSync().unlock();
   * ```
   */
  static at(mapping: Mapping, offset: number): PthreadMutex {
    const place = placeIn(mapping, offset, "use");
    if (isMade(place.words("use"))) return new PthreadMutex(place);
    place.close();
    throw new UntrustedError(`Cannot use ${place.name}: nobody has initialized one there that is robust`, {
      hint: "in C: pthread_mutexattr_setpshared, pthread_mutexattr_setrobust; and not recursive",
    });
  }

  /**
   * The mutex in a mapping; where the memory is all zero still it is made: for programs that start together.
   *
   * Throws as `at` does. System calls: none where it is there; `fcntl`, and those of the mapping's `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { PthreadMutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = PthreadMutex.openOrInitialize(mapping, 0);
   * using same = PthreadMutex.openOrInitialize(mapping, 0); // In another process, as a rule.
   * using _guard = mutex.lockSync();
   * assertEquals(same.tryLock(), undefined);
   * ```
   */
  static openOrInitialize(mapping: Mapping, offset: number): PthreadMutex {
    checkSupport();
    const make = () => PthreadMutex.initialize(mapping, offset);
    const isBlank = (words: Int32Array) => words.every((_, index) => Atomics.load(words, index) === 0);
    const look = { byteLength: sizes.mutex, isMade, isBlank };
    return openOrInitialize(KIND, mapping, offset, () => PthreadMutex.at(mapping, offset), make, look);
  }

  /**
   * Locks as soon as nobody holds it. System calls: none; `set_robust_list` once a thread, by libc.
   *
   * @throws {TimeoutError} if somebody held it for all of `timeout`.
   * @throws {NotRecoverableError} if it was abandoned, and then unlocked without `markConsistent`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { PthreadMutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = PthreadMutex.initialize(mapping, 0);
   * using guard = await mutex.lock({ timeout: 1000 });
   * if (guard.abandoned) guard.markConsistent(); // After repairing what the lock guards.
   * assertEquals(guard.held, true);
   * ```
   */
  async lock(options: WaitOptions = {}): Promise<MutexGuard> {
    this.#place.words("lock");
    const guard = await this.#line.take(() => this.#try(), options);
    return guard!;
  }

  /**
   * Locks, blocking this thread while another holds it. System call: `futex`, where it has to wait.
   *
   * @throws {TimeoutError} if somebody held it for all of `timeout` milliseconds.
   * @throws {NotRecoverableError} if it was abandoned, and then unlocked without `markConsistent`.
   * @throws {IpcError} with code `EDEADLK` if this thread holds it.
   *
   * @example
   * ```ts
   * import { IpcError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { PthreadMutex } from "@ipc/sync";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = PthreadMutex.initialize(mapping, 0);
   * using _guard = mutex.lockSync({ timeout: 1000 });
   * const error = assertThrows(() => mutex.lockSync(), IpcError);
   * assertEquals((error as IpcError).code, "EDEADLK");
   * ```
   */
  lockSync(options: SyncOptions = {}): MutexGuard {
    if (options.timeout === undefined && this.#held === undefined) {
      const guard = this.#try();
      if (guard !== undefined) return guard;
    }
    this.#place.words("lock");
    this.#result = undefined;
    const attempt = () => {
      const result = this.#result;
      if (result === undefined) return this.#held === undefined ? this.#try() : this.#deadlock();
      this.#result = undefined;
      return this.#outcome(result);
    };
    return this.#line.takeSync(attempt, options)!;
  }

  /**
   * Locks if nobody holds it, this thread included; `undefined`: somebody does. System calls: none.
   *
   * @throws {NotRecoverableError} if it was abandoned, and then unlocked without `markConsistent`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { PthreadMutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = PthreadMutex.initialize(mapping, 0);
   * const guard = mutex.tryLock();
   * assertEquals(mutex.tryLock(), undefined);
   * guard?.unlock();
   * ```
   */
  tryLock(): MutexGuard | undefined {
    return this.#try();
  }

  /**
   * Holds the lock while `fn` runs, which is given the guard: locks before and unlocks after, however `fn` ends. `fn`
   * **looks at `abandoned`**: where it does not, one owner that is killed makes the lock unusable for everybody.
   *
   * Throws as `lock` does.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { PthreadMutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = PthreadMutex.initialize(mapping, 0);
   * const words = new Int32Array(mapping.buffer, 64, 2);
   * await mutex.withLock((guard) => {
   *   if (guard.abandoned) {
   *     words[1] = words[0]!; // Whatever makes it whole again.
   *     guard.markConsistent();
   *   }
   *   words[0]!++;
   *   words[1]!++;
   * }, { timeout: 1000 });
   * assertEquals([...words], [1, 1]);
   * ```
   */
  async withLock<T>(fn: (guard: MutexGuard) => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
    using guard = await this.lock(options);
    return await fn(guard);
  }

  /** Gives the handle back, and the lock if it is held through it; waits reject with a `ClosedError`. */
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

  #try(): PthreadGuard | undefined {
    const result = tryLock(this.#place.words("lock"));
    // With EDEADLK it is this thread that holds it: another task, whose turn ends like anybody's.
    if (result === ERRNO.EBUSY || result === ERRNO.EDEADLK) return undefined;
    return this.#outcome(result);
  }

  #outcome(result: number): PthreadGuard {
    if (result !== 0 && result !== ERRNO.EOWNERDEAD) {
      throw mutexError(result, "pthread_mutex_clocklock", `lock ${this.#place.name}`);
    }
    const words = this.#place.words("lock");
    if (this.#pinned?.words !== words) {
      this.#pinned?.pin[Symbol.dispose]();
      this.#pinned = { words, pin: this.#place.mapping.pin() };
    }
    return new PthreadGuard(this, this.#place, result === ERRNO.EOWNERDEAD, this.#hold);
  }

  #deadlock(): never {
    throw mutexError(ERRNO.EDEADLK, "pthread_mutex_clocklock", `lock ${this.#place.name}`);
  }

  #maybeFree(): boolean {
    // What is wrong the attempt that follows tells.
    return this.#place.closed || this.#place.mapping.closed || maybeFree(this.#place.words("look at"));
  }
}

function placeIn(mapping: Mapping, offset: number, verb: string): Place {
  checkSupport();
  return Place.of(KIND, mapping, offset, sizes.mutex, verb);
}
