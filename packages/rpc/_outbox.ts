import { DisconnectedError } from "./disconnected_error.ts";
import { Encoder } from "./_encoder.ts";
import type { RpcChannel } from "./channel.ts";

/** What waits to be sent: everything of one turn leaves together, and while it leaves the next gathers. */
export class Outbox {
  readonly #channel: RpcChannel;
  readonly #failed: (error: unknown) => void;
  readonly #encoder: Encoder;
  /** Bytes that were ever added. */
  added = 0;
  #waiting: (Uint8Array | string)[] = [];
  #waitingBytes = 0;
  #waitingReplies = 0;
  #sendingBytes = 0;
  #sendingReplies = 0;
  #sending: Promise<void> | undefined;
  #scheduled = false;
  /** What was not taken when it was closed; `undefined`: it is open. */
  #dropped: number | undefined;
  #roomWaiters: (() => void)[] = [];
  readonly #run = () => {
    this.#scheduled = false;
    this.flush();
  };

  /** `failed` hears of the one error that ends it. */
  constructor(
    channel: RpcChannel,
    private readonly maxQueuedBytes: number,
    failed: (error: unknown) => void,
  ) {
    this.#channel = channel;
    this.#failed = failed;
    this.#encoder = new Encoder(channel.sendBatch !== undefined);
  }

  /** The message of a text; one that is added as text is encoded together with others, as it leaves. */
  encode(text: string): Uint8Array {
    return this.#encoder.encode(text);
  }

  /** Bytes that were added and that the channel has not taken. */
  get bytes(): number {
    return this.#waitingBytes + this.#sendingBytes;
  }

  /** How many of those that were added the channel has taken. */
  get taken(): number {
    return this.added - (this.#dropped ?? this.bytes);
  }

  get #closed(): boolean {
    return this.#dropped !== undefined;
  }

  /** Whether more waits than is allowed. */
  get full(): boolean {
    return this.bytes > this.maxQueuedBytes;
  }

  /** Those bytes of which the other side is the cause: answers, and what this side says in return. */
  get replies(): number {
    return this.#waitingReplies + this.#sendingReplies;
  }

  /** Whether the other side does not take what it causes. */
  get blocked(): boolean {
    return this.replies > this.maxQueuedBytes;
  }

  /** Adds a message of which the other side is the cause. */
  reply(message: Uint8Array | string): void {
    if (!this.#closed) this.#waitingReplies += message.length;
    this.add(message);
  }

  /** Adds a message of this side's own. */
  add(message: Uint8Array | string): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    this.added += message.length;
    if (this.#scheduled || this.#sending !== undefined) return;
    this.#scheduled = true;
    queueMicrotask(this.#run);
  }

  /** Hands all that waits to the channel, unless it is still busy with what it has. */
  flush(): void {
    if (this.#sending !== undefined || this.#closed || this.#waiting.length === 0) return;
    const messages = this.#waiting;
    if (messages.length === 1 && this.#sendNow(messages)) return;
    this.#sendingBytes = this.#waitingBytes;
    this.#sendingReplies = this.#waitingReplies;
    this.#waiting = [];
    this.#waitingBytes = this.#waitingReplies = 0;
    this.#sending = this.#send(messages).then(() => this.#sent(), (error) => {
      this.close();
      this.#failed(error);
    });
  }

  /** Resolves when less than half of what is allowed waits; `undefined`: it does. */
  room(): Promise<void> | undefined {
    if (this.bytes * 2 <= this.maxQueuedBytes || this.#closed) return undefined;
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Resolves when everything was sent or dropped. */
  async flushed(): Promise<void> {
    for (;;) {
      this.flush();
      if (this.#sending === undefined) return;
      await this.#sending;
    }
  }

  /** Drops what waits. */
  close(): void {
    if (this.#closed) return;
    this.#dropped = this.bytes;
    this.#waiting = [];
    this.#waitingBytes =
      this.#sendingBytes =
      this.#waitingReplies =
      this.#sendingReplies =
        0;
    this.#sending = undefined;
    this.#wake();
  }

  /** Sends the only message at once, which spares a promise and a turn; false: it has to wait for room. */
  #sendNow(messages: (Uint8Array | string)[]): boolean {
    const channel = this.#channel;
    if (channel.trySend === undefined || channel.sendText !== undefined) return false;
    try {
      this.#encoder.encodeAll(messages);
      if (!channel.trySend(messages[0]!)) return false;
    } catch (error) {
      this.close();
      this.#failed(error);
      return true;
    }
    messages.length = this.#waitingBytes = this.#waitingReplies = 0;
    if (this.#roomWaiters.length > 0) this.#wake();
    return true;
  }

  #send(messages: (Uint8Array | string)[]): Promise<void> {
    const { sendText } = this.#channel;
    try {
      if (sendText !== undefined) return this.#eachOf(messages);
      this.#encoder.encodeAll(messages);
      if (messages.length === 1) return this.#channel.send(messages[0]!);
      return this.#channel.sendBatch?.(messages) ?? this.#eachOf(messages);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #eachOf(messages: (Uint8Array | string)[]): Promise<void> {
    for (const message of messages) {
      if (this.#closed) throw new DisconnectedError("Cannot send: the peer is gone");
      if (typeof message === "string") await this.#channel.sendText!(message);
      else await this.#channel.send(message);
    }
  }

  #sent(): void {
    if (this.#closed) return;
    this.#sending = undefined;
    this.#sendingBytes = this.#sendingReplies = 0;
    this.flush();
    if (this.#roomWaiters.length > 0 && this.bytes * 2 <= this.maxQueuedBytes) this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }
}
