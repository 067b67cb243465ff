/**
 * Anonymous pipes: the oldest way for a process to talk to its children, as channels of messages.
 *
 * {@linkcode createPipe} makes a pipe inside this process. {@linkcode spawnWithChannel} starts a program with
 * a channel to it, and {@linkcode parentChannel} is the other end in a Deno child. {@linkcode stdioChannel}
 * speaks over this process's own standard input and output.
 *
 * @example
 * ```ts
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * const { reader, writer } = createPipe();
 * await writer.send(new TextEncoder().encode("hello"));
 * await writer.end();
 * for await (const message of reader) assertEquals(new TextDecoder().decode(message), "hello");
 * ```
 *
 * @module
 */

export * from "./pipe.ts";
export * from "./child.ts";
export * from "./stdio.ts";
export { type ByteInput, type ByteOutput, pumpBytes } from "@ipc/core/sys";
