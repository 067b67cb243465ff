/**
 * The System V calls by their C names, for who needs exactly what the kernel does.
 *
 * Each call throws the `IpcError` of its errno, and tries again after EINTR. Those that wait block the thread.
 * Structs are bytes, laid out as {@linkcode msqidDs}, {@linkcode semidDs} and {@linkcode shmidDs} say, all integers
 * little-endian. `MessageQueue`, `SemaphoreSet` and `SharedMemory` of `@ipc/sysv` are the pleasant way.
 *
 * Needs `--allow-ffi`, and nothing else.
 *
 * @example
 * ```ts
 * import { constants, msgctl, msgget, msgrcv, msgsnd } from "@ipc/sysv/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const id = msgget(constants.IPC_PRIVATE, 0o600);
 * msgsnd(id, 7, new TextEncoder().encode("hello"));
 * assertEquals(msgrcv(id, 100), { mtype: 7n, mtext: new TextEncoder().encode("hello") });
 * msgctl(id, constants.IPC_RMID);
 * ```
 *
 * @module
 */

export {
  constants,
  ipcPerm,
  msginfo,
  msqidDs,
  semidDs,
  type SemidDsLayout,
  seminfo,
  shmidDs,
  shmInfo,
  shminfo,
} from "./_abi.ts";
export * from "./sys/message_queue.ts";
export * from "./sys/semaphore_set.ts";
export * from "./sys/shared_memory.ts";
