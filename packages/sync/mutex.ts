import type { SyncOptions, WaitOptions } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { Held } from "./_held.ts";
import { type Claim, LockWord } from "./_lock_word.ts";
import { type Kind, markOf, Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import { newId, Owner } from "./_owner.ts";
import type { Lockable, MutexGuard } from "./mutex_guard.ts";

const kind: Kind = { name: "mutex", mark: markOf("MTX", 1) };
/** Words of a mutex, after the one that says what it is. */
const [ID, LOCK] = [1, 2];
const BYTES = 16;

/**
 * A lock in memory that processes share: one at a time holds it, and if that one dies the next is told.
 *
 * It is 16 bytes of any {@linkcode Mapping}. A handle owns nothing before its first lock, and from then on a lock on
 * one byte of the file behind the memory, far beyond the file's end, and with the others of its mapping a descriptor:
 * until `close`, by which the kernel tells that it lives (see the README). Closing the handle, or the mapping, ends
 * what waits.
 *
 * **An owner that dies**, also by `kill -9`, leaves the lock to the next, who is told by `abandoned` of the guard: one
 * at a time, until somebody says `markConsistent`. Who unlocks without having said so gives the lock up: everybody
 * gets a `NotRecoverableError` from then on. So does a handle that is closed while it holds the lock die. A Worker
 * that is terminated dies too where it may read /proc (`--allow-all`), otherwise with its process.
 *
 * **Who comes first.** Calls of `lock` on one handle are served in their order. Between handles, Workers and
 * processes it is chance. Two calls of `lock` in one program are two users, of whom the second waits for the first;
 * `lockSync` would wait for ever for what this thread holds, and throws instead (`EDEADLK`).
 *
 * A program that locks the whole file behind the memory, or its bytes from 2^62 on, with fcntl(2) is in the way: an
 * owner cannot be told from it then (`EBUSY`). `FileLock` of `@ipc/file` never does.
 *
 * Locking and unlocking takes no system call as long as nobody waits. Who waits looks every 20 ms whether the owner
 * still lives. Needs `--allow-ffi` without a path.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Mutex } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096); // Shared memory or a mapped file, as a rule.
 * using mutex = Mutex.initialize(mapping, 0);
 * using same = Mutex.at(mapping, 0); // In another process, as a rule.
 * {
 *   using guard = await mutex.lock();
 *   if (guard.abandoned) guard.markConsistent(); // After repairing what the lock guards.
 *   assertEquals(same.tryLock(), undefined);
 * }
 * same.lockSync().unlock();
 * ```
 */
export class Mutex implements Lockable, Disposable, AsyncDisposable {
  /** Bytes of a mutex. */
  static readonly byteLength: number = BYTES;
  readonly #place: Place;
  readonly #lock: LockWord;
  readonly #made: (claim: Claim) => MutexGuard = (claim) => new Guard(this, this.#lock, claim);

  private constructor(place: Place) {
    const owner = new Owner(place.mapping, Atomics.load(place.words("use"), ID));
    this.#place = place;
    this.#lock = new LockWord(place, owner, LOCK, LOCK);
    place.onEnd(() => owner.close());
  }

  /**
   * Makes a mutex of 16 bytes of a mapping, which nobody holds and other processes then find with `at`.
   *
   * Once, by one program; where several may come first there is `openOrInitialize`. One that is there already, and
   * that nobody living holds, becomes free, also if it was given up, and all its handles go on with it. System calls:
   * none; over one that a dead owner left those of `lock`.
   *
   * @throws {IpcError} with code `EBUSY` if one is there that somebody living holds.
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TruncatedError} if it is in a file that somebody has made shorter.
   * @throws {TypeError} if the mapping is for reading, or copy-on-write.
   * @throws {ClosedError} if the mapping was closed.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Mutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using first = Mutex.initialize(mapping, 0);
   * using second = Mutex.initialize(mapping, Mutex.byteLength);
   * assertEquals([first.tryLock() !== undefined, second.tryLock() !== undefined], [true, true]);
   * ```
   */
  static initialize(mapping: Mapping, offset: number): Mutex {
    const found = Place.find(kind, mapping, offset, BYTES, "initialize");
    if (found !== undefined) return new Mutex(found).#reset();
    return new Mutex(
      Place.initialize(kind, mapping, offset, BYTES, (words) => Atomics.store(words, ID, newId())),
    );
  }

  /**
   * The mutex in a mapping; where the memory is all zero still it is made: for programs that start together.
   *
   * Throws as `at` does. System calls: none where it is there; `fcntl`, and those of the mapping's `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Mutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.openOrInitialize(mapping, 0);
   * using same = Mutex.openOrInitialize(mapping, 0); // In another process, as a rule.
   * using _guard = mutex.lockSync();
   * assertEquals(same.tryLock(), undefined);
   * ```
   */
  static openOrInitialize(mapping: Mapping, offset: number): Mutex {
    const [at, make] = [() => Mutex.at(mapping, offset), () => Mutex.initialize(mapping, offset)];
    return openOrInitialize(kind, mapping, offset, at, make);
  }

  /**
   * The mutex in a mapping that somebody has made there with `initialize`.
   *
   * Throws as `initialize` does. System calls: none.
   *
   * @throws {UntrustedError} if nobody has made one there yet.
   *
   * @example
   * ```ts
   * import { UntrustedError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Mutex } from "@ipc/sync";
   * import { assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * assertThrows(() => Mutex.at(mapping, 0), UntrustedError);
   * Mutex.initialize(mapping, 0).close();
   * using mutex = Mutex.at(mapping, 0); // In another process, as a rule.
   * mutex.lockSync().unlock();
   * ```
   */
  static at(mapping: Mapping, offset: number): Mutex {
    return new Mutex(Place.at(kind, mapping, offset, BYTES));
  }

  /** Whether the handle, or its mapping, was closed. */
  get closed(): boolean {
    return this.#place.closed;
  }

  /**
   * Locks as soon as nobody holds it. System calls: `fcntl` the first time, and to look after who holds it;
   * `futex_waitv` to wait.
   *
   * An aborted or timed-out call holds nothing. A call that waits keeps the process alive.
   *
   * @throws {TimeoutError} if somebody held it for `timeout` milliseconds.
   * @throws {NotRecoverableError} if what it guards was given up.
   * @throws {LimitError} if this process has no descriptor left, or 256 handles that have locked it.
   * @throws {PermissionError} if the file behind the memory may not be opened for writing.
   * @throws {ClosedError} if the handle or its mapping is closed, also meanwhile.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Mutex } from "@ipc/sync";
   * import { assertRejects } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using _guard = await mutex.lock();
   * await assertRejects(() => mutex.lock({ timeout: 0 }), TimeoutError);
   * ```
   */
  async lock(options: WaitOptions = {}): Promise<MutexGuard> {
    this.#check();
    return await this.#lock.take(this.#made, options);
  }

  /**
   * Locks, blocking this thread while somebody holds it. System calls: `fcntl` the first time, and to look after who
   * holds it; `futex`.
   *
   * @throws {IpcError} with code `EDEADLK` if this thread holds it, through whichever handle.
   * @throws {TimeoutError} if somebody held it for `timeout` milliseconds.
   * @throws {NotRecoverableError} if what it guards was given up.
   * @throws {LimitError} as `lock` does.
   * @throws {PermissionError} as `lock` does.
   * @throws {ClosedError} if the handle or its mapping is closed.
   *
   * @example
   * ```ts
   * import { IpcError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Mutex } from "@ipc/sync";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * using _guard = mutex.lockSync({ timeout: 1000 });
   * const error = assertThrows(() => mutex.lockSync(), IpcError);
   * assertEquals((error as IpcError).code, "EDEADLK");
   * ```
   */
  lockSync(options: SyncOptions = {}): MutexGuard {
    if (options.timeout === undefined) {
      const claim = this.#lock.soon();
      if (claim !== undefined) return new Guard(this, this.#lock, claim);
    }
    return this.#made(this.#lock.takeSync(options));
  }

  /**
   * Locks if nobody living holds it; `undefined` if somebody does. System calls: `fcntl` the first time, and to look
   * after who holds it.
   *
   * @throws {NotRecoverableError} if what it guards was given up.
   * @throws {LimitError} as `lock` does.
   * @throws {PermissionError} as `lock` does.
   * @throws {ClosedError} if the handle or its mapping is closed.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Mutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
   * const guard = mutex.tryLock();
   * assertEquals(guard?.held, true);
   * assertEquals(mutex.tryLock(), undefined);
   * ```
   */
  tryLock(): MutexGuard | undefined {
    const claim = this.#lock.quick() ?? this.#lock.try();
    return claim === undefined ? undefined : new Guard(this, this.#lock, claim);
  }

  /**
   * Holds the lock while `fn` runs: locks before and unlocks after, however `fn` ends. `fn` is given the guard, and
   * **looks at `abandoned`**: where it does not, one owner that is killed makes the lock unusable for everybody.
   *
   * Throws as `lock` does.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Mutex } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using mutex = Mutex.initialize(mapping, 0);
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

  /**
   * Gives the handle back: waits reject with a `ClosedError`, later calls throw one. Calling it again does nothing.
   *
   * If it holds the lock, that counts as abandoned: the next is told. System calls: `fcntl`, `close`.
   */
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

  #reset(): this {
    try {
      this.#lock.reset();
    } catch (error) {
      this.close();
      throw error;
    }
    return this;
  }

  #check(): void {
    if (this.#place.closed) throw this.#place.closedError("lock");
  }
}

class Guard extends Held implements MutexGuard {
  readonly mutex: Mutex;

  constructor(mutex: Mutex, lock: LockWord, claim: Claim) {
    super(lock, claim);
    this.mutex = mutex;
  }
}
