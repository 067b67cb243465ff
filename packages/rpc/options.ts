/** How a peer is made, and how a call is. */

import type { RpcLimits } from "./limits.ts";

/** How long an answer is waited for. */
export interface CallOptions {
  /**
   * Milliseconds in all; the peer is told, ends its work when they are over, and so do the calls it makes for it.
   * Undefined waits for ever.
   */
  timeout?: number | undefined;
  /** When it aborts, the call rejects with `signal.reason` and the peer is told to stop. */
  signal?: AbortSignal | undefined;
}

/** How a peer is made. */
export interface PeerOptions {
  /** How far the other side is trusted. */
  limits?: RpcLimits | undefined;
  /**
   * Whether to use what JSON-RPC does not have: streams, callbacks, deadlines and bytes. True unless told; with false
   * nothing is sent but plain JSON-RPC 2.0 and `$/cancelRequest`. That is for services that are not ours: before they have
   * answered a greeting, calls have markers in the place of bytes, and another `$/` before names that begin so.
   */
  extensions?: boolean | undefined;
  /**
   * Whether the channel carries any bytes, so that binary values travel beside the JSON and not in it as base64; false
   * unless told. Both sides must say so. Not for framings that mark the end of a message, by a newline or a NUL.
   */
  binary?: boolean | undefined;
  /**
   * The id of the first call, from which they are counted; 1 unless told. Where an answer can outlive the one it was for,
   * as in a queue, each peer begins elsewhere.
   */
  firstId?: number | undefined;
  /** Whether calls that run when the other side ends its direction may finish and be answered; false unless told. */
  halfOpen?: boolean | undefined;
  /** Whether callers are told message and stack of errors that were not made for them; false unless told. */
  exposeErrors?: boolean | undefined;
  /**
   * Hears of errors that nobody else hears of: a method or a stream that failed with what was not made for the other
   * side, a notification that failed, a message that made no sense. What it throws is dropped.
   */
  onError?: ((error: unknown) => void) | undefined;
  /** Where time comes from; the runtime unless told. */
  clock?: RpcClock | undefined;
}

/** Where time comes from, so that tests can decide it. */
export interface RpcClock {
  /** Milliseconds from any beginning. */
  now(): number;
  /** Calls back after some milliseconds. */
  setTimeout(callback: () => void, delay: number): unknown;
  /** Takes that back. */
  clearTimeout(timer: unknown): void;
}

/** How methods are served. */
export interface ServeOptions<Caller = unknown> extends PeerOptions {
  /** What the methods get as `this.caller`. */
  caller?: Caller | undefined;
  /** Answers `rpc.discover` with an OpenRPC document under this title and version. */
  info?: ServiceInfo | undefined;
}

/** What an OpenRPC document says of the service as a whole. */
export interface ServiceInfo {
  /** The name of the service. */
  readonly title: string;
  /** The version of its API. */
  readonly version: string;
  /** What it is for. */
  readonly description?: string | undefined;
}
