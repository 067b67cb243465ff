/**
 * Whether a writer is still there: it holds a lock on the byte of the FIFO that has its number.
 *
 * The kernel lets go of an open-file-description lock with the last descriptor of its holder, by `close` or by
 * death, so that nobody has to know which process it was or in which namespace it counts. The lock guards
 * nothing: it only tells. See "Open file description locks" in fcntl(2).
 */

import { ERRNO } from "@ipc/core";
import { abi, errno, failure } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

const { size, l_type, l_whence, l_start, l_len, l_pid } = abi.flock;
const lock = new DataView(new ArrayBuffer(size));

/** Gives a writer a number that no other has which is open now, and lets others see that it is there. */
export function claimNumber(fd: number): number {
  const drawn = new Uint32Array(1);
  while (true) {
    const number = crypto.getRandomValues(drawn)[0]!;
    describe(number);
    if (libc.fcntl_lock(fd, abi.F_OFD_SETLK, lock) === 0) return number;
    const code = errno();
    if (code !== ERRNO.EAGAIN && code !== ERRNO.EACCES) {
      throw failure(code, "fcntl", "lock a byte of FIFO", fd);
    }
  }
}

/** Whether the writer of this number is still there; asked through another descriptor than the writer's own. */
export function isHeld(fd: number, number: number): boolean {
  describe(number);
  // Where it cannot be asked, the end tells.
  return libc.fcntl_lock(fd, abi.F_OFD_GETLK, lock) !== 0 || lock.getInt16(l_type, true) !== abi.F_UNLCK;
}

function describe(number: number): void {
  lock.setInt16(l_type, abi.F_WRLCK, true);
  lock.setInt16(l_whence, abi.SEEK_SET, true);
  lock.setBigInt64(l_start, BigInt(number), true);
  lock.setBigInt64(l_len, 1n, true);
  lock.setInt32(l_pid, 0, true);
}
