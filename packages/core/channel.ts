/**
 * The Channel contract: what every mechanism of this project looks like to its user.
 *
 * @module
 */

/** A message as it is received: bytes that own, or share in, an ordinary `ArrayBuffer`. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** How long a call may wait, and what may end the wait. */
export interface WaitOptions {
  /** Milliseconds; 0 tries once, undefined waits for ever. */
  timeout?: number | undefined;
  /** When it aborts, the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** How a batch is received. */
export interface ReceiveBatchOptions extends WaitOptions {
  /** The most messages that one call returns. */
  max?: number | undefined;
}

/** The end of a channel that messages go into. */
export interface Sender<Out = Uint8Array> extends Disposable, AsyncDisposable {
  /**
   * Sends one message; resolves once the mechanism has it.
   *
   * Do not change the message before the promise settles.
   */
  send(message: Out, options?: WaitOptions): Promise<void>;
  /** Sends many messages at the price of one; an error carries `sent`, the number that left. */
  sendBatch(messages: Iterable<Out>, options?: WaitOptions): Promise<void>;
  /** Flushes, then ends this direction: the peer's `receive` gives `undefined`. */
  end(): Promise<void>;
  /** This end as a stream of the Web: writing waits for the mechanism. */
  readonly writable: WritableStream<Out>;
  /** The longest message in bytes. */
  readonly maxMessageSize: number;
  /** Closes at once, dropping what is unsent; calling it again does nothing. */
  close(): void;
}

/** The end of a channel that messages come out of. */
export interface Receiver<In = Bytes> extends AsyncIterable<In>, Disposable, AsyncDisposable {
  /** Receives one message; `undefined` is the end: nothing will follow. */
  receive(options?: WaitOptions): Promise<In | undefined>;
  /** Receives at least one message, and all that are there now; an empty array is the end. */
  receiveBatch(options?: ReceiveBatchOptions): Promise<In[]>;
  /** Whether the end was reached: nothing will follow. */
  readonly ended: boolean;
  /** This end as a stream of the Web: it takes a message only when one is asked for. */
  readonly readable: ReadableStream<In>;
  /** Closes at once; pending receives give `undefined`. Calling it again does nothing. */
  close(): void;
}

/** Both directions. */
export interface Channel<Out = Uint8Array, In = Bytes> extends Sender<Out>, Receiver<In> {}

/** How long a call may block the thread. */
export interface SyncOptions {
  /** Milliseconds; 0 tries once, undefined blocks for ever. */
  timeout?: number | undefined;
}

/** A sender that can block the thread: everything over libc. */
export interface SyncSender<Out = Uint8Array> extends Sender<Out> {
  /** Sends without waiting; false: the mechanism is full and nothing was sent. */
  trySend(message: Out): boolean;
  /** Sends, blocking this thread while the mechanism is full. */
  sendSync(message: Out, options?: SyncOptions): void;
}

/** A receiver that can block the thread: everything over libc. */
export interface SyncReceiver<In = Bytes> extends Receiver<In> {
  /** Receives without waiting; `undefined`: nothing now, or the end (see `ended`). */
  tryReceive(): In | undefined;
  /** Receives, blocking this thread until a message is there; `undefined` is the end. */
  receiveSync(options?: SyncOptions): In | undefined;
}

/** Both directions, with the calls that block the thread. */
export interface SyncChannel<Out = Uint8Array, In = Bytes>
  extends Channel<Out, In>, SyncSender<Out>, SyncReceiver<In> {}
