import type { Sender, SyncOptions, SyncSender, WaitOptions } from "./channel.ts";
import type { Codec } from "./codec.ts";

/** The sending half of `typed`. */
export class TypedSender<T> implements Sender<T> {
  readonly #sender: Sender;
  readonly #codec: Codec<T>;
  #writable: WritableStream<T> | undefined;

  constructor(sender: Sender, codec: Codec<T>) {
    this.#sender = sender;
    this.#codec = codec;
  }

  get maxMessageSize(): number {
    return this.#sender.maxMessageSize;
  }

  get writable(): WritableStream<T> {
    return this.#writable ??= new WritableStream<T>({
      write: (value, controller) => this.send(value, { signal: controller.signal }),
      close: () => this.end(),
      abort: () => this.close(),
    });
  }

  send(value: T, options?: WaitOptions): Promise<void> {
    let message: Uint8Array;
    try {
      message = this.#codec.encode(value);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#sender.send(message, options);
  }

  sendBatch(values: Iterable<T>, options?: WaitOptions): Promise<void> {
    const messages: Uint8Array[] = [];
    try {
      for (const value of values) messages.push(this.#codec.encode(value));
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#sender.sendBatch(messages, options);
  }

  end(): Promise<void> {
    return this.#sender.end();
  }

  close(): void {
    this.#sender.close();
  }

  [Symbol.dispose](): void {
    this.#sender[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sender[Symbol.asyncDispose]();
  }
}

/** The same with the calls that block the thread. */
export class TypedSyncSender<T> extends TypedSender<T> implements SyncSender<T> {
  readonly #sender: SyncSender;
  readonly #codec: Codec<T>;

  constructor(sender: SyncSender, codec: Codec<T>) {
    super(sender, codec);
    this.#sender = sender;
    this.#codec = codec;
  }

  trySend(value: T): boolean {
    return this.#sender.trySend(this.#codec.encode(value));
  }

  sendSync(value: T, options?: SyncOptions): void {
    this.#sender.sendSync(this.#codec.encode(value), options);
  }
}
