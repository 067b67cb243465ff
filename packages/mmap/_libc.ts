/** The functions of libc that mapped files and memfds need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  open: {
    parameters: [/* const char *path */ "buffer", /* int flags */ "i32", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  unlink: { parameters: [/* const char *path */ "buffer"], result: /* int */ "i32" },
  fchmod: { parameters: [/* int fd */ "i32", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  fcntl: {
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* int arg */ "i32"],
    result: /* int */ "i32",
  },
  geteuid: { parameters: [], result: /* uid_t */ "u32" },
  ftruncate: { parameters: [/* int fd */ "i32", /* off_t length */ "i64"], result: /* int */ "i32" },
  msync: {
    parameters: [/* void *addr */ "pointer", /* size_t length */ "usize", /* int flags */ "i32"],
    result: /* int */ "i32",
  },
  madvise: {
    parameters: [/* void *addr */ "pointer", /* size_t length */ "usize", /* int advice */ "i32"],
    result: /* int */ "i32",
  },
  mlock: {
    parameters: [/* const void *addr */ "pointer", /* size_t len */ "usize"],
    result: /* int */ "i32",
  },
  munlock: {
    parameters: [/* const void *addr */ "pointer", /* size_t len */ "usize"],
    result: /* int */ "i32",
  },
  mincore: {
    parameters: [/* void *addr */ "pointer", /* size_t length */ "usize", /* unsigned char *vec */ "buffer"],
    result: /* int */ "i32",
  },
  // A function of its own only since glibc 2.27.
  memfd_create: {
    name: "syscall",
    parameters: [/* long number */ "i64", /* const char *name */ "buffer", /* unsigned int flags */ "u32"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);
