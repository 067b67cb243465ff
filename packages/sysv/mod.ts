/**
 * System V message queues, semaphore sets and shared memory, for programs that join what C, Perl, Python or PHP
 * programs have made, and for new ones.
 *
 * @module
 */

export { formatKey, IPC_PRIVATE, type Key, parseKey, stableKey } from "@ipc/core";
export { ftok } from "@ipc/core/sys";
export type { ById, CreateOptions, OwnershipChange, TrustOptions } from "./_object.ts";
export * from "./status.ts";
