/** A message queue. */

import { ClosedError, type WaitOptions } from "@ipc/core";
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
import {
  attributesOf,
  type MessageQueueAttributes,
  type MessageQueueStatus,
  queueStatus,
} from "./_queue_status.ts";
import { QueueChannel, type QueuedBytesOptions } from "./queue_channel.ts";

export type { MessageQueueCreateOptions, MessageQueueOpenOptions } from "./_queue_open.ts";
export type { MessageQueueAttributes, MessageQueueStatus } from "./_queue_status.ts";

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
export class MessageQueue extends QueueChannel {
  /** The name by which it was opened. */
  readonly name: string;
  readonly #queue: OpenQueue;
  readonly #unlinkOnClose: boolean;
  #notification: Notification | undefined;

  private constructor(queue: OpenQueue, options: MessageQueueCreateOptions & QueuedBytesOptions) {
    super(queue, options);
    this.name = queue.name;
    this.#queue = queue;
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

  /**
   * The descriptor's number, for passing on; it stays owned here.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * assertEquals(Number.isInteger(queue.fd), true);
   * ```
   */
  get fd(): number {
    this.#checkOpen();
    return this.#queue.descriptor.fd;
  }

  /**
   * Resolves when a message comes into the empty queue, and takes nothing: what is there already does not count.
   *
   * The registration is made by the call itself, for one notification; so take what is there after the call, and then
   * await it. One call of one process can be registered with a queue. The kernel tells nobody while a blocking
   * receive, in whatever process, waits for the message. No signal is involved: the kernel writes to a socket.
   *
   * Closing another handle of the queue in this process ends the registration; it is made again a turn of the event
   * loop later. One case is missed: where messages were in the queue, and in that turn all of them were taken and as
   * many or more came. With one handle for each queue it cannot happen.
   *
   * System calls: `mq_notify`, `socket`, `read`.
   *
   * @throws {IpcError} with code `EBUSY` if somebody is registered already.
   * @throws {TimeoutError} if none came within `timeout` milliseconds.
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
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * queue.sendSync(new Uint8Array([1]));
   * assertEquals(queue.attributes(), { messages: 1, maxMessages: 4, maxMessageSize: 64 });
   * ```
   */
  attributes(): MessageQueueAttributes {
    this.#checkOpen();
    return attributesOf(this.#queue.descriptor.fd, this.name);
  }

  /**
   * All that the kernel tells about the queue. System calls: `mq_getattr`, `fstat`, `pread`.
   *
   * @throws {ClosedError} if the handle is closed.
   *
   * @example
   * ```ts
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * queue.sendSync(new Uint8Array(10));
   * const { messages, bytes, mode, uid } = queue.stat();
   * assertEquals([messages, bytes, mode, uid], [1, 10, 0o600, Deno.uid()]);
   * ```
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
   *
   * @example
   * ```ts
   * import { NotFoundError } from "@ipc/core";
   * import { MessageQueue } from "@ipc/posix";
   * import { assertThrows } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64 });
   * queue.unlink();
   * assertThrows(() => MessageQueue.open(name), NotFoundError);
   * queue.sendSync(new Uint8Array([1])); // It goes on.
   * ```
   */
  unlink(): void {
    this.#checkOpen();
    unlinkOpenQueue(this.#queue);
  }

  /**
   * Closes the handle: pending receives give `undefined`, pending sends and `notify` reject with a `ClosedError`. The
   * queue stays, unless it was created with `unlinkOnClose`. System call: `close`.
   *
   * @example
   * ```ts
   * import { ClosedError } from "@ipc/core";
   * import { MessageQueue } from "@ipc/posix";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * const queue = MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true });
   * const pending = queue.receive();
   * queue.close();
   * assertEquals(await pending, undefined);
   * assertThrows(() => queue.attributes(), ClosedError);
   * ```
   */
  override close(): void {
    if (this.closed) return;
    this.#endNotification();
    super.close();
    try {
      if (this.#unlinkOnClose) unlinkOpenQueue(this.#queue);
    } catch {
      // It has lost its name already.
    }
    this.#queue.descriptor.close();
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
