/**
 * Constants and layouts of POSIX objects: mq_overview(7), sem_overview(7), shm_overview(7) and what is read besides.
 *
 * A test compares them with a table of four platforms, and with what the C compiler here says.
 */

/** What is the same on every supported platform. */
export const constants = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_TRUNC: 0o1000,
  O_NONBLOCK: 0o4000,
  /** One more than the highest priority of a message. */
  MQ_PRIO_MAX: 32768,
  SIGEV_SIGNAL: 0,
  SIGEV_NONE: 1,
  SIGEV_THREAD: 2,
  /** The highest value of a semaphore. */
  SEM_VALUE_MAX: 0x7fff_ffff,
} as const;

/** getrlimit(2), socket(2), netlink(7), linkat(2): what only this package's own calls need. */
export const own = {
  RLIMIT_MSGQUEUE: 12,
  AF_NETLINK: 16,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  AT_SYMLINK_FOLLOW: 0x400,
} as const;

/** `struct mq_attr`: four `long`, and room for more. */
export const mqAttr = { size: 64, mq_flags: 0, mq_maxmsg: 8, mq_msgsize: 16, mq_curmsgs: 24 } as const;

/** `struct sigevent`. */
export const sigevent = { size: 64, sigev_value: 0, sigev_signo: 8, sigev_notify: 12 } as const;

/** What mq_notify(2) sends by SIGEV_THREAD, in bytes, of which the last says what happened: ipc/mqueue.c. */
export const notification = { size: 32, kind: 31, WOKENUP: 1, REMOVED: 2 } as const;

/** `struct rlimit`. */
export const rlimit = { size: 16, rlim_cur: 0, rlim_max: 8 } as const;

/** `struct statfs`. */
export const statfs = { size: 120, f_type: 0, f_bsize: 8, f_blocks: 16, f_bfree: 24, f_bavail: 32 } as const;

/** `struct linux_dirent64` of getdents64(2); the name follows. */
export const dirent = { d_reclen: 16, d_name: 19 } as const;

/**
 * `sizeof(sem_t)`, whose first 32 bits have the value; musl keeps a mark in the highest of them. Whether several
 * processes share it both have in the third 32 bits.
 */
export const semT = { size: 32, value: 0, mark: 8, VALUE_MASK: 0x7fff_ffff } as const;

/** Numbers of the calls that syscall(2) makes. */
export interface Syscalls {
  readonly mq_open: bigint;
  readonly mq_unlink: bigint;
  readonly mq_timedsend: bigint;
  readonly mq_timedreceive: bigint;
  readonly mq_notify: bigint;
  readonly mq_getsetattr: bigint;
  readonly getdents64: bigint;
}

/** Those of a platform. */
export function syscallsOf(arch: typeof Deno.build.arch): Syscalls {
  return arch === "aarch64"
    ? {
      mq_open: 180n,
      mq_unlink: 181n,
      mq_timedsend: 182n,
      mq_timedreceive: 183n,
      mq_notify: 184n,
      mq_getsetattr: 185n,
      getdents64: 61n,
    }
    : {
      mq_open: 240n,
      mq_unlink: 241n,
      mq_timedsend: 242n,
      mq_timedreceive: 243n,
      mq_notify: 244n,
      mq_getsetattr: 245n,
      getdents64: 217n,
    };
}

/** Those of this platform. */
export const syscalls: Syscalls = syscallsOf(Deno.build.arch);
