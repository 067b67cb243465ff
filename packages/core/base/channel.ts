/**
 * Both halves of the contract as one object.
 *
 * @module
 */

import type { Bytes, Channel, WaitOptions } from "../channel.ts";
import type { Source } from "./mechanism.ts";
import { BaseReceiver } from "./receiver.ts";
import type { BaseSender } from "./sender.ts";

/**
 * A channel over a mechanism's non-blocking primitives: a {@linkcode BaseReceiver} that sends as well.
 *
 * It owns the source and the sender from its construction until {@linkcode BaseChannel.close}, which closes the
 * sender first: so the source may own what both need.
 *
 * @example
 * ```ts
 * import { BaseChannel, BaseSender } from "@ipc/core/base";
 * import type { Bytes } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const letters: Bytes[] = [];
 * const sender = new BaseSender({
 *   maxMessageSize: 1024,
 *   put: (message) => letters.push(message.slice()) > 0,
 *   begun: false,
 *   finish: () => true,
 *   detach: () => {},
 *   park: () => () => {},
 *   end: () => {},
 *   close: () => {},
 * });
 * const source = { take: () => letters.shift(), ended: false, park: () => () => {}, close: () => {} };
 * using channel = new BaseChannel(source, sender);
 * await channel.send(new Uint8Array([1, 2, 3]));
 * assertEquals(await channel.receive(), new Uint8Array([1, 2, 3]));
 * ```
 */
export class BaseChannel<In = Bytes> extends BaseReceiver<In> implements Channel<Uint8Array, In> {
  readonly #sender: BaseSender;

  /** Makes a channel that owns `source` and `sender`. */
  constructor(source: Source<In>, sender: BaseSender) {
    super(source);
    this.#sender = sender;
  }

  /** The longest message in bytes that can be sent. */
  get maxMessageSize(): number {
    return this.#sender.maxMessageSize;
  }

  /** The sending half as a stream: a write resolves once the mechanism has it; closing it ends that direction. */
  get writable(): WritableStream<Uint8Array> {
    return this.#sender.writable;
  }

  /**
   * Sends one message; resolves once the mechanism has it. Do not change the message before.
   *
   * @throws {TimeoutError} if there was no room within `timeout`; with `partial: true` the rest still follows.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`; nothing is sent.
   * @throws {LimitError} if too many bytes wait already because nobody awaited them.
   * @throws {BrokenPipeError} if nobody can receive it any more.
   * @throws {ClosedError} if the channel was closed, or its sending half ended.
   */
  send(message: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#sender.send(message, options);
  }

  /** Sends many messages at the price of one; an error carries `sent`, how many had left before it. */
  sendBatch(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    return this.#sender.sendBatch(messages, options);
  }

  /** Flushes what was sent, then ends this direction; what the peer sends can still be received. */
  end(): Promise<void> {
    return this.#sender.end();
  }

  /** Closes at once: pending receives give `undefined`, pending sends reject. Calling it again does nothing. */
  override close(): void {
    if (this.closed) return;
    try {
      this.#sender.close();
    } finally {
      super.close();
    }
  }

  /** Ends this direction, which flushes what was sent, and closes. */
  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#sender[Symbol.asyncDispose]();
    } finally {
      this.close();
    }
  }
}
