import { checkTimeout, timedOut, Waiter } from "./base/_wait.ts";
import { hasReadiness, type Readiness, READY } from "./base/ready.ts";
import type {
  Bytes,
  ReceiveBatchOptions,
  Receiver,
  SyncOptions,
  SyncReceiver,
  WaitOptions,
} from "./channel.ts";
import type { Codec } from "./codec.ts";
import { DecodeError, IpcError } from "./errors.ts";

/** A call that came while a batch was under way, and goes on when its turn comes. */
interface Turn {
  start(): void;
  close(): void;
}

/**
 * The receiving half of `typed`.
 *
 * A batch may have a message that cannot be decoded in its middle. What lies behind is held back and comes
 * first in later calls; so calls that come while a batch is under way wait for it, in their order, before they
 * ask the channel. Without a batch, every call goes straight through.
 */
export class TypedReceiver<T> implements Receiver<T> {
  readonly #receiver: Receiver;
  readonly #codec: Codec<T>;
  /** What a batch had behind a message that could not be decoded. */
  #held: Bytes[] = [];
  /** Why the message before the held ones could not be decoded, until somebody is told. */
  #failure: { error: unknown } | undefined;
  #batching = false;
  #closed = false;
  readonly #turns: Turn[] = [];
  /** Those who are to be told that something is held. */
  readonly #watchers = new Set<() => void>();
  #readable: ReadableStream<T> | undefined;
  /** What `select` asks, where the channel can answer. */
  declare [READY]?: (options?: WaitOptions) => Promise<void>;

  constructor(receiver: Receiver, codec: Codec<T>) {
    this.#receiver = receiver;
    this.#codec = codec;
    if (hasReadiness(receiver)) {
      this[READY] = (options) => this.holding ? Promise.resolve() : this.#readyOf(receiver, options);
    }
  }

  get ended(): boolean {
    return !this.holding && this.#receiver.ended;
  }

  get readable(): ReadableStream<T> {
    return this.#readable ??= new ReadableStream<T>({
      pull: async (controller) => {
        try {
          const value = await this.receive();
          if (value === undefined) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          // A stream that has failed gives nothing more; the next one goes on behind the error.
          this.#readable = undefined;
          throw error;
        }
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  receive(options: WaitOptions = {}): Promise<T | undefined> {
    if (this.#batching) return this.#inTurn(options, (now) => this.receive(now), undefined);
    if (!this.holding) return this.#receiver.receive(options).then(this.#decodeOrEnd);
    return this.#now(options, () => this.takeHeld());
  }

  receiveBatch(options: ReceiveBatchOptions = {}): Promise<T[]> {
    if (this.#batching) return this.#inTurn(options, (now) => this.receiveBatch(now), []);
    if (!this.holding) return this.#receiveBatch(options);
    return this.#now(options, () => {
      this.#throwFailure();
      return this.#decodeMany(this.#held.splice(0, options.max ?? this.#held.length));
    });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    let finished = false;
    let source: AsyncIterator<Bytes> | undefined;
    const returned = new AbortController();
    const done = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<T> = {
      next: async () => {
        if (finished || this.#closed) return done;
        try {
          let value: T | undefined;
          if (this.#batching || this.holding) {
            value = await this.receive({ signal: returned.signal });
          } else {
            source ??= this.#receiver[Symbol.asyncIterator]();
            const result = await source.next();
            value = result.done ? undefined : this.#decode(result.value);
          }
          if (value !== undefined) return { done: false, value };
          finished = true;
          return done;
        } catch (error) {
          source = undefined;
          if (finished && error === returned.signal.reason) return done;
          throw error;
        }
      },
      return: async () => {
        finished = true;
        returned.abort();
        await source?.return?.();
        return done;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  close(): void {
    this.#forget();
    this.#receiver.close();
  }

  [Symbol.dispose](): void {
    this.#forget();
    this.#receiver[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    await this.#receiver[Symbol.asyncDispose]();
  }

  /** The next of the held messages, of which there is one; throws the error of one that cannot be decoded. */
  protected takeHeld(): T {
    this.#throwFailure();
    return this.#decode(this.#held.shift()!);
  }

  /** The batch may have its messages already while its caller does not: a message taken now would overtake. */
  protected checkFree(): void {
    if (!this.#batching) return;
    throw new IpcError("Cannot receive without waiting: an asynchronous receive is pending", {
      code: "EBUSY",
    });
  }

  protected decodeOrEnd(message: Bytes | undefined): T | undefined {
    return message === undefined ? undefined : this.#decode(message);
  }

  readonly #decodeOrEnd = (message: Bytes | undefined): T | undefined => this.decodeOrEnd(message);

  /** Whether the next message is here already. */
  protected get holding(): boolean {
    return this.#failure !== undefined || this.#held.length > 0;
  }

  #decode(message: Bytes): T {
    try {
      return this.#codec.decode(message);
    } catch (cause) {
      if (cause instanceof DecodeError) throw cause;
      throw new DecodeError(`Cannot decode the message as ${this.#codec.name}`, message, { cause });
    }
  }

  /** Decodes up to the first message that cannot be, and holds what lies behind. */
  #decodeMany(messages: Bytes[]): T[] {
    const values: T[] = [];
    for (const [index, message] of messages.entries()) {
      try {
        values.push(this.#decode(message));
      } catch (error) {
        this.#held = [...messages.slice(index + 1), ...this.#held];
        if (index === 0) throw error;
        this.#failure = { error };
        break;
      }
    }
    return values;
  }

  async #receiveBatch(options: ReceiveBatchOptions): Promise<T[]> {
    this.#batching = true;
    try {
      const messages = await this.#receiver.receiveBatch(options);
      return this.#closed ? [] : this.#decodeMany(messages);
    } finally {
      this.#batching = false;
      if (this.holding) { for (const tell of [...this.#watchers]) tell(); }
      while (!this.#batching && this.#turns.length > 0) this.#turns.shift()!.start();
    }
  }

  /** Waits for the channel, or for a batch that leaves something behind. */
  async #readyOf(receiver: Readiness, options: WaitOptions = {}): Promise<void> {
    const stop = new AbortController();
    const { promise: held, resolve } = Promise.withResolvers<void>();
    this.#watchers.add(resolve);
    try {
      const signal = options.signal === undefined
        ? stop.signal
        : AbortSignal.any([options.signal, stop.signal]);
      await Promise.race([receiver[READY]({ ...options, signal }), held]);
    } finally {
      this.#watchers.delete(resolve);
      stop.abort();
    }
  }

  /** What can be had at once. */
  #now<R>({ timeout, signal, max }: ReceiveBatchOptions, take: () => R): Promise<R> {
    try {
      checkTimeout(timeout);
      if (max !== undefined && !(max >= 1)) {
        throw new RangeError(`Cannot receive a batch of at most ${max} messages: it is 1 or more`);
      }
      signal?.throwIfAborted();
      return Promise.resolve(take());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Waits for the batch under way, then calls `run` with the time that is left. */
  async #inTurn<R, O extends WaitOptions>(options: O, run: (options: O) => Promise<R>, atEnd: R): Promise<R> {
    const { timeout, signal } = options;
    checkTimeout(timeout);
    signal?.throwIfAborted();
    const deadline = timeout === undefined ? undefined : performance.now() + timeout;
    const waiter = new Waiter<{ result: R | Promise<R> }>();
    const turn: Turn = {
      start: () => {
        const left = deadline === undefined ? undefined : Math.max(0, deadline - performance.now());
        waiter.resolve({ result: run({ ...options, timeout: left }) });
      },
      close: () => waiter.resolve({ result: atEnd }),
    };
    const giveUp = (reason: unknown) => {
      this.#turns.splice(this.#turns.indexOf(turn), 1);
      waiter.reject(reason);
    };
    waiter.arm(options, () => giveUp(timedOut("receive", timeout!)), () => giveUp(signal!.reason));
    this.#turns.push(turn);
    return (await waiter.promise).result;
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    this.#failure = undefined;
    throw error;
  }

  #forget(): void {
    this.#closed = true;
    this.#failure = undefined;
    this.#held = [];
    for (const turn of this.#turns.splice(0)) turn.close();
  }
}

/** The same with the calls that block the thread. */
export class TypedSyncReceiver<T> extends TypedReceiver<T> implements SyncReceiver<T> {
  readonly #receiver: SyncReceiver;

  constructor(receiver: SyncReceiver, codec: Codec<T>) {
    super(receiver, codec);
    this.#receiver = receiver;
  }

  tryReceive(): T | undefined {
    this.checkFree();
    return this.holding ? this.takeHeld() : this.decodeOrEnd(this.#receiver.tryReceive());
  }

  receiveSync(options?: SyncOptions): T | undefined {
    this.checkFree();
    return this.holding ? this.takeHeld() : this.decodeOrEnd(this.#receiver.receiveSync(options));
  }
}
