/**
 * The Channel contract of `@ipc/*`, and what can be done with any channel.
 *
 * A {@linkcode Channel} carries messages whole and in order: `send` on one side, `receive` on the other, the
 * same for pipes, queues, sockets and shared memory. On top of it are small pieces that compose:
 *
 * - {@linkcode typed} makes a channel of bytes a channel of values, with a {@linkcode Codec};
 * - {@linkcode pump} moves messages from one to another, {@linkcode duplex} joins two one-way ends;
 * - {@linkcode select} takes one message from whichever has one, {@linkcode merge} all from all;
 * - {@linkcode lengthPrefix}, {@linkcode lines} and the other framings mark messages on a stream of bytes.
 *
 * Errors are by meaning, under {@linkcode IpcError}. Importing this module needs no permission and touches
 * neither `Deno` nor libc; what does is under `@ipc/core/sys`.
 *
 * @example
 * ```ts
 * import { json, lengthPrefix, encodeFrame } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const job = json<{ id: number }>();
 * const decoder = lengthPrefix().decoder();
 * decoder.push(encodeFrame(lengthPrefix(), job.encode({ id: 7 })));
 * assertEquals(job.decode(decoder.next()!), { id: 7 });
 * ```
 *
 * @module
 */

export * from "./channel.ts";
export * from "./codec.ts";
export * from "./duplex.ts";
export * from "./errno.ts";
export * from "./errno_error.ts";
export * from "./errors.ts";
export * from "./framing.ts";
export * from "./framing/mod.ts";
export * from "./key.ts";
export * from "./merge.ts";
export * from "./pump.ts";
export * from "./select.ts";
export * from "./typed.ts";
