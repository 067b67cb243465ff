/** The functions of libc that FIFOs need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  mkfifo: { parameters: [/* const char *path */ "buffer", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  chmod: { parameters: [/* const char *path */ "buffer", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  fchmodat: {
    parameters: [
      /* int dirfd */ "i32",
      /* const char *path */ "buffer",
      /* mode_t mode */ "u32",
      /* int flags */ "i32",
    ],
    result: /* int */ "i32",
  },
  unlink: { parameters: [/* const char *path */ "buffer"], result: /* int */ "i32" },
  geteuid: { parameters: [], result: /* uid_t */ "u32" },
  open: {
    parameters: [/* const char *path */ "buffer", /* int flags */ "i32", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  ioctl: {
    parameters: [/* int fd */ "i32", /* unsigned long request */ "usize", /* void *argp */ "buffer"],
    result: /* int */ "i32",
  },
  // With a lock as the argument; variadic in C, the registers are the same.
  fcntl_lock: {
    name: "fcntl",
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* struct flock *lock */ "buffer"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);
