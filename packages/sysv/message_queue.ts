import {
  ClosedError,
  duplex,
  type Key,
  type SyncChannel,
  type SyncOptions,
  type WaitOptions,
} from "@ipc/core";
import { BaseReceiver, BaseSyncChannel } from "@ipc/core/base";
import { constants, msqidDs } from "./_abi.ts";
import { queueKind } from "./_kinds.ts";
import {
  type ById,
  change,
  create,
  type CreateOptions,
  type Found,
  open,
  openOrCreate,
  remove,
  status,
} from "./_object.ts";
import {
  checkMaxBytes,
  type MessageQueueChange,
  type MessageQueueCreateOptions,
  type MessageQueueOpenOptions,
  type MessageTypeOptions,
  type QueuedBytesOptions,
  type QueueMessage,
  type ReceiveMessageOptions,
  wantedWith,
} from "./_queue_options.ts";
import { checkType, wantedBy } from "./_queue_selector.ts";
import { QueueSender } from "./_queue_sender.ts";
import { QueueSource } from "./_queue_source.ts";
import type { MessageQueueStatus } from "./status.ts";

const { IPC_NOWAIT, IPC_RMID } = constants;

/**
 * A message queue: messages with types, any number of senders and of receivers, each message for one of them.
 *
 * A handle owns nothing in the kernel. The queue and what is in it stay until somebody removes it, or the machine
 * goes down, so that neither side learns that the other has gone: `receive` never gives the end while the handle is
 * open. Messages of one type keep their order; receives of different types do not stand in each other's way.
 *
 * As a channel it sends messages of type 1 and receives any. Its `maxMessageSize` is MSGMAX, which the kernel is asked
 * for each time; a queue whose `maxBytes` are fewer takes none that is longer than those. `end` waits until the queue
 * has what was sent, and receivers are not told. Whoever needs both directions of one queue takes
 * {@linkcode MessageQueue.duplex}; for its own messages are what a process that sends and receives gets back.
 * For processes that have nothing to do with System V, a FIFO or a POSIX queue is the better choice: those can be
 * seen in a folder, and waiting for them costs less.
 *
 * System calls: `msgsnd`, `msgrcv`, `msgctl`; see `man 7 sysvipc`. Needs `--allow-ffi`.
 *
 * @example A queue by its key
 * ```ts
 * import { MessageQueue, stableKey } from "@ipc/sysv";
 * import { assertEquals } from "@std/assert";
 *
 * const key = stableKey(`example ${crypto.randomUUID()}`);
 * using jobs = MessageQueue.create(key, { removeOnClose: true });
 * using worker = MessageQueue.open(key); // In another process, as a rule.
 * await jobs.send(new TextEncoder().encode("sweep"), { type: 2 });
 * await jobs.send(new TextEncoder().encode("fire!"), { type: 1 });
 * const { type, data } = await worker.receiveMessage({ atMost: 5 }) ?? {};
 * assertEquals([type, new TextDecoder().decode(data)], [1, "fire!"]);
 * ```
 */
export class MessageQueue extends BaseSyncChannel {
  /** The number by which `ipcs` and other processes know it. */
  readonly id: number;
  /** The key under which it was found; `IPC_PRIVATE` for one without. */
  readonly key: Key;
  readonly #found: Found;
  readonly #source: QueueSource;
  readonly #sender: QueueSender;
  readonly #views = new Set<SyncChannel>();
  readonly #options: QueuedBytesOptions;
  readonly #removeOnClose: boolean;

  private constructor(found: Found, key: Key, options: QueuedBytesOptions & CreateOptions) {
    const sender = new QueueSender(found, 1, options);
    const source = new QueueSource(found);
    super(source, sender);
    this.id = found.id;
    this.key = key;
    this.#found = found;
    this.#source = source;
    this.#sender = sender;
    this.#options = options;
    this.#removeOnClose = found.created && options.removeOnClose === true;
  }

  /**
   * Creates a queue; `IPC_PRIVATE` makes one without a key.
   *
   * System calls: `msgget`, and `msgctl` for `maxBytes`.
   *
   * @throws {AlreadyExistsError} if the key is taken.
   * @throws {LimitError} if there are MSGMNI queues already, or no memory.
   * @throws {PermissionError} if `maxBytes` is more than this user may ask for.
   * @throws {RangeError} if `mode` is not 0 to 0o777, or `maxBytes` not an integer from 0.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, MessageQueue } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using queue = MessageQueue.create(IPC_PRIVATE, { maxBytes: 4096, removeOnClose: true });
   * assertEquals(queue.stat().maxBytes, 4096);
   * ```
   */
  static create(key: Key, options: MessageQueueCreateOptions = {}): MessageQueue {
    checkMaxBytes(options.maxBytes);
    return MessageQueue.#make(create(queueKind, key, 0, options), key, options);
  }

  /**
   * Opens a queue that exists, by its key or its id.
   *
   * System calls: `msgget` for a key, `msgctl`.
   *
   * @throws {NotFoundError} if there is none of this key.
   * @throws {PermissionError} if its mode does not permit it.
   * @throws {RemovedError} if there is none of this id any more.
   * @throws {UntrustedError} if it is or was somebody else's, and `allowOwner` does not name them.
   */
  static open(target: Key | ById, options: MessageQueueOpenOptions = {}): MessageQueue {
    const found = open(queueKind, target, options);
    const key = typeof target === "object" ? status(queueKind, found).key : target;
    return MessageQueue.#make(found, key, options);
  }

  /**
   * Opens the queue of a key, or creates it; who else comes at the same time gets the same one.
   *
   * What is only for creating is overlooked where the queue exists. System calls: `msgget`, `msgctl`.
   *
   * @throws {LimitError} if there are MSGMNI queues already, or no memory.
   * @throws {PermissionError} if its mode does not permit it, or `maxBytes` is more than this user may ask for.
   * @throws {UntrustedError} if it is or was somebody else's, and `allowOwner` does not name them.
   */
  static openOrCreate(
    key: Key,
    options: MessageQueueCreateOptions & MessageQueueOpenOptions = {},
  ): MessageQueue {
    checkMaxBytes(options.maxBytes);
    return MessageQueue.#make(openOrCreate(queueKind, key, 0, options), key, options);
  }

  static #make(found: Found, key: Key, options: MessageQueueCreateOptions): MessageQueue {
    try {
      const queue = new MessageQueue(found, key, options);
      const { maxBytes } = options;
      if (found.created && maxBytes !== undefined) queue.set({ maxBytes });
      return queue;
    } catch (error) {
      if (found.created) queueKind.control(found.id, IPC_RMID, null);
      throw error;
    }
  }

  /**
   * Sends one message; resolves once the queue has it. Do not change the message before. System call: `msgsnd`.
   *
   * @throws {TimeoutError} if there was no room within `timeout`.
   * @throws {MessageTooLongError} if it is longer than MSGMAX, or than the whole queue.
   * @throws {RangeError} if `type` is not an integer from 1.
   * @throws {PermissionError} if the mode of the queue does not permit it.
   * @throws {RemovedError} if the queue was removed, also while this waits.
   * @throws {LimitError} if too many bytes wait already because nobody awaited them.
   * @throws {ClosedError} if the handle was closed, or its sending half ended.
   */
  override send(message: Uint8Array, options?: WaitOptions & MessageTypeOptions): Promise<void> {
    return this.#sender.send(message, options);
  }

  /** Sends without waiting; false: there is no room, and nothing was sent. Throws as `send` does. */
  override trySend(message: Uint8Array, options?: MessageTypeOptions): boolean {
    return this.#sender.trySend(message, options);
  }

  /** Sends, blocking this thread while there is no room. Throws as `send` does. */
  override sendSync(message: Uint8Array, options?: SyncOptions & MessageTypeOptions): void {
    this.#sender.sendSync(message, options);
  }

  /**
   * Receives one message with its type; `undefined`: this handle was closed meanwhile. System call: `msgrcv`.
   *
   * Those who want the same are served in the order of the calls.
   *
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {MessageTooLongError} if it has more than `maxSize` bytes; it stays in the queue.
   * @throws {RangeError} if a type is not an integer from 1, or `maxSize` not one from 0.
   * @throws {PermissionError} if the mode of the queue does not permit it.
   * @throws {RemovedError} if the queue was removed, also while this waits.
   * @throws {ClosedError} if the handle is closed already.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, MessageQueue } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using queue = MessageQueue.create(IPC_PRIVATE, { removeOnClose: true });
   * for (const type of [3, 2, 1]) await queue.send(new Uint8Array([type]), { type });
   * assertEquals(await queue.receiveMessage({ type: 2 }), { type: 2, data: new Uint8Array([2]) });
   * assertEquals((await queue.receiveMessage({ except: 3 }))?.type, 1);
   * assertEquals((await queue.receiveMessage())?.type, 3);
   * ```
   */
  receiveMessage(options: ReceiveMessageOptions & WaitOptions = {}): Promise<QueueMessage | undefined> {
    try {
      const wanted = wantedWith(options);
      const take = () => this.#source.takeMessage(wanted, IPC_NOWAIT, options);
      return this.receiveWith(take, options, wanted.line);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Receives one message with its type, without waiting; `undefined`: there is none. Throws as `receiveMessage` does. */
  tryReceiveMessage(options: ReceiveMessageOptions = {}): QueueMessage | undefined {
    const wanted = wantedWith(options);
    return this.tryReceiveWith(() => this.#source.takeMessage(wanted, IPC_NOWAIT, options));
  }

  /** Receives one message with its type, blocking this thread until there is one. Throws as `receiveMessage` does. */
  receiveMessageSync(options: ReceiveMessageOptions & SyncOptions = {}): QueueMessage {
    const wanted = wantedWith(options);
    // The kernel knows no time limit; where there is none, its own waiting is the shortest way.
    const flags = options.timeout === undefined ? 0 : IPC_NOWAIT;
    const take = () => this.#source.takeMessage(wanted, flags, options);
    return this.receiveSyncWith(take, options, wanted.line)!;
  }

  /**
   * Looks at a message and leaves it in the queue; `undefined`: there are not so many. System call: `msgrcv` with
   * MSG_COPY.
   *
   * @param index Which, in the order in which they were sent, from 0.
   * @throws {NotSupportedError} if the kernel was built without it (CONFIG_CHECKPOINT_RESTORE).
   * @throws {RemovedError} if the queue was removed.
   * @throws {ClosedError} if the handle is closed.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, MessageQueue } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using queue = MessageQueue.create(IPC_PRIVATE, { removeOnClose: true });
   * queue.sendSync(new Uint8Array([42]), { type: 7 });
   * assertEquals(queue.peek(), { type: 7, data: new Uint8Array([42]) });
   * assertEquals(queue.peek(1), undefined);
   * assertEquals(queue.stat().messages, 1);
   * ```
   */
  peek(index = 0): QueueMessage | undefined {
    this.#checkOpen();
    if (!Number.isSafeInteger(index) || index < 0) {
      throw new RangeError(`Cannot look at message ${index}: the first is 0`);
    }
    return this.#source.peek(index);
  }

  /**
   * Both directions over this one queue: a channel that sends messages of one type and receives those of another.
   *
   * The other process has the two the other way round. With many who ask, each receives a type of its own, by
   * convention its pid, and names it in its request. Closing the channel leaves this handle open; closing the handle
   * closes the channel.
   *
   * Both directions share the room: where requests fill the queue, no reply gets in, and when the one who replies
   * waits for room nobody makes any. So let `maxBytes` be enough for all requests and replies that can be on their
   * way at once, or give the replies a queue of their own and join the two with `duplex` of `@ipc/core`.
   *
   * @throws {RangeError} if a type is not an integer from 1.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, MessageQueue } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using queue = MessageQueue.create(IPC_PRIVATE, { removeOnClose: true });
   * using client = queue.duplex({ send: 1, receive: Deno.pid });
   * using server = queue.duplex({ send: Deno.pid, receive: 1 }); // In another process, as a rule.
   * await client.send(new Uint8Array([20]));
   * const [number] = await server.receive() ?? [];
   * await server.send(new Uint8Array([number! + 1]));
   * assertEquals(await client.receive(), new Uint8Array([21]));
   * ```
   */
  duplex(types: { send: number; receive: number }): SyncChannel {
    this.#checkOpen();
    checkType(types.send, "send");
    const wanted = wantedBy({ type: types.receive });
    const source = new QueueSource(this.#found, wanted, () => this.#views.delete(view));
    const sender = new QueueSender(this.#found, types.send, this.#options);
    const view = duplex(new BaseReceiver(source), sender);
    this.#views.add(view);
    return view;
  }

  /**
   * Looks at the queue (IPC_STAT). System call: `msgctl`.
   *
   * @throws {RemovedError} if the queue was removed.
   * @throws {ClosedError} if the handle is closed.
   */
  stat(): MessageQueueStatus {
    this.#checkOpen();
    return status(queueKind, this.#found);
  }

  /**
   * Changes owner, group, mode or limit of the queue (IPC_SET). System call: `msgctl`.
   *
   * @throws {PermissionError} if this user is neither its owner nor its creator, or asks for more than MSGMNB bytes.
   * @throws {RangeError} if a value is out of range.
   * @throws {RemovedError} if the queue was removed.
   * @throws {ClosedError} if the handle is closed.
   */
  set(changes: MessageQueueChange): void {
    this.#checkOpen();
    const { maxBytes } = changes;
    checkMaxBytes(maxBytes);
    change(queueKind, this.#found, changes, (view) => {
      if (maxBytes !== undefined) view.setBigUint64(msqidDs.qbytes, BigInt(maxBytes), true);
    });
  }

  /**
   * Removes the queue with all that is in it (IPC_RMID); whoever waits for it, in any process, is told at once.
   *
   * System call: `msgctl`.
   *
   * @throws {PermissionError} if this user is neither its owner nor its creator.
   * @throws {RemovedError} if it is gone already.
   * @throws {ClosedError} if the handle is closed.
   */
  remove(): void {
    this.#checkOpen();
    remove(queueKind, this.#found);
  }

  /**
   * Closes the handle, and the channels that `duplex` made of it: pending receives give `undefined`, pending sends
   * reject with a `ClosedError`. The queue stays, unless it was created with `removeOnClose`; an empty message that
   * a wait takes at this very moment goes back, behind the others.
   */
  override close(): void {
    if (this.closed) return;
    for (const view of [...this.#views]) view.close();
    super.close();
    // It fails only where somebody else has removed it, or was given it: then it is theirs.
    if (this.#removeOnClose) queueKind.control(this.id, IPC_RMID, null);
  }

  #checkOpen(): void {
    if (this.closed) {
      throw new ClosedError(`Cannot use message queue ${this.#found.name}: the handle is closed`);
    }
  }
}
