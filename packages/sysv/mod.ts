/**
 * System V message queues, semaphore sets and shared memory, for programs that join what C, Perl, Python or PHP
 * programs have made, and for new ones.
 *
 * @module
 */

export { formatKey, IPC_PRIVATE, type Key, parseKey, stableKey } from "@ipc/core";
export { ftok } from "@ipc/core/sys";
export type { ById, CreateOptions, OwnershipChange, TrustOptions } from "./_object.ts";
export type {
  MessageQueueChange,
  MessageQueueCreateOptions,
  MessageQueueOpenOptions,
  MessageSizeOptions,
  MessageTypeOptions,
  QueuedBytesOptions,
  QueueMessage,
  ReceiveMessageOptions,
} from "./_queue_options.ts";
export type { MessageSelector } from "./_queue_selector.ts";
export * from "./limits.ts";
export * from "./list.ts";
export * from "./message_queue.ts";
export * from "./semaphore.ts";
export * from "./semaphore_set.ts";
export * from "./shared_memory.ts";
export * from "./status.ts";
