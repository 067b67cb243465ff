/** The functions of libc that signals need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  kill: { parameters: [/* pid_t pid */ "i32", /* int sig */ "i32"], result: /* int */ "i32" },
  // A union of an int and a pointer goes by value in one register.
  sigqueue: {
    parameters: [/* pid_t pid */ "i32", /* int sig */ "i32", /* union sigval value */ "i64"],
    result: /* int */ "i32",
  },
  sigprocmask: {
    parameters: [/* int how */ "i32", /* const sigset_t *set */ "buffer", /* sigset_t *oldset */ "buffer"],
    result: /* int */ "i32",
  },
  signalfd: {
    parameters: [/* int fd */ "i32", /* const sigset_t *mask */ "buffer", /* int flags */ "i32"],
    result: /* int */ "i32",
  },
  read: {
    parameters: [/* int fd */ "i32", /* void *buf */ "buffer", /* size_t count */ "usize"],
    result: /* ssize_t */ "i32",
  },
  poll: {
    parameters: [/* struct pollfd *fds */ "buffer", /* nfds_t nfds */ "usize", /* int timeout */ "i32"],
    result: /* int */ "i32",
  },
  getuid: { parameters: [], result: /* uid_t */ "u32" },
  pidfd_open: {
    name: "syscall",
    parameters: [/* long number */ "i64", /* pid_t pid */ "i32", /* unsigned int flags */ "u32"],
    result: /* int */ "i32",
  },
  pidfd_send_signal: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int pidfd */ "i32",
      /* int sig */ "i32",
      /* siginfo_t *info */ "buffer",
      /* unsigned int flags */ "u32",
    ],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);
