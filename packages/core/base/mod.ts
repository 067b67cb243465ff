/**
 * What a mechanism is built on: it brings the primitives that never wait, a {@linkcode Source} and a
 * {@linkcode Sink}, and gets the whole Channel contract from {@linkcode BaseReceiver} and {@linkcode BaseSender}, or
 * {@linkcode BaseSyncChannel} where one object is both.
 *
 * Users of channels do not need this module; writers of new mechanisms start here.
 *
 * @module
 */

export { ArenaDecoder } from "../framing/_arena.ts";
export * from "./channel.ts";
export * from "./mechanism.ts";
export * from "./ready.ts";
export * from "./receiver.ts";
export * from "./sender.ts";
export * from "./sync_channel.ts";
export * from "./waits.ts";
