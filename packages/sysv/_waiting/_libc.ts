/** The functions of libc that waiting needs beside those of the objects themselves. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  pipe2: { parameters: [/* int fds[2] */ "buffer", /* int flags */ "i32"], result: /* int */ "i32" },
  close: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  sigaction: {
    parameters: [
      /* int signum */ "i32",
      /* const struct sigaction *act */ "buffer",
      /* struct sigaction *oldact */ "buffer",
    ],
    result: /* int */ "i32",
  },
  sigprocmask: {
    parameters: [
      /* int how */ "i32",
      /* const sigset_t *set */ "buffer",
      /* sigset_t *oldset */ "buffer",
    ],
    result: /* int */ "i32",
  },
  // Only its address is wanted.
  getppid: { type: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** This folder's table. */
export const libc: Bound<typeof symbols> = bind(symbols);

/** Calls by number: libc has them under names of other libraries, or hides what is asked of it. */
const numbered = {
  gettid: { name: "syscall", parameters: [/* long number */ "i64"], result: /* pid_t */ "i32" },
  tgkill: {
    name: "syscall",
    parameters: [/* long number */ "i64", /* pid_t tgid */ "i32", /* pid_t tid */ "i32", /* int sig */ "i32"],
    result: /* int */ "i32",
  },
  timer_create: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* clockid_t clock */ "i32",
      /* struct sigevent *event */ "buffer",
      /* timer_t *timer */ "buffer",
    ],
    result: /* int */ "i32",
  },
  timer_settime: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* timer_t timer */ "i32",
      /* int flags */ "i32",
      /* const struct itimerspec *time */ "buffer",
      /* struct itimerspec *old */ "buffer",
    ],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Calls that go by their number. */
export const system: Bound<typeof numbered> = bind(numbered);
