/**
 * Two one-way ends as one channel.
 *
 * @module
 */

import { hasReadiness, READY } from "./base/ready.ts";
import type {
  Channel,
  ReceiveBatchOptions,
  Receiver,
  Sender,
  SyncChannel,
  SyncOptions,
  SyncReceiver,
  SyncSender,
  WaitOptions,
} from "./channel.ts";

class Duplex<Out, In> implements Channel<Out, In> {
  /** What `select` asks, where the receiving half can answer. */
  declare [READY]?: (options?: WaitOptions) => Promise<void>;

  constructor(protected readonly receiver: Receiver<In>, protected readonly sender: Sender<Out>) {
    if (hasReadiness(receiver)) this[READY] = (options) => receiver[READY](options);
  }

  get maxMessageSize(): number {
    return this.sender.maxMessageSize;
  }

  get ended(): boolean {
    return this.receiver.ended;
  }

  get readable(): ReadableStream<In> {
    return this.receiver.readable;
  }

  get writable(): WritableStream<Out> {
    return this.sender.writable;
  }

  send(message: Out, options?: WaitOptions): Promise<void> {
    return this.sender.send(message, options);
  }

  sendBatch(messages: Iterable<Out>, options?: WaitOptions): Promise<void> {
    return this.sender.sendBatch(messages, options);
  }

  end(): Promise<void> {
    return this.sender.end();
  }

  receive(options?: WaitOptions): Promise<In | undefined> {
    return this.receiver.receive(options);
  }

  receiveBatch(options?: ReceiveBatchOptions): Promise<In[]> {
    return this.receiver.receiveBatch(options);
  }

  [Symbol.asyncIterator](): AsyncIterator<In> {
    return this.receiver[Symbol.asyncIterator]();
  }

  close(): void {
    try {
      this.sender.close();
    } finally {
      this.receiver.close();
    }
  }

  [Symbol.dispose](): void {
    try {
      this.sender[Symbol.dispose]();
    } finally {
      this.receiver[Symbol.dispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.sender[Symbol.asyncDispose]();
    } finally {
      await this.receiver[Symbol.asyncDispose]();
    }
  }
}

class SyncDuplex<Out, In> extends Duplex<Out, In> implements SyncChannel<Out, In> {
  constructor(
    protected override readonly receiver: SyncReceiver<In>,
    protected override readonly sender: SyncSender<Out>,
  ) {
    super(receiver, sender);
  }

  trySend(message: Out): boolean {
    return this.sender.trySend(message);
  }

  sendSync(message: Out, options?: SyncOptions): void {
    this.sender.sendSync(message, options);
  }

  tryReceive(): In | undefined {
    return this.receiver.tryReceive();
  }

  receiveSync(options?: SyncOptions): In | undefined {
    return this.receiver.receiveSync(options);
  }
}

/**
 * Joins two one-way ends into a channel: two pipes, two FIFOs, two queues.
 *
 * The channel owns both from now on. `close` and disposal close both; `end` ends the sending one, and what
 * the peer still sends can be received. Cancelling `readable` closes the receiving one, aborting `writable`
 * the sending one, so that the other direction goes on. Where both ends have the calls that block the thread,
 * so has the channel.
 *
 * @example
 * ```ts
 * import { duplex } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * const there = createPipe();
 * const back = createPipe();
 * await using here = duplex(back.reader, there.writer);
 * await using peer = duplex(there.reader, back.writer);
 * await here.send(new Uint8Array([1]));
 * await peer.send((await peer.receive())!);
 * assertEquals(await here.receive(), new Uint8Array([1]));
 * ```
 */
export function duplex<Out, In>(receiver: SyncReceiver<In>, sender: SyncSender<Out>): SyncChannel<Out, In>;
/** Joins two one-way ends, of which not both can block the thread. */
export function duplex<Out, In>(receiver: Receiver<In>, sender: Sender<Out>): Channel<Out, In>;
/** Joins two one-way ends into a channel. */
export function duplex<Out, In>(receiver: Receiver<In>, sender: Sender<Out>): Channel<Out, In> {
  if ("tryReceive" in receiver && "trySend" in sender) {
    return new SyncDuplex(receiver as SyncReceiver<In>, sender as SyncSender<Out>);
  }
  return new Duplex(receiver, sender);
}
