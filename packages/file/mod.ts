/**
 * Files as channels: a durable log of messages, text files that other programs append to, and locks on files.
 *
 * - {@linkcode FileLog} keeps messages for processes that need not live at the same time: many writers, each reader at
 *   its own place, named consumers that share the work and lose none.
 * - {@linkcode follow} reads the lines that any program appends to a text file, as `tail -F` does.
 * - {@linkcode FileLock} is a lock that the kernel drops with its holder.
 *
 * @example
 * ```ts
 * import { FileLog } from "@ipc/file";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `/tmp/example-${crypto.randomUUID()}`;
 * using log = FileLog.create(path);
 * using writer = log.writer();
 * await writer.send(new TextEncoder().encode("hello"));
 * using reader = log.reader();
 * assertEquals(new TextDecoder().decode(await reader.receive()), "hello");
 * FileLog.remove(path);
 * ```
 *
 * @module
 */

export * from "./file_lock.ts";
export * from "./file_log.ts";
export * from "./file_log_consumer.ts";
export * from "./file_log_reader.ts";
export * from "./file_log_writer.ts";
export * from "./follow.ts";
