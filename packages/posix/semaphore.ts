/** A semaphore. */

import type { SyncOptions, WaitOptions } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import type { TrustOptions } from "./_object.ts";
import { checkMade, checkValue, initialiseAt, placeIn } from "./_semaphore_calls.ts";
import {
  createSemaphore,
  openOrCreateSemaphore,
  openSemaphore,
  type SemaphoreCreateOptions,
  type SemaphoreFile,
  unlinkSemaphore,
} from "./_semaphore_file.ts";
import { SemaphoreHandle } from "./_semaphore_handle.ts";

export type { SemaphoreCreateOptions } from "./_semaphore_file.ts";

/**
 * A semaphore: a number from 0 to 2,147,483,647 (SEM_VALUE_MAX) that processes share, by a name or in memory that
 * they all map.
 *
 * `release` adds 1 to it; `acquire` takes 1 from it, and waits while it is 0. A handle of a named one owns a mapping
 * of its file until it is closed; the semaphore stays until its name is unlinked and nobody has it open any more. One
 * in a {@linkcode Mapping} lives as long as that memory, and its handle owns nothing: where the mapping is closed what
 * waits rejects at once, and where a resize cuts it away within a second.
 *
 * Memory whose file somebody makes shorter later ends the process that touches it (SIGBUS), as every view does. No
 * look at the file prevents that, for libc touches the memory whenever a wait begins and ends. Only who may write the
 * file can do it; let nobody else (`mode`), or use a memfd of `@ipc/mmap` that is sealed.
 *
 * **A holder that dies** keeps what it took, also by `kill -9`: the kernel knows nothing of it. That is right for a
 * counter of things, and wrong for a lock, whose users then wait for ever. A lock that outlives its holders is a
 * `SemaphoreSet` of `@ipc/sysv` with undo.
 *
 * **Who comes first.** Calls of `acquire` on one handle are served in their order. Between handles and processes it
 * is chance: who looks first when there is something takes it. Calls that do not wait, or block the thread, stand in
 * no line.
 *
 * **Waiting** asynchronously takes nothing: an aborted `acquire` holds nothing. It keeps the process alive until it
 * ends. Who was woken and does not go on, for its event loop is busy or its Worker was terminated, keeps the others
 * waiting though the value is not 0: calls here look again every second, one that is blocked in C does not.
 *
 * Every method throws a `ClosedError` once the handle, or the mapping, is closed. Programs in C use the same
 * semaphores by sem_overview(7), if they have the same libc. Needs `--allow-ffi`.
 *
 * @example A counter of free places
 * ```ts
 * import { Semaphore } from "@ipc/posix";
 * import { assertEquals } from "@std/assert";
 *
 * const name = `/example-${crypto.randomUUID()}`;
 * using places = Semaphore.create(name, { initial: 2, unlinkOnClose: true });
 * using same = Semaphore.open(name); // In another process, as a rule.
 * await places.acquire();
 * same.acquireSync({ timeout: 1000 });
 * assertEquals(places.tryAcquire(), false);
 * places.release();
 * assertEquals(same.value, 1);
 * ```
 */
export class Semaphore implements Disposable, AsyncDisposable {
  /** The name by which it was opened; `undefined`: it is in a mapping. */
  readonly name: string | undefined;
  readonly #handle: SemaphoreHandle;

  private constructor(handle: SemaphoreHandle) {
    this.name = handle.name;
    this.#handle = handle;
  }

  static #named(file: SemaphoreFile): Semaphore {
    return new Semaphore(new SemaphoreHandle(placeIn(file.mapping, 0, "open"), file));
  }

  /**
   * Creates a named semaphore; nobody sees it before it has its value.
   *
   * System calls: `open`, `fchmod`, `write`, `fstat`, `mmap`, `linkat`.
   *
   * @throws {AlreadyExistsError} if the name is taken.
   * @throws {LimitError} if /dev/shm is full.
   * @throws {RangeError} if `initial` is not an integer from 0 to 2,147,483,647, or `mode` not 0 to 0o777.
   * @throws {TypeError} if the name is not a slash and 1 to 251 other characters.
   *
   * @example
   * ```ts
   * import { AlreadyExistsError } from "@ipc/core";
   * import { Semaphore } from "@ipc/posix";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using semaphore = Semaphore.create(name, { initial: 3, mode: 0o660, unlinkOnClose: true });
   * assertEquals(semaphore.value, 3);
   * assertThrows(() => Semaphore.create(name), AlreadyExistsError);
   * ```
   */
  static create(name: string, options: SemaphoreCreateOptions = {}): Semaphore {
    return Semaphore.#named(createSemaphore(name, options));
  }

  /**
   * Opens a named semaphore that exists. System calls: `open`, `fstat`, `fallocate`, `mmap`.
   *
   * Its file is looked at before it is touched: libc itself ends the process with SIGBUS where the file is too short.
   *
   * @throws {NotFoundError} if there is none of this name.
   * @throws {PermissionError} if its mode does not permit reading and writing.
   * @throws {TypeError} if the name is not a slash and 1 to 251 other characters.
   * @throws {UntrustedError} if it is somebody else's, and `allowOwner` does not name them; or what is there is a
   *   symbolic link, no regular file, or no semaphore of this libc.
   *
   * @example
   * ```ts
   * import { NotFoundError } from "@ipc/core";
   * import { Semaphore } from "@ipc/posix";
   * import { assertThrows } from "@std/assert";
   *
   * assertThrows(() => Semaphore.open(`/example-${crypto.randomUUID()}`), NotFoundError);
   * ```
   */
  static open(name: string, options: TrustOptions = {}): Semaphore {
    return Semaphore.#named(openSemaphore(name, options));
  }

  /**
   * Opens the semaphore of a name, or creates it; who else comes at the same time gets the same one.
   *
   * One that exists keeps its value. Throws as `create` and `open` do. System calls: theirs.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using first = Semaphore.openOrCreate(name, { initial: 1, unlinkOnClose: true });
   * using second = Semaphore.openOrCreate(name, { initial: 9 });
   * assertEquals(second.value, 1);
   * ```
   */
  static openOrCreate(name: string, options: SemaphoreCreateOptions & TrustOptions = {}): Semaphore {
    return Semaphore.#named(openOrCreateSemaphore(name, options));
  }

  /**
   * Removes a name; who has the semaphore open goes on using it. System call: `unlink`.
   *
   * @throws {NotFoundError} if there is none of this name.
   * @throws {PermissionError} if it is somebody else's.
   *
   * @example
   * ```ts
   * import { NotFoundError } from "@ipc/core";
   * import { Semaphore } from "@ipc/posix";
   * import { assertThrows } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using semaphore = Semaphore.create(name);
   * Semaphore.unlink(name);
   * semaphore.release(); // It goes on.
   * assertThrows(() => Semaphore.open(name), NotFoundError);
   * ```
   */
  static unlink(name: string): void {
    unlinkSemaphore(name);
  }

  /**
   * Makes a semaphore of 32 bytes of a mapping (sem_init), which other processes then find with `at`.
   *
   * Once only, before anybody uses it: whoever waits for what was there before is forgotten. System calls: none.
   *
   * @throws {RangeError} if it is not all inside the mapping, `offset` is not a multiple of 8, or `value` not an
   *   integer from 0 to 2,147,483,647.
   * @throws {TruncatedError} if it is in shared memory that somebody has made shorter.
   * @throws {TypeError} if the mapping is for reading.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using full = Semaphore.initialize(mapping, 0, 0);
   * using same = Semaphore.at(mapping, 0); // In another process, as a rule.
   * same.release();
   * await full.acquire();
   * assertEquals(full.value, 0);
   * ```
   */
  static initialize(mapping: Mapping, offset: number, value: number): Semaphore {
    const place = placeIn(mapping, offset, "initialize");
    checkValue(value, "initialize semaphore");
    initialiseAt(place.address, value);
    return new Semaphore(new SemaphoreHandle(place));
  }

  /**
   * The semaphore in a mapping that somebody has made there, with `initialize` or sem_init(3) with `pshared`.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TruncatedError} if it is in shared memory that somebody has made shorter.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {UntrustedError} if nobody has made one there yet, or not for several processes.
   *
   * @example
   * ```ts
   * import { Semaphore, SharedMemory } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
   * Semaphore.initialize(memory, 64, 2).close();
   * using same = SharedMemory.open(name); // In another process, as a rule.
   * using places = Semaphore.at(same, 64);
   * assertEquals(places.value, 2);
   * ```
   */
  static at(mapping: Mapping, offset: number): Semaphore {
    const place = placeIn(mapping, offset, "use");
    checkMade(place, `Cannot use semaphore at byte ${offset}`);
    return new Semaphore(new SemaphoreHandle(place));
  }

  /**
   * Takes 1 from the value, as soon as it is not 0. System calls: none where it is not 0; `futex_waitv` to wait.
   *
   * @throws {TimeoutError} if it was not within `timeout`.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@ipc/core";
   * import { Semaphore } from "@ipc/posix";
   * import { assertRejects } from "@std/assert";
   *
   * using ready = Semaphore.create(`/example-${crypto.randomUUID()}`, { unlinkOnClose: true });
   * await assertRejects(() => ready.acquire({ timeout: 10 }), TimeoutError);
   * const acquired = ready.acquire();
   * ready.release(); // In another process, as a rule.
   * await acquired;
   * ```
   */
  acquire(options: WaitOptions = {}): Promise<void> {
    return this.#handle.acquire(options);
  }

  /**
   * Takes 1 from the value if it is not 0; false if it is. System calls: none.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using places = Semaphore.create(name, { initial: 1, unlinkOnClose: true });
   * assertEquals([places.tryAcquire(), places.tryAcquire()], [true, false]);
   * ```
   */
  tryAcquire(): boolean {
    return this.#handle.tryAcquire();
  }

  /**
   * Takes 1 from the value, blocking this thread while it is 0. System calls: none where it is not 0; `futex`.
   *
   * @throws {TimeoutError} if it was 0 for `timeout` milliseconds.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@ipc/core";
   * import { Semaphore } from "@ipc/posix";
   * import { assertThrows } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using places = Semaphore.create(name, { initial: 1, unlinkOnClose: true });
   * places.acquireSync();
   * assertThrows(() => places.acquireSync({ timeout: 10 }), TimeoutError);
   * ```
   */
  acquireSync(options: SyncOptions = {}): void {
    this.#handle.acquireSync(options);
  }

  /**
   * Adds 1 to the value, which never waits; one who waits for it goes on. System calls: none; `futex` to wake.
   *
   * @throws {LimitError} if the value would pass 2,147,483,647 (SEM_VALUE_MAX).
   *
   * @example
   * ```ts
   * import { Semaphore } from "@ipc/posix";
   *
   * using done = Semaphore.create(`/example-${crypto.randomUUID()}`, { unlinkOnClose: true });
   * done.release();
   * await done.acquire(); // In another process, as a rule.
   * ```
   */
  release(): void {
    this.#handle.release();
  }

  /**
   * Holds the semaphore while `fn` runs: acquires before and releases after, however `fn` ends. For one that was
   * created with 1.
   *
   * It is given back also if the handle is closed meanwhile, but not if this process dies: see above. Where `fn` and
   * giving back both fail, the error is a `SuppressedError` with both.
   *
   * @throws {TimeoutError} if it was not free within `timeout`.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using lock = Semaphore.create(name, { initial: 1, unlinkOnClose: true });
   * assertEquals(await lock.withLock(() => lock.value, { timeout: 1000 }), 0);
   * assertEquals(lock.value, 1);
   * ```
   */
  withLock<T>(fn: () => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
    return this.#handle.withLock(fn, options);
  }

  /**
   * The value at this moment. Who wants to act on it uses `tryAcquire`. System calls: none.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using places = Semaphore.create(name, { initial: 2, unlinkOnClose: true });
   * places.release();
   * assertEquals(places.value, 3);
   * ```
   */
  get value(): number {
    return this.#handle.value;
  }

  /**
   * Removes the name; who has the semaphore open goes on using it. System calls: `open`, `fstat`, `unlink`.
   *
   * @throws {NotFoundError} if it has lost its name: whatever has it now stays.
   * @throws {PermissionError} if it is somebody else's.
   * @throws {TypeError} if it is in a mapping, and has no name.
   *
   * @example
   * ```ts
   * import { NotFoundError } from "@ipc/core";
   * import { Semaphore } from "@ipc/posix";
   * import { assertThrows } from "@std/assert";
   *
   * using semaphore = Semaphore.create(`/example-${crypto.randomUUID()}`);
   * semaphore.unlink();
   * semaphore.release(); // It goes on.
   * assertThrows(() => semaphore.unlink(), NotFoundError);
   * ```
   */
  unlink(): void {
    this.#handle.unlink();
  }

  /**
   * Gives the handle back: waits reject with a `ClosedError`, later calls throw one. Calling it again does nothing.
   *
   * @example
   * ```ts
   * import { ClosedError } from "@ipc/core";
   * import { Semaphore } from "@ipc/posix";
   * import { assertRejects } from "@std/assert";
   *
   * const ready = Semaphore.create(`/example-${crypto.randomUUID()}`, { unlinkOnClose: true });
   * const acquired = ready.acquire();
   * ready.close();
   * await assertRejects(() => acquired, ClosedError);
   * ```
   */
  close(): void {
    this.#handle.close();
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
}
