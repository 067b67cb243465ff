/** The functions of libc that pipes need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  pipe2: { parameters: [/* int fds[2] */ "buffer", /* int flags */ "i32"], result: /* int */ "i32" },
  open: {
    parameters: [/* const char *path */ "buffer", /* int flags */ "i32", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  dup3: {
    parameters: [/* int oldfd */ "i32", /* int newfd */ "i32", /* int flags */ "i32"],
    result: /* int */ "i32",
  },
  close: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  access: { parameters: [/* const char *path */ "buffer", /* int mode */ "i32"], result: /* int */ "i32" },
  fcntl: {
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* int arg */ "i32"],
    result: /* int */ "i32",
  },
  ioctl: {
    parameters: [/* int fd */ "i32", /* unsigned long request */ "usize", /* void *argp */ "buffer"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);
