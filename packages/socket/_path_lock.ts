/** The lock under which the path of a socket is taken over, and removed by who closes. */

import { AlreadyExistsError, ERRNO, errnoError, type IpcError, UntrustedError } from "@ipc/core";
import { abi, cString, errno, failure, OwnedFd, stat } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import { sameUserOrRoot } from "./peer.ts";

/** What can be locked beside a path, and is there only meanwhile. */
export function lockOf(path: string): string {
  const name = path.lastIndexOf("/") + 1;
  return `${path.slice(0, name)}.${path.slice(name)}.lock`;
}

/**
 * A lock of one path.
 *
 * It is held on a file of its own that nobody else can open: whoever may only read the directory could hold a lock of
 * that for ever. The holder removes the file before it lets go, and who then has the lock of a file without a name
 * begins again. What a killed holder leaves is a file that nobody holds.
 */
export class PathLock implements Disposable {
  readonly #name: Uint8Array<ArrayBuffer>;
  readonly #fd: OwnedFd;

  private constructor(name: Uint8Array<ArrayBuffer>, fd: OwnedFd) {
    this.#name = name;
    this.#fd = fd;
  }

  /**
   * Takes the lock unless somebody else has it. System calls: `open`, `flock`, `fstat`.
   *
   * @throws {AlreadyExistsError} if there can be no lock.
   */
  static tryTake(path: string): PathLock | undefined {
    const name = cString(lockOf(path));
    const fd = libc.open(name, abi.O_RDWR | abi.O_CREAT | abi.O_NOFOLLOW | abi.O_CLOEXEC, 0o600);
    if (fd === -1) {
      const code = errno();
      if (code === ERRNO.EINTR) return undefined;
      throw cannotLock(path, failure(code, "open", "lock", path));
    }
    const file = new OwnedFd(fd);
    let lock: PathLock | undefined;
    try {
      checkFile(file.fd, path);
      if (flock(file.fd, path) && stat(file.fd).nlink > 0) lock = new PathLock(name, file);
    } finally {
      if (lock === undefined) file.close();
    }
    return lock;
  }

  /** Removes the file, and lets go. System calls: `unlink`, `close`. */
  [Symbol.dispose](): void {
    libc.unlink(this.#name);
    this.#fd.close();
  }
}

/** Throws where somebody else could hold the lock for ever. */
function checkFile(fd: number, path: string): void {
  const { type, uid } = stat(fd);
  if (type === "file" && sameUserOrRoot({ uid })) return;
  const cause = new UntrustedError(`Cannot lock "${lockOf(path)}": it is a ${type} of user ${uid}`, {
    target: path,
  });
  throw cannotLock(path, cause);
}

/** Whether the lock was free. */
function flock(fd: number, path: string): boolean {
  while (libc.flock(fd, abi.LOCK_EX | abi.LOCK_NB) !== 0) {
    const code = errno();
    if (code === ERRNO.EAGAIN) return false;
    if (code !== ERRNO.EINTR) throw cannotLock(path, failure(code, "flock", "lock", path));
  }
  return true;
}

function cannotLock(path: string, cause: IpcError): IpcError {
  return inUse(path, "it cannot be locked to find out whether anybody still listens", cause);
}

/** Somebody has the name, or nobody can tell. */
export function inUse(path: string, reason: string, cause?: unknown): AlreadyExistsError {
  const said = errnoError(ERRNO.EADDRINUSE, { syscall: "bind", action: `bind socket "${path}"` });
  return new AlreadyExistsError(`Cannot bind socket "${path}": ${reason}`, {
    code: "EADDRINUSE",
    errno: said.errno,
    syscall: "bind",
    target: path,
    cause: cause ?? said,
  });
}
