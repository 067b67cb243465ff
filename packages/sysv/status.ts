import type { Key } from "@ipc/core";

/** What every System V object has; times have whole seconds, as the kernel keeps them. */
export interface SystemVStatus {
  /** The number by which this object is told from every other of its kind. */
  readonly id: number;
  /** The key under which it is found; 0 for a private one, and for shared memory that is marked for removal. */
  readonly key: Key;
  /** The owner's user id (uid). */
  readonly uid: number;
  /** The owner's group id (gid). */
  readonly gid: number;
  /** The user id of who created it (cuid). */
  readonly creatorUid: number;
  /** The group id of who created it (cgid). */
  readonly creatorGid: number;
  /** Permission bits: the low nine of mode. */
  readonly mode: number;
  /** When it was created or its owner, mode or limit last changed (ctime). */
  readonly changeTime: Date;
}

/** All that the kernel tells about a message queue: `struct msqid_ds`. */
export interface MessageQueueStatus extends SystemVStatus {
  /** Messages in the queue (qnum). */
  readonly messages: number;
  /** Bytes of all messages in the queue, without their types (cbytes). */
  readonly bytes: number;
  /** The most bytes that the queue takes (qbytes). */
  readonly maxBytes: number;
  /** The process that sent last (lspid); 0: none yet. */
  readonly lastSendPid: number;
  /** The process that received last (lrpid); 0: none yet. */
  readonly lastReceivePid: number;
  /** When the last message was sent (stime); `undefined`: never. */
  readonly lastSendTime: Date | undefined;
  /** When the last message was received (rtime); `undefined`: never. */
  readonly lastReceiveTime: Date | undefined;
}

/** All that the kernel tells about a semaphore set: `struct semid_ds`. */
export interface SemaphoreSetStatus extends SystemVStatus {
  /** Semaphores in the set (nsems). */
  readonly semaphores: number;
  /** When an operation was last done, by semop(2), not by setting values (otime); `undefined`: never. */
  readonly lastOperationTime: Date | undefined;
}

/** All that the kernel tells about a segment of shared memory: `struct shmid_ds`. */
export interface SharedMemoryStatus extends SystemVStatus {
  /** Bytes, as they were asked for (segsz). */
  readonly size: number;
  /** How often it is attached now, in all processes together (nattch). */
  readonly attachCount: number;
  /** The process that created it (cpid). */
  readonly creatorPid: number;
  /** The process that last attached or detached it (lpid); 0: none yet. */
  readonly lastPid: number;
  /** When it was last attached (atime); `undefined`: never. */
  readonly lastAttachTime: Date | undefined;
  /** When it was last detached (dtime); `undefined`: never. */
  readonly lastDetachTime: Date | undefined;
  /** Whether it goes away with its last user (SHM_DEST in mode). */
  readonly removalPending: boolean;
  /** Whether it is kept from being swapped out (SHM_LOCKED in mode). */
  readonly locked: boolean;
}
