/** Named semaphores as files in /dev/shm, as libc has them: sem_overview(7). */

import { ERRNO, errnoError, type IpcError, NotFoundError, UntrustedError } from "@ipc/core";
import { abi, cString, errno, type FileStatus, Mapping, OwnedFd, reserve, stat } from "@ipc/core/sys";
import { semT } from "./_abi.ts";
import { libc } from "./_libc.ts";
import {
  checkMode,
  checkOwner,
  type CreateOptions,
  openElseCreate,
  setExactMode,
  type TrustOptions,
} from "./_object.ts";
import { checkSupport, checkValue, initialiseAt } from "./_semaphore_calls.ts";
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
const PREFIX = "/dev/shm/sem.";

/** Creates one: others see it when it has its value. */
export function createSemaphore(name: string, options: SemaphoreCreateOptions): SemaphoreFile {
  checkName(name, OBJECT, "create");
  const { initial, mode, unlinkOnClose } = checkCreate(options);
  checkSupport();
  // As libc does it: under another name until all is ready. If this process is killed before, that name stays.
  const path = pathOf(`/ipc-${Deno.pid}-${crypto.randomUUID()}`);
  const flags = abi.O_RDWR | abi.O_CREAT | abi.O_EXCL | abi.O_NOFOLLOW | abi.O_CLOEXEC;
  const fd = libc.open(path, flags, mode);
  if (fd === -1) throw fileFailure(errno(), "open", "create", name);
  using file = new OwnedFd(fd);
  let mapping: Mapping | undefined;
  try {
    setExactMode(file.fd, mode, OBJECT, name);
    const content = contentOf(initial);
    if (libc.write(file.fd, content, BigInt(semT.size)) === -1) {
      throw fileFailure(errno(), "write", "create", name);
    }
    mapping = Mapping.map(file.fd, { length: semT.size, target: name });
    const status = stat(file.fd);
    const final = pathOf(name);
    if (libc.link(path, final) === -1) throw fileFailure(errno(), "link", "create", name);
    return { name, mapping, unlinkOnClose, status };
  } catch (error) {
    mapping?.close();
    throw error;
  } finally {
    libc.unlink(path);
  }
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

/** A `sem_t` as libc makes it. */
function contentOf(initial: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(new ArrayBuffer(semT.size));
  initialiseAt(Deno.UnsafePointer.of(content), initial);
  return content;
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
