/**
 * Numbers of the platform: constants and struct layouts, which C takes from its headers.
 *
 * x86_64 and aarch64 differ where it hurts: `O_NOFOLLOW` of the one means `O_LARGEFILE` on the other.
 * Therefore no file writes such a number itself; all come from here.
 *
 * @module
 */

/** What is the same on every supported platform: Linux on x86_64 and aarch64, with glibc and musl. */
export const linuxConstants = {
  // open(2)
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_ACCMODE: 3,
  O_CREAT: 0x40,
  O_EXCL: 0x80,
  O_NOCTTY: 0x100,
  O_TRUNC: 0x200,
  O_APPEND: 0x400,
  O_NONBLOCK: 0x800,
  O_DSYNC: 0x1000,
  O_CLOEXEC: 0x80000,
  O_SYNC: 0x101000,
  O_PATH: 0x200000,
  AT_FDCWD: -100,
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_EMPTY_PATH: 0x1000,
  PATH_MAX: 4096,
  NAME_MAX: 255,
  IOV_MAX: 1024,
  SEEK_SET: 0,
  SEEK_CUR: 1,
  SEEK_END: 2,
  // inode(7)
  S_IFMT: 0xf000,
  S_IFIFO: 0x1000,
  S_IFCHR: 0x2000,
  S_IFDIR: 0x4000,
  S_IFBLK: 0x6000,
  S_IFREG: 0x8000,
  S_IFLNK: 0xa000,
  S_IFSOCK: 0xc000,
  // fcntl(2)
  F_DUPFD: 0,
  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  F_GETLK: 5,
  F_SETLK: 6,
  F_SETLKW: 7,
  F_OFD_GETLK: 36,
  F_OFD_SETLK: 37,
  F_OFD_SETLKW: 38,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
  F_GETPIPE_SZ: 1032,
  F_ADD_SEALS: 1033,
  F_GET_SEALS: 1034,
  F_RDLCK: 0,
  F_WRLCK: 1,
  F_UNLCK: 2,
  F_SEAL_SEAL: 1,
  F_SEAL_SHRINK: 2,
  F_SEAL_GROW: 4,
  F_SEAL_WRITE: 8,
  F_SEAL_FUTURE_WRITE: 0x10,
  FD_CLOEXEC: 1,
  // flock(2)
  LOCK_SH: 1,
  LOCK_EX: 2,
  LOCK_NB: 4,
  LOCK_UN: 8,
  // pipe(7), splice(2), ioctl(2)
  PIPE_BUF: 4096,
  SPLICE_F_MOVE: 1,
  SPLICE_F_NONBLOCK: 2,
  SPLICE_F_MORE: 4,
  FIONREAD: 0x541b,
  // poll(2), epoll(7), eventfd(2)
  POLLIN: 1,
  POLLPRI: 2,
  POLLOUT: 4,
  POLLERR: 8,
  POLLHUP: 0x10,
  POLLNVAL: 0x20,
  POLLRDHUP: 0x2000,
  EPOLLIN: 1,
  EPOLLPRI: 2,
  EPOLLOUT: 4,
  EPOLLERR: 8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  EPOLLEXCLUSIVE: 0x10000000,
  EPOLLONESHOT: 0x40000000,
  EPOLLET: 0x80000000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EPOLL_CTL_MOD: 3,
  EPOLL_CLOEXEC: 0x80000,
  EFD_SEMAPHORE: 1,
  EFD_NONBLOCK: 0x800,
  EFD_CLOEXEC: 0x80000,
  // mmap(2), msync(2), madvise(2), memfd_create(2)
  PROT_NONE: 0,
  PROT_READ: 1,
  PROT_WRITE: 2,
  PROT_EXEC: 4,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_SHARED_VALIDATE: 3,
  MAP_FIXED: 0x10,
  MAP_ANONYMOUS: 0x20,
  MAP_LOCKED: 0x2000,
  MAP_NORESERVE: 0x4000,
  MAP_POPULATE: 0x8000,
  MAP_HUGETLB: 0x40000,
  MAP_FIXED_NOREPLACE: 0x100000,
  MS_ASYNC: 1,
  MS_INVALIDATE: 2,
  MS_SYNC: 4,
  MREMAP_MAYMOVE: 1,
  MADV_NORMAL: 0,
  MADV_RANDOM: 1,
  MADV_SEQUENTIAL: 2,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  MADV_REMOVE: 9,
  MADV_DONTFORK: 10,
  MADV_DOFORK: 11,
  MADV_HUGEPAGE: 14,
  MADV_NOHUGEPAGE: 15,
  MADV_DONTDUMP: 16,
  MADV_DODUMP: 17,
  MADV_WIPEONFORK: 18,
  MFD_CLOEXEC: 1,
  MFD_ALLOW_SEALING: 2,
  // statfs(2)
  TMPFS_MAGIC: 0x01021994,
  // futex(2), futex_waitv(2)
  FUTEX_WAIT: 0,
  FUTEX_WAKE: 1,
  FUTEX_PRIVATE_FLAG: 128,
  FUTEX_32: 2,
  FUTEX_WAITV_MAX: 128,
  // clock_gettime(2), signal(7), sysconf(3)
  CLOCK_REALTIME: 0,
  CLOCK_MONOTONIC: 1,
  CLOCK_BOOTTIME: 7,
  SIGKILL: 9,
  SIGPIPE: 13,
  _SC_PAGESIZE: 30,
} as const;

/** Where the members of `struct stat` lie, in bytes. */
export interface StatLayout {
  /** `sizeof(struct stat)`. */
  readonly size: number;
  /** u64. */
  readonly st_dev: number;
  /** u64. */
  readonly st_ino: number;
  /** u64 on x86_64, u32 on aarch64; in both the low u32 has the number. */
  readonly st_nlink: number;
  /** u32. */
  readonly st_mode: number;
  /** u32. */
  readonly st_uid: number;
  /** u32. */
  readonly st_gid: number;
  /** i64. */
  readonly st_size: number;
  /** i64; 512 bytes each. */
  readonly st_blocks: number;
  /** `struct timespec`. */
  readonly st_mtim: number;
  /** `struct timespec`. */
  readonly st_ctim: number;
}

/** Where the members of `struct epoll_event` lie, in bytes: packed on x86_64 only. */
export interface EpollEventLayout {
  /** `sizeof(struct epoll_event)`. */
  readonly size: number;
  /** u32. */
  readonly events: number;
  /** u64. */
  readonly data: number;
}

/** Where the members of `struct pollfd` lie, in bytes. */
export interface PollfdLayout {
  /** `sizeof(struct pollfd)`. */
  readonly size: number;
  /** i32. */
  readonly fd: number;
  /** i16. */
  readonly events: number;
  /** i16. */
  readonly revents: number;
}

/** Where the members of `struct timespec` lie, in bytes. */
export interface TimespecLayout {
  /** `sizeof(struct timespec)`. */
  readonly size: number;
  /** i64. */
  readonly tv_sec: number;
  /** i64. */
  readonly tv_nsec: number;
}

/** Where the members of `struct flock` lie, in bytes. */
export interface FlockLayout {
  /** `sizeof(struct flock)`. */
  readonly size: number;
  /** i16. */
  readonly l_type: number;
  /** i16. */
  readonly l_whence: number;
  /** i64. */
  readonly l_start: number;
  /** i64. */
  readonly l_len: number;
  /** i32. */
  readonly l_pid: number;
}

/** What differs from platform to platform, and the struct layouts. */
export interface PlatformAbi {
  /** open(2): only a directory. */
  readonly O_DIRECTORY: number;
  /** open(2): not through a symbolic link. */
  readonly O_NOFOLLOW: number;
  /** open(2), pipe2(2): past the page cache; on a pipe, each write is a packet. */
  readonly O_DIRECT: number;
  /** open(2): a file without a name. */
  readonly O_TMPFILE: number;
  /** signal(7): the first real-time signal that the C library leaves to programs. */
  readonly SIGRTMIN: number;
  /** syscall(2). */
  readonly SYS_read: number;
  /** syscall(2). */
  readonly SYS_write: number;
  /** syscall(2). */
  readonly SYS_futex: number;
  /** syscall(2); Linux 5.16. */
  readonly SYS_futex_waitv: number;
  /** syscall(2). */
  readonly SYS_gettid: number;
  /** syscall(2). */
  readonly SYS_tgkill: number;
  /** syscall(2). */
  readonly SYS_memfd_create: number;
  /** syscall(2); Linux 5.3. */
  readonly SYS_pidfd_open: number;
  /** `struct stat`. */
  readonly stat: StatLayout;
  /** `struct epoll_event`. */
  readonly epollEvent: EpollEventLayout;
  /** `struct pollfd`. */
  readonly pollfd: PollfdLayout;
  /** `struct timespec`. */
  readonly timespec: TimespecLayout;
  /** `struct flock`. */
  readonly flock: FlockLayout;
}

/** All constants and layouts of one platform. */
export type Abi = { readonly [Name in keyof typeof linuxConstants]: number } & PlatformAbi;

const sameLayouts = {
  pollfd: { size: 8, fd: 0, events: 4, revents: 6 },
  timespec: { size: 16, tv_sec: 0, tv_nsec: 8 },
  flock: { size: 32, l_type: 0, l_whence: 2, l_start: 8, l_len: 16, l_pid: 24 },
} as const;

const x86_64: Omit<PlatformAbi, "SIGRTMIN"> = {
  O_DIRECTORY: 0x10000,
  O_NOFOLLOW: 0x20000,
  O_DIRECT: 0x4000,
  O_TMPFILE: 0x410000,
  SYS_read: 0,
  SYS_write: 1,
  SYS_futex: 202,
  SYS_futex_waitv: 449,
  SYS_gettid: 186,
  SYS_tgkill: 234,
  SYS_memfd_create: 319,
  SYS_pidfd_open: 434,
  stat: {
    size: 144,
    st_dev: 0,
    st_ino: 8,
    st_nlink: 16,
    st_mode: 24,
    st_uid: 28,
    st_gid: 32,
    st_size: 48,
    st_blocks: 64,
    st_mtim: 88,
    st_ctim: 104,
  },
  epollEvent: { size: 12, events: 0, data: 4 },
  ...sameLayouts,
};

const aarch64: Omit<PlatformAbi, "SIGRTMIN"> = {
  O_DIRECTORY: 0x4000,
  O_NOFOLLOW: 0x8000,
  O_DIRECT: 0x10000,
  O_TMPFILE: 0x404000,
  SYS_read: 63,
  SYS_write: 64,
  SYS_futex: 98,
  SYS_futex_waitv: 449,
  SYS_gettid: 178,
  SYS_tgkill: 131,
  SYS_memfd_create: 279,
  SYS_pidfd_open: 434,
  stat: {
    size: 128,
    st_dev: 0,
    st_ino: 8,
    st_nlink: 20,
    st_mode: 16,
    st_uid: 24,
    st_gid: 28,
    st_size: 48,
    st_blocks: 64,
    st_mtim: 88,
    st_ctim: 104,
  },
  epollEvent: { size: 16, events: 0, data: 8 },
  ...sameLayouts,
};

/**
 * The constants and layouts of a supported platform; what runs here is {@linkcode abi}.
 *
 * @example
 * ```ts
 * import { abiFor } from "@ipc/core/sys";
 * import { assertNotEquals } from "@std/assert";
 *
 * assertNotEquals(abiFor("x86_64", "gnu").O_NOFOLLOW, abiFor("aarch64", "gnu").O_NOFOLLOW);
 * ```
 */
export function abiFor(arch: "x86_64" | "aarch64", env: "gnu" | "musl"): Abi {
  const platform = arch === "aarch64" ? aarch64 : x86_64;
  return Object.freeze({ ...linuxConstants, ...platform, SIGRTMIN: env === "musl" ? 35 : 34 });
}

/**
 * The constants and layouts of the platform that this process runs on.
 *
 * Where the platform is not supported the numbers mean nothing; there no call gets as far as using them.
 *
 * @example
 * ```ts
 * import { abi } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const flags = abi.O_RDONLY | abi.O_NOFOLLOW | abi.O_CLOEXEC;
 * assertEquals(flags & abi.O_ACCMODE, 0);
 * ```
 */
export const abi: Abi = abiFor(
  Deno.build.arch === "aarch64" ? "aarch64" : "x86_64",
  Deno.build.env === "musl" ? "musl" : "gnu",
);
