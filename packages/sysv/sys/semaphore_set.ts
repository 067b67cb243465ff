import { ERRNO } from "@ipc/core";
import { abi, check, errno, failure } from "@ipc/core/sys";
import { constants, sembuf, semidDs } from "../_abi.ts";
import { libc } from "../_libc.ts";
import { checkRoom, complete } from "./_call.ts";

/** One operation on one semaphore: `struct sembuf`. */
export interface Sembuf {
  /** Which semaphore of the set, from 0 (sem_num). */
  num: number;
  /** What is added to it; 0 waits until it is zero (sem_op). */
  op: number;
  /** IPC_NOWAIT and SEM_UNDO; none when left out (sem_flg). */
  flg?: number | undefined;
}

/**
 * Finds or creates a semaphore set, and returns its id. System call: `semget`.
 *
 * @throws {AlreadyExistsError} `EEXIST`: IPC_CREAT and IPC_EXCL were given, and the key is taken.
 * @throws {IpcError} `EINVAL`: a new one of fewer than 1 or more than SEMMSL semaphores, or an existing one has fewer.
 * @throws {LimitError} `ENOSPC`, `ENOMEM`: SEMMNI or SEMMNS is reached, or there is no memory.
 * @throws {NotFoundError} `ENOENT`: there is none, and IPC_CREAT was not given.
 * @throws {PermissionError} `EACCES`: the mode bits in `semflg` ask for more than is permitted.
 *
 * @example
 * ```ts
 * import { constants, semctl, semget } from "@ipc/sysv/sys";
 *
 * const id = semget(constants.IPC_PRIVATE, 3, 0o600);
 * semctl(id, 0, constants.IPC_RMID);
 * ```
 */
export function semget(key: number, nsems: number, semflg: number): number {
  return check(libc.semget(key, nsems, semflg), "semget", "semget", key);
}

/**
 * Does all of these operations at once, or none; without IPC_NOWAIT it blocks the thread until it can. System
 * call: `semop`.
 *
 * @throws {IpcError} `EAGAIN`: it would wait, with IPC_NOWAIT. `EFBIG`: no such semaphore. `EINVAL`: bad id, or no
 * operation. `ERANGE`: beyond SEMVMX. `E2BIG`: more than SEMOPM operations.
 * @throws {LimitError} `ENOSPC`, `ENOMEM`: no room to remember what SEM_UNDO is to undo.
 * @throws {PermissionError} `EACCES`: no permission to change, or for zero alone to read.
 * @throws {RemovedError} `EIDRM`: removed while this waited.
 *
 * @example
 * ```ts
 * import { constants, semctl, semget, semop } from "@ipc/sysv/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const id = semget(constants.IPC_PRIVATE, 2, 0o600);
 * semop(id, [{ num: 0, op: 3 }, { num: 1, op: 0, flg: constants.IPC_NOWAIT }]);
 * assertEquals(semctl(id, 0, constants.GETVAL), 3);
 * semctl(id, 0, constants.IPC_RMID);
 * ```
 */
export function semop(semid: number, sops: readonly Sembuf[]): void {
  const operations = encode(sops);
  const count = BigInt(sops.length);
  complete(() => libc.semop(semid, operations, count), "semop", semid);
}

/**
 * The same for at most `timeout` milliseconds; for ever where it is left out. System call: `semtimedop`.
 *
 * @throws {IpcError} as `semop`; `EAGAIN` also when the time is over.
 * @throws {RangeError} if `timeout` is negative or not a number.
 *
 * @example
 * ```ts
 * import { constants, semctl, semget, semtimedop } from "@ipc/sysv/sys";
 * import { assertThrows } from "@std/assert";
 *
 * const id = semget(constants.IPC_PRIVATE, 1, 0o600);
 * assertThrows(() => semtimedop(id, [{ num: 0, op: -1 }], 1));
 * semctl(id, 0, constants.IPC_RMID);
 * ```
 */
export function semtimedop(semid: number, sops: readonly Sembuf[], timeout?: number): void {
  if (timeout === undefined) return semop(semid, sops);
  if (!(timeout >= 0)) throw new RangeError(`Cannot semtimedop for ${timeout} ms: a time is a number from 0`);
  const operations = encode(sops);
  const count = BigInt(sops.length);
  const timespec = new DataView(new ArrayBuffer(abi.timespec.size));
  const deadline = performance.now() + timeout;
  for (let left = timeout;; left = Math.max(0, deadline - performance.now())) {
    // Some 285,000 years; what the kernel keeps in nanoseconds it caps itself.
    const seconds = Math.min(Math.floor(left / 1000), 2 ** 43);
    timespec.setBigInt64(abi.timespec.tv_sec, BigInt(seconds), true);
    timespec.setBigInt64(abi.timespec.tv_nsec, BigInt(Math.floor(left % 1000 * 1e6) || 0), true);
    if (libc.semtimedop(semid, operations, count, timespec) !== -1) return;
    const code = errno();
    if (code !== ERRNO.EINTR) throw failure(code, "semtimedop", "semtimedop", semid);
  }
}

/**
 * Looks at a set or one of its semaphores, changes or removes it. System call: `semctl`.
 *
 * Returns the value after GETVAL, the pid after GETPID, the number of those who wait after GETNCNT and GETZCNT, the
 * id after SEM_STAT, the highest index in use after IPC_INFO and SEM_INFO, otherwise 0.
 *
 * `arg` is a number for SETVAL, a `Uint16Array` with a place for each semaphore for GETALL and SETALL, and bytes for
 * a `struct semid_ds` for IPC_STAT, IPC_SET, IPC_INFO, SEM_STAT and SEM_INFO.
 *
 * @throws {IpcError} `EINVAL`: bad id, command or number of the semaphore. `ERANGE`: a value below 0 or beyond SEMVMX.
 * @throws {PermissionError} `EACCES`, `EPERM`: no permission to read, or to change.
 * @throws {RangeError} if there is no room in `arg`.
 *
 * @example
 * ```ts
 * import { constants, semctl, semget } from "@ipc/sysv/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const id = semget(constants.IPC_PRIVATE, 3, 0o600);
 * semctl(id, 0, constants.SETALL, new Uint16Array([1, 2, 3]));
 * semctl(id, 1, constants.SETVAL, 5);
 * const values = new Uint16Array(3);
 * semctl(id, 0, constants.GETALL, values);
 * assertEquals([...values], [1, 5, 3]);
 * semctl(id, 0, constants.IPC_RMID);
 * ```
 */
export function semctl(
  semid: number,
  semnum: number,
  cmd: number,
  arg: number | Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | null = null,
): number {
  if (typeof arg === "number") return check(libc.semctl(semid, semnum, cmd, arg), "semctl", "semctl", semid);
  const bytes = arg && new Uint8Array(arg.buffer, arg.byteOffset, arg.byteLength);
  checkRoom("semctl", bytes, roomFor(cmd, semid));
  return check(libc.semctl_buffer(semid, semnum, cmd, bytes), "semctl", "semctl", semid);
}

/** The kernel writes and reads a number for each semaphore. */
function roomFor(cmd: number, semid: number): number {
  if (cmd !== constants.GETALL && cmd !== constants.SETALL) return semidDs.size;
  const buffer = new Uint8Array(semidDs.size);
  const { IPC_STAT, SEM_STAT_ANY } = constants;
  const seen = libc.semctl_buffer(semid, 0, IPC_STAT, buffer) !== -1 ||
    libc.semctl_buffer(semid, 0, SEM_STAT_ANY, buffer) === semid;
  // Where the set cannot be looked at, neither can its values.
  return seen ? 2 * Number(new DataView(buffer.buffer).getBigUint64(semidDs.nsems, true)) : 0;
}

/** As C has it: three numbers of two bytes for each operation. */
function encode(sops: readonly Sembuf[]): Uint8Array<ArrayBuffer> {
  const words = new Int16Array(sops.length * 3);
  for (const [index, { num, op, flg = 0 }] of sops.entries()) {
    if (op < -0x8000 || op > 0x7fff || num < -0x8000 || num > 0xffff) {
      throw new RangeError(`Cannot semop ${op} on semaphore ${num}: both are numbers of 16 bits`);
    }
    words[index * 3 + sembuf.num] = num;
    words[index * 3 + sembuf.op] = op;
    words[index * 3 + sembuf.flg] = flg;
  }
  return new Uint8Array(words.buffer);
}
