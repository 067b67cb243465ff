/** Locks on bytes of an open file that the kernel drops with whoever holds them: F_OFD_SETLK and F_OFD_SETLKW. */

import { ERRNO } from "@ipc/core";
import { abi, failure } from "@ipc/core/sys";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";

const { flock } = abi;
const lock = new DataView(new ArrayBuffer(flock.size));

/** No file is so long: bytes behind it are locked by whoever owns a lock in memory that the file is mapped to. */
const END = 2n ** 62n;

/** What is locked: of bytes that need not exist. */
export interface ByteRange {
  readonly offset: number;
  /** 0: to the end, wherever that is. */
  readonly length: number;
}

function set(type: number, { offset, length }: ByteRange): DataView {
  lock.setInt16(flock.l_type, type, true);
  lock.setInt16(flock.l_whence, 0, true);
  lock.setBigInt64(flock.l_start, BigInt(offset), true);
  lock.setBigInt64(flock.l_len, length === 0 ? END - BigInt(offset) : BigInt(length), true);
  lock.setInt32(flock.l_pid, 0, true);
  return lock;
}

/** Takes the lock if nobody else has it; false: somebody has. */
export function tryLockRange(fd: number, range: ByteRange, shared: boolean, target: string): boolean {
  set(shared ? abi.F_RDLCK : abi.F_WRLCK, range);
  const result = attempt(() => libc.fcntl_lock(fd, abi.F_OFD_SETLK, lock));
  if (result === 0) return true;
  if (result === -ERRNO.EAGAIN || result === -ERRNO.EACCES) return false;
  throw failure(-result, "fcntl", "lock", target);
}

/** Takes the lock, blocking this thread until nobody else has it. */
export function lockRange(fd: number, range: ByteRange, target: string): void {
  set(abi.F_WRLCK, range);
  must(() => libc.fcntl_lock(fd, abi.F_OFD_SETLKW, lock), "fcntl", "lock", target);
}

/** Gives the lock back. */
export function unlockRange(fd: number, range: ByteRange): void {
  set(abi.F_UNLCK, range);
  // It is the one call that nothing can be done without.
  for (let tries = 0; tries < 3 && libc.fcntl_lock(fd, abi.F_OFD_SETLK, lock) === -1; tries++);
}

/** Whether somebody else has a lock that is in the way. */
export function isLocked(fd: number, range: ByteRange, target: string): boolean {
  set(abi.F_WRLCK, range);
  must(() => libc.fcntl_lock(fd, abi.F_OFD_GETLK, lock), "fcntl", "look at the lock of", target);
  return lock.getInt16(flock.l_type, true) !== abi.F_UNLCK;
}
