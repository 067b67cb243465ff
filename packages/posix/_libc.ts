/** The functions of libc that POSIX objects need. */

import { bind, type Bound, cString } from "@ipc/core/sys";

/**
 * Queues go through syscall(2): before glibc 2.34 their functions are in a library of their own. The first argument
 * is the number of the call; names are those of {@linkcode kernelName}. Counts are bound as `i32`: no message has
 * 2 GiB, and the low half of the register is the whole number.
 */
const symbols = {
  mq_open: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* const char *name */ "buffer",
      /* int oflag */ "i32",
      /* mode_t mode */ "u32",
      /* struct mq_attr *attr */ "buffer",
    ],
    result: /* mqd_t */ "i32",
  },
  mq_unlink: {
    name: "syscall",
    parameters: [/* long number */ "i64", /* const char *name */ "buffer"],
    result: /* int */ "i32",
  },
  mq_getsetattr: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* mqd_t mqdes */ "i32",
      /* const struct mq_attr *newattr */ "buffer",
      /* struct mq_attr *oldattr */ "buffer",
    ],
    result: /* int */ "i32",
  },
  mq_notify: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* mqd_t mqdes */ "i32",
      /* const struct sigevent *sevp */ "buffer",
    ],
    result: /* int */ "i32",
  },
  // A directory as it is, without the library's own state.
  getdents64: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int fd */ "i32",
      /* struct linux_dirent64 *dirp */ "buffer",
      /* unsigned int count */ "u32",
    ],
    result: /* int */ "i32",
  },
  open: {
    parameters: [/* const char *path */ "buffer", /* int flags */ "i32", /* mode_t mode */ "u32"],
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
  write: {
    parameters: [/* int fd */ "i32", /* const void *buf */ "buffer", /* size_t count */ "usize"],
    result: /* ssize_t */ "i32",
  },
  unlink: { parameters: [/* const char *path */ "buffer"], result: /* int */ "i32" },
  fchmod: { parameters: [/* int fd */ "i32", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  ftruncate: { parameters: [/* int fd */ "i32", /* off_t length */ "i64"], result: /* int */ "i32" },
  linkat: {
    parameters: [
      /* int olddirfd */ "i32",
      /* const char *oldpath */ "buffer",
      /* int newdirfd */ "i32",
      /* const char *newpath */ "buffer",
      /* int flags */ "i32",
    ],
    result: /* int */ "i32",
  },
  statfs: {
    parameters: [/* const char *path */ "buffer", /* struct statfs *buf */ "buffer"],
    result: /* int */ "i32",
  },
  getrlimit: {
    parameters: [/* int resource */ "i32", /* struct rlimit *rlim */ "buffer"],
    result: /* int */ "i32",
  },
  socket: {
    parameters: [/* int domain */ "i32", /* int type */ "i32", /* int protocol */ "i32"],
    result: /* int */ "i32",
  },
  // Writes the address of what it allocates, which is how a struct gets one where addresses cannot be asked for.
  posix_memalign: {
    parameters: [/* void **memptr */ "buffer", /* size_t alignment */ "usize", /* size_t size */ "usize"],
    result: /* int */ "i32",
  },
  geteuid: { parameters: [], result: /* uid_t */ "u32" },
  getuid: { parameters: [], result: /* uid_t */ "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);

/**
 * A queue's name as the kernel has it: without the slash, which yet stands before it in memory, as in libc. qemu-user
 * counts on that, and hands its own libc the name from the byte before.
 */
export function kernelName(name: string): Uint8Array<ArrayBuffer> {
  return cString(name).subarray(1);
}

const direct = {
  mq_timedsend: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* mqd_t mqdes */ "i32",
      /* const char *msg_ptr */ "buffer",
      /* size_t msg_len */ "usize",
      /* unsigned int msg_prio */ "u32",
      /* const struct timespec *abs_timeout */ "buffer",
    ],
    result: /* int */ "i32",
  },
  mq_timedreceive: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* mqd_t mqdes */ "i32",
      /* char *msg_ptr */ "buffer",
      /* size_t msg_len */ "usize",
      /* unsigned int *msg_prio */ "buffer",
      /* const struct timespec *abs_timeout */ "buffer",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The same by address, for memory that is known not to move. */
const directAt = {
  mq_timedreceive: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* mqd_t mqdes */ "i32",
      /* char *msg_ptr */ "pointer",
      /* size_t msg_len */ "usize",
      /* unsigned int *msg_prio */ "pointer",
      /* const struct timespec *abs_timeout */ "pointer",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Messages in views. */
export const onView: Bound<typeof direct> = bind(direct);
/** Messages at addresses. */
export const onAddress: Bound<typeof directAt> = bind(directAt);

/**
 * Semaphores. The functions are in libc itself since glibc 2.34, and in musl; `sem_clockwait` is
 * glibc's alone.
 */
const onSemaphore = {
  // Variadic in C; on Linux a fixed signature passes the same registers.
  sem_open: {
    parameters: [
      /* const char *name */ "buffer",
      /* int oflag */ "i32",
      /* mode_t mode */ "u32",
      /* unsigned int value */ "u32",
    ],
    result: /* sem_t * */ "pointer",
    optional: true,
  },
  sem_close: { parameters: [/* sem_t *sem */ "pointer"], result: /* int */ "i32", optional: true },
  sem_unlink: { parameters: [/* const char *name */ "buffer"], result: /* int */ "i32", optional: true },
  sem_init: {
    parameters: [/* sem_t *sem */ "pointer", /* int pshared */ "i32", /* unsigned int value */ "u32"],
    result: /* int */ "i32",
    optional: true,
  },
  sem_post: { parameters: [/* sem_t *sem */ "pointer"], result: /* int */ "i32", optional: true },
  sem_wait: { parameters: [/* sem_t *sem */ "pointer"], result: /* int */ "i32", optional: true },
  sem_trywait: { parameters: [/* sem_t *sem */ "pointer"], result: /* int */ "i32", optional: true },
  sem_timedwait: {
    parameters: [/* sem_t *sem */ "pointer", /* const struct timespec *abs_timeout */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  sem_clockwait: {
    parameters: [
      /* sem_t *sem */ "pointer",
      /* clockid_t clock */ "i32",
      /* const struct timespec *abs_timeout */ "pointer",
    ],
    result: /* int */ "i32",
    optional: true,
  },
  sem_getvalue: {
    parameters: [/* sem_t *sem */ "pointer", /* int *sval */ "buffer"],
    result: /* int */ "i32",
    optional: true,
  },
  clock_gettime: {
    parameters: [/* clockid_t clock */ "i32", /* struct timespec *tp */ "buffer"],
    result: /* int */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Semaphores. */
export const semaphores: Bound<typeof onSemaphore> = bind(onSemaphore);
