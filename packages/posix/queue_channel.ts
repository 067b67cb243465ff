/** The channel of a message queue. */

import type { SyncOptions, WaitOptions } from "@ipc/core";
import { BaseSyncChannel } from "@ipc/core/base";
import type { OpenQueue } from "./_queue_open.ts";
import { type PriorityOptions, QueueSender } from "./_queue_sender.ts";
import { type QueueMessage, QueueSource } from "./_queue_source.ts";

export type { PriorityOptions } from "./_queue_sender.ts";
export type { QueueMessage } from "./_queue_source.ts";

/** How the sending half of a handle is made. */
export interface QueuedBytesOptions {
  /** The most bytes that wait in this process before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/**
 * What a {@linkcode MessageQueue} sends and receives: whole messages, with priorities where they are asked for.
 *
 * It is made by opening a queue, and ends with that handle. What goes out by `sendBatch` and `writable` has priority 0.
 * `end` waits until the queue has what was sent, and receivers are not told: they may have other senders.
 * `maxMessageSize` (mq_msgsize) was fixed when the queue was created. System calls: `mq_timedsend`, `mq_timedreceive`,
 * and `epoll_wait` while it waits.
 *
 * @example
 * ```ts
 * import { MessageQueue, type QueueChannel } from "@ipc/posix";
 * import { assertEquals } from "@std/assert";
 *
 * const name = `/example-${crypto.randomUUID()}`;
 * using queue: QueueChannel = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
 * queue.sendSync(new Uint8Array([1]));
 * queue.sendSync(new Uint8Array([2]), { priority: 1 });
 * await queue.sendBatch([new Uint8Array([3]), new Uint8Array([4])]);
 * assertEquals((await queue.receiveBatch()).map(([first]) => first), [2, 1, 3, 4]);
 * ```
 */
export abstract class QueueChannel extends BaseSyncChannel {
  readonly #source: QueueSource;
  readonly #sender: QueueSender;
  readonly #takeMessage = (): QueueMessage | undefined => this.#source.takeMessage();

  /** @ignore Only by {@linkcode MessageQueue}. */
  protected constructor(queue: OpenQueue, options: QueuedBytesOptions) {
    const source = new QueueSource(queue);
    const sender = new QueueSender(queue, options);
    super(source, sender);
    this.#source = source;
    this.#sender = sender;
  }

  /**
   * Sends one message; resolves once the queue has it. Do not change the message before. System call: `mq_timedsend`.
   *
   * @throws {TimeoutError} if there was no room within `timeout` milliseconds.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`.
   * @throws {RangeError} if `priority` is not an integer from 0 to 32,767.
   * @throws {PermissionError} if the queue was opened for reading only.
   * @throws {LimitError} if too many bytes wait already because nobody awaited them.
   * @throws {ClosedError} if the handle was closed, or its sending half ended.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@ipc/core";
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 2, maxMessageSize: 64, unlinkOnClose: true });
   * await queue.send(new Uint8Array([1]));
   * await queue.send(new Uint8Array([2]), { priority: 5 });
   * await assertRejects(() => queue.send(new Uint8Array([3]), { timeout: 10 }), TimeoutError);
   * assertEquals(await queue.receive(), new Uint8Array([2]));
   * ```
   */
  override send(message: Uint8Array, options?: WaitOptions & PriorityOptions): Promise<void> {
    return this.#sender.send(message, options);
  }

  /**
   * Sends without waiting; false: there is no room, and nothing was sent. System call: `mq_timedsend`.
   *
   * Throws as `send` does.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 1, maxMessageSize: 64, unlinkOnClose: true });
   * assertEquals(queue.trySend(new Uint8Array([1]), { priority: 9 }), true);
   * assertEquals(queue.trySend(new Uint8Array([2])), false);
   * ```
   */
  override trySend(message: Uint8Array, options?: PriorityOptions): boolean {
    return this.#sender.trySend(message, options);
  }

  /**
   * Sends, blocking this thread while there is no room, for at most `timeout` milliseconds. System calls:
   * `mq_timedsend`, and with `timeout` `poll`.
   *
   * Throws as `send` does.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@ipc/core";
   * import { MessageQueue } from "@ipc/posix";
   * import { assertThrows } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 1, maxMessageSize: 64, unlinkOnClose: true });
   * queue.sendSync(new Uint8Array([1]), { priority: 1 });
   * assertThrows(() => queue.sendSync(new Uint8Array([2]), { timeout: 10 }), TimeoutError);
   * ```
   */
  override sendSync(message: Uint8Array, options?: SyncOptions & PriorityOptions): void {
    this.#sender.sendSync(message, options);
  }

  /**
   * Receives one message with its priority. System call: `mq_timedreceive`.
   *
   * Those who wait here are served in the order of the calls. `undefined`: this handle was closed meanwhile.
   *
   * @throws {TimeoutError} if none came within `timeout` milliseconds.
   * @throws {PermissionError} if the queue was opened for writing only.
   * @throws {ClosedError} if the handle is closed already.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * for (const priority of [1, 3, 2]) await queue.send(new Uint8Array([priority]), { priority });
   * assertEquals(await queue.receiveMessage(), { priority: 3, data: new Uint8Array([3]) });
   * assertEquals((await queue.receiveMessage())?.priority, 2);
   * assertEquals((await queue.receiveMessage())?.priority, 1);
   * ```
   */
  receiveMessage(options?: WaitOptions): Promise<QueueMessage | undefined> {
    return this.receiveWith(this.#takeMessage, options);
  }

  /**
   * Receives one message with its priority, without waiting; `undefined`: there is none. System call:
   * `mq_timedreceive`.
   *
   * Throws as `receiveMessage` does, and an `IpcError` with code `EBUSY` while an asynchronous receive is pending.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * assertEquals(queue.tryReceiveMessage(), undefined);
   * queue.sendSync(new Uint8Array([1]), { priority: 7 });
   * assertEquals(queue.tryReceiveMessage(), { priority: 7, data: new Uint8Array([1]) });
   * ```
   */
  tryReceiveMessage(): QueueMessage | undefined {
    return this.tryReceiveWith(this.#takeMessage);
  }

  /**
   * Receives one message with its priority, blocking this thread until there is one. System calls:
   * `mq_timedreceive`, `poll`.
   *
   * Throws as `tryReceiveMessage` does.
   *
   * @throws {TimeoutError} if none came within `timeout` milliseconds.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * queue.sendSync(new Uint8Array([1]), { priority: 7 });
   * assertEquals(queue.receiveMessageSync({ timeout: 1000 }).priority, 7);
   * ```
   */
  receiveMessageSync(options?: SyncOptions): QueueMessage {
    return this.receiveSyncWith(this.#takeMessage, options)!;
  }
}
