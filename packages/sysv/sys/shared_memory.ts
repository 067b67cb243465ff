import { check, failure } from "@ipc/core/sys";
import { shmidDs } from "../_abi.ts";
import { attach } from "../_attach.ts";
import { libc } from "../_libc.ts";
import { checkRoom } from "./_call.ts";

/**
 * Finds or creates a segment of shared memory, and returns its id. System call: `shmget`.
 *
 * @throws {AlreadyExistsError} `EEXIST`: IPC_CREAT and IPC_EXCL were given, and the key is taken.
 * @throws {IpcError} `EINVAL`: a new one of 0 bytes or more than SHMMAX, or an existing one of fewer than `size` bytes.
 * @throws {LimitError} `ENOSPC`, `ENOMEM`: SHMMNI or SHMALL is reached, or there is no memory.
 * @throws {NotFoundError} `ENOENT`: there is none, and IPC_CREAT was not given.
 * @throws {PermissionError} `EACCES`, `EPERM`: the mode bits in `shmflg` ask for more than is permitted, or huge pages do.
 * @throws {RangeError} if `size` is not an integer from 0.
 *
 * @example
 * ```ts
 * import { constants, shmctl, shmget } from "@ipc/sysv/sys";
 *
 * const id = shmget(constants.IPC_PRIVATE, 4096, 0o600);
 * shmctl(id, constants.IPC_RMID);
 * ```
 */
export function shmget(key: number, size: number, shmflg: number): number {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new RangeError(`Cannot shmget ${size} bytes: a size is an integer from 0`);
  }
  const bytes = BigInt(size);
  return check(libc.shmget(key, bytes, shmflg), "shmget", "shmget", key);
}

/**
 * Attaches a segment, and returns where. System call: `shmat`.
 *
 * Whoever makes views of that memory must not use them after `shmdt`: that ends the process. `SharedMemory` takes
 * care of it.
 *
 * @throws {IpcError} `EINVAL`: bad id or address.
 * @throws {LimitError} `ENOMEM`: no room in the address space.
 * @throws {PermissionError} `EACCES`: no permission to read, or without SHM_RDONLY to write.
 * @throws {RemovedError} `EIDRM`: it was removed.
 *
 * @example
 * ```ts
 * import { constants, shmat, shmctl, shmdt, shmget } from "@ipc/sysv/sys";
 *
 * const id = shmget(constants.IPC_PRIVATE, 4096, 0o600);
 * const address = shmat(id, null, constants.SHM_RDONLY);
 * shmdt(address);
 * shmctl(id, constants.IPC_RMID);
 * ```
 */
export function shmat(shmid: number, shmaddr: Deno.PointerValue = null, shmflg = 0): Deno.PointerObject {
  const pointer = attach(shmid, shmaddr, shmflg);
  if (typeof pointer === "number") throw failure(pointer, "shmat", "shmat", shmid);
  return pointer;
}

/**
 * Detaches what is attached at an address. System call: `shmdt`.
 *
 * @throws {IpcError} `EINVAL`: nothing is attached there.
 */
export function shmdt(shmaddr: Deno.PointerValue): void {
  check(libc.shmdt(shmaddr), "shmdt", "shmdt");
}

/**
 * Looks at a segment, changes, locks or removes it. System call: `shmctl`.
 *
 * Returns the id after SHM_STAT, the highest index in use after IPC_INFO and SHM_INFO, otherwise 0.
 *
 * @throws {IpcError} `EINVAL`: bad id or command.
 * @throws {LimitError} `ENOMEM`: SHM_LOCK goes beyond the limit of locked memory.
 * @throws {PermissionError} `EACCES`, `EPERM`: no permission to read, or to change.
 * @throws {RangeError} if there is no room in `buf` for a `struct shmid_ds`.
 *
 * @example
 * ```ts
 * import { constants, shmctl, shmget, shmidDs } from "@ipc/sysv/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const id = shmget(constants.IPC_PRIVATE, 100, 0o600);
 * const buf = new Uint8Array(shmidDs.size);
 * shmctl(id, constants.IPC_STAT, buf);
 * assertEquals(new DataView(buf.buffer).getBigUint64(shmidDs.segsz, true), 100n);
 * shmctl(id, constants.IPC_RMID);
 * ```
 */
export function shmctl(shmid: number, cmd: number, buf: Uint8Array<ArrayBuffer> | null = null): number {
  checkRoom("shmctl", buf, shmidDs.size);
  return check(libc.shmctl(shmid, cmd, buf), "shmctl", "shmctl", shmid);
}
