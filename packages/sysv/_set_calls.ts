/** semop(2): one operation at the speed of C, or several. What gives -1 has left errno to be read. */

import { sembuf } from "./_abi.ts";
import { libc } from "./_libc.ts";

/** Operations as semop(2) takes them: the three members of each `struct sembuf`. */
export type Operations = Int16Array<ArrayBuffer>;

/** The kernel copies an operation before it waits, so that one place serves every call of this thread. */
const one = new Int16Array(sembuf.size / 2);
const timespec = new BigInt64Array(2);

/** Does one operation, waiting unless IPC_NOWAIT is among the flags. */
export function semopOne(id: number, index: number, by: number, flags: number): number {
  one[sembuf.num] = index;
  one[sembuf.op] = by;
  one[sembuf.flg] = flags;
  return libc.semop(id, one, 1n);
}

/** What is longer is waited for in parts. */
const LONGEST_TIMEOUT = 2 ** 31;

/** Does several operations at once or none, waiting at most so many milliseconds. */
export function semop(id: number, operations: Operations, timeout?: number): number {
  const count = BigInt(operations.length / 3);
  if (timeout === undefined) return libc.semop(id, operations as BufferSource, count);
  const milliseconds = Math.min(timeout, LONGEST_TIMEOUT);
  timespec[0] = BigInt(Math.floor(milliseconds / 1000));
  timespec[1] = BigInt(Math.floor(milliseconds % 1000 * 1e6));
  return libc.semtimedop(id, operations as BufferSource, count, timespec as BufferSource);
}
