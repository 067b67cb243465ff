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
  /** `…_STAT_ANY`, which looks without permission to read. */
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
  statAny: constants.SHM_STAT_ANY,
  structSize: shmidDs.size,
  get: (key, size, flags) => libc.shmget(key, BigInt(size), flags),
  control: (id, command, buffer) => libc.shmctl(id, command, buffer as BufferSource | null),
  read: readMemoryStatus,
};
