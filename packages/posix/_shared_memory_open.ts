/** Getting hold of shared memory, which on Linux is a file in /dev/shm: shm_overview(7). */

import {
  ERRNO,
  errnoError,
  type IpcError,
  LimitError,
  NotFoundError,
  NotSupportedError,
  TruncatedError,
  UntrustedError,
} from "@ipc/core";
import { abi, cString, errno, OwnedFd, reserve, stat } from "@ipc/core/sys";
import { own } from "./_abi.ts";
import { libc } from "./_libc.ts";
import {
  checkMode,
  checkOwner,
  type CreateOptions,
  openElseCreate,
  setExactMode,
  type TrustOptions,
} from "./_object.ts";
import { checkName } from "./name.ts";

/** How shared memory is opened. */
export interface SharedMemoryOpenOptions extends TrustOptions {
  /**
   * `"read"` is possible with permission to read alone; `"write"` unless told. `write` then throws, but nothing
   * stands between a view and the memory: writing through one ends the process with SIGSEGV.
   */
  access?: "read" | "write" | undefined;
  /** Bytes that it must have at least. */
  size?: number | undefined;
  /**
   * Sets memory aside for the whole of it where that was not done, as creators in other languages rarely do: without, a
   * touch when /dev/shm is full ends the process with SIGBUS. True unless told, with `access: "read"` false: who may
   * only read cannot, and depends on those who write.
   */
  reserve?: boolean | undefined;
}

/** Shared memory whose file is open. */
export interface OpenMemory {
  readonly name: string;
  readonly file: OwnedFd;
  readonly created: boolean;
}

const OBJECT = "shared memory";
/** Where libc has it too, glibc and musl. */
const FOLDER = "/dev/shm";

/** Creates shared memory; throws where the name is taken. */
export function createMemory(name: string, size: number, options: CreateOptions): OpenMemory {
  const mode = checkCreate(name, size, options);
  const path = pathOf(name);
  const taken = () => memoryFailure(ERRNO.EEXIST, "open", "create", name);
  // Looked at first, for memory that is set aside in vain could be what another process lacks.
  if (isTaken(path)) throw taken();
  try {
    const file = createWhole(name, path, size, mode) ?? createByName(name, path, size, mode);
    return { name, file, created: true };
  } catch (error) {
    // Who came first has what is missing here, perhaps.
    throw isTaken(path) ? taken() : error;
  }
}

/** Opens shared memory that exists, and checks what it is, whose and how large. */
export function openMemory(name: string, options: SharedMemoryOpenOptions): OpenMemory {
  checkName(name, OBJECT);
  const { access = "write", size = 1 } = options;
  if (access !== "read" && access !== "write") {
    throw new TypeError(`Cannot open shared memory "${name}" for "${access}": it is "read" or "write"`);
  }
  if (options.reserve && access === "read") {
    throw new TypeError(`Cannot reserve shared memory "${name}": it is opened for reading`);
  }
  checkSize("open", size);
  const path = pathOf(name);
  // Not waiting for a writer, should it be a FIFO.
  const flags = abi.O_NOFOLLOW | abi.O_NONBLOCK | abi.O_NOCTTY | abi.O_CLOEXEC;
  const fd = libc.open(path, flags | (access === "read" ? abi.O_RDONLY : abi.O_RDWR), 0);
  if (fd === -1) throw openFailure(errno(), name);
  const file = new OwnedFd(fd);
  try {
    const status = stat(fd);
    if (status.type !== "file") {
      throw new NotSupportedError(`Cannot open shared memory "${name}": it is a ${status.type}`, {
        target: name,
      });
    }
    checkOwner(status, OBJECT, name, options);
    if (status.size === 0) {
      throw new TruncatedError(`Cannot open shared memory "${name}": it has no size, or none yet`, {
        target: name,
        hint: "who creates it in C gives it a size after its name: try again, or unlink it",
      });
    }
    if (status.size < size) {
      throw new RangeError(
        `Cannot open shared memory "${name}": it has ${status.size} bytes, not ${size}`,
      );
    }
    // What all of it has is not gone through once more, which takes its time.
    const { reserve = access === "write" } = options;
    if (reserve && status.allocated < status.size) reserveMemory(fd, 0, status.size, "reserve", name);
    return { name, file, created: false };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Opens what exists, or creates it. */
export function openOrCreateMemory(
  name: string,
  size: number,
  options: CreateOptions & TrustOptions,
): OpenMemory {
  checkCreate(name, size, options);
  const { allowOwner } = options;
  return openElseCreate(
    () => openMemory(name, { allowOwner, size }),
    () => createMemory(name, size, options),
  );
}

/** Gives an open file another size; what is new is zero, and set aside. */
export function resizeMemory(fd: number, size: number, name: string): void {
  const { size: before } = stat(fd);
  if (size > before) return reserveMemory(fd, before, size - before, "resize", name);
  const length = BigInt(size);
  if (libc.ftruncate(fd, length) === -1) throw memoryFailure(errno(), "ftruncate", "resize", name);
}

/** Removes a name. */
export function unlinkMemory(name: string): void {
  checkName(name, OBJECT, "unlink");
  const path = pathOf(name);
  if (libc.unlink(path) === -1) throw memoryFailure(errno(), "unlink", "unlink", name);
}

/** Removes the name of an open file, unless it has lost it: then it may be another's by now. */
export function unlinkOpenMemory(fd: number, name: string): void {
  if (stat(fd).nlink > 0) return unlinkMemory(name);
  throw new NotFoundError(`Cannot unlink shared memory "${name}": it was unlinked already`, { target: name });
}

/** Closes what could not be mapped, and removes it if it was made for that. */
export function giveUpMemory({ name, file, created }: OpenMemory): void {
  const path = pathOf(name);
  if (created && stat(file.fd).nlink > 0) libc.unlink(path);
  file.close();
}

/** A size that memory can have. */
export function checkSize(verb: string, size: number): void {
  if (Number.isSafeInteger(size) && size >= 1) return;
  throw new RangeError(`Cannot ${verb} shared memory of ${size} bytes: a size is an integer from 1`);
}

/**
 * Makes a file without a name, and gives it one when it is whole, so that nobody sees it before, and nothing is left
 * of it where this process is killed; undefined where that cannot be done.
 */
function createWhole(name: string, path: Uint8Array, size: number, mode: number): OwnedFd | undefined {
  const folder = cString(FOLDER);
  const fd = libc.open(folder, abi.O_TMPFILE | abi.O_RDWR | abi.O_CLOEXEC, mode);
  if (fd === -1) return undefined;
  const file = new OwnedFd(fd);
  let linked = false;
  try {
    setExactMode(fd, mode, OBJECT, name);
    reserveMemory(fd, 0, size, "create", name);
    const unnamed = cString(`/proc/self/fd/${fd}`);
    linked = libc.linkat(abi.AT_FDCWD, unnamed, abi.AT_FDCWD, path, own.AT_SYMLINK_FOLLOW) === 0;
    if (linked) return file;
    const code = errno();
    if (code === ERRNO.EEXIST) throw memoryFailure(code, "linkat", "create", name);
    return undefined;
  } finally {
    if (!linked) file.close();
  }
}

/** The same in the open, as libc does it: others may find it before it has its size. */
function createByName(name: string, path: Uint8Array, size: number, mode: number): OwnedFd {
  const flags = abi.O_RDWR | abi.O_CREAT | abi.O_EXCL | abi.O_NOFOLLOW | abi.O_CLOEXEC;
  const fd = libc.open(path, flags, mode);
  if (fd === -1) throw memoryFailure(errno(), "open", "create", name);
  const file = new OwnedFd(fd);
  try {
    setExactMode(fd, mode, OBJECT, name);
    reserveMemory(fd, 0, size, "create", name);
    return file;
  } catch (error) {
    libc.unlink(path);
    file.close();
    throw error;
  }
}

/** Sets memory aside, which also makes the file as long. */
function reserveMemory(fd: number, offset: number, length: number, verb: string, name: string): void {
  const code = reserve(fd, offset, length);
  if (code !== 0) throw memoryFailure(code, "posix_fallocate", verb, name);
}

function checkCreate(name: string, size: number, options: CreateOptions): number {
  checkName(name, OBJECT, "create");
  checkSize("create", size);
  return checkMode(OBJECT, options.mode);
}

function pathOf(name: string): Uint8Array<ArrayBuffer> {
  return cString(FOLDER + name);
}

/** Whether there is something of this name, whatever it is. */
function isTaken(path: Uint8Array): boolean {
  const fd = libc.open(path, abi.O_PATH | abi.O_NOFOLLOW | abi.O_CLOEXEC, 0);
  if (fd === -1) return false;
  libc.close(fd);
  return true;
}

function openFailure(code: number, name: string): IpcError {
  if (code === ERRNO.EISDIR || code === ERRNO.ENXIO) {
    const [text, what] = code === ERRNO.EISDIR ? ["EISDIR", "directory"] : ["ENXIO", "socket or a device"];
    return new NotSupportedError(`Cannot open shared memory "${name}": it is a ${what}`, {
      code: text,
      errno: code,
      syscall: "open",
      target: name,
    });
  }
  if (code !== ERRNO.ELOOP) return memoryFailure(code, "open", "open", name);
  return new UntrustedError(`Cannot open shared memory "${name}": it is a symbolic link`, { target: name });
}

const FULL =
  `${FOLDER} is full: unlink what nobody uses, or make it larger (mount -o remount,size=…, docker run --shm-size=…)`;

function memoryFailure(code: number, syscall: string, verb: string, name: string): IpcError {
  if (code === ERRNO.EFBIG) {
    const message =
      `Cannot ${verb} shared memory "${name}": none can be as large, or this process may make none`;
    return new LimitError(message, { code: "EFBIG", errno: code, syscall, target: name });
  }
  return errnoError(code, {
    syscall,
    action: `${verb} shared memory "${name}"`,
    target: name,
    object: "shared memory",
    hint: code === ERRNO.ENOSPC ? FULL : undefined,
  });
}
