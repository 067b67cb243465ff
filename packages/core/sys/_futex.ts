/** The calls on words of memory: futex(2) and futex_waitv(2), for which the C library has no functions. */

import { bind, type Bound } from "./libc.ts";

const symbols = {
  futex: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* uint32_t *uaddr */ "buffer",
      /* int futex_op */ "i32",
      /* uint32_t val */ "u32",
      /* const struct timespec *timeout */ "buffer",
    ],
    result: /* long */ "i32",
  },
  futex_waitv: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* struct futex_waitv *waiters */ "buffer",
      /* unsigned int nr_futexes */ "u32",
      /* unsigned int flags */ "u32",
      /* struct timespec *timeout */ "buffer",
      /* clockid_t clockid */ "i32",
    ],
    result: /* long */ "i32",
  },
  // Waits on a thread of the pool; its errno is out of reach, so the caller looks at the words themselves.
  futex_waitv_parked: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* struct futex_waitv *waiters */ "buffer",
      /* unsigned int nr_futexes */ "u32",
      /* unsigned int flags */ "u32",
      /* struct timespec *timeout */ "buffer",
      /* clockid_t clockid */ "i32",
    ],
    result: /* long */ "i32",
    nonblocking: true,
  },
  clock_gettime: {
    parameters: [/* clockid_t clockid */ "i32", /* struct timespec *tp */ "buffer"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The calls that wait for words, and wake who does. */
export const futexes: Bound<typeof symbols> = bind(symbols);
