/**
 * Descriptors: owned, duplicated, looked at.
 *
 * @module
 */

import { ERRNO } from "../errno.ts";
import { ClosedError } from "../errors.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { check, errno, failure } from "./errno.ts";

/**
 * A descriptor with one owner, which closes it once.
 *
 * It owns the descriptor from construction until {@linkcode OwnedFd.close} or {@linkcode OwnedFd.take}.
 *
 * @example
 * ```ts
 * import { dupCloexec, OwnedFd, stat } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const copy = new OwnedFd(dupCloexec(0));
 * assertEquals(stat(copy.fd).ino, stat(0).ino);
 * copy.close();
 * assertEquals(copy.closed, true);
 * ```
 */
export class OwnedFd implements Disposable {
  #fd: number;

  /**
   * Takes the descriptor over.
   *
   * @throws {RangeError} if `fd` is not a descriptor's number.
   */
  constructor(fd: number) {
    if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fff_ffff) {
      throw new RangeError(`Cannot own descriptor ${fd}: a descriptor is an integer from 0`);
    }
    this.#fd = fd;
  }

  /**
   * The number.
   *
   * @throws {ClosedError} after `close` or `take`: the number may be somebody else's by now.
   */
  get fd(): number {
    if (this.#fd === -1) throw new ClosedError("Cannot use a descriptor that was closed or taken");
    return this.#fd;
  }

  /** Whether it was closed or taken. */
  get closed(): boolean {
    return this.#fd === -1;
  }

  /**
   * Gives the number to the caller, who now has to close it.
   *
   * @throws {ClosedError} after `close` or `take`.
   */
  take(): number {
    const fd = this.fd;
    this.#fd = -1;
    return fd;
  }

  /**
   * Closes it; calling it again does nothing. System call: `close`.
   *
   * @throws {IpcError} with code `EBADF` if somebody closed the number behind this owner's back.
   */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    if (libc.close(fd) === 0) return;
    const code = errno();
    // After any other error, EINTR too, Linux has released the number: see close(2).
    if (code === ERRNO.EBADF) throw failure(code, "close", "close descriptor", fd);
  }

  /** The same as {@linkcode OwnedFd.close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The kinds of files that a descriptor can be open on; `"other"` is an eventfd, an epoll set and the like. */
export type FileType =
  | "file"
  | "directory"
  | "fifo"
  | "socket"
  | "symlink"
  | "character-device"
  | "block-device"
  | "other";

/** What fstat(2) tells about an open file. */
export interface FileStatus {
  /** What kind of file it is; a pipe is a `"fifo"`. */
  type: FileType;
  /** Permission bits, with set-user-id, set-group-id and sticky. */
  mode: number;
  /** The owner. */
  uid: number;
  /** The owner's group. */
  gid: number;
  /** Bytes, where the file has a size. */
  size: number;
  /** Bytes that it takes on the disk, or in memory: fewer than `size` where it has holes. */
  allocated: number;
  /** The inode's number. */
  ino: bigint;
  /** The device that the inode is on; with `ino` it tells files apart. */
  dev: bigint;
  /** How many names the file has; 0: it was unlinked. */
  nlink: number;
}

const FILE_TYPES: Readonly<Record<number, FileType>> = {
  [abi.S_IFREG]: "file",
  [abi.S_IFDIR]: "directory",
  [abi.S_IFIFO]: "fifo",
  [abi.S_IFSOCK]: "socket",
  [abi.S_IFLNK]: "symlink",
  [abi.S_IFCHR]: "character-device",
  [abi.S_IFBLK]: "block-device",
};

/** The version of `struct stat` that __fxstat(3) of older glibc is told. */
const STAT_VERSION = Deno.build.arch === "x86_64" ? 1 : 0;
const statBuffer = new DataView(new ArrayBuffer(abi.stat.size));
let versioned: boolean | undefined;

/**
 * Looks at an open file. System call: `fstat`.
 *
 * @throws {IpcError} with code `EBADF` if it is not open.
 *
 * @example
 * ```ts
 * import { stat } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const { ino, dev } = stat(0);
 * assertEquals(stat(0).ino === ino && stat(0).dev === dev, true);
 * ```
 */
export function stat(fd: number): FileStatus {
  fstat(fd);
  const { st_mode, st_uid, st_gid, st_size, st_blocks, st_ino, st_dev, st_nlink } = abi.stat;
  const mode = statBuffer.getUint32(st_mode, true);
  return {
    type: FILE_TYPES[mode & abi.S_IFMT] ?? "other",
    mode: mode & 0o7777,
    uid: statBuffer.getUint32(st_uid, true),
    gid: statBuffer.getUint32(st_gid, true),
    size: Number(statBuffer.getBigInt64(st_size, true)),
    allocated: Number(statBuffer.getBigInt64(st_blocks, true)) * 512,
    ino: statBuffer.getBigUint64(st_ino, true),
    dev: statBuffer.getBigUint64(st_dev, true),
    nlink: statBuffer.getUint32(st_nlink, true),
  };
}

function fstat(fd: number): void {
  if (versioned === undefined) {
    // Only a bound table tells which of the two there is, and the first call binds it.
    libc.getpid();
    versioned = libc.fstat === null;
  }
  if (versioned) check(libc.__fxstat!(STAT_VERSION, fd, statBuffer), "fstat", "look at descriptor", fd);
  else check(libc.fstat!(fd, statBuffer), "fstat", "look at descriptor", fd);
}

/**
 * Another descriptor of the same open file description, close-on-exec. System call: `fcntl`.
 *
 * The two share offset and mode: making one non-blocking makes both so.
 *
 * @throws {IpcError} with code `EBADF` if `fd` is not open.
 * @throws {LimitError} if the process has no descriptor left.
 *
 * @example
 * ```ts
 * import { dupCloexec, OwnedFd } from "@ipc/core/sys";
 * import { assertNotEquals } from "@std/assert";
 *
 * using copy = new OwnedFd(dupCloexec(1));
 * assertNotEquals(copy.fd, 1);
 * ```
 */
export function dupCloexec(fd: number): number {
  return check(libc.fcntl(fd, abi.F_DUPFD_CLOEXEC, 3), "fcntl", "duplicate descriptor", fd);
}

/**
 * Makes reads and writes on a descriptor wait, or not. System call: `fcntl`.
 *
 * The mode belongs to the open file description: every duplicate, in other processes too, gets it.
 *
 * @throws {IpcError} with code `EBADF` if `fd` is not open.
 *
 * @example
 * ```ts
 * import { dupCloexec, OwnedFd, setNonblocking } from "@ipc/core/sys";
 *
 * using copy = new OwnedFd(dupCloexec(2));
 * setNonblocking(copy.fd, false);
 * ```
 */
export function setNonblocking(fd: number, on: boolean): void {
  const flags = check(libc.fcntl(fd, abi.F_GETFL, 0), "fcntl", "read the mode of descriptor", fd);
  const next = on ? flags | abi.O_NONBLOCK : flags & ~abi.O_NONBLOCK;
  if (next !== flags) check(libc.fcntl(fd, abi.F_SETFL, next), "fcntl", "set the mode of descriptor", fd);
}
