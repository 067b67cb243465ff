/**
 * Constants and layouts of System V objects: msgctl(2), semctl(2), shmctl(2) and the kernel's headers.
 *
 * A test compares them with a table of four platforms, and with what the C compiler here says.
 */

/** What is the same on every supported platform. */
export const constants = {
  IPC_CREAT: 0o1000,
  IPC_EXCL: 0o2000,
  IPC_NOWAIT: 0o4000,
  IPC_RMID: 0,
  IPC_SET: 1,
  IPC_STAT: 2,
  IPC_INFO: 3,
  MSG_NOERROR: 0o10000,
  MSG_EXCEPT: 0o20000,
  MSG_COPY: 0o40000,
  MSG_STAT: 11,
  MSG_INFO: 12,
  MSG_STAT_ANY: 13,
  SEM_UNDO: 0x1000,
  GETPID: 11,
  GETVAL: 12,
  GETALL: 13,
  GETNCNT: 14,
  GETZCNT: 15,
  SETVAL: 16,
  SETALL: 17,
  SEM_STAT: 18,
  SEM_INFO: 19,
  SEM_STAT_ANY: 20,
  /** The highest value of a semaphore. */
  SEMVMX: 32767,
  SHM_RDONLY: 0o10000,
  SHM_RND: 0o20000,
  SHM_REMAP: 0o40000,
  SHM_EXEC: 0o100000,
  SHM_HUGETLB: 0o4000,
  SHM_NORESERVE: 0o10000,
  SHM_LOCK: 11,
  SHM_UNLOCK: 12,
  SHM_STAT: 13,
  SHM_INFO: 14,
  SHM_STAT_ANY: 15,
  SHM_DEST: 0o1000,
  SHM_LOCKED: 0o2000,
} as const;

/** `struct ipc_perm`, with which the other three begin; offsets in bytes. */
export const ipcPerm = { size: 48, key: 0, uid: 4, gid: 8, cuid: 12, cgid: 16, mode: 20, seq: 24 } as const;

/** `struct msqid_ds`. */
export const msqidDs = {
  size: 120,
  stime: 48,
  rtime: 56,
  ctime: 64,
  cbytes: 72,
  qnum: 80,
  qbytes: 88,
  lspid: 96,
  lrpid: 100,
} as const;

/** `struct semid_ds`: x86_64 has room to spare behind each time. */
export const semidDs: { readonly size: number; otime: number; ctime: number; nsems: number } =
  Deno.build.arch === "aarch64"
    ? { size: 88, otime: 48, ctime: 56, nsems: 64 }
    : { size: 104, otime: 48, ctime: 64, nsems: 80 };

/** `struct shmid_ds`. */
export const shmidDs = {
  size: 112,
  segsz: 48,
  atime: 56,
  dtime: 64,
  ctime: 72,
  cpid: 80,
  lpid: 84,
  nattch: 88,
} as const;

/** `struct sembuf`, in units of two bytes: three of them. */
export const sembuf = { size: 6, num: 0, op: 1, flg: 2 } as const;

/** `long mtype`, which comes before the bytes of a message. */
export const MTYPE_SIZE = 8;
