/**
 * POSIX message queues, named semaphores and shared memory, by names such as `/jobs`.
 *
 * {@linkcode MessageQueue} carries messages with priorities, between any number of senders and receivers.
 * {@linkcode SharedMemory} is memory that several processes see at once, and {@linkcode Semaphore} makes them take turns
 * with it, or with anything else. {@linkcode listMessageQueues}, {@linkcode listSemaphores} and {@linkcode listSharedMemory} tell what there is, and
 * {@linkcode limits} how much of it there may be. The calls of C, by their own names, are in `@ipc/posix/sys`.
 *
 * Needs `--allow-ffi`, and nothing else; shared memory and semaphores need it without a path, because under a scoped
 * permission memory cannot be viewed.
 *
 * @example
 * ```ts
 * import { MessageQueue } from "@ipc/posix";
 * import { assertEquals } from "@std/assert";
 *
 * const name = `/jobs-${crypto.randomUUID()}`;
 * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
 * using worker = MessageQueue.open(name); // In another process, as a rule.
 * await queue.send(new TextEncoder().encode("tidy up"));
 * await queue.send(new TextEncoder().encode("put out the fire"), { priority: 9 });
 * assertEquals(new TextDecoder().decode(await worker.receive()), "put out the fire");
 * assertEquals(new TextDecoder().decode(await worker.receive()), "tidy up");
 * ```
 *
 * @module
 */

export type { CreateOptions, TrustOptions } from "./_object.ts";
export * from "./limits.ts";
export * from "./list.ts";
export * from "./message_queue.ts";
export * from "./name.ts";
export * from "./queue_channel.ts";
export * from "./semaphore.ts";
export * from "./shared_memory.ts";
