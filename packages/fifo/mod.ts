/**
 * Named pipes: any number of processes write into a name in the file system, one reads, as channels of messages.
 *
 * {@linkcode mkfifo} makes the name, {@linkcode Fifo.open} opens an end without ever blocking, and
 * {@linkcode Fifo.openPair} makes two of them a channel of both directions. Messages of several writers stay
 * apart, whatever their size and whoever dies in the middle; with `framing: "lines"` shells take part.
 *
 * Needs `--allow-ffi`, and nothing else.
 *
 * @example
 * ```ts
 * import { Fifo, mkfifo, unlink } from "@ipc/fifo";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/jobs`;
 * mkfifo(path);
 * const reader = await Fifo.open(path, "read");
 * const writer = await Fifo.open(path, "write"); // In another process, as a rule.
 * await writer.send(new TextEncoder().encode("hello"));
 * await writer.end();
 * for await (const message of reader) assertEquals(new TextDecoder().decode(message), "hello");
 * reader.close();
 * unlink(path);
 * ```
 *
 * @module
 */

export * from "./fifo.ts";
export * from "./fifo_reader.ts";
export * from "./fifo_writer.ts";
export * from "./mkfifo.ts";
