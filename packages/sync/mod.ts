/**
 * Synchronisation in shared memory: locks, conditions, events, barriers, semaphores and consistent values, in any
 * mapping, between processes and between Workers.
 *
 * A lock whose owner was killed goes to the next one, who is told. As long as nobody has to wait nothing here makes a
 * system call. Needs `--allow-ffi`, and nothing else.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Event, Mutex } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = Mapping.anonymous(4096); // Shared memory or a mapped file, as a rule.
 * const words = new Int32Array(memory.buffer);
 * using mutex = Mutex.initialize(memory, 0);
 * using done = Event.initialize(memory, 16);
 * await mutex.withLock((guard) => {
 *   if (guard.abandoned) guard.markConsistent(); // The last one was killed: repair what the lock guards, first.
 *   words[100]! += 7;
 * });
 * done.set(); // In another process, as a rule.
 * await done.wait({ timeout: 1000 });
 * assertEquals(words[100], 7);
 * ```
 *
 * @module
 */

export * from "./barrier.ts";
export * from "./condition.ts";
export * from "./event.ts";
export * from "./mutex.ts";
export * from "./mutex_guard.ts";
export * from "./pthread_mutex.ts";
export * from "./rw_lock.ts";
export * from "./semaphore.ts";
export * from "./seq_lock.ts";
