/**
 * Constants and layouts of sockets: socket(2), socket(7), unix(7), recv(2), cmsg(3).
 *
 * All are the same on x86_64 and aarch64, with glibc and musl, except for the numbers of the calls. A test compares
 * them with what the C compiler here says.
 */

/** What is the same on every supported platform. */
export const constants = {
  // socket(2)
  AF_UNIX: 1,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_SEQPACKET: 5,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  // getsockopt(2), socket(7)
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_TYPE: 3,
  SO_ERROR: 4,
  SO_BROADCAST: 6,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_REUSEPORT: 15,
  SO_PASSCRED: 16,
  SO_PEERCRED: 17,
  SO_ACCEPTCONN: 30,
  SO_DOMAIN: 39,
  SO_PEERGROUPS: 59,
  SO_PEERPIDFD: 77,
  // send(2), recv(2)
  MSG_PEEK: 2,
  MSG_CTRUNC: 8,
  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  MSG_EOR: 0x80,
  MSG_WAITALL: 0x100,
  MSG_NOSIGNAL: 0x4000,
  MSG_CMSG_CLOEXEC: 0x4000_0000,
  SCM_RIGHTS: 1,
  SCM_CREDENTIALS: 2,
  // shutdown(2)
  SHUT_RD: 0,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  /** listen(2): what net.core.somaxconn is unless told. */
  SOMAXCONN: 4096,
} as const;

/** `struct sockaddr_un`: a family of two bytes and a path of 108. */
export const sockaddrUn = { size: 110, sun_family: 0, sun_path: 2, PATH_SIZE: 108 } as const;

/** `struct msghdr`; where glibc and musl differ, the higher half is 0. */
export const msghdr = {
  size: 56,
  msg_name: 0,
  msg_namelen: 8,
  msg_iov: 16,
  msg_iovlen: 24,
  msg_control: 32,
  msg_controllen: 40,
  msg_flags: 48,
} as const;

/** `struct iovec`. */
export const iovec = { size: 16, iov_base: 0, iov_len: 8 } as const;

/** `struct cmsghdr`, whose data follows; each begins at a multiple of 8. */
export const cmsghdr = { size: 16, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12, ALIGN: 8 } as const;

/** `struct ucred`. */
export const ucred = { size: 12, pid: 0, uid: 4, gid: 8 } as const;

/** Numbers of the calls that syscall(2) makes. */
export const syscalls: { readonly [name in "sendto" | "recvfrom" | "sendmsg" | "recvmsg"]: bigint } =
  Deno.build.arch === "aarch64"
    ? { sendto: 206n, recvfrom: 207n, sendmsg: 211n, recvmsg: 212n }
    : { sendto: 44n, recvfrom: 45n, sendmsg: 46n, recvmsg: 47n };
