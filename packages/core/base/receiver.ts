/**
 * The receiving half of the contract, made from a {@linkcode Source}.
 *
 * @module
 */

import type { Bytes, ReceiveBatchOptions, SyncOptions, SyncReceiver, WaitOptions } from "../channel.ts";
import { ClosedError, IpcError } from "../errors.ts";
import { Ladder, turnIsDue } from "./_ladder.ts";
import { cannotBlock, checkTimeout, timedOut, Waiter } from "./_wait.ts";
import type { Source } from "./mechanism.ts";
import { READY } from "./ready.ts";

/** The most messages of one batch where the mechanism sets no bound of its own. */
const MOST_IN_BATCH = 1024;

/** A pending receive: what it wants, and whom to tell. */
class Pending<T> extends Waiter<T | undefined> {
  constructor(
    readonly take: () => T | undefined,
    /** Who stands in one line is served in the order of the calls. */
    readonly line: unknown,
  ) {
    super();
  }
}

/** The line of those who want the next message, whatever it is. */
const FRONT = Symbol("the next message");
/** The line of those who only want to know of it. */
const WATCH = Symbol("word of the next message");

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
  readonly #ladder: Ladder;
  // deno-lint-ignore no-explicit-any
  readonly #pending: Pending<any>[] = [];
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
    this.#ladder = new Ladder((wake) => source.park(wake), () => this.#serve(), (error) => {
      for (const waiter of this.#pending.splice(0)) waiter.reject(error);
    });
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
    const pending = new Set<Pending<In>>();
    const iterator: AsyncIterableIterator<In> = {
      next: async () => {
        if (finished || this.#closed) return { done: true, value: undefined };
        const ready = this.#takeNow(this.#takeOne, true);
        let value = ready.message;
        if (value === undefined && !ready.ended) {
          const waiter = this.#wait(this.#takeOne, {}, FRONT);
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
        for (const waiter of pending) if (this.#withdraw(waiter)) waiter.resolve(undefined);
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
    this.#ladder.stop();
    this.#kept = this.#keptError = undefined;
    for (const waiter of this.#pending.splice(0)) waiter.resolve(undefined);
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
    const look = (): true | undefined => {
      if (this.#kept !== undefined || this.#keptError !== undefined) return true;
      try {
        this.#kept = this.#source.take();
      } catch (error) {
        this.#keptError = { error };
        return true;
      }
      return this.#kept === undefined ? undefined : true;
    };
    await this.receiveWith(look, options, WATCH);
  }

  /**
   * Receives what `take` finds: for mechanisms whose messages have more than bytes.
   *
   * `line` tells apart those who want different messages: of one line, nobody overtakes another.
   */
  protected receiveWith<T>(
    take: () => T | undefined,
    options: WaitOptions = {},
    line: unknown = FRONT,
  ): Promise<T | undefined> {
    try {
      if (this.#closed) throw this.#closedError();
      checkTimeout(options.timeout);
      options.signal?.throwIfAborted();
      const { message, ended } = this.#takeNow(take, options.timeout !== 0);
      if (message !== undefined || ended) return Promise.resolve(message);
      if (options.timeout === 0) throw timedOut("receive", 0);
      return this.#wait(take, options, line).promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Receives what `take` finds, blocking this thread. */
  protected receiveSyncWith<T>(take: () => T | undefined, options: SyncOptions = {}): T | undefined {
    this.#checkFree();
    const { timeout } = options;
    checkTimeout(timeout);
    const deadline = timeout === undefined ? Infinity : performance.now() + timeout;
    while (true) {
      const message = take();
      if (message !== undefined || this.ended) return message;
      const left = deadline - performance.now();
      if (left <= 0) throw timedOut("receive", timeout!);
      if (this.#source.block === undefined) throw cannotBlock("receive");
      this.#source.block(left === Infinity ? undefined : left);
    }
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

  #takeMany(max: number | undefined): In[] | undefined {
    this.#throwKept();
    if (this.#kept === undefined && this.#source.takeMany !== undefined) return this.#source.takeMany(max);
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

  /** What can be had without waiting, unless somebody waits before us or a turn of the event loop is due. */
  #takeNow<T>(take: () => T | undefined, mayWait: boolean): { message: T | undefined; ended: boolean } {
    if (this.#receives()) return WAIT;
    if (mayWait && turnIsDue() && !this.ended) {
      this.#ladder.climb(true);
      return WAIT;
    }
    const message = take();
    return { message, ended: message === undefined && this.ended };
  }

  #wait<T>(take: () => T | undefined, options: WaitOptions, line: unknown): Pending<T> {
    const waiter = new Pending<T>(take, line);
    this.#pending.push(waiter);
    if (options.timeout !== undefined || options.signal !== undefined) {
      waiter.arm(options, () => {
        this.#serve();
        if (this.#withdraw(waiter)) waiter.reject(timedOut("receive", options.timeout!));
      }, () => {
        if (this.#withdraw(waiter)) waiter.reject(options.signal!.reason);
      });
    }
    this.#ladder.climb();
    return waiter;
  }

  /** Takes a pending receive out of the line; false: it has its answer already. */
  #withdraw<T>(waiter: Pending<T>): boolean {
    const index = (this.#pending as unknown[]).indexOf(waiter);
    if (index < 0) return false;
    this.#pending.splice(index, 1);
    if (this.#pending.length === 0) this.#ladder.stop();
    return true;
  }

  /** Gives pending receives what is there, in the order of the calls; true when none is left. */
  #serve(): boolean {
    const pending = this.#pending;
    const nothingFor = new Set<unknown>();
    for (let index = 0; index < pending.length;) {
      const waiter = pending[index]!;
      if (nothingFor.has(waiter.line)) {
        index++;
        continue;
      }
      let message: unknown;
      try {
        message = waiter.take();
      } catch (error) {
        pending.splice(index, 1);
        waiter.reject(error);
        continue;
      }
      if (message !== undefined) {
        pending.splice(index, 1);
        waiter.resolve(message);
      } else if (this.ended) {
        for (const each of pending.splice(0)) each.resolve(undefined);
      } else {
        nothingFor.add(waiter.line);
        index++;
      }
    }
    return pending.length === 0;
  }

  /** Whether a receive pends; who only watches stands in nobody's way. */
  #receives(): boolean {
    return this.#pending.length > 0 && this.#pending.some((waiter) => waiter.line !== WATCH);
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

const WAIT = { message: undefined, ended: false } as const;
