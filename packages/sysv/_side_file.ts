/** The file that stands for a segment of shared memory where locks on a file are needed: a segment is none. */

import { ERRNO, errnoError, PermissionError, UntrustedError } from "@ipc/core";
import { abi, check, cString, errno, OwnedFd, stat } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { memoryKind } from "./_kinds.ts";
import { libc } from "./_libc.ts";
import type { SharedMemoryStatus } from "./status.ts";

const FOLDER = "/dev/shm";
/** Permission to execute means nothing to a segment. */
const MODE_MASK = 0o666;
/** linkat(2). */
const AT_SYMLINK_FOLLOW = 0x400;
const struct = new Uint8Array(memoryKind.structSize);

/** The id alone: the kernel does not use one again before many thousand others, and all else of a segment may change. */
function pathOf(id: number): string {
  return `${FOLDER}/ipc-sysv-shm.${id}`;
}

/** Opens the file, made by whoever comes first. */
export function openSideFile(status: SharedMemoryStatus): OwnedFd {
  const path = pathOf(status.id);
  const name = cString(path);
  for (;;) {
    const fd = libc.open(name, abi.O_RDWR | abi.O_NOFOLLOW | abi.O_CLOEXEC | abi.O_NONBLOCK, 0);
    const code = fd === -1 ? errno() : 0;
    if (fd !== -1) {
      const file = new OwnedFd(fd);
      if (isUsable(file, status, path)) return file;
    } else if (code === ERRNO.ENOENT) {
      const file = make(name, status, path);
      if (file !== undefined) return file;
    } else if (code === ERRNO.ELOOP) throw untrusted(path, "it is a symbolic link");
    else if (code !== ERRNO.EINTR) {
      throw errnoError(code, { syscall: "open", action: `open lock file "${path}"`, target: path });
    }
  }
}

/** Removes the file of a segment that is gone; of one that is still there it does nothing. */
export function removeSideFile(id: number): void {
  if (memoryKind.control(id, constants.IPC_STAT, struct) !== -1) return;
  const code = errno();
  // Where it fails there is none, or it is somebody else's.
  if (code === ERRNO.EINVAL || code === ERRNO.EIDRM) libc.unlink(cString(pathOf(id)));
}

/** Checks what was opened; false: it has lost its name meanwhile. Closes it unless it is to be used. */
function isUsable(file: OwnedFd, { uid, creatorUid }: SharedMemoryStatus, path: string): boolean {
  try {
    const found = stat(file.fd);
    if (found.type !== "file") throw untrusted(path, "it is no regular file");
    if (![uid, creatorUid, 0].includes(found.uid)) {
      throw untrusted(path, `it belongs to user ${found.uid}, and the memory to user ${uid}`);
    }
    if (found.nlink > 0) return true;
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return false;
}

/** Makes the file, which nobody sees before it is whole; `undefined`: somebody else was faster. */
function make(
  name: Uint8Array<ArrayBuffer>,
  { uid, gid, creatorUid, mode }: SharedMemoryStatus,
  path: string,
): OwnedFd | undefined {
  const euid = libc.geteuid();
  if (![uid, creatorUid, 0].includes(euid)) {
    throw new PermissionError(`Cannot create lock file "${path}": the memory belongs to user ${uid}`, {
      target: path,
      hint: "let the owner of the memory, or its creator, lock something in it first",
    });
  }
  const flags = abi.O_TMPFILE | abi.O_RDWR | abi.O_CLOEXEC;
  const fd = check(libc.open(cString(FOLDER), flags, 0o600), "open", "create lock file", path);
  const file = new OwnedFd(fd);
  try {
    // Only root can give it away; whoever may not keeps it.
    if (libc.fchown(fd, euid === 0 ? uid : euid, gid) === -1) libc.fchown(fd, euid, 0xffff_ffff);
    check(libc.fchmod(fd, mode & MODE_MASK), "fchmod", "set the mode of lock file", path);
    const unnamed = cString(`/proc/self/fd/${fd}`);
    const linked = libc.linkat(abi.AT_FDCWD, unnamed, abi.AT_FDCWD, name, AT_SYMLINK_FOLLOW);
    const code = linked === -1 ? errno() : 0;
    if (linked !== -1) return file;
    if (code !== ERRNO.EEXIST) {
      throw errnoError(code, { syscall: "linkat", action: `create lock file "${path}"`, target: path });
    }
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

function untrusted(path: string, why: string): UntrustedError {
  return new UntrustedError(`Cannot open lock file "${path}": ${why}`, { target: path, hint: "remove it" });
}
