import type { SyncOptions, WaitOptions } from "@ipc/core";

/** Who held a lock and died. */
export interface PreviousOwner {
  /** Its process number, in its own pid namespace: for logs. The number may be another process's by now. */
  readonly pid: number;
}

/**
 * A lock that is held, until `unlock` or the end of the block that declared it with `using`.
 *
 * If `abandoned` is true the one who held it before died meanwhile, and what the lock guards may be half changed:
 * repair that, then call `markConsistent`. Unlocking without that gives the lock up for everybody.
 */
export interface LockGuard extends Disposable {
  /** Whether the one who held it before died. */
  readonly abandoned: boolean;
  /** Who that was, where it is known. */
  readonly previousOwner: PreviousOwner | undefined;
  /** Whether it is still held through this guard. */
  readonly held: boolean;
  /**
   * Says that what the lock guards is whole again. System calls: none.
   *
   * @throws {IpcError} with code `EPERM` if it is not held any more.
   * @throws {ClosedError} if the handle or its mapping was closed.
   */
  markConsistent(): void;
  /**
   * Gives the lock back. System calls: none; `futex` to wake who waits.
   *
   * @throws {IpcError} with code `EPERM` if it is not held any more.
   * @throws {ClosedError} if the handle or its mapping was closed.
   */
  unlock(): void;
}

/** A mutex that is held, see {@linkcode LockGuard}. */
export interface MutexGuard extends LockGuard {
  /** What was locked. */
  readonly mutex: Lockable;
}

/** What gives a {@linkcode MutexGuard}: `Mutex` and `PthreadMutex`. */
export interface Lockable {
  /** Locks as soon as nobody holds it. */
  lock(options?: WaitOptions): Promise<MutexGuard>;
  /** Locks, blocking this thread while somebody holds it. */
  lockSync(options?: SyncOptions): MutexGuard;
  /** Locks if nobody holds it. */
  tryLock(): MutexGuard | undefined;
}
