/**
 * What a mechanism has to bring: the primitives that never wait, and where to wait.
 *
 * Everything else of the Channel contract is made from these by `BaseReceiver` and `BaseSender`.
 *
 * @module
 */

/** Begins a wait: calls `wake` once, when trying again may succeed. Returns what gives the wait up. */
export type Park = (wake: () => void) => () => void;

/** Where messages come from. */
export interface Source<In> {
  /**
   * Takes one message without waiting; `undefined`: nothing now, or the end (then {@linkcode Source.ended} is set).
   *
   * An error that it throws reaches one receive; the next call goes on behind it.
   */
  take(): In | undefined;
  /** Takes at least one message and those that came with it, at most `max`; `undefined`: nothing now, or the end. */
  takeMany?(max: number | undefined): In[] | undefined;
  /** Whether the end was reached: nothing will follow. */
  readonly ended: boolean;
  /** Whether a `take` would succeed, without taking; where it is absent a message is taken, and kept for the next. */
  ready?(): boolean;
  /**
   * Begins a wait as {@linkcode Park} does, until `take` may succeed; the wait keeps the process alive.
   *
   * `line` is what a mechanism told `receiveWith` of the messages that are wanted; `undefined`: any.
   */
  park(wake: () => void, line?: unknown): () => void;
  /** Blocks this thread until `take` may succeed, at most `timeout` milliseconds; absent where nothing can block. */
  block?(timeout: number | undefined, line?: unknown): void;
  /** Takes one message, blocking this thread as long as it takes; `undefined` is the end. The fast path of `receiveSync`. */
  takeSync?(): In | undefined;
  /** Gives everything back; never called twice. */
  close(): void;
}

/** Where messages go. */
export interface Sink {
  /** The longest message in bytes. */
  readonly maxMessageSize: number;
  /**
   * Takes one message without waiting. False: no room. When bytes of it are gone already, `begun` is set and
   * the sink keeps hold of the rest. What it throws concerns this message only; nothing of it was sent. `meta` is what a mechanism's own calls say of it.
   */
  put(message: Uint8Array, meta?: unknown): boolean;
  /** Takes `messages[from]` and those behind it; returns the index of the first that it did not take whole. Throws only when it took none. */
  putMany?(messages: readonly Uint8Array[], from: number): number;
  /** Whether bytes of the first message not taken whole are gone already. Always false where messages are atomic. */
  readonly begun: boolean;
  /** Goes on with the message that was begun, without waiting; true once all of it is gone. */
  finish(): boolean;
  /** The message that was begun belongs to its caller again: copies what is left of it. */
  detach(): void;
  /** Waits until there may be room; the wait keeps the process alive. */
  readonly park: Park;
  /** Blocks this thread until there may be room, at most `timeout` milliseconds; absent where nothing can block. */
  block?(timeout: number | undefined): void;
  /** Sends one message, blocking this thread as long as it takes. The fast path of `sendSync`. */
  putSync?(message: Uint8Array, meta?: unknown): void;
  /** Ends this direction once everything is flushed. */
  end(): void | Promise<void>;
  /** Gives everything back; never called twice, but may follow `end`. */
  close(): void;
}
