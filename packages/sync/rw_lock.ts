import type { SyncOptions, WaitOptions } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { type Kind, markOf, Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import { newId } from "./_owner.ts";
import { ID, READERS, ReadWrite, SLOTS } from "./_read_write.ts";
import type { LockGuard } from "./mutex_guard.ts";

/** How an {@linkcode RwLock} is made. */
export interface RwLockOptions {
  /** How many may read at once, in all processes; a multiple of 4 up to 4,096, 32 unless told. */
  readers?: number | undefined;
}

/** Reading under a lock, until `unlock` or the end of the block that declared it with `using`. */
export interface ReadGuard extends Disposable {
  /** Whether it is still held through this guard. */
  readonly held: boolean;
  /**
   * Gives the lock back. System calls: none; `futex` to wake a writer who waits.
   *
   * @throws {IpcError} with code `EPERM` if it is not held any more.
   * @throws {ClosedError} if the handle or its mapping was closed.
   */
  unlock(): void;
}

const kind: Kind = { name: "read-write lock", mark: markOf("RWL", 1) };
const MOST_READERS = 4096;

/**
 * A lock in memory that processes share: many read at once, or one writes; if a writer dies the next is told.
 *
 * It is 16 bytes of any {@linkcode Mapping}, and 4 for each that may read at once. What a handle owns, who is told of
 * a death, and how it is waited for is as with `Mutex`: see there.
 *
 * **Writers come first**: from when a writer waits, those who come to read wait behind it. Who reads and comes to
 * read once more through the same handle waits behind it too, and then both wait for ever: read once.
 *
 * **An owner that dies.** A reader that died is forgotten, and so is a writer that still waited. A writer that died
 * leaves the lock to the next writer, who is told by `abandoned` of the guard, and repairs what it guards; until then
 * those who want to read get an `OwnerDiedError`, since what they would read may be half changed: take `write` then.
 *
 * Needs `--allow-ffi` without a path.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { RwLock } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096); // Shared memory or a mapped file, as a rule.
 * using lock = RwLock.initialize(mapping, 0);
 * using same = RwLock.at(mapping, 0); // In another process, as a rule.
 * {
 *   using _one = await lock.read();
 *   using _two = await same.read();
 *   assertEquals(lock.tryWrite(), undefined);
 * }
 * using writing = same.writeSync();
 * assertEquals(writing.abandoned, false);
 * assertEquals(lock.tryRead(), undefined);
 * ```
 */
export class RwLock implements Disposable, AsyncDisposable {
  /** Bytes of a lock for 32 readers; for others 16 and 4 times their number. */
  static readonly byteLength: number = bytesFor(32);
  /** How many may read at once. */
  readonly readers: number;
  readonly #place: Place;
  readonly #lock: ReadWrite;

  private constructor(place: Place) {
    this.#place = place;
    this.readers = (place.byteLength - SLOTS * 4) / 4;
    this.#lock = new ReadWrite(place, this.readers);
  }

  /**
   * Makes a lock that nobody holds, which other processes then find with `at`.
   *
   * Once, by one program; where several may come first there is `openOrInitialize`. One that is there already, and
   * that nobody living holds, becomes free, also if it was given up; its handles go on with it if it is for as many
   * readers. System calls: none; over one that a dead owner left those of `read`.
   *
   * @throws {IpcError} with code `EBUSY` if one is there that somebody living holds.
   * @throws {RangeError} if it is not all inside the mapping, `offset` is not a multiple of 8, or `readers` is not a
   *   multiple of 4 up to 4,096.
   * @throws {TruncatedError} if it is in a file that somebody has made shorter.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {ClosedError} if the mapping was closed.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.initialize(mapping, 0, { readers: 4 });
   * const reading = Array.from({ length: 4 }, () => lock.tryRead());
   * assertEquals(lock.tryRead(), undefined); // There is no room for a fifth.
   * for (const guard of reading) guard?.unlock();
   * ```
   */
  static initialize(mapping: Mapping, offset: number, options: RwLockOptions = {}): RwLock {
    const { readers = 32 } = options;
    if (!isCount(readers)) {
      throw new RangeError(
        `Cannot initialize read-write lock for ${readers} readers: it is a multiple of 4 to 4096`,
      );
    }
    let id = newId();
    const found = Place.find(kind, mapping, offset, SLOTS * 4, "initialize", lengthOf);
    if (found !== undefined) {
      const lock = new RwLock(found).#reset();
      if (lock.readers === readers) return lock;
      id = Atomics.load(found.words("initialize"), ID);
      lock.close();
    }
    const place = Place.initialize(kind, mapping, offset, bytesFor(readers), (words) => {
      Atomics.store(words, ID, id);
      Atomics.store(words, READERS, readers);
    });
    return new RwLock(place);
  }

  /**
   * The lock in a mapping; where the memory is all zero still it is made: for programs that start together. One that
   * is there is for as many readers as it was made for.
   *
   * Throws as `initialize` and `at` do. System calls: none where it is there; `fcntl`, and those of the mapping's
   * `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.openOrInitialize(mapping, 0);
   * using same = RwLock.openOrInitialize(mapping, 0); // In another process, as a rule.
   * using _writing = lock.writeSync();
   * assertEquals(same.tryRead(), undefined);
   * ```
   */
  static openOrInitialize(mapping: Mapping, offset: number, options: RwLockOptions = {}): RwLock {
    const [at, make] = [() => RwLock.at(mapping, offset), () => RwLock.initialize(mapping, offset, options)];
    return openOrInitialize(kind, mapping, offset, at, make);
  }

  /**
   * The lock in a mapping that somebody has made there with `initialize`.
   *
   * Throws as `initialize` does. System calls: none.
   *
   * @throws {UntrustedError} if nobody has made one there yet.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * RwLock.initialize(mapping, 0, { readers: 64 }).close();
   * using lock = RwLock.at(mapping, 0); // In another process, as a rule.
   * assertEquals(lock.readers, 64);
   * ```
   */
  static at(mapping: Mapping, offset: number): RwLock {
    return new RwLock(Place.at(kind, mapping, offset, SLOTS * 4, lengthOf));
  }

  /** Whether the handle, or its mapping, was closed. */
  get closed(): boolean {
    return this.#place.closed;
  }

  /**
   * Locks for reading as soon as nobody writes or waits to, and there is room for one more reader. System calls:
   * `fcntl` the first time, and to look after who is in the way; `futex_waitv` to wait.
   *
   * @throws {OwnerDiedError} if a writer died, until another has repaired what the lock guards.
   * @throws {TimeoutError} if it was not possible within `timeout`.
   * @throws {NotRecoverableError} if what it guards was given up.
   * @throws {LimitError} if this process has no descriptor left, or 256 handles that have locked it.
   * @throws {PermissionError} if the file behind the memory may not be opened for writing.
   * @throws {ClosedError} if the handle or its mapping is closed, also meanwhile.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.initialize(mapping, 0, { readers: 4 });
   * using reading = await lock.read({ timeout: 1000 });
   * assertEquals(reading.held, true);
   * ```
   */
  async read(options: WaitOptions = {}): Promise<ReadGuard> {
    this.#lock.begin("read");
    return (await this.#lock.reading.take(this.#lock.tryToRead, options))!;
  }

  /**
   * Locks for reading, blocking this thread until that is possible. Throws as `read` does. System calls: `fcntl` the
   * first time, and to look after who is in the way; `futex`.
   *
   * @throws {IpcError} with code `EDEADLK` if this thread writes.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.initialize(mapping, 0);
   * using reading = lock.readSync({ timeout: 1000 });
   * assertEquals(reading.held, true);
   * ```
   */
  readSync(options: SyncOptions = {}): ReadGuard {
    this.#lock.begin("read");
    return this.#lock.reading.takeSync(this.#lock.tryToRead, options)!;
  }

  /**
   * Locks for reading if that is possible now, and nobody even tries to write. Throws as `read` does. System calls:
   * `fcntl`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.initialize(mapping, 0);
   * using writing = lock.writeSync();
   * assertEquals([writing.abandoned, lock.tryRead()], [false, undefined]);
   * ```
   */
  tryRead(): ReadGuard | undefined {
    this.#lock.begin("read");
    return this.#lock.tryToRead();
  }

  /**
   * Locks for writing as soon as nobody living holds the lock; who comes to read meanwhile waits. System calls:
   * `fcntl` the first time, and to look after who is in the way; `futex_waitv` to wait.
   *
   * An aborted or timed-out call holds nothing.
   *
   * @throws {TimeoutError} if it was not possible within `timeout`.
   * @throws {NotRecoverableError} if what it guards was given up.
   * @throws {LimitError} as `read` does.
   * @throws {PermissionError} as `read` does.
   * @throws {ClosedError} if the handle or its mapping is closed, also meanwhile.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.initialize(mapping, 0);
   * using writing = await lock.write();
   * if (writing.abandoned) writing.markConsistent(); // After repairing what the lock guards.
   * ```
   */
  async write(options: WaitOptions = {}): Promise<LockGuard> {
    this.#lock.begin("write");
    try {
      return (await this.#lock.writing.take(this.#lock.tryToWrite, options))!;
    } catch (error) {
      this.#lock.withdraw();
      throw error;
    }
  }

  /**
   * Locks for writing, blocking this thread until that is possible. Throws as `write` does. System calls: `fcntl` the
   * first time, and to look after who is in the way; `futex`.
   *
   * @throws {IpcError} with code `EDEADLK` if this thread reads or writes.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.initialize(mapping, 0);
   * using writing = lock.writeSync({ timeout: 1000 });
   * if (writing.abandoned) writing.markConsistent(); // After repairing what the lock guards.
   * assertEquals(writing.held, true);
   * ```
   */
  writeSync(options: SyncOptions = {}): LockGuard {
    this.#lock.begin("write");
    try {
      return this.#lock.writing.takeSync(this.#lock.tryToWrite, options)!;
    } finally {
      this.#lock.withdraw();
    }
  }

  /**
   * Locks for writing if nobody living holds the lock. Throws as `write` does. System calls: `fcntl`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { RwLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using lock = RwLock.initialize(mapping, 0);
   * using _reading = lock.readSync();
   * assertEquals(lock.tryWrite(), undefined);
   * ```
   */
  tryWrite(): LockGuard | undefined {
    this.#lock.begin("write");
    try {
      return this.#lock.tryToWrite();
    } finally {
      this.#lock.withdraw();
    }
  }

  /**
   * Gives the handle back: waits reject with a `ClosedError`, later calls throw one. Calling it again does nothing.
   *
   * If it writes, that counts as abandoned: the next writer is told. System calls: `fcntl`, `close`.
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
}

function lengthOf(words: Int32Array): number | undefined {
  const readers = Atomics.load(words, READERS);
  return isCount(readers) ? bytesFor(readers) : undefined;
}

function bytesFor(readers: number): number {
  return (SLOTS + readers) * 4;
}

function isCount(readers: number): boolean {
  return Number.isInteger(readers) && readers >= 4 && readers <= MOST_READERS && readers % 4 === 0;
}
