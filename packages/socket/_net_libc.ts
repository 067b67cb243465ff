/** The functions of libc that only internet sockets need. */

import { bind, type Bound } from "@ipc/core/sys";

const symbols = {
  sendto: {
    parameters: [
      /* int fd */ "i32",
      /* const void *buf */ "buffer",
      /* size_t len */ "usize",
      /* int flags */ "i32",
      /* const struct sockaddr *addr */ "buffer",
      /* socklen_t addrlen */ "u32",
    ],
    result: /* ssize_t */ "i32",
  },
  recvfrom: {
    parameters: [
      /* int fd */ "i32",
      /* void *buf */ "buffer",
      /* size_t len */ "usize",
      /* int flags */ "i32",
      /* struct sockaddr *addr */ "buffer",
      /* socklen_t *addrlen */ "buffer",
    ],
    result: /* ssize_t */ "i32",
  },
  // It tells its error itself, so that errno of another thread does no harm.
  getaddrinfo: {
    parameters: [
      /* const char *node */ "buffer",
      /* const char *service */ "buffer",
      /* const struct addrinfo *hints */ "buffer",
      /* struct addrinfo **res */ "buffer",
    ],
    result: /* int */ "i32",
    nonblocking: true,
  },
  getaddrinfoNow: {
    name: "getaddrinfo",
    parameters: [
      /* const char *node */ "buffer",
      /* const char *service */ "buffer",
      /* const struct addrinfo *hints */ "buffer",
      /* struct addrinfo **res */ "buffer",
    ],
    result: /* int */ "i32",
  },
  freeaddrinfo: { parameters: [/* struct addrinfo *res */ "pointer"], result: "void" },
  if_nametoindex: { parameters: [/* const char *name */ "buffer"], result: /* unsigned int */ "u32" },
  memcpy: {
    parameters: [/* void *dest */ "buffer", /* const void *src */ "pointer", /* size_t n */ "usize"],
    result: /* void * */ "pointer",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The table of internet sockets, beside the one of all sockets. */
export const inet: Bound<typeof symbols> = bind(symbols);
