/**
 * Constants and layouts of System V objects: msgctl(2), semctl(2), shmctl(2) and the kernel's headers.
 *
 * A test compares them with a table of four platforms, and with what the C compiler here says.
 */

/** What is the same on every supported platform. */
export const constants = {
  IPC_PRIVATE: 0,
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

/** Where the members of `struct semid_ds` lie. */
export interface SemidDsLayout {
  /** `sizeof(struct semid_ds)`. */
  readonly size: number;
  /** i64. */
  readonly otime: number;
  /** i64. */
  readonly ctime: number;
  /** u64. */
  readonly nsems: number;
}

/** `struct semid_ds` of a platform: x86_64 has room to spare behind each time. */
export function semidDsOf(arch: typeof Deno.build.arch): SemidDsLayout {
  return arch === "aarch64"
    ? { size: 88, otime: 48, ctime: 56, nsems: 64 }
    : { size: 104, otime: 48, ctime: 64, nsems: 80 };
}

/** `struct semid_ds` here. */
export const semidDs: SemidDsLayout = semidDsOf(Deno.build.arch);

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

/** `struct msginfo`: limits after IPC_INFO; after MSG_INFO the first two and msgtql are what is in use. */
export const msginfo = {
  size: 32,
  msgpool: 0,
  msgmap: 4,
  msgmax: 8,
  msgmnb: 12,
  msgmni: 16,
  msgtql: 24,
} as const;

/** `struct seminfo`: limits after IPC_INFO; after SEM_INFO semusz and semaem are what is in use. */
export const seminfo = {
  size: 40,
  semmni: 4,
  semmns: 8,
  semmsl: 16,
  semopm: 20,
  semusz: 28,
  semvmx: 32,
  semaem: 36,
} as const;

/** `struct shminfo`: the limits, by IPC_INFO. */
export const shminfo = { size: 72, shmmax: 0, shmmni: 16, shmall: 32 } as const;

/** `struct shm_info`: what is in use, by SHM_INFO. */
export const shmInfo = { size: 48, used_ids: 0, shm_tot: 8, shm_rss: 16, shm_swp: 24 } as const;

/** `struct sembuf`, in units of two bytes: three of them. */
export const sembuf = { size: 6, num: 0, op: 1, flg: 2 } as const;

/** Numbers of the calls that syscall(2) makes. */
export const syscalls: { readonly msgsnd: bigint; readonly msgrcv: bigint } = Deno.build.arch === "aarch64"
  ? { msgsnd: 189n, msgrcv: 188n }
  : { msgsnd: 69n, msgrcv: 70n };

/** `long mtype`, which comes before the bytes of a message. */
export const MTYPE_SIZE = 8;
