import { cString, errno, failure } from "@ipc/core/sys";
import { semaphores } from "../_libc.ts";
import { checkSupport } from "../_semaphore_calls.ts";
import { complete, encodeTimespec, type Timespec } from "./_call.ts";

/** The address of a semaphore, `sem_t *`, which is as good as what is there: a wrong one ends the process. */
export type Sem = Deno.PointerObject;

/**
 * Opens a named semaphore, or creates it, and returns its address. System calls: `open`, `mmap`; to create `link`.
 *
 * The mode is cut by the umask. libc does not look at what it opens: where the file in /dev/shm is too short, the
 * first use ends the process with SIGBUS. `Semaphore.open` of `@ipc/posix` looks.
 *
 * @throws {AlreadyExistsError} `EEXIST`: O_CREAT and O_EXCL were given, and the name is taken.
 * @throws {IpcError} `EINVAL`: `value` is above SEM_VALUE_MAX, or the name is no name. `ELOOP`: it is a symbolic link.
 * @throws {NotFoundError} `ENOENT`: there is none, and O_CREAT was not given.
 * @throws {NotSupportedError} if this libc has semaphores in a library of their own: glibc before 2.34.
 * @throws {PermissionError} `EACCES`: its mode does not permit it.
 *
 * @example
 * ```ts
 * import { constants, sem_close, sem_open, sem_post, sem_trywait, sem_unlink } from "@ipc/posix/sys";
 *
 * const { O_CREAT, O_EXCL } = constants;
 * const name = `/example-${crypto.randomUUID()}`;
 * const sem = sem_open(name, O_CREAT | O_EXCL, 0o600, 0);
 * sem_post(sem);
 * sem_trywait(sem);
 * sem_unlink(name);
 * sem_close(sem);
 * ```
 */
export function sem_open(name: string, oflag: number, mode = 0, value = 0): Sem {
  checkSupport();
  const text = cString(name);
  const sem = semaphores.sem_open!(text, oflag, mode, value);
  if (sem === null) throw failure(errno(), "sem_open", "sem_open", name);
  return sem;
}

/** Gives back what `sem_open` gave; the address is not to be used any more. System call: `munmap`. */
export function sem_close(sem: Sem): void {
  complete(() => semaphores.sem_close!(sem), "sem_close");
}

/**
 * Removes a name. System call: `unlink`.
 *
 * @throws {NotFoundError} `ENOENT`: there is none.
 * @throws {PermissionError} `EACCES`, `EPERM`: it is somebody else's.
 */
export function sem_unlink(name: string): void {
  checkSupport();
  const text = cString(name);
  complete(() => semaphores.sem_unlink!(text), "sem_unlink", name);
}

/**
 * Makes a semaphore of 32 bytes of memory; of processes that share the memory, unless `pshared` is 0. No system call.
 *
 * @throws {IpcError} `EINVAL`: `value` is above SEM_VALUE_MAX.
 *
 * @example
 * ```ts
 * import { sem_getvalue, sem_init, sem_post } from "@ipc/posix/sys";
 * import { Mapping } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(32);
 * const sem = Deno.UnsafePointer.of(mapping.bytes)!;
 * sem_init(sem, 1, 41);
 * sem_post(sem);
 * assertEquals(sem_getvalue(sem), 42);
 * ```
 */
export function sem_init(sem: Sem, pshared: number, value: number): void {
  checkSupport();
  complete(() => semaphores.sem_init!(sem, pshared, value), "sem_init");
}

/**
 * Adds 1 to the value, and wakes one who waits. System call: `futex`, where somebody waits.
 *
 * @throws {IpcError} `EOVERFLOW`: the value is SEM_VALUE_MAX.
 */
export function sem_post(sem: Sem): void {
  complete(() => semaphores.sem_post!(sem), "sem_post");
}

/** Takes 1 from the value, blocking the thread while it is 0. System call: `futex`. */
export function sem_wait(sem: Sem): void {
  complete(() => semaphores.sem_wait!(sem), "sem_wait");
}

/**
 * Takes 1 from the value. No system call.
 *
 * @throws {IpcError} `EAGAIN`: it is 0.
 */
export function sem_trywait(sem: Sem): void {
  complete(() => semaphores.sem_trywait!(sem), "sem_trywait");
}

/**
 * Takes 1 from the value, blocking the thread while it is 0, until a moment of CLOCK_REALTIME. System call: `futex`.
 *
 * @throws {IpcError} `EINVAL`: it would wait, and `nsec` is below 0 or a second.
 * @throws {TimeoutError} `ETIMEDOUT`: the moment has come.
 */
export function sem_timedwait(sem: Sem, abs_timeout: Timespec): void {
  const moment = encodeTimespec(abs_timeout);
  complete(() => semaphores.sem_timedwait!(sem, moment), "sem_timedwait");
}

/** The value at this moment. No system call. */
export function sem_getvalue(sem: Sem): number {
  const value = new Int32Array(1);
  complete(() => semaphores.sem_getvalue!(sem, value), "sem_getvalue");
  return value[0]!;
}
