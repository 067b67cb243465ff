import { ERRNO, type SyncOptions, type WaitOptions } from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";
import type { OpenSet } from "./_open_set.ts";
import { semopOne } from "./_set_calls.ts";
import { checkValue } from "./_set_operations.ts";

const { GETNCNT, GETPID, GETVAL, GETZCNT, IPC_NOWAIT, SEM_UNDO, SEMVMX, SETVAL } = constants;

/** What becomes of an operation on a semaphore when this process ends. */
export interface UndoOptions {
  /** Whether the kernel takes the operation back when this process ends, in whatever way; false unless told. */
  undo?: boolean | undefined;
}

/**
 * One semaphore of a {@linkcode SemaphoreSet}: a value from 0 to 32,767 (SEMVMX).
 *
 * `release` adds to the value, `acquire` takes from it and waits until there is enough, `waitForZero` waits until
 * nothing is left. It belongs to its set and ends with it; it owns nothing.
 *
 * **Undo or not.** With `undo` the kernel remembers what this process has added and taken, and takes it back when
 * the process ends, be it by `kill -9`. A lock wants that, or a holder that dies locks out everybody for ever:
 * {@linkcode Semaphore.withLock} does it. A counter does not want it: a job that was taken from a queue, and done,
 * must not come back when its worker ends. So it is off elsewhere. It belongs to the process, not to the thread
 * or Worker; and setting a value clears what all processes have to undo, so values are set once, at creation.
 *
 * **Who comes first.** Calls of one handle that ask for exactly the same are served in their order. Between
 * different amounts, handles and processes it is the kernel's choice: who can go on goes on, so that a large
 * amount may wait long while small ones are taken. Calls that do not wait, or block the thread, stand in no line.
 *
 * **Waiting.** A wait that is asynchronous blocks nothing and takes nothing: an aborted `acquire` holds nothing.
 * It keeps the process alive until it ends.
 *
 * Every method throws a `ClosedError` once the set is closed, a `RemovedError` once it is removed, also out
 * of a wait, and a `PermissionError` where the set's mode does not permit it.
 *
 * @example A counter of free places
 * ```ts
 * import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";
 * import { assertEquals } from "@std/assert";
 *
 * using set = SemaphoreSet.create(IPC_PRIVATE, { initial: 3, removeOnClose: true });
 * const places = set.at(0);
 * await places.acquire(2, { timeout: 1000 });
 * assertEquals(places.tryAcquire(2), false);
 * places.release(2);
 * assertEquals(places.value, 3);
 * ```
 */
export class Semaphore {
  /** Its number in the set, from 0. */
  readonly index: number;
  readonly #set: OpenSet;

  /** Programs use `SemaphoreSet.at`. */
  constructor(set: OpenSet, index: number) {
    this.#set = set;
    this.index = index;
  }

  /**
   * Takes `n` from the value, as soon as it is that high. System call: `semop`.
   *
   * @throws {TimeoutError} if it was not within `timeout`.
   * @throws {LimitError} with `undo`, if the kernel can remember no more.
   * @throws {RangeError} if `n` is not an integer from 1 to 32,767.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";
   * import { TimeoutError } from "@ipc/core";
   * import { assertRejects } from "@std/assert";
   *
   * using set = SemaphoreSet.create(IPC_PRIVATE, { removeOnClose: true });
   * const ready = set.at(0);
   * const acquired = ready.acquire();
   * ready.release(); // In another process, as a rule.
   * await acquired;
   * await assertRejects(() => ready.acquire(1, { timeout: 10 }), TimeoutError);
   * ```
   */
  async acquire(n: number = 1, options: WaitOptions & UndoOptions = {}): Promise<void> {
    this.#check("acquire", n);
    await this.#line(-n, flagsOf(options), "acquire").take(options);
  }

  /** Takes `n` from the value if it is that high; false if not. Throws as `acquire` does. System call: `semop`. */
  tryAcquire(n: number = 1, options: UndoOptions = {}): boolean {
    this.#check("acquire", n);
    return this.#try(-n, flagsOf(options), "acquire");
  }

  /**
   * Takes `n` from the value, blocking this thread until it is that high. Throws as `acquire` does.
   *
   * System calls: `semop`, and with a timeout `semtimedop`.
   */
  acquireSync(n: number = 1, options: SyncOptions & UndoOptions = {}): void {
    this.#check("acquire", n);
    this.#sync(-n, flagsOf(options), "acquire", options);
  }

  /**
   * Adds `n` to the value, which never waits; who waits for it goes on. System call: `semop`.
   *
   * @throws {LimitError} if the value would pass 32,767 (SEMVMX).
   * @throws {RangeError} if `n` is not an integer from 1 to 32,767.
   */
  release(n: number = 1, options: UndoOptions = {}): void {
    this.#check("release", n);
    this.#release(n, flagsOf(options));
  }

  /**
   * Resolves once the value is 0. System call: `semop`.
   *
   * @throws {TimeoutError} if it was not within `timeout`.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";
   *
   * using set = SemaphoreSet.create(IPC_PRIVATE, { initial: 2, removeOnClose: true });
   * const running = set.at(0);
   * const finished = running.waitForZero();
   * running.acquireSync();
   * running.acquireSync();
   * await finished;
   * ```
   */
  async waitForZero(options: WaitOptions = {}): Promise<void> {
    this.#check("wait for");
    await this.#line(0, 0, "wait for").take(options);
  }

  /** Whether the value is 0 now. System call: `semop`. */
  tryWaitForZero(): boolean {
    this.#check("wait for");
    return this.#try(0, 0, "wait for");
  }

  /**
   * Returns once the value is 0, blocking this thread. Throws as `waitForZero` does.
   *
   * System calls: `semop`, and with a timeout `semtimedop`.
   */
  waitForZeroSync(options: SyncOptions = {}): void {
    this.#check("wait for");
    this.#sync(0, 0, "wait for", options);
  }

  /**
   * Holds the semaphore while `fn` runs: acquires 1 and releases 1, both with undo, so that a holder that dies gives
   * the lock back. For a semaphore that was created with 1.
   *
   * It is given back also if the set is closed meanwhile. Where `fn` and giving back both fail, the error is a
   * `SuppressedError` with both. System call: `semop`.
   *
   * @throws {TimeoutError} if it was not free within `timeout`.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using set = SemaphoreSet.create(IPC_PRIVATE, { initial: 1, removeOnClose: true });
   * const lock = set.at(0);
   * assertEquals(await lock.withLock(() => lock.value, { timeout: 1000 }), 0);
   * assertEquals(lock.value, 1);
   * ```
   */
  async withLock<T>(fn: () => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
    await this.acquire(1, { ...options, undo: true });
    using _held = { [Symbol.dispose]: () => this.#release(1, SEM_UNDO) };
    return await fn();
  }

  /** The value at this moment (GETVAL). Who wants to act on it uses `tryAcquire`. System call: `semctl`. */
  get value(): number {
    return this.#get(GETVAL);
  }

  /**
   * Sets the value (SETVAL), and lets go on who waits for it.
   *
   * It clears what all processes have to undo on this semaphore: to set it while it is in use breaks their locks.
   * System call: `semctl`.
   *
   * @throws {RangeError} if `value` is not an integer from 0 to 32,767.
   */
  setValue(value: number): void {
    this.#check("set");
    checkValue(value, () => this.#describe("set"));
    this.#control(SETVAL, value, "set");
  }

  /**
   * How many wait for the value to rise (GETNCNT), in all processes. System call: `semctl`.
   *
   * These are blocked threads: of the asynchronous waits of this package at most a few in a process show.
   */
  get waitersForIncrease(): number {
    return this.#get(GETNCNT);
  }

  /** How many wait for the value to be 0 (GETZCNT), counted as `waitersForIncrease` counts. System call: `semctl`. */
  get waitersForZero(): number {
    return this.#get(GETZCNT);
  }

  /** The process that last did an operation on this semaphore, or set it (GETPID); 0: none. System call: `semctl`. */
  get lastPid(): number {
    return this.#get(GETPID);
  }

  #check(verb: string, n = 1): void {
    if (this.#set.closed) throw this.#set.closedError(this.#verb(verb));
    if (Number.isInteger(n) && n >= 1 && n <= SEMVMX) return;
    throw new RangeError(`Cannot ${this.#describe(verb)}: ${n} is no amount from 1 to ${SEMVMX}`);
  }

  #verb(verb: string): string {
    return `${verb} semaphore ${this.index} of`;
  }

  #describe(verb: string): string {
    return this.#set.describe(this.#verb(verb));
  }

  #line(by: number, flags: number, verb: string) {
    return this.#set.line(new Int16Array([this.index, by, flags]), this.#verb(verb));
  }

  #try(by: number, flags: number, verb: string): boolean {
    if (semopOne(this.#set.id, this.index, by, flags | IPC_NOWAIT) === 0) return true;
    const code = errno();
    if (code === ERRNO.EAGAIN) return false;
    throw this.#set.failure(code, this.#verb(verb));
  }

  #sync(by: number, flags: number, verb: string, options: SyncOptions): void {
    if (options.timeout === undefined && semopOne(this.#set.id, this.index, by, flags) === 0) return;
    // Also what was interrupted, and what failed: it fails again.
    this.#line(by, flags, verb).takeSync(options);
  }

  #release(n: number, flags: number): void {
    if (semopOne(this.#set.id, this.index, n, flags) === 0) return;
    throw this.#set.failure(errno(), this.#verb("release"));
  }

  #get(command: number): number {
    this.#check("look at");
    return this.#control(command, 0, "look at");
  }

  #control(command: number, value: number, verb: string): number {
    const result = libc.semctl(this.#set.id, this.index, command, value);
    if (result !== -1) return result;
    throw this.#set.controlFailure(errno(), this.#verb(verb));
  }
}

function flagsOf({ undo }: UndoOptions): number {
  return undo ? SEM_UNDO : 0;
}
