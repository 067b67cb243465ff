/**
 * The sending half of the contract, made from a {@linkcode Sink}.
 *
 * @module
 */

import type { SyncOptions, SyncSender, WaitOptions } from "../channel.ts";
import { ClosedError, LimitError, MessageTooLongError } from "../errors.ts";
import { Ladder, nextTurn, turnIsDue } from "./_ladder.ts";
import { annotate, Outgoing } from "./_outgoing.ts";
import { cannotBlock, checkTimeout, timedOut } from "./_wait.ts";
import type { Sink } from "./mechanism.ts";

/** Queued bytes that are worth a system call of their own, even before the turn is over. */
const FLUSH_BYTES = 64 * 1024;
/** Milliseconds until a wait for which the kernel had no room is tried again. */
const RETRY = 10;
/** How many messages are offered to the mechanism at once. */
const MOST_AT_ONCE = 1024;

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
  readonly #maxQueuedBytes: number;
  readonly #queue: Outgoing[] = [];
  #queuedBytes = 0;
  #unflushedBytes = 0;
  #scheduled = false;
  #flushing = false;
  /** Whether the message that the sink has begun is the first of the queue; otherwise its caller has gone. */
  #headBegun = false;
  #closed = false;
  #ended = false;
  #ending: { promise: Promise<void>; resolve: () => void; reject: (reason: unknown) => void } | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /** Makes a sender that owns `sink`. */
  constructor(sink: Sink, options: BaseSenderOptions = {}) {
    this.#sink = sink;
    this.#ladder = new Ladder(
      (wake) => sink.park(wake),
      () => this.#flush(),
      (error) => this.#cannotWait(error),
    );
    this.#maxQueuedBytes = options.maxQueuedBytes ?? 16 * 1024 * 1024;
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
      if (this.#queue.length > 0 && this.#queuedBytes + message.byteLength > this.#maxQueuedBytes) {
        throw new LimitError(
          `Cannot send: ${this.#queuedBytes} bytes wait already, the limit is ${this.#maxQueuedBytes}`,
          { code: "ENOBUFS", hint: "await each send, or every so many, so that the receiver sets the pace" },
        );
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const outgoing = new Outgoing(message, options, undefined, meta);
    this.#queuedBytes += message.byteLength;
    this.#unflushedBytes += message.byteLength;
    return this.#enqueue(outgoing);
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
      return this.#enqueue(new Outgoing(undefined, options, messages, undefined));
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
  sendSync(message: Uint8Array, options: SyncOptions = {}): void {
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
      write: (message) => this.send(message),
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
    this.#closed = true;
    this.#ladder.stop();
    const error = () => new ClosedError("Cannot send: the channel was closed before there was room");
    for (const outgoing of this.#queue.splice(0)) {
      const partial = this.#headBegun;
      this.#headBegun = false;
      outgoing.reject(annotate(error(), outgoing, partial));
    }
    this.#queuedBytes = 0;
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
  protected sendSyncWith(message: Uint8Array, options: SyncOptions, meta: unknown): void {
    this.#check(message);
    const { timeout } = options;
    const sink = this.#sink;
    if (timeout === undefined && sink.putSync !== undefined && this.#queue.length === 0 && !sink.begun) {
      return sink.putSync(message, meta);
    }
    checkTimeout(timeout);
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

  #check(message: Uint8Array): void {
    this.#checkOpen();
    this.#checkMessage(message);
  }

  #checkMessage(message: Uint8Array): void {
    if (!(message instanceof Uint8Array)) throw new TypeError("Cannot send: a message is a Uint8Array");
    if (message.byteLength <= this.#sink.maxMessageSize) return;
    throw new MessageTooLongError(
      `Cannot send: the message has ${message.byteLength} bytes, the limit is ${this.#sink.maxMessageSize}`,
      { code: "EMSGSIZE" },
    );
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError("Cannot send: the channel is closed");
    if (this.#ending !== undefined) throw new ClosedError("Cannot send: this direction was ended");
  }

  #enqueue(outgoing: Outgoing): Promise<void> {
    this.#queue.push(outgoing);
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
    if (this.#unflushedBytes >= FLUSH_BYTES && !this.#ladder.waiting) this.#flushOrWait();
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
    if (!this.#flush()) this.#ladder.climb();
  }

  /** Tells the first in the queue that it cannot be waited for; the others try for themselves. */
  #cannotWait(error: unknown): void {
    const head = this.#queue[0];
    if (head !== undefined) return this.#withdraw(head, () => error);
    // The rest of a message whose caller has gone, or an end: nobody is left to be told.
    setTimeout(() => this.#schedule(), RETRY);
  }

  /** Gives the mechanism what it takes; true when nothing is left to send. */
  #flush(): boolean {
    if (this.#closed) return true;
    // The iterator of a batch may call us while we draw from it.
    if (this.#flushing) return false;
    this.#flushing = true;
    this.#unflushedBytes = 0;
    const done = this.#offerAll();
    this.#flushing = false;
    if (done) this.#settleEnd(undefined);
    return done;
  }

  #offerAll(): boolean {
    while (true) {
      if (this.#sink.begun && !this.#finish()) return false;
      const head = this.#queue[0];
      if (head === undefined) return true;
      try {
        if (head.batch !== undefined ? this.#offerBatch(head) : this.#offer(head)) continue;
        this.#headBegun = this.#sink.begun;
        return false;
      } catch (error) {
        this.#remove(0);
        head.reject(annotate(error, head, false));
      }
    }
  }

  /** Goes on with the message that was begun. */
  #finish(): boolean {
    const head = this.#headBegun ? this.#queue[0]! : undefined;
    try {
      if (!this.#sink.finish()) return false;
    } catch (error) {
      this.#headBegun = false;
      if (head === undefined) return true;
      this.#remove(0);
      head.reject(annotate(error, head, true));
      return true;
    }
    this.#headBegun = false;
    if (head !== undefined) this.#advance(head, 1);
    return true;
  }

  /** Offers the first single messages of the queue; true when the mechanism took as many as were offered. */
  #offer(head: Outgoing): boolean {
    const queue = this.#queue;
    if (queue.length === 1 || this.#sink.putMany === undefined || head.meta !== undefined) {
      if (!this.#sink.put(head.message!, head.meta)) return false;
      this.#advance(head, 1);
      return true;
    }
    const messages: Uint8Array[] = [];
    for (const outgoing of queue) {
      if (outgoing.message === undefined || outgoing.meta !== undefined || messages.length === MOST_AT_ONCE) {
        break;
      }
      messages.push(outgoing.message);
    }
    const taken = this.#sink.putMany(messages, 0);
    for (const outgoing of queue.splice(0, taken)) this.#complete(outgoing);
    return taken === messages.length;
  }

  /** Offers what is drawn of a batch, or draws; true when there may be more to do at once. */
  #offerBatch(batch: Outgoing): boolean {
    if (
      batch.next === batch.drawn.length &&
      !batch.draw(MOST_AT_ONCE, FLUSH_BYTES, (message) => this.#checkMessage(message))
    ) {
      this.#remove(0);
      this.#complete(batch);
      return true;
    }
    const { drawn, next } = batch;
    if (this.#sink.putMany !== undefined) {
      const reached = this.#sink.putMany(drawn, next);
      this.#advance(batch, reached - next);
      return reached === drawn.length;
    }
    if (!this.#sink.put(drawn[next]!)) return false;
    this.#advance(batch, 1);
    return true;
  }

  /** Counts messages of the first in the queue as sent. */
  #advance(head: Outgoing, count: number): void {
    head.sent += count;
    if (head.batch !== undefined) head.next += count;
    else if (count > 0) {
      this.#queue.shift();
      this.#complete(head);
    }
  }

  #complete(outgoing: Outgoing): void {
    if (outgoing.message !== undefined) this.#queuedBytes -= outgoing.message.byteLength;
    if (turnIsDue()) nextTurn(() => outgoing.resolve());
    else outgoing.resolve();
  }

  #remove(index: number): void {
    const [outgoing] = this.#queue.splice(index, 1);
    if (outgoing?.message !== undefined) this.#queuedBytes -= outgoing.message.byteLength;
  }

  /** Takes a pending send out of the line: unsent where it can be, otherwise its rest still follows. */
  #withdraw(outgoing: Outgoing, reason: () => unknown): void {
    const index = this.#queue.indexOf(outgoing);
    if (index < 0) return;
    const partial = index === 0 && this.#headBegun;
    if (partial) {
      this.#sink.detach();
      this.#headBegun = false;
    }
    this.#remove(index);
    outgoing.reject(annotate(reason(), outgoing, partial));
    if (this.#queue.length === 0 && !this.#sink.begun) {
      this.#ladder.stop();
      this.#settleEnd(undefined);
    } else this.#schedule();
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
    try {
      Promise.resolve(this.#sink.end()).then(ending.resolve, ending.reject);
    } catch (failure) {
      ending.reject(failure);
    }
  }
}

function checkWait(options: WaitOptions): void {
  checkTimeout(options.timeout);
  options.signal?.throwIfAborted();
}
