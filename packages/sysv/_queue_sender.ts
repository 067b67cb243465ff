/** The sending half of a queue. */

import type { SyncOptions, WaitOptions } from "@ipc/core";
import { BaseSender, type BaseSenderOptions } from "@ipc/core/base";
import type { Found } from "./_object.ts";
import type { MessageTypeOptions } from "./_queue_options.ts";
import { checkType } from "./_queue_selector.ts";
import { QueueSink } from "./_queue_sink.ts";

/** A sender whose messages have types. */
export class QueueSender extends BaseSender {
  readonly #sink: QueueSink;

  constructor(queue: Found, type: number, options: BaseSenderOptions) {
    const sink = new QueueSink(queue, type);
    super(sink, options);
    this.#sink = sink;
  }

  override get maxMessageSize(): number {
    return this.#sink.lookAgain();
  }

  override send(message: Uint8Array, options?: WaitOptions & MessageTypeOptions): Promise<void> {
    try {
      this.#prepare(message, options?.type);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.sendWith(message, options, options?.type);
  }

  override trySend(message: Uint8Array, options?: MessageTypeOptions): boolean {
    this.#prepare(message, options?.type);
    return this.trySendWith(message, options?.type);
  }

  override sendSync(message: Uint8Array, options: SyncOptions & MessageTypeOptions = {}): void {
    this.#prepare(message, options.type);
    this.sendSyncWith(message, options, options.type);
  }

  #prepare(message: Uint8Array, type: number | undefined): void {
    if (type !== undefined) checkType(type, "send");
    if (message.byteLength > this.#sink.maxMessageSize) this.#sink.lookAgain();
  }
}
