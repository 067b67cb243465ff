/** The three kinds of object: how each is found, read and changed. */

import { constants, msqidDs, semidDs, shmidDs } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { readMemoryStatus, readQueueStatus, readSetStatus } from "./_read_status.ts";
import type { MessageQueueStatus, SemaphoreSetStatus, SharedMemoryStatus, SystemVStatus } from "./status.ts";

/** One kind of object. */
export interface Kind<Status extends SystemVStatus = SystemVStatus> {
  /** What errors call it. */
  readonly object: string;
  /** The call that finds and creates. */
  readonly getter: string;
  /** The call that looks, changes and removes. */
  readonly controller: string;
  /** `…_INFO`, which tells the highest index in use. */
  readonly info: number;
  /** `…_STAT`, which looks by index, and returns the id. */
  readonly stat: number;
  /** `…_STAT_ANY`, the same without permission to read; Linux 4.17. An id stands for its index. */
  readonly statAny: number;
  /** Bytes of the struct that `control` fills. */
  readonly structSize: number;
  /** Finds or creates: `size` is the number of semaphores, or the bytes of memory. */
  get(key: number, size: number, flags: number): number;
  /** `IPC_STAT` and the other commands that take the struct, or none. */
  control(id: number, command: number, buffer: Uint8Array | null): number;
  /** Reads the struct. */
  read(id: number, from: DataView): Status;
}

/** Message queues. */
export const queueKind: Kind<MessageQueueStatus> = {
  object: "message queue",
  getter: "msgget",
  controller: "msgctl",
  info: constants.MSG_INFO,
  stat: constants.MSG_STAT,
  statAny: constants.MSG_STAT_ANY,
  structSize: msqidDs.size,
  get: (key, _size, flags) => libc.msgget(key, flags),
  control: (id, command, buffer) => libc.msgctl(id, command, buffer as BufferSource | null),
  read: readQueueStatus,
};

/** Semaphore sets. */
export const setKind: Kind<SemaphoreSetStatus> = {
  object: "semaphore set",
  getter: "semget",
  controller: "semctl",
  info: constants.SEM_INFO,
  stat: constants.SEM_STAT,
  statAny: constants.SEM_STAT_ANY,
  structSize: semidDs.size,
  get: (key, size, flags) => libc.semget(key, size, flags),
  control: (id, command, buffer) => libc.semctl_buffer(id, 0, command, buffer as BufferSource | null),
  read: readSetStatus,
};

/** Shared memory. */
export const memoryKind: Kind<SharedMemoryStatus> = {
  object: "shared memory",
  getter: "shmget",
  controller: "shmctl",
  info: constants.SHM_INFO,
  stat: constants.SHM_STAT,
  statAny: constants.SHM_STAT_ANY,
  structSize: shmidDs.size,
  get: (key, size, flags) => libc.shmget(key, BigInt(size), flags),
  control: (id, command, buffer) => libc.shmctl(id, command, buffer as BufferSource | null),
  read: readMemoryStatus,
};
