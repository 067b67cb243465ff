/**
 * The sending half of the contract, made from a {@linkcode Sink}.
 *
 * @module
 */

import type { SyncOptions, SyncSender, WaitOptions } from "../channel.ts";
import { ClosedError, IpcError } from "../errors.ts";
import { Ladder } from "./_ladder.ts";
import { annotate, Batch, checkMessage, Outgoing } from "./_outgoing.ts";
import { OutgoingQueue } from "./_outgoing_queue.ts";
import { cannotBlock, checkTimeout, timedOut } from "./_wait.ts";
import type { Sink } from "./mechanism.ts";

/** Milliseconds until a wait for which the kernel had no room is tried again. */
const RETRY = 10;

/** How a sender is made. */
export interface BaseSenderOptions {
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. One message always may. */
  maxQueuedBytes?: number | undefined;
}

/**
 * A sender over a mechanism's non-blocking primitives.
 *
 * It owns the sink from its construction until {@linkcode BaseSender.close}. What is sent within one turn of
 * the event loop leaves together.
 *
 * @example
 * ```ts
 * import { BaseSender } from "@ipc/core/base";
 * import { assertEquals } from "@std/assert";
 *
 * const taken: Uint8Array[] = [];
 * using sender = new BaseSender({
 *   maxMessageSize: 1024,
 *   put: (message) => taken.push(message) > 0,
 *   begun: false,
 *   finish: () => true,
 *   detach: () => {},
 *   park: () => () => {},
 *   end: () => {},
 *   close: () => {},
 * });
 * await sender.send(new Uint8Array([1, 2, 3]));
 * assertEquals(taken.length, 1);
 * ```
 */
export class BaseSender implements SyncSender {
  readonly #sink: Sink;
  readonly #ladder: Ladder;
  readonly #queue: OutgoingQueue;
  #scheduled = false;
  #closed = false;
  #ended = false;
  #ending: { promise: Promise<void>; resolve: () => void; reject: (reason: unknown) => void } | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /**
   * Makes a sender that owns `sink`, and closes it if that fails.
   *
   * @throws {RangeError} if `maxQueuedBytes` is not a number from 0.
   */
  constructor(sink: Sink, { maxQueuedBytes = 16 * 1024 * 1024 }: BaseSenderOptions = {}) {
    if (!(typeof maxQueuedBytes === "number" && maxQueuedBytes >= 0)) {
      sink.close();
      throw new RangeError(`Cannot queue up to ${maxQueuedBytes} bytes: maxQueuedBytes is a number from 0`);
    }
    this.#sink = sink;
    this.#queue = new OutgoingQueue(sink, maxQueuedBytes);
    this.#ladder = new Ladder(
      (wake) => sink.park(wake),
      () => this.#flush(),
      (error) => this.#cannotWait(error),
    );
  }

  /** The longest message in bytes. */
  get maxMessageSize(): number {
    return this.#sink.maxMessageSize;
  }

  /** Whether this end was closed by {@linkcode BaseSender.close}. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends one message; resolves once the mechanism has it.
   *
   * Messages sent in one turn leave together. Do not change the message before the promise settles.
   *
   * @throws {TimeoutError} if there was no room within `timeout`; with `partial: true` the rest still follows.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`; nothing is sent.
   * @throws {LimitError} if too many bytes wait already because nobody awaited them.
   * @throws {BrokenPipeError} if nobody can receive it.
   * @throws {ClosedError} if this end was closed or ended.
   */
  send(message: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.sendWith(message, options, undefined);
  }

  /** {@linkcode BaseSender.send} for mechanisms whose messages have more than bytes: `meta` reaches the sink. */
  protected sendWith(message: Uint8Array, options: WaitOptions | undefined, meta: unknown): Promise<void> {
    try {
      this.#check(message);
      if (options !== undefined) checkWait(options);
      this.#queue.checkRoom(message.byteLength);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#enqueue(new Outgoing(message, options, undefined, meta));
  }

  /**
   * Sends many messages at the price of one; resolves once the mechanism has them all.
   *
   * The iterable is drawn from as room comes. An error carries `sent`, how many had left before it.
   */
  sendBatch(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    try {
      this.#checkOpen();
      if (options !== undefined) checkWait(options);
      return this.#enqueue(new Outgoing(undefined, options, new Batch(messages), undefined));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Sends without waiting; false: there is no room, and nothing was sent. */
  trySend(message: Uint8Array): boolean {
    return this.trySendWith(message, undefined);
  }

  /** {@linkcode BaseSender.trySend} for mechanisms whose messages have more than bytes. */
  protected trySendWith(message: Uint8Array, meta: unknown): boolean {
    this.#check(message);
    if (!this.#flush()) return false;
    if (this.#sink.put(message, meta)) return true;
    if (!this.#sink.begun) return false;
    this.#sink.detach();
    this.#ladder.climb();
    return true;
  }

  /** Sends, blocking this thread while there is no room. What was sent before and still waits leaves first. */
  sendSync(message: Uint8Array, options?: SyncOptions): void {
    this.sendSyncWith(message, options, undefined);
  }

  /** Flushes what was sent, then ends this direction: the peer's `receive` gives `undefined`. */
  end(): Promise<void> {
    if (this.#ending !== undefined) return this.#ending.promise;
    try {
      this.#checkOpen();
    } catch (error) {
      return Promise.reject(error);
    }
    this.#ending = Promise.withResolvers<void>();
    this.#schedule();
    return this.#ending.promise;
  }

  /** This end as a stream: a write resolves once the mechanism has it; closing it ends this direction. */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: (message, { signal }) => this.send(message, { signal }),
      close: () => this.end(),
      abort: () => this.close(),
    });
  }

  /**
   * Closes at once. The mechanism is first given what it takes without waiting; sends that still wait then
   * reject with `ClosedError`. Calling it again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    // By the iterator of a batch.
    if (this.#closed) return;
    this.#closed = true;
    this.#ladder.stop();
    const error = () => new ClosedError("Cannot send: the channel was closed before there was room");
    this.#queue.rejectAll(error);
    this.#settleEnd(error());
    this.#sink.close();
  }

  /** Closes this end, giving the mechanism first what it takes without waiting. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Ends this direction, which flushes what was sent, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.#closed) await this.end();
    } finally {
      this.close();
    }
  }

  /** {@linkcode BaseSender.sendSync} for mechanisms whose messages have more than bytes. */
  protected sendSyncWith(message: Uint8Array, options: SyncOptions | undefined, meta: unknown): void {
    this.#check(message);
    const timeout = options?.timeout;
    const sink = this.#sink;
    if (timeout === undefined && sink.putSync !== undefined && this.#queue.empty && !sink.begun) {
      return sink.putSync(message, meta);
    }
    checkTimeout(timeout);
    if (this.#queue.offering) {
      throw new IpcError("Cannot send: the batch that is being sent is drawn from at this moment", {
        code: "EBUSY",
      });
    }
    const deadline = timeout === undefined ? Infinity : performance.now() + timeout;
    let mine = false;
    while (true) {
      if (mine ? sink.finish() : this.#flush()) {
        if (mine || sink.put(message, meta)) return;
        mine = sink.begun;
      }
      const left = deadline - performance.now();
      if (left <= 0 || sink.block === undefined) {
        // What was begun goes on by itself.
        if (mine) {
          sink.detach();
          this.#ladder.climb();
        }
        throw annotate(left <= 0 ? timedOut("send", timeout!) : cannotBlock("send"), undefined, mine);
      }
      sink.block(left === Infinity ? undefined : left);
    }
  }

  /** Bytes of single messages that wait for room; `undefined`: nothing waits. */
  protected get waiting(): number | undefined {
    return this.#queue.empty && !this.#sink.begun ? undefined : this.#queue.bytes;
  }

  #check(message: Uint8Array): void {
    this.#checkOpen();
    checkMessage(message, this.#sink.maxMessageSize);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError("Cannot send: the channel is closed");
    if (this.#ending !== undefined) throw new ClosedError("Cannot send: this direction was ended");
  }

  #enqueue(outgoing: Outgoing): Promise<void> {
    this.#queue.add(outgoing);
    const { options } = outgoing;
    if (options !== undefined && (options.timeout !== undefined || options.signal !== undefined)) {
      outgoing.arm(
        options,
        () => {
          this.#flush();
          this.#withdraw(outgoing, () => timedOut("send", options.timeout!));
        },
        () => this.#withdraw(outgoing, () => options.signal!.reason),
      );
      if (options.timeout === 0) {
        this.#flush();
        this.#withdraw(outgoing, () => timedOut("send", 0));
      }
    }
    if (this.#queue.offerIsDue && !this.#ladder.waiting) this.#flushOrWait();
    else this.#schedule();
    return outgoing.promise;
  }

  #schedule(): void {
    if (this.#scheduled || this.#ladder.waiting) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#closed && !this.#ladder.waiting) this.#flushOrWait();
    });
  }

  #flushOrWait(): void {
    // At least a turn, for a batch may have let others go on.
    if (!this.#flush()) this.#ladder.climb(true);
  }

  /** Tells the first in the queue that it cannot be waited for; the others try for themselves. */
  #cannotWait(error: unknown): void {
    const head = this.#queue.first;
    if (head !== undefined) return this.#withdraw(head, () => error);
    // The rest of a message whose caller has gone, or an end: nobody is left to be told.
    setTimeout(() => this.#schedule(), RETRY);
  }

  /** Gives the mechanism what it takes; true when nothing is left to send. */
  #flush(): boolean {
    if (this.#closed) return true;
    const done = this.#queue.offer();
    if (done) {
      this.#ladder.stop();
      this.#settleEnd(undefined);
    }
    return done;
  }

  /** Takes a pending send out of the line: unsent where it can be, otherwise its rest still follows. */
  #withdraw(outgoing: Outgoing, reason: () => unknown): void {
    if (!this.#queue.withdraw(outgoing, reason)) return;
    // What is first now may need less room than what was.
    this.#ladder.stop();
    if (this.#queue.empty && !this.#sink.begun) this.#settleEnd(undefined);
    else this.#schedule();
  }

  /** Ends the direction if that was asked for and nothing is left, or tells why it cannot be. */
  #settleEnd(error: ClosedError | undefined): void {
    const ending = this.#ending;
    if (ending === undefined || this.#ended) return;
    this.#ended = true;
    if (error !== undefined) {
      ending.promise.catch(() => {});
      return ending.reject(error);
    }
    // The rest of a message whose caller had gone: nobody else is left to be told.
    const { failure: lost } = this.#queue;
    const settle = lost === undefined ? ending.resolve : () => ending.reject(lost.error);
    try {
      Promise.resolve(this.#sink.end()).then(settle, ending.reject);
    } catch (failure) {
      ending.reject(failure);
    }
  }
}

function checkWait(options: WaitOptions): void {
  checkTimeout(options.timeout);
  options.signal?.throwIfAborted();
}
