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
  /** The same as numbers: none once the memory is not there any more. */
  readonly words: Int32Array<ArrayBuffer>;
  readonly address: Deno.PointerObject;
}

/** glibc's begins with a number of 64 bits. */
const ALIGNMENT = 8;
/** Milliseconds after which a blocked call looks again, should who was woken in its place not go on. */
const SLICE = 1000;

/** A `struct timespec` at which a wait ends. */
class Moment {
  /** In a buffer that was asked for: the collector moves what is as short as this. */
  readonly numbers = new BigInt64Array(new ArrayBuffer(abi.timespec.size));
  readonly address = Deno.UnsafePointer.of(this.numbers);

  set(milliseconds: number): void {
    const { numbers } = this;
    semaphores.clock_gettime(steady ? abi.CLOCK_MONOTONIC : abi.CLOCK_REALTIME, numbers);
    const nanoseconds = numbers[1]! + BigInt(Math.floor(milliseconds * 1e6));
    numbers[0]! += nanoseconds / 1_000_000_000n;
    numbers[1] = nanoseconds % 1_000_000_000n;
  }
}

const value = new Int32Array(1);
let supported: boolean | undefined;
/** Whether libc waits by the clock that nobody sets. */
let steady = false;
let soon: Moment | undefined;
let later: Moment | undefined;
/** In each `sem_t` for several processes that this libc makes: 128 with glibc, 0 with musl. */
let mark: number | undefined;

/** Throws unless this libc has semaphores. */
export function checkSupport(): void {
  if (supported === undefined) {
    soon = new Moment();
    later = new Moment();
    // Only a bound table tells, and a first call binds it.
    later.set(0);
    steady = semaphores.sem_clockwait !== null;
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
  return { mapping, offset, buffer, words: new Int32Array(buffer, offset, 2), address };
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

/**
 * Takes 1 from the value, blocking this thread while it is 0, until a moment that is a second ahead at most.
 *
 * ETIMEDOUT: {@linkcode moveOn}, and again. The moment serves every wait until it has passed, for to ask for the time
 * in each would cost a twentieth of a round trip.
 */
export function waitAwhile(at: Deno.PointerValue): number {
  return waitUntil(at, soon!);
}

/** The moment has passed: the next is a second from now. */
export function moveOn(): void {
  soon!.set(SLICE);
}

/** Takes 1 from the value, blocking this thread while it is 0, for at most so many milliseconds and a second. */
export function waitBriefly(at: Deno.PointerValue, timeout: number): number {
  later!.set(Math.min(timeout, SLICE));
  return waitUntil(at, later!);
}

function waitUntil(at: Deno.PointerValue, { numbers, address }: Moment): number {
  return steady
    ? semaphores.sem_clockwait!(at, abi.CLOCK_MONOTONIC, address)
    : semaphores.sem_timedwait!(at, numbers);
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
