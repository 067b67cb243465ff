/** Locks on single bytes of an open file description, which the kernel drops with it (fcntl(2)). */

import { ERRNO } from "@ipc/core";
import { abi, errno, failure } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

const { flock } = abi;
const asked = new DataView(new ArrayBuffer(flock.size));

/** Locks a byte; false: somebody else has it. */
export function lockByte(fd: number, position: bigint): boolean {
  ask(abi.F_WRLCK, position);
  const result = libc.fcntl(fd, abi.F_OFD_SETLK, asked);
  if (result === 0) return true;
  const code = errno();
  if (code === ERRNO.EAGAIN || code === ERRNO.EACCES) return false;
  throw failure(code, "fcntl", "register as the owner of a lock");
}

/** Gives a byte back. */
export function unlockByte(fd: number, position: bigint): void {
  ask(abi.F_UNLCK, position);
  libc.fcntl(fd, abi.F_OFD_SETLK, asked);
}

/** How many bytes around this one another has locked at once; 0: nobody has locked it, `Infinity`: all that follow. */
export function lockedBytes(fd: number, position: bigint): number {
  ask(abi.F_WRLCK, position);
  const result = libc.fcntl(fd, abi.F_OFD_GETLK, asked);
  if (result === -1) throw failure(errno(), "fcntl", "ask for the owner of a lock");
  if (asked.getInt16(flock.l_type, true) === abi.F_UNLCK) return 0;
  return Number(asked.getBigInt64(flock.l_len, true)) || Infinity;
}

/** Fills in what is asked of one byte; the pid of a description's lock is 0. */
function ask(type: number, position: bigint): void {
  asked.setInt16(flock.l_type, type, true);
  asked.setInt16(flock.l_whence, abi.SEEK_SET, true);
  asked.setBigInt64(flock.l_start, position, true);
  asked.setBigInt64(flock.l_len, 1n, true);
  asked.setInt32(flock.l_pid, 0, true);
}
