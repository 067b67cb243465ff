/** Files by the descriptor of the folder that they lie in, so that no link in the way leads anywhere else. */

import { AlreadyExistsError, ERRNO, RemovedError, UntrustedError } from "@ipc/core";
import { abi, cString, failure, type FileType, OwnedFd, stat } from "@ipc/core/sys";
import { dirent, SYS_GETDENTS64 } from "./_abi.ts";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";

/** What a file is opened for. */
export type Access = "read" | "write";

/** Not waiting, should somebody have put a FIFO there. */
const OPEN = abi.O_CLOEXEC | abi.O_NOFOLLOW | abi.O_NONBLOCK;
const FOLDER = abi.O_RDONLY | abi.O_DIRECTORY | OPEN;
/** fchown(2): the owner stays. */
const SAME = 0xffff_ffff;

/** Opens a folder for its names; by another path than errors call it, perhaps. */
export function openFolder(path: string, target: string): OwnedFd {
  const name = cString(path);
  const fd = attempt(() => libc.open(name, FOLDER, 0));
  if (fd >= 0) return new OwnedFd(fd);
  if (fd === -ERRNO.ENOTDIR || fd === -ERRNO.ELOOP) {
    throw new UntrustedError(`Cannot open log "${target}": it is no directory`, { target });
  }
  throw failure(-fd, "open", "open log", target, "log");
}

/** Opens a folder within another; `undefined`: there is nothing of this name. */
export function openFolderIn(folder: number, name: string, target: string): OwnedFd | undefined {
  return openAs("directory", folder, name, FOLDER, target);
}

/** Opens a file within a folder; `undefined`: there is nothing of this name. */
export function openFileIn(
  folder: number,
  name: string,
  access: Access,
  target: string,
): OwnedFd | undefined {
  return openAs("file", folder, name, (access === "read" ? abi.O_RDONLY : abi.O_RDWR) | OPEN, target);
}

/**
 * Creates a file within a folder; it belongs to whom the folder belongs, as far as this user may say so.
 *
 * Who writes to somebody else's log once, as root does, would lock them out.
 *
 * @throws {AlreadyExistsError} if there is something of this name.
 * @throws {RemovedError} if the folder was removed.
 */
export function createFileIn(folder: number, name: string, mode: number, target: string): OwnedFd {
  const flags = abi.O_RDWR | abi.O_CREAT | abi.O_EXCL | OPEN;
  const bytes = cString(name);
  const fd = attempt(() => libc.openat(folder, bytes, flags, mode));
  if (fd === -ERRNO.ENOENT) {
    throw new RemovedError(`Cannot write log "${target}": it was removed`, { target });
  }
  if (fd < 0) throw failure(-fd, "openat", "write log", target);
  const file = new OwnedFd(fd);
  try {
    giveAway(file.fd, folder);
    setMode(file.fd, mode, target);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** {@linkcode createFileIn}, of a file with such content that is on the disk. */
export function writeFileIn(
  folder: number,
  name: string,
  bytes: Uint8Array,
  mode: number,
  target: string,
): void {
  using file = createFileIn(folder, name, mode, target);
  const { fd } = file;
  const size = BigInt(bytes.length);
  const count = must(() => libc.pwrite(fd, bytes, size, 0n), "pwrite", "create log", target);
  if (count < bytes.length) throw failure(ERRNO.ENOSPC, "pwrite", "create log", target);
  must(() => libc.fsync(fd), "fsync", "create log", target);
}

/** Sets permission bits, whatever the umask. */
export function setMode(fd: number, mode: number, target: string): void {
  must(() => libc.fchmod(fd, mode), "fchmod", "set the mode of", target);
}

/** The text of a small file; `undefined`: there is none. */
export function readTextIn(folder: number, name: string, target: string): string | undefined {
  using file = openFileIn(folder, name, "read", target);
  if (file === undefined) return undefined;
  const buffer = new Uint8Array(4096);
  const count = must(() => libc.pread(file.fd, buffer, 4096n, 0n), "pread", "read", name);
  return new TextDecoder().decode(buffer.subarray(0, count));
}

/** Takes a name out of a folder; false: there is none. */
export function unlinkIn(folder: number, name: string, target: string, flags = 0): boolean {
  const bytes = cString(name);
  const result = attempt(() => libc.unlinkat(folder, bytes, flags));
  if (result === -ERRNO.ENOENT) return false;
  if (result < 0) throw failure(-result, "unlinkat", "remove from log", target);
  return true;
}

/** The names in a folder, as they come; none where it was removed. */
export function namesIn(folder: number, target: string): string[] {
  const here = cString(".");
  // One of its own, for its place among the names.
  const open = attempt(() => libc.openat(folder, here, FOLDER, 0));
  if (open === -ERRNO.ENOENT) return [];
  if (open < 0) throw failure(-open, "openat", "list log", target);
  using fd = new OwnedFd(open);
  const names: string[] = [];
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(32_768);
  const view = new DataView(buffer.buffer);
  for (;;) {
    const count = attempt(() => libc.getdents64(SYS_GETDENTS64, fd.fd, buffer, buffer.length));
    if (count === 0 || count === -ERRNO.ENOENT) return names;
    if (count < 0) throw failure(-count, "getdents64", "list log", target);
    for (let at = 0; at < count; at += view.getUint16(at + dirent.d_reclen, true)) {
      const from = at + dirent.d_name;
      const name = decoder.decode(buffer.subarray(from, buffer.indexOf(0, from)));
      if (name !== "." && name !== "..") names.push(name);
    }
  }
}

/** Gives a folder another name, which nobody may have. */
export function renameFolder(from: string, to: string, action: string, target: string): void {
  const [old, name] = [cString(from), cString(to)];
  const result = attempt(() => libc.rename(old, name));
  if (result === 0) return;
  if (result === -ERRNO.ENOTEMPTY || result === -ERRNO.EEXIST || result === -ERRNO.ENOTDIR) {
    throw new AlreadyExistsError(`Cannot ${action} "${target}": there is something of this name`, {
      code: "EEXIST",
      errno: ERRNO.EEXIST,
      syscall: "rename",
      target,
    });
  }
  throw failure(-result, "rename", action, target, "log");
}

function openAs(
  type: FileType,
  folder: number,
  name: string,
  flags: number,
  target: string,
): OwnedFd | undefined {
  const bytes = cString(name);
  const fd = attempt(() => libc.openat(folder, bytes, flags, 0));
  if (fd === -ERRNO.ENOENT) return undefined;
  const odd = (why: string) =>
    new UntrustedError(`Cannot open log "${target}": its "${name}" is ${why}`, { target });
  if (fd === -ERRNO.ELOOP) throw odd("a symbolic link");
  if (fd === -ERRNO.ENOTDIR || fd === -ERRNO.ENXIO || fd === -ERRNO.EISDIR) throw odd(`no ${type}`);
  if (fd < 0) throw failure(-fd, "openat", "open log", target);
  const owned = new OwnedFd(fd);
  try {
    if (stat(fd).type === type) return owned;
    throw odd(`no ${type}`);
  } catch (error) {
    owned.close();
    throw error;
  }
}

function giveAway(fd: number, folder: number): void {
  const mine = stat(fd);
  const { uid, gid } = stat(folder);
  if (mine.uid === uid && mine.gid === gid) return;
  if (attempt(() => libc.fchown(fd, uid, gid)) < 0) attempt(() => libc.fchown(fd, SAME, gid));
}
