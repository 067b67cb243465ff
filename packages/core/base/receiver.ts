/**
 * The receiving half of the contract, made from a {@linkcode Source}.
 *
 * @module
 */

import type { Bytes, ReceiveBatchOptions, SyncOptions, SyncReceiver, WaitOptions } from "../channel.ts";
import { ClosedError, IpcError } from "../errors.ts";
import type { Source } from "./mechanism.ts";
import { READY } from "./ready.ts";
import { Waits } from "./waits.ts";

/** The most messages of one batch where the mechanism sets no bound of its own. */
const MOST_IN_BATCH = 1024;

/** Lines in which nobody stands are thrown away when there are more than this. */
const MOST_LINES = 64;

/**
 * A receiver over a mechanism's non-blocking primitives.
 *
 * It owns the source from its construction until {@linkcode BaseReceiver.close}.
 *
 * @example
 * ```ts
 * import { BaseReceiver } from "@ipc/core/base";
 * import { assertEquals } from "@std/assert";
 *
 * const letters = ["a", "b"];
 * using receiver = new BaseReceiver<string>({
 *   take: () => letters.shift(),
 *   get ended() {
 *     return letters.length === 0;
 *   },
 *   park: () => () => {},
 *   close: () => {},
 * });
 * assertEquals(await receiver.receive(), "a");
 * assertEquals(await receiver.receive(), "b");
 * assertEquals(await receiver.receive(), undefined);
 * ```
 */
export class BaseReceiver<In = Bytes> implements SyncReceiver<In> {
  readonly #source: Source<In>;
  /** Those who want the next message, whatever it is. */
  readonly #front: Waits;
  /** Those who want a message of some kind, by the kind. */
  readonly #lines = new Map<unknown, Waits>();
  readonly #takeOne = (): In | undefined => this.#take();
  #closed = false;
  #readable: ReadableStream<In> | undefined;
  /** A message that was taken to learn that there is one; it is the next. */
  #kept: In | undefined;
  /** An error that came behind messages of a batch; it is the next. */
  #keptError: { error: unknown } | undefined;

  /** Makes a receiver that owns `source`. */
  constructor(source: Source<In>) {
    this.#source = source;
    this.#front = this.#newLine(undefined);
  }

  /** Whether the end was reached, or this end closed: nothing will follow. */
  get ended(): boolean {
    return this.#closed ||
      (this.#kept === undefined && this.#keptError === undefined && this.#source.ended);
  }

  /** Whether this end was closed by {@linkcode BaseReceiver.close}. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Receives one message; `undefined` is the end.
   *
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {ClosedError} if this end is closed already.
   * @throws {TruncatedError} if the sender went away inside a message.
   */
  receive(options?: WaitOptions): Promise<In | undefined> {
    return this.receiveWith(this.#takeOne, options);
  }

  /**
   * Receives at least one message and all that are there now; an empty array is the end.
   *
   * Messages may share an `ArrayBuffer` with others that were received: copy one before you transfer it.
   */
  async receiveBatch(options: ReceiveBatchOptions = {}): Promise<In[]> {
    const { max } = options;
    if (max !== undefined && !(max >= 1)) {
      throw new RangeError(`Cannot receive a batch of at most ${max} messages: it is 1 or more`);
    }
    return await this.receiveWith(() => this.#takeMany(max), options) ?? [];
  }

  /** Receives without waiting; `undefined`: nothing now, or the end (see {@linkcode BaseReceiver.ended}). */
  tryReceive(): In | undefined {
    this.#checkFree();
    return this.#take();
  }

  /** Receives, blocking this thread until a message is there; `undefined` is the end. */
  receiveSync(options?: SyncOptions): In | undefined {
    this.#checkFree();
    const source = this.#source;
    const timeout = options?.timeout;
    if (
      timeout === undefined && source.takeSync !== undefined &&
      this.#kept === undefined && this.#keptError === undefined
    ) {
      return source.takeSync();
    }
    return this.receiveSyncWith(this.#takeOne, options);
  }

  /** Iterates over the messages until the end; leaving early ends the iterator, not the channel. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In> {
    if (this.#closed) throw this.#closedError();
    let finished = false;
    const pending = new Set<{ giveUp: () => boolean }>();
    const iterator: AsyncIterableIterator<In> = {
      next: async () => {
        if (finished || this.#closed) return { done: true, value: undefined };
        let { value, ended } = this.#front.takeNow(this.#takeOne, true);
        if (value === undefined && !ended) {
          const waiter = this.#front.wait(this.#takeOne);
          pending.add(waiter);
          try {
            value = await waiter.promise;
          } finally {
            pending.delete(waiter);
          }
        }
        if (value === undefined) finished = true;
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: () => {
        finished = true;
        for (const waiter of pending) waiter.giveUp();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /**
   * The messages as a stream: one is taken when one is asked for; cancelling closes this end.
   *
   * An error ends the stream, not the channel: read on from a new one, got from here again.
   */
  get readable(): ReadableStream<In> {
    return this.#readable ??= new ReadableStream<In>({
      pull: async (controller) => {
        try {
          const message = await this.receive();
          if (message === undefined) controller.close();
          else controller.enqueue(message);
        } catch (error) {
          // What comes behind the error is read from a new stream.
          this.#readable = undefined;
          throw error;
        }
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  /** Closes at once: pending receives give `undefined`, later ones throw. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kept = this.#keptError = undefined;
    this.#front.close();
    for (const line of this.#lines.values()) line.close();
    this.#source.close();
  }

  /** Closes this end. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes this end. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** Resolves once a receive would not wait; takes nothing away. */
  async [READY](options: WaitOptions = {}): Promise<void> {
    if (this.#closed) throw this.#closedError();
    const source = this.#source;
    const look = (): true | undefined => {
      if (this.#kept !== undefined || this.#keptError !== undefined) return true;
      try {
        if (source.ready !== undefined) return source.ready() || undefined;
      } catch (error) {
        this.#keptError = { error };
        return true;
      }
      return this.#keepNext() || undefined;
    };
    await this.#front.take(look, { ...options, watching: true });
  }

  /**
   * Receives what `take` finds: for mechanisms whose messages have more than bytes.
   *
   * `line` tells apart those who want different messages: each line waits for itself, with a `line` of
   * {@linkcode Source.park} of its own, and within one nobody overtakes another.
   */
  protected receiveWith<T>(
    take: () => T | undefined,
    options?: WaitOptions,
    line?: unknown,
  ): Promise<T | undefined> {
    if (this.#closed) return Promise.reject(this.#closedError());
    return this.#line(line).take(take, options);
  }

  /** Receives what `take` finds, blocking this thread. */
  protected receiveSyncWith<T>(
    take: () => T | undefined,
    options?: SyncOptions,
    line?: unknown,
  ): T | undefined {
    this.#checkFree();
    return this.#line(line).takeSync(take, options);
  }

  /** Looks at the message that is next, and leaves it so; `undefined`: there is none now, or an error comes first. */
  protected peekNext(): In | undefined {
    this.#checkFree();
    if (this.#kept === undefined && this.#keptError === undefined) this.#keepNext();
    return this.#kept;
  }

  /** Throws where a message was taken to learn that there is one: its bytes are not to be had as they came. */
  protected checkNoneKept(): void {
    if (this.#kept === undefined) return;
    throw new IpcError("Cannot read bytes: a message that was looked at is to be received first", {
      code: "EBUSY",
    });
  }

  /** Takes what `take` finds, without waiting. */
  protected tryReceiveWith<T>(take: () => T | undefined): T | undefined {
    this.#checkFree();
    return take();
  }

  #take(): In | undefined {
    if (this.#kept !== undefined) {
      const message = this.#kept;
      this.#kept = undefined;
      return message;
    }
    this.#throwKept();
    return this.#source.take();
  }

  /** Whether there is a message, or an error, that is the next from now on. */
  #keepNext(): boolean {
    try {
      this.#kept = this.#source.take();
    } catch (error) {
      this.#keptError = { error };
    }
    return this.#kept !== undefined || this.#keptError !== undefined;
  }

  #takeMany(max: number | undefined): In[] | undefined {
    this.#throwKept();
    if (this.#source.takeMany !== undefined) {
      // What is taken behind another may say of that one that it is done with.
      return this.#kept === undefined ? this.#source.takeMany(max) : [this.#take()!];
    }
    const batch: In[] = [];
    try {
      for (let left = max ?? MOST_IN_BATCH; left > 0; left--) {
        const message = this.#take();
        if (message === undefined) break;
        batch.push(message);
      }
    } catch (error) {
      if (batch.length === 0) throw error;
      this.#keptError = { error };
    }
    return batch.length > 0 ? batch : undefined;
  }

  #throwKept(): void {
    if (this.#keptError === undefined || this.#kept !== undefined) return;
    const { error } = this.#keptError;
    this.#keptError = undefined;
    throw error;
  }

  #line(line: unknown): Waits {
    if (line === undefined) return this.#front;
    let waits = this.#lines.get(line);
    if (waits === undefined) {
      if (this.#lines.size >= MOST_LINES) {
        for (const [key, { length }] of this.#lines) if (length === 0) this.#lines.delete(key);
      }
      this.#lines.set(line, waits = this.#newLine(line));
    }
    return waits;
  }

  #newLine(line: unknown): Waits {
    const source = this.#source;
    return new Waits({
      action: "receive",
      park: (wake) => source.park(wake, line),
      block: source.block && ((timeout) => source.block!(timeout, line)),
      ended: () => this.ended,
    });
  }

  /** Whether a receive pends; who only watches stands in nobody's way. */
  #receives(): boolean {
    if (this.#front.taking) return true;
    // On the path of every receive that blocks: no iterator for nothing.
    if (this.#lines.size === 0) return false;
    for (const line of this.#lines.values()) if (line.taking) return true;
    return false;
  }

  #checkFree(): void {
    if (this.#closed) throw this.#closedError();
    if (this.#receives()) {
      throw new IpcError("Cannot receive without waiting: an asynchronous receive is pending", {
        code: "EBUSY",
      });
    }
  }

  #closedError(): ClosedError {
    return new ClosedError("Cannot receive: the channel is closed");
  }
}
