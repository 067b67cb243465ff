/** What can be seen of a FIFO from outside. */

import { ERRNO, errnoError, NotSupportedError } from "@ipc/core";
import { abi, cString, stat } from "@ipc/core/sys";
import type { Address } from "./address.ts";
import type { FifoStatus } from "./stat.ts";
import { type Holders, holdersOf } from "./_holders.ts";
import { libc } from "./_libc.ts";

/** Looks at a FIFO and its users. */
export function fifoStatus(address: Address): FifoStatus {
  const path = address.target;
  const file = look(path);
  if (!file.isFifo) {
    throw new NotSupportedError(`Cannot look at FIFO "${path}": it is not a FIFO`, { target: path });
  }
  const holders = holdersOf(file);
  return {
    address: address.text,
    type: "fifo",
    path,
    uid: file.uid!,
    gid: file.gid!,
    mode: file.mode! & 0o7777,
    inode: file.ino!,
    ...file.ctime !== null && { changeTime: file.ctime },
    ...contents(path, file, holders),
    ...holders,
  };
}

function look(path: string): Deno.FileInfo {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    if (!missing && !(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw errnoError(missing ? ERRNO.ENOENT : ERRNO.EACCES, {
      syscall: "lstat",
      action: `look at FIFO "${path}"`,
      object: "FIFO",
      target: path,
    });
  }
}

/**
 * How many bytes wait, and for how many there is room.
 *
 * Only an open FIFO can be asked. Opening it for reading would let writers go on that wait for a reader, and
 * end with the bytes of those who left: so it is done only where a reader is there already.
 */
function contents(
  path: string,
  file: Deno.FileInfo,
  { readers, writers }: Holders,
): { available?: number; capacity?: number } {
  if (readers.length === 0) return writers.length === 0 ? { available: 0 } : {};
  const fd = libc.open(cString(path), abi.O_RDONLY | abi.O_NONBLOCK | abi.O_CLOEXEC | abi.O_NOFOLLOW);
  if (fd === -1) return {};
  try {
    const count = new Int32Array(1);
    if (stat(fd).ino !== BigInt(file.ino!) || libc.ioctl(fd, abi.FIONREAD, count) === -1) return {};
    const capacity = libc.fcntl(fd, abi.F_GETPIPE_SZ, 0);
    return { available: count[0]!, ...capacity > 0 && { capacity } };
  } finally {
    libc.close(fd);
  }
}
