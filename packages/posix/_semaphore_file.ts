/** Named semaphores as files in /dev/shm, as libc has them: sem_overview(7). */

import { ERRNO, errnoError, type IpcError, NotFoundError, UntrustedError } from "@ipc/core";
import { abi, cString, errno, type FileStatus, Mapping, OwnedFd, reserve, stat } from "@ipc/core/sys";
import { own, semT } from "./_abi.ts";
import { libc } from "./_libc.ts";
import {
  checkMode,
  checkOwner,
  type CreateOptions,
  openElseCreate,
  setExactMode,
  type TrustOptions,
} from "./_object.ts";
import { checkMade, checkSupport, checkValue, contentOf, placeIn } from "./_semaphore_calls.ts";
import { checkName } from "./name.ts";

/** How a semaphore is created. */
export interface SemaphoreCreateOptions extends CreateOptions {
  /** Its value, 0 to 2,147,483,647; 0 unless told. */
  initial?: number | undefined;
}

/** A named semaphore that was opened. */
export interface SemaphoreFile {
  readonly name: string;
  readonly mapping: Mapping;
  readonly unlinkOnClose: boolean;
  /** Which file it is, whatever its name means by now. */
  readonly status: FileStatus;
}

const OBJECT = "semaphore";
const FOLDER = "/dev/shm";
const PREFIX = `${FOLDER}/sem.`;

/** Creates one: others see it when it has its value. */
export function createSemaphore(name: string, options: SemaphoreCreateOptions): SemaphoreFile {
  checkName(name, OBJECT, "create");
  const { initial, mode, unlinkOnClose } = checkCreate(options);
  checkSupport();
  const content = contentOf(initial);
  const link = (file: OwnedFd, from: Uint8Array) => {
    const made = fill(file, content, mode, name);
    const final = pathOf(name);
    const flags = own.AT_SYMLINK_FOLLOW;
    if (libc.linkat(abi.AT_FDCWD, from, abi.AT_FDCWD, final, flags) === 0) {
      return { name, unlinkOnClose, ...made };
    }
    const code = errno();
    made.mapping.close();
    return code;
  };
  let made = linkUnnamed(mode, link);
  if (typeof made === "number" && made !== ERRNO.EEXIST) made = linkNamed(mode, name, link);
  if (typeof made === "number") throw fileFailure(made, "linkat", "create", name);
  return made;
}

/** Gives an open file its name when it is whole; the errno where that cannot be. */
type Link = (file: OwnedFd, from: Uint8Array) => SemaphoreFile | number;

/** Makes a file without a name, of which nothing is left where this process is killed before it has one. */
function linkUnnamed(mode: number, link: Link): SemaphoreFile | number {
  const folder = cString(FOLDER);
  const fd = libc.open(folder, abi.O_TMPFILE | abi.O_RDWR | abi.O_CLOEXEC, mode);
  if (fd === -1) return errno();
  using file = new OwnedFd(fd);
  return link(file, cString(`/proc/self/fd/${fd}`));
}

/** As libc does it: under another name until all is ready, which stays if this process is killed before. */
function linkNamed(mode: number, name: string, link: Link): SemaphoreFile | number {
  const path = pathOf(`/ipc-${Deno.pid}-${crypto.randomUUID()}`);
  const flags = abi.O_RDWR | abi.O_CREAT | abi.O_EXCL | abi.O_NOFOLLOW | abi.O_CLOEXEC;
  const fd = libc.open(path, flags, mode);
  if (fd === -1) throw fileFailure(errno(), "open", "create", name);
  using file = new OwnedFd(fd);
  try {
    return link(file, path);
  } finally {
    libc.unlink(path);
  }
}

/** Makes a semaphore of an empty file. */
function fill(file: OwnedFd, content: Uint8Array<ArrayBuffer>, mode: number, name: string) {
  setExactMode(file.fd, mode, OBJECT, name);
  if (libc.write(file.fd, content, BigInt(semT.size)) === -1) {
    throw fileFailure(errno(), "write", "create", name);
  }
  const status = stat(file.fd);
  return { status, mapping: Mapping.map(file.fd, { length: semT.size, target: name }) };
}

/** Opens one that exists; what is there is looked at before it is touched. */
export function openSemaphore(name: string, trust: TrustOptions): SemaphoreFile {
  checkName(name, OBJECT);
  checkSupport();
  const path = pathOf(name);
  const fd = libc.open(path, abi.O_RDWR | abi.O_NOFOLLOW | abi.O_NONBLOCK | abi.O_CLOEXEC, 0);
  if (fd === -1) {
    const code = errno();
    if (code === ERRNO.ELOOP) throw untrusted(name, "its file is a symbolic link");
    if (code === ERRNO.EISDIR || code === ERRNO.ENXIO) throw untrusted(name, "it is not a regular file");
    throw fileFailure(code, "open", "open", name);
  }
  using file = new OwnedFd(fd);
  const status = stat(file.fd);
  checkOwner(status, OBJECT, name, trust);
  if (status.type !== "file") throw untrusted(name, "it is not a regular file");
  if (status.size < semT.size) {
    throw untrusted(name, `its file has ${status.size} bytes, and a semaphore ${semT.size}`);
  }
  // A file with a hole in it ends the process with SIGBUS when /dev/shm is full.
  const code = reserve(file.fd, 0, semT.size);
  if (code !== 0) throw fileFailure(code, "posix_fallocate", "open", name);
  const mapping = Mapping.map(file.fd, { length: semT.size, target: name });
  try {
    checkMade(placeIn(mapping, 0, "open"), `Cannot open semaphore "${name}"`, name);
  } catch (error) {
    mapping.close();
    throw error;
  }
  return { name, mapping, unlinkOnClose: false, status };
}

/** Opens what exists, or creates it. */
export function openOrCreateSemaphore(
  name: string,
  options: SemaphoreCreateOptions & TrustOptions,
): SemaphoreFile {
  checkCreate(options);
  return openElseCreate(() => openSemaphore(name, options), () => createSemaphore(name, options));
}

/** Removes a name. */
export function unlinkSemaphore(name: string): void {
  checkName(name, OBJECT, "unlink");
  const path = pathOf(name);
  if (libc.unlink(path) === -1) throw fileFailure(errno(), "unlink", "unlink", name);
}

/** Removes the name of an open semaphore, unless it has lost it: then it may be another's by now. */
export function unlinkOpenSemaphore({ name, status: { ino, dev } }: SemaphoreFile): void {
  const path = pathOf(name);
  const fd = libc.open(path, abi.O_PATH | abi.O_NOFOLLOW | abi.O_CLOEXEC, 0);
  if (fd !== -1) {
    using file = new OwnedFd(fd);
    const there = stat(file.fd);
    if (there.ino === ino && there.dev === dev) return unlinkSemaphore(name);
  }
  throw new NotFoundError(`Cannot unlink semaphore "${name}": it was unlinked already`, { target: name });
}

function checkCreate({ initial = 0, mode, unlinkOnClose = false }: SemaphoreCreateOptions) {
  checkValue(initial, "create semaphore");
  return { initial, mode: checkMode(OBJECT, mode), unlinkOnClose };
}

function pathOf(name: string): Uint8Array<ArrayBuffer> {
  return cString(`${PREFIX}${name.slice(1)}`);
}

function untrusted(name: string, reason: string): UntrustedError {
  return new UntrustedError(`Cannot open semaphore "${name}": ${reason}`, { target: name });
}

function fileFailure(code: number, syscall: string, verb: string, name: string): IpcError {
  const hint = code === ERRNO.ENOSPC
    ? "/dev/shm is full: remove what nobody uses, or make it larger (mount -o remount,size=, docker run --shm-size)"
    : undefined;
  const object = verb === "create" ? undefined : OBJECT;
  return errnoError(code, { syscall, action: `${verb} semaphore "${name}"`, target: name, object, hint });
}
