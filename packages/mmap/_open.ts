/** Getting hold of a file that is to be mapped: open(2), and room for it. */

import { ERRNO, errnoError, type IpcError, LimitError, NotSupportedError, UntrustedError } from "@ipc/core";
import {
  abi,
  cString,
  errno,
  type FileStatus,
  type MappingAccess,
  OwnedFd,
  reserve,
  stat,
} from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/** What becomes of the room on the disk, or in memory where the file system is there. */
export type Reserve = "all" | "new" | "none";

/** What is asked of the file itself. */
export interface FileOptions {
  /**
   * `"write"` unless told: what is written is seen by all who map or read the file. `"copy-on-write"` keeps it to this
   * mapping. With `"read"`, `write` throws, but nothing stands between a view and the memory: writing through one ends
   * the process with SIGSEGV.
   */
  access?: MappingAccess | undefined;
  /** Makes the file where there is none, which takes `size`; false unless told. */
  create?: boolean | undefined;
  /** The same, and throws where there is one; false unless told. */
  createNew?: boolean | undefined;
  /** Permission bits of a file that is made, exact whatever the umask; 0o600 unless told. */
  mode?: number | undefined;
  /** Bytes that the file is to have at least: it grows where it is shorter. What is new is zero. */
  size?: number | undefined;
  /**
   * For which part the file system sets room aside: what it has no room for later ends the process with SIGBUS when it
   * is touched. `"new"`, what `size` and `grow` add, unless told; `"all"` also fills the holes of what was there;
   * `"none"` makes a sparse file, which takes room as it is written.
   */
  reserve?: Reserve | undefined;
  /** Whether the path may be a symbolic link; true unless told, with `create` false. */
  followLinks?: boolean | undefined;
  /**
   * Users by number who may own the file besides this one, or `"any"` for whoever it is: that unless told, with
   * `create` nobody.
   */
  allowOwner?: number | readonly number[] | "any" | undefined;
}

/** A file that is open. */
export interface OpenFile {
  readonly path: string;
  readonly file: OwnedFd;
  readonly created: boolean;
}

/** So often is a file looked for that others make and remove all the time. */
const MOST_ATTEMPTS = 100;

/** Opens a file, or makes it, and gives it the size that it is to have. */
export function openFile(path: string, options: FileOptions): OpenFile {
  checkOptions(path, options);
  const open = openOrCreate(path, options);
  try {
    const status = stat(open.file.fd);
    if (status.type !== "file") {
      throw new NotSupportedError(`Cannot map "${path}": it is a ${status.type}, not a file`, {
        target: path,
      });
    }
    checkOwner(path, status, options);
    extend(open, options.size, options.reserve);
    return open;
  } catch (error) {
    giveUp(open);
    throw error;
  }
}

/** Makes an open file at least as long as that, and never shorter, whatever others do meanwhile. */
export function extend({ path, file }: OpenFile, size = 0, what: Reserve = "new"): void {
  const { size: before } = stat(file.fd);
  if (size <= before && what !== "all") return;
  const end = Math.max(size, before, 1);
  // Room for the last byte makes a file as long as ftruncate(2) would, which could also make it shorter.
  const from = { all: 0, new: before, none: end - 1 }[what];
  const code = reserve(file.fd, from, end - from);
  if (code !== 0) throw fileFailure(code, "posix_fallocate", "make room in", path);
}

/** Closes a file that could not be mapped, and removes it if it was made for that. */
export function giveUp({ path, file, created }: OpenFile): void {
  const name = cString(path);
  if (created && stat(file.fd).nlink > 0) libc.unlink(name);
  file.close();
}

function openOrCreate(path: string, options: FileOptions): OpenFile {
  const { access = "write", create = false, createNew = false, mode = 0o600, followLinks = !create } =
    options;
  const name = cString(path);
  // Not waiting for a writer, should it be a FIFO.
  const flags = abi.O_NONBLOCK | abi.O_NOCTTY | abi.O_CLOEXEC |
    (access === "write" ? abi.O_RDWR : abi.O_RDONLY);
  for (let attempt = 1;; attempt++) {
    if (!createNew) {
      const fd = libc.open(name, followLinks ? flags : flags | abi.O_NOFOLLOW, 0);
      if (fd !== -1) return { path, file: new OwnedFd(fd), created: false };
      const code = errno();
      if (code === ERRNO.ELOOP && !followLinks) {
        throw new UntrustedError(`Cannot open file "${path}": it is a symbolic link`, {
          target: path,
          hint: "followLinks: true, if it leads where you expect",
        });
      }
      if (!create || code !== ERRNO.ENOENT) throw fileFailure(code, "open", "open", path);
    }
    const fd = libc.open(name, flags | abi.O_CREAT | abi.O_EXCL | abi.O_NOFOLLOW, mode);
    if (fd !== -1) return withMode({ path, file: new OwnedFd(fd), created: true }, mode);
    const code = errno();
    if (createNew || code !== ERRNO.EEXIST || attempt === MOST_ATTEMPTS) {
      throw fileFailure(code, "open", "create", path);
    }
  }
}

/** Gives what was just made its exact mode: at no moment was it wider. */
function withMode(open: OpenFile, mode: number): OpenFile {
  if (libc.fchmod(open.file.fd, mode) !== -1) return open;
  const code = errno();
  giveUp(open);
  throw fileFailure(code, "fchmod", "set the mode of", open.path);
}

/** Somebody else's file, where it could have been put there for us. */
function checkOwner(path: string, { uid }: FileStatus, options: FileOptions): void {
  const { create, allowOwner = create ? [] : "any" } = options;
  const users = typeof allowOwner === "number" ? [allowOwner] : allowOwner;
  if (users === "any" || uid === libc.geteuid() || users.includes(uid)) return;
  throw new UntrustedError(`Cannot open file "${path}": it belongs to uid ${uid}`, {
    target: path,
    hint: "allow that user with allowOwner, if it is who you expect",
  });
}

function checkOptions(path: string, options: FileOptions): void {
  if (typeof path !== "string") throw new TypeError(`Cannot open file ${path}: a path is a string`);
  const { allowOwner = [] } = options;
  const users = typeof allowOwner === "number" ? [allowOwner] : allowOwner;
  if (users !== "any" && !(Array.isArray(users) && users.every(Number.isInteger))) {
    throw new TypeError(`Cannot open "${path}": allowOwner is a user's number, several of them, or "any"`);
  }
  const { access = "write", create, createNew, mode = 0o600, size, reserve = "new" } = options;
  if (!["read", "write", "copy-on-write"].includes(access)) {
    throw new TypeError(`Cannot open "${path}" for "${access}": it is "read", "write" or "copy-on-write"`);
  }
  if (!["all", "new", "none"].includes(reserve)) {
    throw new TypeError(`Cannot open "${path}" and reserve "${reserve}": it is "all", "new" or "none"`);
  }
  const makes = create || createNew;
  if (access !== "write" && (makes || size !== undefined || reserve === "all")) {
    throw new TypeError(`Cannot create, grow or fill "${path}": its access is "${access}"`);
  }
  if (makes && size === undefined) throw new TypeError(`Cannot create "${path}": its size is missing`);
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 1)) {
    throw new RangeError(`Cannot give "${path}" ${size} bytes: a size is an integer from 1`);
  }
  if (!(Number.isInteger(mode) && mode >= 0 && mode <= 0o777)) {
    throw new RangeError(`Cannot give "${path}" the mode ${mode}: it has nine bits, such as 0o600`);
  }
}

function fileFailure(code: number, syscall: string, verb: string, path: string): IpcError {
  if (code === ERRNO.EISDIR || code === ERRNO.ENXIO && syscall === "open") {
    const [name, what] = code === ERRNO.EISDIR ? ["EISDIR", "directory"] : ["ENXIO", "socket or a device"];
    const reason = `it is a ${what}, not a file`;
    return new NotSupportedError(`Cannot map "${path}": ${reason}`, {
      code: name,
      errno: code,
      syscall,
      target: path,
    });
  }
  if (code === ERRNO.EFBIG) {
    const message = `Cannot ${verb} file "${path}": no file can be as large, or this process may make none`;
    return new LimitError(message, { code: "EFBIG", errno: code, syscall, target: path });
  }
  return errnoError(code, { syscall, action: `${verb} file "${path}"`, target: path, object: "file" });
}
