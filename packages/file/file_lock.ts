import { ClosedError, ERRNO, IpcError, type SyncOptions, UntrustedError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { abi, cString, failure, OwnedFd, stat } from "@ipc/core/sys";
import { LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN } from "./_abi.ts";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";
import { type ByteRange, tryLockRange, unlockRange } from "./_range_lock.ts";
import { Retry } from "./_retry.ts";

/** What a {@linkcode FileLock} locks. */
export interface FileLockOptions {
  /** The first byte that is locked, with a `length`: an open-file-description lock, as other programs know it from fcntl(2). Without, all of the file by flock(2). */
  offset?: number | undefined;
  /** How many bytes are locked, which need not exist; 0: all from `offset` on. */
  length?: number | undefined;
  /** Whether a file that is not there is created; true unless told. */
  create?: boolean | undefined;
  /** Permission bits of a file that is created, exact whatever the umask; 0o600 unless told. */
  mode?: number | undefined;
}

/** How a lock is taken. */
export interface LockOptions {
  /** Whether others may have it too that ask for it so: for reading; false unless told. */
  shared?: boolean | undefined;
}

/** A lock that is held; disposing of it gives it back. */
export interface HeldLock extends Disposable {
  /** Whether others may hold it too. */
  readonly shared: boolean;
  /** Gives it back; calling it again does nothing. */
  unlock(): void;
}

/**
 * A lock on a file between processes, which the kernel drops with its holder, also by `kill -9`.
 *
 * It is advice: it stops nobody who does not ask. By flock(2), the lock that `flock(1)` and `fcntl.flock` of python
 * take; with `offset` or `length` on a range of bytes (F_OFD_SETLK), which those see that lock with fcntl(2):
 * `fcntl.lockf` of python. The two do not know of one another. The file stays, and may hold anything.
 *
 * One handle holds it once; several in one program are several holders. Waiting asynchronously, `lock` tries again
 * after 1 to 25 ms, for nothing tells that a lock is free; calls on one handle are served in their order. It owns a
 * descriptor until `close`, which gives the lock back. Needs `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { FileLock } from "@ipc/file";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * using lock = FileLock.open(path);
 * using same = FileLock.open(path); // In another process, as a rule.
 * {
 *   using _held = await lock.lock({ timeout: 1000 });
 *   assertEquals(same.tryLock(), undefined);
 * }
 * same.tryLock()!.unlock();
 * await Deno.remove(path);
 * ```
 */
export class FileLock implements Disposable, AsyncDisposable {
  /** The file. */
  readonly path: string;
  readonly #fd: OwnedFd;
  readonly #range: ByteRange | undefined;
  readonly #line: Waits;
  readonly #retry = new Retry();
  #held: HeldLock | undefined;

  private constructor(path: string, fd: OwnedFd, range: ByteRange | undefined) {
    this.path = path;
    this.#fd = fd;
    this.#range = range;
    this.#line = new Waits({
      action: `lock "${path}"`,
      park: (wake) => this.#retry.park(wake),
      block: (timeout) => this.#retry.block(timeout),
    });
  }

  /**
   * Opens the file to be locked; a directory too, by flock. System calls: `open`, `fstat`, `fchmod`.
   *
   * @throws {NotFoundError} if there is none and `create` is false, or no directory to create it in.
   * @throws {PermissionError} if its mode permits neither reading nor writing, or no writing for a range.
   * @throws {UntrustedError} if the path is a symbolic link.
   * @throws {RangeError} if the range or the mode is none.
   */
  static open(path: string, options: FileLockOptions = {}): FileLock {
    const { offset, length, create = true, mode = 0o600 } = options;
    const range = offset === undefined && length === undefined
      ? undefined
      : { offset: offset ?? 0, length: length ?? 0 };
    if (range !== undefined && !(isByte(range.offset) && isByte(range.length))) {
      throw new RangeError(`Cannot lock ${range.length} bytes at ${range.offset}: both are integers from 0`);
    }
    if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
      throw new RangeError(`Cannot give "${path}" the mode ${mode}: it has nine bits, such as 0o600`);
    }
    return new FileLock(path, openFile(path, create, mode, range === undefined), range);
  }

  /**
   * Takes the lock, as soon as nobody has it. System calls: `flock` or `fcntl`.
   *
   * @throws {TimeoutError} if it was not free within `timeout`.
   * @throws {ClosedError} if the handle is closed.
   */
  async lock(options: LockOptions & WaitOptions = {}): Promise<HeldLock> {
    const { shared = false } = options;
    return (await this.#line.take(() => this.#take(shared), options))!;
  }

  /**
   * Takes the lock if nobody has it; `undefined`: somebody has, this handle too, or a `lock` of it waits. System call:
   * `flock` or `fcntl`.
   *
   * @throws {ClosedError} if the handle is closed.
   */
  tryLock({ shared = false }: LockOptions = {}): HeldLock | undefined {
    return this.#line.taking ? undefined : this.#take(shared);
  }

  /**
   * Takes the lock, blocking this thread until nobody has it. System call: `flock` or `fcntl`.
   *
   * @throws {TimeoutError} if it was not free within `timeout`.
   * @throws {IpcError} with code `EDEADLK` if this handle has it: the wait would never end; `EBUSY` if a `lock` of it waits.
   * @throws {ClosedError} if the handle is closed.
   */
  lockSync(options: LockOptions & SyncOptions = {}): HeldLock {
    const { shared = false } = options;
    if (this.#held !== undefined) {
      throw new IpcError(`Cannot lock "${this.path}": this handle holds it`, {
        code: "EDEADLK",
        target: this.path,
      });
    }
    if (this.#line.taking) {
      throw new IpcError(`Cannot lock "${this.path}", blocking: a lock() of this handle waits`, {
        code: "EBUSY",
        target: this.path,
      });
    }
    return this.#line.takeSync(() => this.#take(shared), options)!;
  }

  /**
   * Holds the lock while `fn` runs, however that ends. System calls: `flock` or `fcntl`.
   *
   * @throws {TimeoutError} if it was not free within `timeout`.
   *
   * @example
   * ```ts
   * import { FileLock } from "@ipc/file";
   *
   * const path = await Deno.makeTempFile();
   * using lock = FileLock.open(path);
   * await lock.withLock(async () => await Deno.writeTextFile(path, "one at a time"));
   * await Deno.remove(path);
   * ```
   */
  async withLock<T>(fn: () => T | Promise<T>, options: LockOptions & WaitOptions = {}): Promise<T> {
    using _held = await this.lock(options);
    return await fn();
  }

  /** Gives the lock back, and the descriptor; waits reject with a `ClosedError`. System call: `close`. */
  close(): void {
    if (this.#fd.closed) return;
    this.#line.close(() => new ClosedError(`Cannot lock "${this.path}": it was closed here`));
    this.#held?.unlock();
    this.#fd.close();
  }

  /** The same as {@linkcode FileLock.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@linkcode FileLock.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #take(shared: boolean): HeldLock | undefined {
    const { fd } = this.#fd;
    if (this.#held !== undefined) return undefined;
    const taken = this.#range === undefined
      ? tryFlock(fd, shared ? LOCK_SH : LOCK_EX, this.path)
      : tryLockRange(fd, this.#range, shared, this.path);
    if (!taken) return undefined;
    this.#retry.reset();
    const unlock = () => {
      if (this.#held !== held) return;
      this.#held = undefined;
      if (this.#range === undefined) libc.flock(fd, LOCK_UN);
      else unlockRange(fd, this.#range);
    };
    const held: HeldLock = { shared, unlock, [Symbol.dispose]: unlock };
    return this.#held = held;
  }
}

function isByte(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function tryFlock(fd: number, operation: number, path: string): boolean {
  const result = attempt(() => libc.flock(fd, operation | LOCK_NB));
  if (result === 0) return true;
  if (result === -ERRNO.EAGAIN) return false;
  throw failure(-result, "flock", "lock", path);
}

/** For writing where that is permitted, else for reading, which is enough for flock(2). */
function openFile(path: string, create: boolean, mode: number, whole: boolean): OwnedFd {
  const name = cString(path);
  const open = (flags: number) =>
    attempt(() => libc.open(name, flags | abi.O_CLOEXEC | abi.O_NOFOLLOW | abi.O_NONBLOCK, mode));
  for (let tries = 1;; tries++) {
    if (create) {
      const made = open(abi.O_RDWR | abi.O_CREAT | abi.O_EXCL);
      if (made >= 0) return withMode(new OwnedFd(made), mode, path);
      if (made !== -ERRNO.EEXIST) throw failure(-made, "open", "create", path);
    }
    let fd = open(abi.O_RDWR);
    if (whole && (fd === -ERRNO.EACCES || fd === -ERRNO.EISDIR || fd === -ERRNO.EROFS)) {
      fd = open(abi.O_RDONLY);
    }
    if (fd >= 0) return new OwnedFd(fd);
    // Somebody has removed it between the two.
    if (fd === -ERRNO.ENOENT && create && tries < 100) continue;
    if (fd !== -ERRNO.ELOOP) throw failure(-fd, "open", "open", path);
    throw new UntrustedError(`Cannot lock "${path}": it is a symbolic link`, { code: "ELOOP", target: path });
  }
}

/** Gives a new file its mode, which the umask may have made narrower. */
function withMode(file: OwnedFd, mode: number, path: string): OwnedFd {
  try {
    if (stat(file.fd).mode !== mode) {
      must(() => libc.fchmod(file.fd, mode), "fchmod", "set the mode of", path);
    }
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
