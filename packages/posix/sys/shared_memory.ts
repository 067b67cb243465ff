import { abi, cString } from "@ipc/core/sys";
import { libc } from "../_libc.ts";
import { checkName } from "../name.ts";
import { complete } from "./_call.ts";

/**
 * Opens shared memory, or creates it with 0 bytes, and returns its descriptor, which is the caller's to close.
 *
 * Where it is, and what else it is opened with, is as in libc: a file in /dev/shm, O_NOFOLLOW and O_CLOEXEC. System
 * call: `open`.
 *
 * @throws {AlreadyExistsError} `EEXIST`: O_CREAT and O_EXCL were given, and the name is taken.
 * @throws {IpcError} `ELOOP`: the name is a symbolic link.
 * @throws {NotFoundError} `ENOENT`: there is none, and O_CREAT was not given.
 * @throws {PermissionError} `EACCES`: its mode does not permit it.
 * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
 *
 * @example
 * ```ts
 * import { constants, shm_open, shm_unlink } from "@ipc/posix/sys";
 * import { OwnedFd, stat } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const { O_CREAT, O_EXCL, O_RDWR } = constants;
 * const name = `/example-${crypto.randomUUID()}`;
 * using memory = new OwnedFd(shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600));
 * assertEquals(stat(memory.fd).size, 0);
 * shm_unlink(name);
 * ```
 */
export function shm_open(name: string, oflag: number, mode = 0): number {
  checkName(name, "shared memory", "shm_open");
  const path = cString(`/dev/shm${name}`);
  const flags = oflag | abi.O_NOFOLLOW | abi.O_CLOEXEC;
  return complete(() => libc.open(path, flags, mode), "shm_open", name);
}

/**
 * Removes a name. System call: `unlink`.
 *
 * @throws {NotFoundError} `ENOENT`: there is none.
 * @throws {PermissionError} `EACCES`, `EPERM`: it is somebody else's.
 * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
 */
export function shm_unlink(name: string): void {
  checkName(name, "shared memory", "shm_unlink");
  const path = cString(`/dev/shm${name}`);
  complete(() => libc.unlink(path), "shm_unlink", name);
}
