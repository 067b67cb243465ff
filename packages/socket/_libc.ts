/** The functions of libc that sockets need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  socket: {
    parameters: [/* int domain */ "i32", /* int type */ "i32", /* int protocol */ "i32"],
    result: /* int */ "i32",
  },
  socketpair: {
    parameters: [
      /* int domain */ "i32",
      /* int type */ "i32",
      /* int protocol */ "i32",
      /* int sv[2] */ "buffer",
    ],
    result: /* int */ "i32",
  },
  bind: {
    parameters: [
      /* int sockfd */ "i32",
      /* const struct sockaddr *addr */ "buffer",
      /* socklen_t addrlen */ "u32",
    ],
    result: /* int */ "i32",
  },
  connect: {
    parameters: [
      /* int sockfd */ "i32",
      /* const struct sockaddr *addr */ "buffer",
      /* socklen_t addrlen */ "u32",
    ],
    result: /* int */ "i32",
  },
  listen: { parameters: [/* int sockfd */ "i32", /* int backlog */ "i32"], result: /* int */ "i32" },
  accept4: {
    parameters: [
      /* int sockfd */ "i32",
      /* struct sockaddr *addr */ "buffer",
      /* socklen_t *addrlen */ "buffer",
      /* int flags */ "i32",
    ],
    result: /* int */ "i32",
  },
  shutdown: { parameters: [/* int sockfd */ "i32", /* int how */ "i32"], result: /* int */ "i32" },
  getsockname: {
    parameters: [
      /* int sockfd */ "i32",
      /* struct sockaddr *addr */ "buffer",
      /* socklen_t *addrlen */ "buffer",
    ],
    result: /* int */ "i32",
  },
  getpeername: {
    parameters: [
      /* int sockfd */ "i32",
      /* struct sockaddr *addr */ "buffer",
      /* socklen_t *addrlen */ "buffer",
    ],
    result: /* int */ "i32",
  },
  getsockopt: {
    parameters: [
      /* int sockfd */ "i32",
      /* int level */ "i32",
      /* int optname */ "i32",
      /* void *optval */ "buffer",
      /* socklen_t *optlen */ "buffer",
    ],
    result: /* int */ "i32",
  },
  setsockopt: {
    parameters: [
      /* int sockfd */ "i32",
      /* int level */ "i32",
      /* int optname */ "i32",
      /* const void *optval */ "buffer",
      /* socklen_t optlen */ "u32",
    ],
    result: /* int */ "i32",
  },
  ioctl: {
    parameters: [/* int fd */ "i32", /* unsigned long request */ "usize", /* void *argp */ "buffer"],
    result: /* int */ "i32",
  },
  fcntl: {
    parameters: [/* int fd */ "i32", /* int cmd */ "i32", /* int arg */ "i32"],
    result: /* int */ "i32",
  },
  fchmod: { parameters: [/* int fd */ "i32", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  chmod: {
    parameters: [/* const char *path */ "buffer", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  open: {
    parameters: [/* const char *path */ "buffer", /* int flags */ "i32", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  close: { parameters: [/* int fd */ "i32"], result: /* int */ "i32" },
  unlink: { parameters: [/* const char *path */ "buffer"], result: /* int */ "i32" },
  flock: { parameters: [/* int fd */ "i32", /* int operation */ "i32"], result: /* int */ "i32" },
  readlink: {
    parameters: [/* const char *path */ "buffer", /* char *buf */ "buffer", /* size_t size */ "usize"],
    result: /* ssize_t */ "i32",
  },
  poll: {
    parameters: [/* struct pollfd *fds */ "buffer", /* nfds_t nfds */ "usize", /* int timeout */ "i32"],
    result: /* int */ "i32",
  },
  // Puts the address of text without digits into endptr: the one way to an address that takes no full grant of FFI.
  strtol: {
    parameters: [/* const char *nptr */ "buffer", /* char **endptr */ "buffer", /* int base */ "i32"],
    result: /* long */ "i64",
  },
  sendto: {
    parameters: [
      /* int sockfd */ "i32",
      /* const void *buf */ "buffer",
      /* size_t len */ "usize",
      /* int flags */ "i32",
      /* const struct sockaddr *dest_addr */ "buffer",
      /* socklen_t addrlen */ "u32",
    ],
    result: /* ssize_t */ "i32",
  },
  geteuid: { parameters: [], result: /* uid_t */ "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);

/**
 * The calls that carry messages, without what libc adds to them in a process of several threads, the points where a
 * thread can be cancelled. The first argument is the number of the call. The kernel reads the length of an address
 * only where there is one, so that it is left out where none is given.
 */
const direct = {
  recvfrom: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int sockfd */ "i32",
      /* void *buf */ "buffer",
      /* size_t len */ "usize",
      /* int flags */ "i32",
      /* struct sockaddr *src_addr */ "pointer",
    ],
    result: /* ssize_t */ "i32",
  },
  sendto: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int sockfd */ "i32",
      /* const void *buf */ "buffer",
      /* size_t len */ "usize",
      /* int flags */ "i32",
      /* const struct sockaddr *dest_addr */ "pointer",
    ],
    result: /* ssize_t */ "i32",
  },
  recvmsg: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int sockfd */ "i32",
      /* struct msghdr *msg */ "buffer",
      /* int flags */ "i32",
    ],
    result: /* ssize_t */ "i32",
  },
  sendmsg: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int sockfd */ "i32",
      /* const struct msghdr *msg */ "buffer",
      /* int flags */ "i32",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The same by address, for memory that is known not to move. */
const directAt = {
  recvfrom: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int sockfd */ "i32",
      /* void *buf */ "pointer",
      /* size_t len */ "usize",
      /* int flags */ "i32",
      /* struct sockaddr *src_addr */ "pointer",
    ],
    result: /* ssize_t */ "i32",
  },
  sendto: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int sockfd */ "i32",
      /* const void *buf */ "pointer",
      /* size_t len */ "usize",
      /* int flags */ "i32",
      /* const struct sockaddr *dest_addr */ "pointer",
    ],
    result: /* ssize_t */ "i32",
  },
  recvmsg: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int sockfd */ "i32",
      /* struct msghdr *msg */ "pointer",
      /* int flags */ "i32",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The calls that carry messages, on a view. */
export const onView: Bound<typeof direct> = bind(direct);
/** Those on an address. */
export const onAddress: Bound<typeof directAt> = bind(directAt);
