/** The functions of libc that looking at a FIFO takes. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  open: { parameters: [/* const char *path */ "buffer", /* int flags */ "i32"], result: /* int */ "i32" },
  close: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  fcntl: {
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* int arg */ "i32"],
    result: /* int */ "i32",
  },
  ioctl: {
    parameters: [/* int fd */ "i32", /* unsigned long request */ "u32", /* void *argp */ "buffer"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);
