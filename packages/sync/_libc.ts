/** The functions of libc that locks in memory need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  // Variadic in C; on Linux a fixed signature passes the same registers.
  fcntl: {
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* struct flock *lock */ "buffer"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);
