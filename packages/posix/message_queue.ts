/** A message queue. */

import { type Bytes, ClosedError, type SyncChannel, type SyncOptions, type WaitOptions } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import type { TrustOptions } from "./_object.ts";
import { Notification } from "./_notification.ts";
import {
  createQueue,
  type MessageQueueCreateOptions,
  type MessageQueueOpenOptions,
  openOrCreateQueue,
  type OpenQueue,
  openQueue,
  unlinkOpenQueue,
  unlinkQueue,
} from "./_queue_open.ts";
import { type PriorityOptions, QueueSender } from "./_queue_sender.ts";
import { type QueueMessage, QueueSource } from "./_queue_source.ts";
import {
  attributesOf,
  type MessageQueueAttributes,
  type MessageQueueStatus,
  queueStatus,
} from "./_queue_status.ts";

export type { MessageQueueCreateOptions, MessageQueueOpenOptions } from "./_queue_open.ts";
export type { PriorityOptions } from "./_queue_sender.ts";
export type { QueueMessage } from "./_queue_source.ts";
export type { MessageQueueAttributes, MessageQueueStatus } from "./_queue_status.ts";

/** How the sending half of a handle is made. */
export interface QueuedBytesOptions {
  /** The most bytes that wait in this process before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/**
 * A message queue: a name, under which any number of processes send messages and any number receive them, each
 * message once, the highest priority first and within one priority in the order of sending.
 *
 * A handle owns a descriptor until it is closed. The queue and what is in it stay until its name is unlinked and
 * nobody has it open any more, or the machine goes down; so neither side learns that the other has gone, and
 * `receive` never gives the end while the handle is open. Messages that one process sends while there is no room
 * leave in the order of the calls, whatever their priorities.
 *
 * A process that sends and receives gets its own messages back; for both directions take two queues, and `duplex`
 * of `@ipc/core`.
 *
 * System calls: `mq_timedsend`, `mq_timedreceive`, and `epoll_wait` while it waits; see mq_overview(7). Needs
 * `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { MessageQueue } from "@ipc/posix";
 * import { assertEquals } from "@std/assert";
 *
 * const name = `/example-${crypto.randomUUID()}`;
 * const size = { maxMessages: 4, maxMessageSize: 64 };
 * using jobs = MessageQueue.create(name, { ...size, unlinkOnClose: true });
 * using worker = MessageQueue.open(name); // In another process, as a rule.
 * await jobs.send(new TextEncoder().encode("sweep"));
 * await jobs.send(new TextEncoder().encode("fire!"), { priority: 9 });
 * const { priority, data } = await worker.receiveMessage() ?? {};
 * assertEquals([priority, new TextDecoder().decode(data)], [9, "fire!"]);
 * ```
 */
export class MessageQueue extends BaseReceiver<Bytes> implements SyncChannel {
  /** The name by which it was opened. */
  readonly name: string;
  readonly #queue: OpenQueue;
  readonly #source: QueueSource;
  readonly #sender: QueueSender;
  readonly #takeMessage = (): QueueMessage | undefined => this.#source.takeMessage();
  readonly #unlinkOnClose: boolean;
  #notification: Notification | undefined;

  private constructor(queue: OpenQueue, options: MessageQueueCreateOptions & QueuedBytesOptions) {
    const source = new QueueSource(queue);
    super(source);
    this.name = queue.name;
    this.#queue = queue;
    this.#source = source;
    this.#sender = new QueueSender(queue, options);
    this.#unlinkOnClose = queue.created && options.unlinkOnClose === true;
  }

  /**
   * Creates a queue.
   *
   * System calls: `mq_open`, `fstat`, `fchmod`, `mq_getattr`.
   *
   * @throws {AlreadyExistsError} if the name is taken.
   * @throws {LimitError} if it is larger than `msg_max` or `msgsize_max` permit, `queues_max` is reached, or the
   *   queues of this user would pass RLIMIT_MSGQUEUE: see `limits`, and the error's `hint`.
   * @throws {RangeError} if `maxMessages` or `maxMessageSize` is not an integer from 1, or `mode` not 0 to 0o777.
   * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 5, maxMessageSize: 100, unlinkOnClose: true });
   * assertEquals(queue.attributes(), { messages: 0, maxMessages: 5, maxMessageSize: 100 });
   * ```
   */
  static create(name: string, options: MessageQueueCreateOptions & QueuedBytesOptions = {}): MessageQueue {
    return MessageQueue.#over(createQueue(name, options), options);
  }

  /**
   * Opens a queue that exists.
   *
   * System calls: `mq_open`, `fstat`, `mq_getattr`.
   *
   * @throws {NotFoundError} if there is none of this name.
   * @throws {PermissionError} if its mode does not permit it.
   * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
   * @throws {UntrustedError} if it is somebody else's, and `allowOwner` does not name them.
   *
   * @example
   * ```ts
   * import { NotFoundError } from "@ipc/core";
   * import { MessageQueue } from "@ipc/posix";
   * import { assertThrows } from "@std/assert";
   *
   * assertThrows(() => MessageQueue.open(`/example-${crypto.randomUUID()}`), NotFoundError);
   * ```
   */
  static open(name: string, options: MessageQueueOpenOptions & QueuedBytesOptions = {}): MessageQueue {
    return MessageQueue.#over(openQueue(name, options), { maxQueuedBytes: options.maxQueuedBytes });
  }

  /**
   * Opens the queue of a name, or creates it; who else comes at the same time gets the same one.
   *
   * What is only for creating is overlooked where the queue exists: its size stays. System calls: `mq_open`,
   * `fstat`, `fchmod`, `mq_getattr`.
   *
   * @throws {LimitError} as `create` does.
   * @throws {PermissionError} if its mode does not permit it.
   * @throws {UntrustedError} if it is somebody else's, and `allowOwner` does not name them.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using first = MessageQueue.openOrCreate(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * using second = MessageQueue.openOrCreate(name, { maxMessages: 9 });
   * assertEquals(second.attributes().maxMessages, 4);
   * ```
   */
  static openOrCreate(
    name: string,
    options: MessageQueueCreateOptions & TrustOptions & QueuedBytesOptions = {},
  ): MessageQueue {
    return MessageQueue.#over(openOrCreateQueue(name, options), options);
  }

  /** A handle of what was opened, which is closed again if there can be none, and removed if it was made for that. */
  static #over(queue: OpenQueue, options: MessageQueueCreateOptions & QueuedBytesOptions): MessageQueue {
    try {
      return new MessageQueue(queue, options);
    } catch (error) {
      if (queue.created) unlinkOpenQueue(queue);
      queue.descriptor.close();
      throw error;
    }
  }

  /**
   * Removes the name of a queue; who has it open goes on with it. System call: `mq_unlink`.
   *
   * @throws {NotFoundError} if there is none of this name.
   * @throws {PermissionError} if it is another user's.
   * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64 });
   * MessageQueue.unlink(name);
   * queue.sendSync(new Uint8Array([1]));
   * assertEquals(queue.receiveSync(), new Uint8Array([1]));
   * ```
   */
  static unlink(name: string): void {
    unlinkQueue(name);
  }

  /** The descriptor's number, for passing on; it stays owned here. */
  get fd(): number {
    this.#checkOpen();
    return this.#queue.descriptor.fd;
  }

  /** The longest message in bytes (mq_msgsize), fixed when the queue was created. */
  get maxMessageSize(): number {
    return this.#queue.maxMessageSize;
  }

  /** The sending half as a stream, of messages of priority 0: a write resolves once the queue has it. */
  get writable(): WritableStream<Uint8Array> {
    return this.#sender.writable;
  }

  /**
   * Sends one message; resolves once the queue has it. Do not change the message before. System call: `mq_timedsend`.
   *
   * @throws {TimeoutError} if there was no room within `timeout`.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`.
   * @throws {RangeError} if `priority` is not an integer from 0 to 32,767.
   * @throws {PermissionError} if the queue was opened for reading only.
   * @throws {LimitError} if too many bytes wait already because nobody awaited them.
   * @throws {ClosedError} if the handle was closed, or its sending half ended.
   */
  send(message: Uint8Array, options?: WaitOptions & PriorityOptions): Promise<void> {
    return this.#sender.send(message, options);
  }

  /** Sends many messages of priority 0; an error carries `sent`, how many had left before it. */
  sendBatch(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    return this.#sender.sendBatch(messages, options);
  }

  /** Sends without waiting; false: there is no room, and nothing was sent. Throws as `send` does. */
  trySend(message: Uint8Array, options?: PriorityOptions): boolean {
    return this.#sender.trySend(message, options);
  }

  /** Sends, blocking this thread while there is no room. Throws as `send` does. */
  sendSync(message: Uint8Array, options?: SyncOptions & PriorityOptions): void {
    this.#sender.sendSync(message, options);
  }

  /** Waits until the queue has what was sent, and sends no more from here. Receivers are not told: there is no end. */
  end(): Promise<void> {
    return this.#sender.end();
  }

  /**
   * Receives one message with its priority. System call: `mq_timedreceive`.
   *
   * Those who wait here are served in the order of the calls. `undefined`: this handle was closed meanwhile.
   *
   * @throws {TimeoutError} if none came within `timeout`.
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

  /** Receives one message with its priority, without waiting; `undefined`: there is none. */
  tryReceiveMessage(): QueueMessage | undefined {
    return this.tryReceiveWith(this.#takeMessage);
  }

  /** Receives one message with its priority, blocking this thread until there is one. */
  receiveMessageSync(options?: SyncOptions): QueueMessage {
    return this.receiveSyncWith(this.#takeMessage, options)!;
  }

  /**
   * Resolves when a message comes into the empty queue, and takes nothing: what is there already does not count.
   *
   * The registration is made by the call itself, for one notification; so take what is there after the call, and then
   * await it. One call of one process can be registered with a queue. The kernel tells nobody while a blocking
   * receive, in whatever process, waits for the message. No signal is involved: the kernel writes to a socket.
   *
   * System calls: `mq_notify`, `socket`, `read`.
   *
   * @throws {IpcError} with code `EBUSY` if somebody is registered already.
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {NotSupportedError} if there are no netlink sockets here.
   * @throws {ClosedError} if the handle is closed, also while this waits.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * const notified = queue.notify();
   * queue.sendSync(new Uint8Array([1]));
   * await notified;
   * assertEquals(queue.tryReceive(), new Uint8Array([1]));
   * ```
   */
  async notify(options: WaitOptions = {}): Promise<void> {
    this.#checkOpen();
    const notification = new Notification(this.#queue);
    this.#notification = notification;
    try {
      await notification.wait(options);
    } finally {
      // Where the handle was closed, so was this.
      if (this.#notification === notification) this.#endNotification();
    }
  }

  /**
   * What the queue holds, and what it can. System call: `mq_getattr`.
   *
   * @throws {ClosedError} if the handle is closed.
   */
  attributes(): MessageQueueAttributes {
    this.#checkOpen();
    return attributesOf(this.#queue.descriptor.fd, this.name);
  }

  /**
   * All that the kernel tells about the queue. System calls: `mq_getattr`, `fstat`, `pread`.
   *
   * @throws {ClosedError} if the handle is closed.
   */
  stat(): MessageQueueStatus {
    this.#checkOpen();
    return queueStatus(this.#queue.descriptor.fd, this.name);
  }

  /**
   * Removes the queue's name; who has it open goes on with it, and the name is free. System calls: `fstat`, `mq_unlink`.
   *
   * @throws {NotFoundError} if it has none any more; another queue of the same name stays.
   * @throws {PermissionError} if it is another user's.
   * @throws {ClosedError} if the handle is closed.
   */
  unlink(): void {
    this.#checkOpen();
    unlinkOpenQueue(this.#queue);
  }

  /**
   * Closes the handle: pending receives give `undefined`, pending sends and `notify` reject with a `ClosedError`. The
   * queue stays, unless it was created with `unlinkOnClose`. System call: `close`.
   */
  override close(): void {
    if (this.closed) return;
    this.#endNotification();
    this.#sender.close();
    super.close();
    try {
      if (this.#unlinkOnClose) unlinkOpenQueue(this.#queue);
    } catch {
      // It has lost its name already.
    }
    this.#queue.descriptor.close();
  }

  /** Waits until the queue has what was sent, and closes the handle. */
  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.closed) await this.end();
    } finally {
      this.close();
    }
  }

  #endNotification(): void {
    this.#notification?.close(() => this.#closedError());
    this.#notification = undefined;
  }

  #checkOpen(): void {
    if (this.closed) throw this.#closedError();
  }

  #closedError(): ClosedError {
    return new ClosedError(`Cannot use message queue "${this.name}": the handle is closed`);
  }
}
