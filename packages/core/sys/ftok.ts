/**
 * The key that C programs make from a path.
 *
 * @module
 */

import { IpcError } from "../errors.ts";
import type { Key } from "../key.ts";
import { libc } from "./_libc.ts";
import { cString } from "./c_string.ts";
import { errno, failure, setErrno } from "./errno.ts";

/**
 * The System V key of an existing file and a project, as ftok(3) makes it; `stableKey` needs no file.
 *
 * Use it to meet programs that do the same, and for nothing else, for it is weak: of the file only the low 16 bits
 * of the inode and the low 8 of the device take part, so two files can share a key, and a file that is deleted and
 * made again has another one. What a key leads to may be anybody's: check its owner.
 *
 * `project` is a number from 1 to 255, of which C programs often write the character: `"A"` is 65. System call:
 * `stat`, by libc.
 *
 * @throws {NotFoundError} if there is no such file.
 * @throws {PermissionError} if a directory on the way is closed to this user.
 * @throws {RangeError} if `project` is a number outside 1 to 255: libc would use its low 8 bits.
 * @throws {TypeError} if `project` is neither an integer nor one ASCII character.
 *
 * @example
 * ```ts
 * import { ftok } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(ftok("/proc", "A"), ftok("/proc", 65));
 * ```
 */
export function ftok(path: string, project: number | string): Key {
  const id = projectId(project);
  const name = cString(path);
  // -1 can also be the key of a file, and then errno stays as it was.
  setErrno(0);
  const key = libc.ftok(name, id);
  if (key !== -1) return key as Key;
  const code = errno();
  if (code !== 0) throw failure(code, "ftok", "make a key from", path);
  throw new IpcError(
    `Cannot make a key from "${path}": its key is -1, which every C program takes for a failure`,
    { code: "ERANGE", syscall: "ftok", target: path, hint: "choose another project number" },
  );
}

function projectId(project: number | string): number {
  if (typeof project === "number") {
    if (Number.isInteger(project) && project >= 1 && project <= 255) return project;
    const kind = Number.isInteger(project) ? RangeError : TypeError;
    throw new kind(`Cannot make a key for project ${project}: a project is an integer from 1 to 255`);
  }
  const code = project.charCodeAt(0);
  if (project.length === 1 && code >= 1 && code <= 127) return code;
  throw new TypeError(
    `Cannot make a key for project ${JSON.stringify(project)}: a project is one ASCII character or a number`,
  );
}
