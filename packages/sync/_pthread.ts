/** What libc knows of mutexes that processes share: pthread_mutex_lock(3), pthread_mutexattr_setrobust(3). */

import { ERRNO, errnoError, type IpcError, NotSupportedError } from "@ipc/core";
import { abi, bind, type Bound } from "@ipc/core/sys";

/** All return the error itself. The functions are in libc itself since glibc 2.34, and in musl. */
const symbols = {
  pthread_mutexattr_init: {
    parameters: [/* pthread_mutexattr_t *attr */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  pthread_mutexattr_settype: {
    parameters: [/* pthread_mutexattr_t *attr */ "buffer", /* int type */ "i32"],
    result: /* int */ "i32",
    optional: true,
  },
  pthread_mutexattr_setpshared: {
    parameters: [/* pthread_mutexattr_t *attr */ "buffer", /* int pshared */ "i32"],
    result: /* int */ "i32",
    optional: true,
  },
  pthread_mutexattr_setrobust: {
    parameters: [/* pthread_mutexattr_t *attr */ "buffer", /* int robustness */ "i32"],
    result: /* int */ "i32",
    optional: true,
  },
  pthread_mutex_init: {
    parameters: [/* pthread_mutex_t *mutex */ "buffer", /* const pthread_mutexattr_t *attr */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  pthread_mutex_timedlock: {
    parameters: [/* pthread_mutex_t *mutex */ "buffer", /* const struct timespec *abstime */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  // glibc's alone, since 2.30.
  pthread_mutex_clocklock: {
    parameters: [
      /* pthread_mutex_t *mutex */ "buffer",
      /* clockid_t clockid */ "i32",
      /* const struct timespec *abstime */ "buffer",
    ],
    result: /* int */ "i32",
    optional: true,
  },
  pthread_mutex_unlock: {
    parameters: [/* pthread_mutex_t *mutex */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  pthread_mutex_consistent: {
    parameters: [/* pthread_mutex_t *mutex */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  clock_gettime: {
    parameters: [/* clockid_t clock */ "i32", /* struct timespec *tp */ "buffer"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Mutexes. They are called on the thread that is to own them, never on one of the pool. */
export const pthread: Bound<typeof symbols> = bind(symbols);

const glibc = Deno.build.env !== "musl";

/** <pthread.h>; a test compares them with a table of four platforms, and with what the C compiler here says. */
export const constants = {
  PTHREAD_PROCESS_SHARED: 1,
  PTHREAD_MUTEX_ROBUST: 1,
  PTHREAD_MUTEX_NORMAL: 0,
  PTHREAD_MUTEX_ERRORCHECK: 2,
} as const;

/** Bytes of the two structs, on one platform. */
export function sizesOf(arch: string, env: "gnu" | "musl"): { mutex: number; attributes: number } {
  return arch === "aarch64" && env === "gnu" ? { mutex: 48, attributes: 8 } : { mutex: 40, attributes: 4 };
}

/** `sizeof(pthread_mutex_t)`, and of its attributes. */
export const sizes: { mutex: number; attributes: number } = sizesOf(
  Deno.build.arch,
  glibc ? "gnu" : "musl",
);

/** The word that is 0 while nobody holds the mutex: `__lock` in glibc, `_m_lock` in musl. */
const LOCK = glibc ? 0 : 1;
/** Its bits for the thread that does, and the one that says that it has died: those of the kernel (FUTEX_TID_MASK). */
const [OWNER, OWNER_DIED] = [0x3fff_ffff, 0x4000_0000];

const timespec = new BigInt64Array(2);
const past = new BigInt64Array(2);

let supported: boolean | undefined;
/** The word that says what kind of mutex it is, and what it says of those that are robust and for several processes. */
let known: { word: number; kinds: number[] } | undefined;

/** Throws unless this libc has them. */
export function checkSupport(): void {
  if (supported === undefined) {
    // Only a bound table tells, and a first call binds it.
    pthread.clock_gettime(abi.CLOCK_MONOTONIC, timespec);
    supported = pthread.pthread_mutex_consistent !== null;
  }
  if (supported) return;
  throw new NotSupportedError("Cannot use pthread mutexes: this libc has them in a library of their own", {
    hint: "they are in libc itself since glibc 2.34, and in musl",
  });
}

/** Makes a mutex: robust, for several processes, and error-checking unless told. */
export function initialise(
  words: Int32Array<ArrayBuffer>,
  type: number = constants.PTHREAD_MUTEX_ERRORCHECK,
): void {
  const attributes = new Int32Array(sizes.attributes / 4);
  const { PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST } = constants;
  const code = pthread.pthread_mutexattr_init!(attributes) ||
    pthread.pthread_mutexattr_settype!(attributes, type) ||
    pthread.pthread_mutexattr_setpshared!(attributes, PTHREAD_PROCESS_SHARED) ||
    pthread.pthread_mutexattr_setrobust!(attributes, PTHREAD_MUTEX_ROBUST) ||
    pthread.pthread_mutex_init!(words, attributes);
  if (code !== 0) throw mutexError(code, "pthread_mutex_init", "initialize mutex");
}

/** Whether somebody has made a mutex there that is robust, for several processes, and not recursive. */
export function isMade(words: Int32Array<ArrayBuffer>): boolean {
  if (known === undefined) {
    const kinds = [constants.PTHREAD_MUTEX_ERRORCHECK, constants.PTHREAD_MUTEX_NORMAL].map((type) => {
      const template = new Int32Array(sizes.mutex / 4);
      initialise(template, type);
      return template;
    });
    // One that nobody holds has nothing else in it.
    const word = kinds[0]!.findIndex((each) => each !== 0);
    known = { word, kinds: kinds.map((template) => template[word]!) };
  }
  return known.kinds.includes(Atomics.load(words, known.word));
}

/** Whether to try now might do. */
export function maybeFree(words: Int32Array<ArrayBuffer>): boolean {
  const lock = Atomics.load(words, LOCK);
  return (lock & OWNER) === 0 || (lock & OWNER_DIED) !== 0;
}

/**
 * Locks if nobody holds it; what libc says, and EBUSY if somebody does.
 *
 * Not by pthread_mutex_trylock(3): glibc's leaves a mutex that has been given up locked for ever (seen with 2.36), and
 * who waits for it then never learns that it was. Waiting until a moment long ago does the same otherwise.
 */
export function tryLock(words: Int32Array<ArrayBuffer>): number {
  if (!maybeFree(words)) return ERRNO.EBUSY;
  const result = lockUntil(words, past);
  return result === ERRNO.ETIMEDOUT ? ERRNO.EBUSY : result;
}

/** Locks, blocking this thread for so many milliseconds at most; what libc says. */
export function timedLock(words: Int32Array<ArrayBuffer>, timeout: number): number {
  pthread.clock_gettime(clock(), timespec);
  const nanoseconds = timespec[1]! + BigInt(Math.floor(timeout * 1e6));
  timespec[0]! += nanoseconds / 1_000_000_000n;
  timespec[1] = nanoseconds % 1_000_000_000n;
  return lockUntil(words, timespec);
}

/** That nobody sets, where libc can wait by it. */
function clock(): number {
  return pthread.pthread_mutex_clocklock !== null ? abi.CLOCK_MONOTONIC : abi.CLOCK_REALTIME;
}

function lockUntil(words: Int32Array<ArrayBuffer>, moment: BigInt64Array<ArrayBuffer>): number {
  return pthread.pthread_mutex_clocklock !== null
    ? pthread.pthread_mutex_clocklock(words, abi.CLOCK_MONOTONIC, moment)
    : pthread.pthread_mutex_timedlock!(words, moment);
}

/** The error for what a function returned. */
export function mutexError(code: number, syscall: string, action: string): IpcError {
  return errnoError(code, { syscall, action });
}
