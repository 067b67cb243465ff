/** Numbers of internet sockets: the same on x86_64 and aarch64, with glibc and musl. */

/** Address families and options; what all sockets have is in `_abi.ts`. */
export const net = {
  AF_INET: 2,
  AF_INET6: 10,
  IPPROTO_IP: 0,
  IP_MULTICAST_IF: 32,
  IP_MULTICAST_TTL: 33,
  IP_MULTICAST_LOOP: 34,
  IP_ADD_MEMBERSHIP: 35,
  IP_DROP_MEMBERSHIP: 36,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  TCP_INFO: 11,
  IPPROTO_IPV6: 41,
  IPV6_MULTICAST_IF: 17,
  IPV6_MULTICAST_HOPS: 18,
  IPV6_MULTICAST_LOOP: 19,
  IPV6_JOIN_GROUP: 20,
  IPV6_LEAVE_GROUP: 21,
  IPV6_V6ONLY: 26,
} as const;

/** What getaddrinfo(3) is asked and answers. */
export const gai = {
  AI_PASSIVE: 1,
  AI_NUMERICHOST: 4,
  AI_NUMERICSERV: 0x400,
  EAI_NONAME: -2,
  EAI_AGAIN: -3,
  EAI_NODATA: -5,
  EAI_MEMORY: -10,
} as const;

/** `struct addrinfo`. */
export const addrinfo = { size: 48, flags: 0, socktype: 8, addrlen: 16, addr: 24, next: 40 } as const;

/** `tcpi_state` of `struct tcp_info`: nothing comes or goes any more. */
export const TCP_CLOSE = 7;
