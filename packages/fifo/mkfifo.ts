/** Making and removing the name of a FIFO. */

import { ERRNO, UntrustedError } from "@ipc/core";
import { abi, check, cString, errno, failure } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import { handlePath, lookAt } from "./_open.ts";

/** How a FIFO is made. */
export interface MkfifoOptions {
  /** Who may open it, as chmod(1) has it: 0 to 0o777, exactly so whatever the umask; 0o600 unless told. */
  mode?: number | undefined;
}

/**
 * Makes a FIFO: a name in the file system at which processes meet.
 *
 * The name stays until {@linkcode unlink}, also when nobody uses it. The mode is exact: what the umask cut off
 * is added afterwards, so that at no moment it is wider. System calls: `mknod`, `open`, `fstat`, `chmod`.
 *
 * @throws {AlreadyExistsError} if there is something of this name.
 * @throws {NotFoundError} if a folder on the way is missing.
 * @throws {PermissionError} if the folder cannot be written to.
 * @throws {RangeError} if the mode is not 0 to 0o777.
 *
 * @example
 * ```ts
 * import { mkfifo, unlink } from "@ipc/fifo";
 * import { AlreadyExistsError } from "@ipc/core";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/jobs`;
 * mkfifo(path, { mode: 0o620 });
 * assertEquals((await Deno.stat(path)).mode! & 0o777, 0o620);
 * assertThrows(() => mkfifo(path), AlreadyExistsError);
 * unlink(path);
 * ```
 */
export function mkfifo(path: string, options: MkfifoOptions = {}): void {
  const { mode = 0o600 } = options;
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw new RangeError(`Cannot create FIFO with mode ${mode}: a mode is 0 to 0o777`);
  }
  const name = cString(path);
  check(libc.mkfifo(name, mode), "mkfifo", "create FIFO", path);
  const { handle, status } = lookAt(path, "create FIFO");
  try {
    if (status.uid !== libc.geteuid()) {
      throw new UntrustedError(`Cannot create FIFO "${path}": somebody replaced it meanwhile`, {
        target: path,
      });
    }
    if (status.mode === mode || libc.chmod(handlePath(handle), mode) === 0) return;
    const code = errno();
    // Without /proc, by name; at least not through a symbolic link.
    const noProc = code === ERRNO.ENOENT || code === ERRNO.ENOTDIR;
    if (noProc && libc.fchmodat(abi.AT_FDCWD, name, mode, abi.AT_SYMLINK_NOFOLLOW) === 0) return;
    libc.unlink(name);
    throw failure(code, "chmod", "set the mode of FIFO", path);
  } finally {
    handle.close();
  }
}

/**
 * Removes the name of a FIFO; whatever else has that name stays.
 *
 * Processes that have it open go on with it. System calls: `open`, `fstat`, `unlink`.
 *
 * @throws {NotFoundError} if there is nothing of this name.
 * @throws {NotSupportedError} if it is not a FIFO.
 * @throws {UntrustedError} if it is a symbolic link.
 *
 * @example
 * ```ts
 * import { mkfifo, unlink } from "@ipc/fifo";
 * import { NotFoundError } from "@ipc/core";
 * import { assertThrows } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/jobs`;
 * mkfifo(path);
 * unlink(path);
 * assertThrows(() => unlink(path), NotFoundError);
 * ```
 */
export function unlink(path: string): void {
  lookAt(path, "remove FIFO").handle.close();
  const name = cString(path);
  check(libc.unlink(name), "unlink", "remove FIFO", path);
}
