/** What is done with a semaphore by its address: sem_overview(7). What gives -1 has left errno to be read. */

import { ERRNO, errnoError, type IpcError, LimitError, NotSupportedError, UntrustedError } from "@ipc/core";
import { abi, errno, type Mapping } from "@ipc/core/sys";
import { constants, semT } from "./_abi.ts";
import { semaphores } from "./_libc.ts";

/** Where a semaphore is. */
export interface Place {
  readonly mapping: Mapping;
  /** In bytes from the beginning of the mapping. */
  readonly offset: number;
  /** Of the mapping, as it was when the address was. */
  readonly buffer: ArrayBuffer;
  readonly address: Deno.PointerObject;
}

/** glibc's begins with a number of 64 bits. */
const ALIGNMENT = 8;
/** Some 68 years. */
const LONGEST_SECONDS = 2 ** 31 - 1;

const value = new Int32Array(1);
const timespec = new BigInt64Array(2);
let supported: boolean | undefined;
/** In each `sem_t` for several processes that this libc makes: 128 with glibc, 0 with musl. */
let mark: number | undefined;

/** Throws unless this libc has semaphores. */
export function checkSupport(): void {
  if (supported === undefined) {
    // Only a bound table tells, and a first call binds it.
    semaphores.clock_gettime(abi.CLOCK_MONOTONIC, timespec);
    supported = semaphores.sem_post !== null;
  }
  if (supported) return;
  throw new NotSupportedError("Cannot use semaphores: this libc has them in a library of their own", {
    hint: "they are in libc itself since glibc 2.34, and in musl",
  });
}

/** The place of a semaphore in a mapping. */
export function placeIn(mapping: Mapping, offset: number, verb: string): Place {
  checkSupport();
  const { buffer } = mapping;
  const what = `Cannot ${verb} semaphore at byte ${offset}`;
  if (mapping.readOnly) throw new TypeError(`${what}: the mapping is for reading`);
  if (!(Number.isInteger(offset) && offset >= 0 && offset + semT.size <= buffer.byteLength)) {
    throw new RangeError(`${what}: it has ${semT.size} bytes, and the mapping ${buffer.byteLength}`);
  }
  const address = Deno.UnsafePointer.of(new Uint8Array(buffer, offset))!;
  if (Deno.UnsafePointer.value(address) % BigInt(ALIGNMENT) !== 0n) {
    throw new RangeError(`${what}: its address is not a multiple of ${ALIGNMENT}`);
  }
  // Shared memory looks whether its file is still that long: if not, touching it would end the process.
  mapping.read(offset, semT.size);
  return { mapping, offset, buffer, address };
}

/**
 * Checks that somebody has made a semaphore there: libc itself ends the process where the mark is odd, or takes what
 * is not there; where it says that one process has it to itself nobody else is ever woken.
 */
export function checkMade({ mapping, offset }: Place, what: string, target?: string): void {
  mark ??= markOf(contentOf(0));
  if (markOf(mapping.read(offset, semT.size)) === mark) return;
  throw new UntrustedError(`${what}: this libc has initialized none for several processes there`, {
    target,
    hint: "initialize it first (sem_init with pshared), or remove the file; glibc and musl differ",
  });
}

/** A `sem_t` as libc makes it, for several processes. */
export function contentOf(initial: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(new ArrayBuffer(semT.size));
  initialiseAt(Deno.UnsafePointer.of(content), initial);
  return content;
}

/** Checks a value for a semaphore. */
export function checkValue(initial: number, what: string): void {
  if (Number.isInteger(initial) && initial >= 0 && initial <= constants.SEM_VALUE_MAX) return;
  throw new RangeError(
    `Cannot ${what} with ${initial}: a value is an integer from 0 to ${constants.SEM_VALUE_MAX}`,
  );
}

/** Makes a semaphore of memory that processes share. */
export function initialiseAt(at: Deno.PointerValue, initial: number): void {
  if (semaphores.sem_init!(at, 1, initial) === -1) {
    throw semaphoreFailure(errno(), "sem_init", "make semaphore");
  }
}

function markOf(content: Uint8Array<ArrayBuffer>): number {
  return new DataView(content.buffer).getInt32(semT.mark, true);
}

/** Adds 1 to the value. */
export function post(at: Deno.PointerValue): number {
  return semaphores.sem_post!(at);
}

/** Takes 1 from the value if it is not 0. */
export function tryWait(at: Deno.PointerValue): number {
  return semaphores.sem_trywait!(at);
}

/** Takes 1 from the value, blocking this thread while it is 0, for at most so many milliseconds. */
export function wait(at: Deno.PointerValue, timeout: number): number {
  // By the clock that nobody sets, where libc can.
  const steady = semaphores.sem_clockwait !== null;
  const clock = steady ? abi.CLOCK_MONOTONIC : abi.CLOCK_REALTIME;
  semaphores.clock_gettime(clock, timespec);
  const nanoseconds = timespec[1]! + BigInt(Math.floor(timeout % 1000 * 1e6));
  timespec[0]! += BigInt(Math.min(Math.floor(timeout / 1000), LONGEST_SECONDS)) +
    nanoseconds / 1_000_000_000n;
  timespec[1] = nanoseconds % 1_000_000_000n;
  return steady ? semaphores.sem_clockwait!(at, clock, timespec) : semaphores.sem_timedwait!(at, timespec);
}

/** The value at this moment. */
export function valueAt(at: Deno.PointerValue): number {
  semaphores.sem_getvalue!(at, value);
  return value[0]!;
}

/** The error of one of these. */
export function semaphoreFailure(code: number, syscall: string, action: string, target?: string): IpcError {
  if (code !== ERRNO.EOVERFLOW) return errnoError(code, { syscall, action, target });
  return new LimitError(`Cannot ${action}: its value would pass ${constants.SEM_VALUE_MAX}`, {
    code: "EOVERFLOW",
    errno: code,
    syscall,
    target,
  });
}
