/** Opening a FIFO by name: what is there is looked at before it is opened, and opened without waiting. */

import { ERRNO, NotSupportedError, TimeoutError, UntrustedError, type WaitOptions } from "@ipc/core";
import { abi, cString, errno, failure, type FileStatus, type FileType, OwnedFd, stat } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/** Whom a FIFO may belong to, and who may write into it. */
export interface FifoTrust {
  /** Users by number, besides the effective user of this process, who may own the FIFO. */
  allowOwner?: number | readonly number[] | undefined;
  /** Who besides the owner may be able to write into it by its mode: nobody unless told. */
  allowWriters?: "group" | "all" | undefined;
}

const KINDS: Readonly<Record<FileType, string>> = {
  "file": "a regular file",
  "directory": "a directory",
  "fifo": "a FIFO",
  "socket": "a socket",
  "symlink": "a symbolic link",
  "character-device": "a character device",
  "block-device": "a block device",
  "other": "of an unknown kind",
};

/** Pauses between looks for a reader, in milliseconds. */
const SHORTEST_PAUSE = 1;
const LONGEST_PAUSE = 10;

/** A FIFO that was looked at, without opening it: to open a device can have effects. */
export function lookAt(path: string, action: string): { handle: OwnedFd; status: FileStatus } {
  const name = cString(path);
  const fd = libc.open(name, abi.O_PATH | abi.O_NOFOLLOW | abi.O_CLOEXEC, 0);
  if (fd === -1) throw failure(errno(), "open", action, path, "FIFO");
  const handle = new OwnedFd(fd);
  try {
    const status = stat(fd);
    if (status.type === "symlink") {
      throw new UntrustedError(`Cannot ${action} "${path}": it is a symbolic link`, {
        target: path,
        hint: "name the FIFO itself",
      });
    }
    if (status.type !== "fifo") {
      throw new NotSupportedError(`Cannot ${action} "${path}": it is ${KINDS[status.type]}, not a FIFO`, {
        target: path,
      });
    }
    return { handle, status };
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** What was looked at, by a name that nobody can replace. */
export function handlePath(handle: OwnedFd): Uint8Array {
  return cString(`/proc/self/fd/${handle.fd}`);
}

/**
 * Opens a FIFO without waiting; -1: nobody reads it.
 *
 * @throws {UntrustedError} if it is a symbolic link, or somebody else's, or others may write into it.
 * @throws {NotSupportedError} if it is something else.
 */
export function openNow(path: string, access: number, trust: FifoTrust): number {
  const { handle, status } = lookAt(path, "open FIFO");
  try {
    checkTrust(path, status, trust);
    return openHandle(path, handle, access);
  } finally {
    handle.close();
  }
}

/** Another end of a FIFO that is open: the same one, whatever its name means by now. */
export function openAgain(path: string, fd: number, access: number): number {
  return openThrough(cString(`/proc/self/fd/${fd}`), path, stat(fd), access);
}

/** Opens a FIFO for writing; waits until somebody reads it. */
export async function openForWriting(path: string, trust: FifoTrust, options: WaitOptions): Promise<number> {
  const { timeout, signal } = options;
  const deadline = timeout === undefined ? Infinity : performance.now() + timeout;
  for (let pause = SHORTEST_PAUSE;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    const fd = openNow(path, abi.O_WRONLY, trust);
    if (fd !== -1) return fd;
    const left = deadline - performance.now();
    if (left <= 0) {
      throw new TimeoutError(
        `Cannot open FIFO "${path}" for writing: nobody opened it for reading within ${timeout} ms`,
        { target: path, cause: failure(ERRNO.ENXIO, "open", "open FIFO", path) },
      );
    }
    await sleep(Math.min(pause, left), signal);
  }
}

/** Checks a wait before anything is done. */
export function checkWait({ timeout, signal }: WaitOptions): void {
  if (timeout !== undefined && !(timeout >= 0)) {
    throw new RangeError(`Cannot wait ${timeout} ms: a timeout is 0 or more`);
  }
  signal?.throwIfAborted();
}

function checkTrust(path: string, { uid, mode }: FileStatus, trust: FifoTrust): void {
  const { allowOwner = [], allowWriters } = trust;
  const self = libc.geteuid();
  const owners = typeof allowOwner === "number" ? [allowOwner] : allowOwner;
  // A string would have what it contains for owners.
  if (!Array.isArray(owners) || !owners.every(Number.isInteger)) {
    throw new TypeError(`Cannot open FIFO "${path}": allowOwner is a user's number, or several of them`);
  }
  if (uid !== self && !owners.includes(uid)) {
    throw new UntrustedError(
      `Cannot open FIFO "${path}": it belongs to user ${uid}, and this is user ${self}`,
      {
        target: path,
        hint: `allowOwner: ${uid}, if that user is trusted`,
      },
    );
  }
  const others = (mode & 0o002) !== 0 && allowWriters !== "all";
  const group = (mode & 0o020) !== 0 && allowWriters === undefined;
  if (others || group) {
    const who = others ? "everybody" : "its group";
    throw new UntrustedError(
      `Cannot open FIFO "${path}": ${who} may write into it, its mode is 0${mode.toString(8)}`,
      { target: path, hint: `chmod go-w, or allowWriters: "${others ? "all" : "group"}"` },
    );
  }
}

function openHandle(path: string, handle: OwnedFd, access: number): number {
  return openThrough(handlePath(handle), path, stat(handle.fd), access);
}

function openThrough(through: Uint8Array, path: string, looked: FileStatus, access: number): number {
  const flags = access | abi.O_NONBLOCK | abi.O_CLOEXEC;
  const fd = libc.open(through, flags, 0);
  if (fd !== -1) return fd;
  const code = errno();
  if (code === ERRNO.ENXIO) return -1;
  // Without /proc, by name once more.
  if (code === ERRNO.ENOENT || code === ERRNO.ENOTDIR) return openByName(path, looked, flags);
  throw failure(code, "open", "open FIFO", path);
}

function openByName(path: string, looked: FileStatus, flags: number): number {
  const name = cString(path);
  const fd = libc.open(name, flags | abi.O_NOFOLLOW, 0);
  if (fd === -1) {
    const code = errno();
    if (code === ERRNO.ENXIO) return -1;
    throw failure(code, "open", "open FIFO", path);
  }
  const owned = new OwnedFd(fd);
  const { ino, dev } = stat(fd);
  if (ino === looked.ino && dev === looked.dev) return owned.take();
  owned.close();
  throw new UntrustedError(`Cannot open FIFO "${path}": it was replaced meanwhile`, { target: path });
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}
