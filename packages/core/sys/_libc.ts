/** The functions of libc that core itself calls. */

import { bind, type Bound } from "./libc.ts";

/**
 * Counts are bound as `i32`: no call here moves 2 GiB, and the low half of the register is the whole number.
 * `open`, `openat`, `fcntl` and `ioctl` are variadic in C; on Linux a fixed signature passes the same registers.
 */
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
  dup: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  read: {
    parameters: [/* int fd */ "i32", /* void *buf */ "buffer", /* size_t count */ "usize"],
    result: /* ssize_t */ "i32",
  },
  write: {
    parameters: [/* int fd */ "i32", /* const void *buf */ "buffer", /* size_t count */ "usize"],
    result: /* ssize_t */ "i32",
  },
  readlink: {
    parameters: [/* const char *path */ "buffer", /* char *buf */ "buffer", /* size_t size */ "usize"],
    result: /* ssize_t */ "i32",
  },
  fcntl: {
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* int arg */ "i32"],
    result: /* int */ "i32",
  },
  ioctl: {
    parameters: [/* int fd */ "i32", /* unsigned long request */ "u32", /* void *argp */ "buffer"],
    result: /* int */ "i32",
  },
  pipe2: { parameters: [/* int fds[2] */ "buffer", /* int flags */ "i32"], result: /* int */ "i32" },
  poll: {
    parameters: [/* struct pollfd *fds */ "buffer", /* nfds_t nfds */ "usize", /* int timeout */ "i32"],
    result: /* int */ "i32",
  },
  splice: {
    parameters: [
      /* int fd_in */ "i32",
      /* off_t *off_in */ "buffer",
      /* int fd_out */ "i32",
      /* off_t *off_out */ "buffer",
      /* size_t len */ "usize",
      /* unsigned flags */ "u32",
    ],
    result: /* ssize_t */ "i32",
  },
  // A symbol of its own since glibc 2.33 and in musl; before that only the versioned form existed.
  fstat: {
    parameters: [/* int fd */ "i32", /* struct stat *statbuf */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  __fxstat: {
    parameters: [/* int version */ "i32", /* int fd */ "i32", /* struct stat *statbuf */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  fstatfs: {
    parameters: [/* int fd */ "i32", /* struct statfs *buf */ "buffer"],
    result: /* int */ "i32",
  },
  // Returns the error instead of setting errno.
  posix_fallocate: {
    parameters: [/* int fd */ "i32", /* off_t offset */ "i64", /* off_t len */ "i64"],
    result: /* int */ "i32",
  },
  ftok: {
    parameters: [/* const char *path */ "buffer", /* int proj_id */ "i32"],
    result: /* key_t */ "i32",
  },
  mmap: {
    parameters: [
      /* void *addr */ "pointer",
      /* size_t length */ "usize",
      /* int prot */ "i32",
      /* int flags */ "i32",
      /* int fd */ "i32",
      /* off_t offset */ "i64",
    ],
    result: /* void * */ "pointer",
  },
  munmap: {
    parameters: [/* void *addr */ "pointer", /* size_t length */ "usize"],
    result: /* int */ "i32",
  },
  kill: { parameters: [/* pid_t pid */ "i32", /* int sig */ "i32"], result: /* int */ "i32" },
  getpid: { parameters: [], result: /* pid_t */ "i32" },
  sysconf: { parameters: [/* int name */ "i32"], result: /* long */ "i32" },
  epoll_create1: { parameters: [/* int flags */ "i32"], result: /* int */ "i32" },
  epoll_ctl: {
    parameters: [
      /* int epfd */ "i32",
      /* int op */ "i32",
      /* int fd */ "i32",
      /* struct epoll_event *event */ "buffer",
    ],
    result: /* int */ "i32",
  },
  epoll_wait: {
    parameters: [
      /* int epfd */ "i32",
      /* struct epoll_event *events */ "buffer",
      /* int maxevents */ "i32",
      /* int timeout */ "i32",
    ],
    result: /* int */ "i32",
  },
  // Waits on a thread of the pool; its errno is out of reach, so the caller asks again without waiting.
  epoll_wait_parked: {
    name: "epoll_wait",
    parameters: [
      /* int epfd */ "i32",
      /* struct epoll_event *events */ "buffer",
      /* int maxevents */ "i32",
      /* int timeout */ "i32",
    ],
    result: /* int */ "i32",
    nonblocking: true,
  },
  eventfd: {
    parameters: [/* unsigned int initval */ "u32", /* int flags */ "i32"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** core's table. */
export const libc: Bound<typeof symbols> = bind(symbols);

/**
 * read(2) and write(2) without what libc adds to them in a process of several threads, the points where a thread
 * can be cancelled: 146 ns a write to /dev/null instead of 178. The first argument is the number of the call.
 */
const direct = {
  read: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int fd */ "i32",
      /* void *buf */ "buffer",
      /* size_t count */ "usize",
    ],
    result: /* ssize_t */ "i32",
  },
  write: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int fd */ "i32",
      /* const void *buf */ "buffer",
      /* size_t count */ "usize",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The same by address, for memory that is known not to move. */
const directAt = {
  read: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int fd */ "i32",
      /* void *buf */ "pointer",
      /* size_t count */ "usize",
    ],
    result: /* ssize_t */ "i32",
  },
  write: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int fd */ "i32",
      /* const void *buf */ "pointer",
      /* size_t count */ "usize",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** read(2) and write(2) on a view. */
export const onView: Bound<typeof direct> = bind(direct);
/** read(2) and write(2) on an address. */
export const onAddress: Bound<typeof directAt> = bind(directAt);
