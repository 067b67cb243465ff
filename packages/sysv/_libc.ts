/** The functions of libc that System V objects need. */

import { bind, type Bound } from "@ipc/core/sys";

/**
 * `semctl` is variadic in C; on Linux a fixed signature passes the same registers. Counts are bound as `i32`:
 * no message has 2 GiB, and the low half of the register is the whole number.
 */
const symbols = {
  msgget: { parameters: [/* key_t key */ "i32", /* int msgflg */ "i32"], result: /* int */ "i32" },
  msgsnd: {
    parameters: [
      /* int msqid */ "i32",
      /* const void *msgp */ "buffer",
      /* size_t msgsz */ "usize",
      /* int msgflg */ "i32",
    ],
    result: /* int */ "i32",
  },
  msgrcv: {
    parameters: [
      /* int msqid */ "i32",
      /* void *msgp */ "buffer",
      /* size_t msgsz */ "usize",
      /* long msgtyp */ "i64",
      /* int msgflg */ "i32",
    ],
    result: /* ssize_t */ "i32",
  },
  msgctl: {
    parameters: [/* int msqid */ "i32", /* int op */ "i32", /* struct msqid_ds *buf */ "buffer"],
    result: /* int */ "i32",
  },
  semget: {
    parameters: [/* key_t key */ "i32", /* int nsems */ "i32", /* int semflg */ "i32"],
    result: /* int */ "i32",
  },
  semop: {
    parameters: [/* int semid */ "i32", /* struct sembuf *sops */ "buffer", /* size_t nsops */ "usize"],
    result: /* int */ "i32",
  },
  semtimedop: {
    parameters: [
      /* int semid */ "i32",
      /* struct sembuf *sops */ "buffer",
      /* size_t nsops */ "usize",
      /* const struct timespec *timeout */ "buffer",
    ],
    result: /* int */ "i32",
  },
  semctl: {
    parameters: [/* int semid */ "i32", /* int semnum */ "i32", /* int op */ "i32", /* union semun */ "i32"],
    result: /* int */ "i32",
  },
  // With a struct semid_ds, a struct seminfo or an array of unsigned short as the argument.
  semctl_buffer: {
    name: "semctl",
    parameters: [
      /* int semid */ "i32",
      /* int semnum */ "i32",
      /* int op */ "i32",
      /* union semun */ "buffer",
    ],
    result: /* int */ "i32",
  },
  shmget: {
    parameters: [/* key_t key */ "i32", /* size_t size */ "usize", /* int shmflg */ "i32"],
    result: /* int */ "i32",
  },
  shmat: {
    parameters: [/* int shmid */ "i32", /* const void *shmaddr */ "pointer", /* int shmflg */ "i32"],
    result: /* void * */ "pointer",
  },
  shmdt: { parameters: [/* const void *shmaddr */ "pointer"], result: /* int */ "i32" },
  shmctl: {
    parameters: [/* int shmid */ "i32", /* int op */ "i32", /* struct shmid_ds *buf */ "buffer"],
    result: /* int */ "i32",
  },
  geteuid: { parameters: [], result: /* uid_t */ "u32" },
  // For the file beside shared memory.
  open: {
    parameters: [/* const char *path */ "buffer", /* int flags */ "i32", /* mode_t mode */ "u32"],
    result: /* int */ "i32",
  },
  fchmod: { parameters: [/* int fd */ "i32", /* mode_t mode */ "u32"], result: /* int */ "i32" },
  fchown: {
    parameters: [/* int fd */ "i32", /* uid_t owner */ "u32", /* gid_t group */ "u32"],
    result: /* int */ "i32",
  },
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
  unlink: { parameters: [/* const char *path */ "buffer"], result: /* int */ "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** This package's table. */
export const libc: Bound<typeof symbols> = bind(symbols);

/**
 * msgsnd(2) and msgrcv(2) without what libc adds to them in a process of several threads, the points where a thread
 * can be cancelled. The first argument is the number of the call.
 */
const direct = {
  msgsnd: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int msqid */ "i32",
      /* const void *msgp */ "buffer",
      /* size_t msgsz */ "usize",
      /* int msgflg */ "i32",
    ],
    result: /* int */ "i32",
  },
  msgrcv: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int msqid */ "i32",
      /* void *msgp */ "buffer",
      /* size_t msgsz */ "usize",
      /* long msgtyp */ "i64",
      /* int msgflg */ "i32",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The same by address, for memory that is known not to move. */
const directAt = {
  msgsnd: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int msqid */ "i32",
      /* const void *msgp */ "pointer",
      /* size_t msgsz */ "usize",
      /* int msgflg */ "i32",
    ],
    result: /* int */ "i32",
  },
  msgrcv: {
    name: "syscall",
    parameters: [
      /* long number */ "i64",
      /* int msqid */ "i32",
      /* void *msgp */ "pointer",
      /* size_t msgsz */ "usize",
      /* long msgtyp */ "i64",
      /* int msgflg */ "i32",
    ],
    result: /* ssize_t */ "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** msgsnd(2) and msgrcv(2) on a view. */
export const onView: Bound<typeof direct> = bind(direct);
/** msgsnd(2) and msgrcv(2) on an address. */
export const onAddress: Bound<typeof directAt> = bind(directAt);
