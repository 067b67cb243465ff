import { IpcError, type Key, LimitError, RemovedError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { constants } from "./_abi.ts";
import { setKind } from "./_kinds.ts";
import {
  type ById,
  change,
  create,
  type CreateOptions,
  type Found,
  open,
  openOrCreate,
  type OwnershipChange,
  remove,
  status,
  type TrustOptions,
} from "./_object.ts";
import { OpenSet } from "./_open_set.ts";
import { initialise, initialised, initialValues } from "./_set_initialise.ts";
import { checkIndex, checkValue, encode } from "./_set_operations.ts";
import { Semaphore } from "./semaphore.ts";
import type { SemaphoreSetStatus } from "./status.ts";

/** How a semaphore set is created. */
export interface SemaphoreSetCreateOptions extends CreateOptions {
  /** How many semaphores it has; as many as there are initial values, or 1, unless told. */
  size?: number | undefined;
  /** The value of every semaphore, or of each; 0 unless told. */
  initial?: number | readonly number[] | undefined;
}

/** How a semaphore set is opened or created. */
export interface SemaphoreSetOpenOrCreateOptions
  extends SemaphoreSetCreateOptions, TrustOptions, WaitOptions {
  /** Milliseconds to wait for another process that is just creating the set; 1,000 unless told. */
  timeout?: number;
}

/** One of several operations on a semaphore set that are done together: semop(2). */
export interface SemaphoreOperation {
  /** The number of the semaphore, from 0. */
  index: number;
  /** Above 0 is added to the value; below 0 is taken from it, once it is that high; 0 waits for the value 0. */
  by: number;
  /** Whether the kernel takes this operation back when this process ends (SEM_UNDO); false unless told. */
  undo?: boolean | undefined;
  /** Whether all of it fails where this operation would have to wait (IPC_NOWAIT); false unless told. */
  nowait?: boolean | undefined;
}

/**
 * A System V semaphore set: one or more semaphores, on several of which operations are done at once or not at all.
 *
 * It owns nothing but its id: the set in the kernel stays until somebody removes it, or the machine goes down.
 * A single semaphore is used through {@linkcode SemaphoreSet.at}; what is written there of undo, order and waiting
 * holds for whole sets too. An idle set does not keep the process alive; a wait does.
 *
 * @example A lock, shared by all programs that know its name
 * ```ts
 * import { SemaphoreSet, stableKey } from "@ipc/sysv";
 * import { assertEquals } from "@std/assert";
 *
 * const key = stableKey(`example ${crypto.randomUUID()}`);
 * using set = await SemaphoreSet.openOrCreate(key, { initial: 1 });
 * const result = await set.at(0).withLock(() => "nobody else is here");
 * assertEquals(result, "nobody else is here");
 * set.remove();
 * ```
 */
export class SemaphoreSet implements Disposable, AsyncDisposable {
  /** The number by which `ipcs` and other processes know it. */
  readonly id: number;
  /** The key under which it was found; `IPC_PRIVATE` for one without. */
  readonly key: Key;
  /** How many semaphores it has. */
  readonly size: number;
  readonly #set: OpenSet;
  readonly #semaphores: Semaphore[] = [];
  readonly #removeOnClose: boolean;

  private constructor(set: OpenSet, key: Key, removeOnClose: boolean) {
    this.id = set.id;
    this.key = key;
    this.size = set.size;
    this.#set = set;
    this.#removeOnClose = removeOnClose;
  }

  /**
   * Creates a set and gives it its values; `IPC_PRIVATE` makes one without a key.
   *
   * System calls: `semget`, `semctl`, and a `semop` that changes nothing, for who uses `openOrCreate`.
   *
   * @throws {AlreadyExistsError} if the key is taken.
   * @throws {LimitError} if SEMMNI, SEMMNS or SEMMSL is reached.
   * @throws {PermissionError} if `mode` shuts its own user out.
   * @throws {RangeError} if `size` is not an integer from 1, a value not one from 0 to 32,767, `mode` not 0 to 0o777.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using set = SemaphoreSet.create(IPC_PRIVATE, { initial: [1, 0, 5], removeOnClose: true });
   * assertEquals(set.values, [1, 0, 5]);
   * ```
   */
  static create(key: Key, options: SemaphoreSetCreateOptions = {}): SemaphoreSet {
    const values = initialValues(options);
    const found = withinLimits(values.length, () => create(setKind, key, values.length, options));
    return SemaphoreSet.#created(found, key, values, options);
  }

  /**
   * Opens a set that exists, by its key or its id; whether it has its values yet is not asked.
   *
   * System calls: `semget` for a key, `semctl`.
   *
   * @throws {NotFoundError} if there is none of this key.
   * @throws {PermissionError} if its mode does not permit it.
   * @throws {RemovedError} if there is none of this id any more.
   * @throws {UntrustedError} if it is or was somebody else's, and `allowOwner` does not name them.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using set = SemaphoreSet.create(IPC_PRIVATE, { size: 4, removeOnClose: true });
   * using same = SemaphoreSet.open({ id: set.id });
   * assertEquals(same.size, 4);
   * ```
   */
  static open(target: Key | ById, options: TrustOptions = {}): SemaphoreSet {
    return SemaphoreSet.#opened(open(setKind, target, options));
  }

  /**
   * Opens the set of a key, or creates it with its initial values; nobody who comes this way sees it without them.
   *
   * Creating a set and giving it values are two system calls. So the creator ends with an operation that changes
   * nothing but the time of the last operation, and who finds the set waits for that time, at most `timeout`. A
   * set that exists keeps its values, and may have more semaphores. System calls: `semget`, `semctl`, `semop`.
   *
   * @throws {LimitError} as `create` does.
   * @throws {RangeError} if what is there has fewer semaphores, or an argument is out of range.
   * @throws {TimeoutError} if the set has not got its values within `timeout`: its creator may have died between
   *   the two calls, and somebody has to remove the set; or it is a set that was never operated on, made by a
   *   program without this handshake, which `open` opens.
   * @throws {UntrustedError} if what is there is or was somebody else's, and `allowOwner` does not name them.
   *
   * @example
   * ```ts
   * import { SemaphoreSet, stableKey } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * const key = stableKey(`example ${crypto.randomUUID()}`);
   * using first = await SemaphoreSet.openOrCreate(key, { initial: 7, removeOnClose: true });
   * using second = await SemaphoreSet.openOrCreate(key, { initial: 9 });
   * assertEquals(second.values, [7]);
   * ```
   */
  static async openOrCreate(key: Key, options: SemaphoreSetOpenOrCreateOptions = {}): Promise<SemaphoreSet> {
    const values = initialValues(options);
    const { timeout = 1000, signal } = options;
    if (!(timeout >= 0)) throw new RangeError(`Cannot wait ${timeout} ms: a timeout is 0 or more`);
    signal?.throwIfAborted();
    const deadline = performance.now() + timeout;
    for (let attempt = 1;; attempt++) {
      const found = withinLimits(values.length, () => openOrCreate(setKind, key, values.length, options));
      try {
        if (found.created) return SemaphoreSet.#created(found, key, values, options);
        const opened = SemaphoreSet.#opened(found);
        if (opened.size < values.length) {
          throw new RangeError(
            `Cannot ${opened.#set.describe("open")}: it has ${opened.size} semaphores, not ${values.length}`,
          );
        }
        await initialised(opened.#set, { timeout, deadline, signal });
        return opened;
      } catch (error) {
        // Whoever was creating it could not, or has removed it already.
        if (!(error instanceof RemovedError) || attempt === 100) throw error;
      }
    }
  }

  static #created(
    found: Found,
    key: Key,
    values: readonly number[],
    { removeOnClose = false }: CreateOptions,
  ): SemaphoreSet {
    const set = new OpenSet(found, values.length);
    try {
      initialise(set, values);
    } catch (error) {
      setKind.control(found.id, constants.IPC_RMID, null);
      throw error;
    }
    return new SemaphoreSet(set, key, removeOnClose);
  }

  static #opened(found: Found): SemaphoreSet {
    const { key, semaphores } = status(setKind, found);
    return new SemaphoreSet(new OpenSet(found, semaphores), key, false);
  }

  /**
   * One semaphore of the set; it lives as long as this handle.
   *
   * @throws {RangeError} if there is none of this number.
   */
  at(index: number): Semaphore {
    checkIndex(index, this.size, () => this.#set.describe("use"));
    return this.#semaphores[index] ??= new Semaphore(this.#set, index);
  }

  /**
   * Does several operations together, as soon as all are possible: all or none, and nobody sees some of them done.
   *
   * Where an operation with `nowait` is the first that would have to wait, it rejects with an `IpcError` whose
   * code is `"EAGAIN"`: at once, or when the operations before it have become possible. System calls: `semop`,
   * and with `nowait` `semctl`.
   *
   * @throws {TimeoutError} if they were not possible within `timeout`.
   * @throws {LimitError} if a value would pass 32,767 (SEMVMX), these are more than SEMOPM, or there is no room for undo.
   * @throws {RangeError} if there are no operations, no such semaphore, or `by` is not an integer from -32,768 to 32,767.
   *
   * @example Two forks, or none
   * ```ts
   * import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using forks = SemaphoreSet.create(IPC_PRIVATE, { size: 5, initial: 1, removeOnClose: true });
   * await forks.operate([{ index: 0, by: -1, undo: true }, { index: 1, by: -1, undo: true }]);
   * assertEquals(forks.tryOperate([{ index: 1, by: -1 }, { index: 2, by: -1 }]), false);
   * assertEquals(forks.values, [0, 0, 1, 1, 1]);
   * ```
   */
  async operate(operations: readonly SemaphoreOperation[], options: WaitOptions = {}): Promise<void> {
    await this.#line(operations).take(options);
  }

  /** Does several operations together if all are possible now; false if not. Throws as `operate` does. */
  tryOperate(operations: readonly SemaphoreOperation[]): boolean {
    return this.#line(operations).try();
  }

  /**
   * Does several operations together, blocking this thread until all are possible. Throws as `operate` does.
   *
   * System calls: `semop`, `semtimedop`, and with `nowait` `semctl`.
   */
  operateSync(operations: readonly SemaphoreOperation[], options: SyncOptions = {}): void {
    this.#line(operations).takeSync(options);
  }

  /** The values of all semaphores at one moment (GETALL). System call: `semctl`. */
  get values(): number[] {
    this.#set.check("look at");
    const values = this.#set.values("look at");
    // Spreading them would cost fifteen times as much.
    const copy = new Array<number>(values.length);
    for (let index = 0; index < copy.length; index++) copy[index] = values[index]!;
    return copy;
  }

  /**
   * Sets the values of all semaphores at once (SETALL).
   *
   * It clears what all processes have to undo on this set: to set values while they are in use breaks their
   * locks. System call: `semctl`.
   *
   * @throws {RangeError} if there are not as many values as semaphores, or one is not an integer from 0 to 32,767.
   */
  setValues(values: readonly number[]): void {
    this.#set.check("set");
    const describe = () => this.#set.describe("set");
    if (values.length !== this.size) {
      throw new RangeError(`Cannot ${describe()}: it has ${this.size} semaphores, not ${values.length}`);
    }
    for (const value of values) checkValue(value, describe);
    this.#set.setValues(values, "set");
  }

  /**
   * Looks at the set. System call: `semctl`.
   *
   * @throws {RemovedError} if it is gone.
   */
  stat(): SemaphoreSetStatus {
    this.#set.check("look at");
    return status(setKind, this.#set.found);
  }

  /**
   * Changes owner, group or mode of the set. System call: `semctl`.
   *
   * @throws {PermissionError} if this user is neither its owner nor its creator.
   * @throws {RangeError} if a value is out of range.
   */
  set(changes: OwnershipChange): void {
    this.#set.check("change");
    change(setKind, this.#set.found, changes);
  }

  /**
   * Removes the set (IPC_RMID): who waits for it, in whatever process, gets a `RemovedError` at once. System call: `semctl`.
   *
   * @throws {PermissionError} if this user is neither its owner nor its creator.
   * @throws {RemovedError} if it is gone.
   */
  remove(): void {
    this.#set.check("remove");
    remove(setKind, this.#set.found);
  }

  /** Gives the handle back: waits reject with a `ClosedError`, later calls throw one. Calling it again does nothing. */
  close(): void {
    if (this.#set.closed) return;
    this.#set.close();
    // It fails only where somebody else has removed it, or was given it: then it is theirs.
    if (this.#removeOnClose) setKind.control(this.id, constants.IPC_RMID, null);
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

  #line(operations: readonly SemaphoreOperation[]) {
    this.#set.check("operate on");
    const encoded = encode(operations, this.size, () => this.#set.describe("operate on"));
    return this.#set.line(encoded, "operate on");
  }
}

/** The kernel calls a size beyond SEMMSL an invalid argument. */
function withinLimits(size: number, find: () => Found): Found {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof IpcError) || error.code !== "EINVAL") throw error;
    const { code, errno, syscall, target } = error;
    throw new LimitError(`Cannot create semaphore set: ${size} semaphores are more than SEMMSL`, {
      code,
      errno,
      syscall,
      target,
      hint: "ask for fewer, or raise the limit (the first number of sysctl kernel.sem)",
    });
  }
}
