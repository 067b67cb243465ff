/** The functions of libc that files need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  open: {
    parameters: [/* const char *path */ "buffer", /* int flags */ "i32", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  openat: {
    parameters: [
      /* int dirfd */ "i32",
      /* const char *path */ "buffer",
      /* int flags */ "i32",
      /* mode_t mode */ "u32",
    ],
    result: /* int */ "i32",
  },
  close: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  read: {
    parameters: [/* int fd */ "i32", /* void *buf */ "buffer", /* size_t count */ "usize"],
    result: /* ssize_t */ "i32",
  },
  pread: {
    parameters: [
      /* int fd */ "i32",
      /* void *buf */ "buffer",
      /* size_t count */ "usize",
      /* off_t offset */ "i64",
    ],
    result: /* ssize_t */ "i32",
  },
  pwrite: {
    parameters: [
      /* int fd */ "i32",
      /* const void *buf */ "buffer",
      /* size_t count */ "usize",
      /* off_t offset */ "i64",
    ],
    result: /* ssize_t */ "i32",
  },
  ftruncate: { parameters: [/* int fd */ "i32", /* off_t length */ "i64"], result: /* int */ "i32" },
  fdatasync: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  // Flushes on a thread of the pool; of their errno nothing is left, only that they failed.
  fdatasync_parked: {
    name: "fdatasync",
    parameters: [/* int fd */ "i32"],
    result: /* int */ "i32",
    nonblocking: true,
  },
  fsync: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  fsync_parked: {
    name: "fsync",
    parameters: [/* int fd */ "i32"],
    result: /* int */ "i32",
    nonblocking: true,
  },
  fchown: {
    parameters: [/* int fd */ "i32", /* uid_t owner */ "u32", /* gid_t group */ "u32"],
    result: /* int */ "i32",
  },
  fchmod: { parameters: [/* int fd */ "i32", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  mkdir: { parameters: [/* const char *path */ "buffer", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  mkdirat: {
    parameters: [/* int dirfd */ "i32", /* const char *path */ "buffer", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  rmdir: { parameters: [/* const char *path */ "buffer"], result: /* int */ "i32" },
  rename: {
    parameters: [/* const char *oldpath */ "buffer", /* const char *newpath */ "buffer"],
    result: /* int */ "i32",
  },
  renameat: {
    parameters: [
      /* int olddirfd */ "i32",
      /* const char *oldpath */ "buffer",
      /* int newdirfd */ "i32",
      /* const char *newpath */ "buffer",
    ],
    result: /* int */ "i32",
  },
  unlinkat: {
    parameters: [/* int dirfd */ "i32", /* const char *path */ "buffer", /* int flags */ "i32"],
    result: /* int */ "i32",
  },
  readlink: {
    parameters: [/* const char *pathname */ "buffer", /* char *buf */ "buffer", /* size_t bufsiz */ "usize"],
    result: /* ssize_t */ "i32",
  },
  geteuid: { parameters: [], result: /* uid_t */ "u32" },
  flock: { parameters: [/* int fd */ "i32", /* int operation */ "i32"], result: /* int */ "i32" },
  // With a lock as the argument; variadic in C, the registers are the same.
  fcntl_lock: {
    name: "fcntl",
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* struct flock *lock */ "buffer"],
    result: /* int */ "i32",
  },
  getdents64: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int fd */ "i32",
      /* struct linux_dirent64 *dirp */ "buffer",
      /* unsigned int count */ "u32",
    ],
    result: /* long */ "i32",
  },
  poll: {
    parameters: [/* struct pollfd *fds */ "buffer", /* nfds_t nfds */ "usize", /* int timeout */ "i32"],
    result: /* int */ "i32",
  },
  inotify_init1: { parameters: [/* int flags */ "i32"], result: /* int */ "i32" },
  inotify_add_watch: {
    parameters: [/* int fd */ "i32", /* const char *pathname */ "buffer", /* uint32_t mask */ "u32"],
    result: /* int */ "i32",
  },
  inotify_rm_watch: { parameters: [/* int fd */ "i32", /* int wd */ "i32"], result: /* int */ "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);
