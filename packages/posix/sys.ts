/**
 * The calls of POSIX objects by their C names, for who needs exactly what the kernel and libc do.
 *
 * Each call throws the `IpcError` of its errno, and tries again after EINTR. Those that wait block the thread.
 * `MessageQueue` and what else `@ipc/posix` has are the pleasant way.
 *
 * Needs `--allow-ffi`, and nothing else.
 *
 * @example
 * ```ts
 * import { constants, mq_close, mq_open, mq_receive, mq_send, mq_unlink } from "@ipc/posix/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const { O_CREAT, O_EXCL, O_RDWR } = constants;
 * const name = `/example-${crypto.randomUUID()}`;
 * const mqdes = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600, { mq_maxmsg: 4, mq_msgsize: 64 });
 * mq_send(mqdes, new TextEncoder().encode("hello"), 7);
 * assertEquals(mq_receive(mqdes, 64), { msg_prio: 7, msg: new TextEncoder().encode("hello") });
 * mq_unlink(name);
 * mq_close(mqdes);
 * ```
 *
 * @module
 */

export { constants } from "./_abi.ts";
export type { Timespec } from "./sys/_call.ts";
export * from "./sys/message_queue.ts";
export * from "./sys/semaphore.ts";
export * from "./sys/shared_memory.ts";
