/** Messages of a WebSocket: in and out. */

import { BrokenPipeError, type Bytes, LimitError, MessageTooLongError } from "@ipc/core";
import type { Sink, Source } from "@ipc/core/base";

/** What waits inside the WebSocket before it takes no more. */
const HIGH_WATER = 256 * 1024;
/** Milliseconds between two looks whether there is room: a WebSocket does not tell. */
const LOOK = 2;
/** Milliseconds that the peer has to answer that this end has ended. */
const ANSWER = 5000;
/** Close codes with which a peer ends in good order, by RFC 6455 section 7.4.1: done, going away, and none. */
const GOOD = [1000, 1001, 1005];
/** What a message takes besides its bytes. */
const OVERHEAD = 256;
/** What is told a peer that sent more than is taken here. */
const TOO_MUCH = 3009;

/** The limits of a {@linkcode WebSocketSource}. */
export interface WebSocketLimits {
  /** The longest message in bytes. */
  maxMessageSize: number;
  /** The most bytes that arrive before anybody receives them. */
  maxBufferedBytes: number;
}

const encoder = new TextEncoder();

/** A {@linkcode Source} over the events of a WebSocket. */
export class WebSocketSource implements Source<Bytes> {
  readonly #socket: WebSocket;
  readonly #limits: WebSocketLimits;
  readonly #messages: Bytes[] = [];
  /** What they take. */
  #buffered = 0;
  #over = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: WebSocket, limits: WebSocketLimits, onClose: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#add(data));
    socket.addEventListener("close", (event) => {
      this.#end(GOOD.includes(event.code) ? undefined : broken(event));
      onClose();
    });
  }

  get ended(): boolean {
    return this.#over && this.#messages.length === 0 && this.#error === undefined;
  }

  take(): Bytes | undefined {
    const message = this.#messages.shift();
    if (message !== undefined) {
      this.#buffered -= message.byteLength + OVERHEAD;
      return message;
    }
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    return undefined;
  }

  /** Whether a `take` would not wait. */
  ready(): boolean {
    return this.#over || this.#messages.length > 0;
  }

  park(wake: () => void): () => void {
    if (this.ready()) {
      const turn = setTimeout(wake, 0);
      return () => clearTimeout(turn);
    }
    this.#wake = wake;
    return () => {
      this.#wake = undefined;
    };
  }

  close(): void {
    this.#over = true;
    this.#messages.length = 0;
    this.#socket.close();
  }

  #add(data: unknown): void {
    if (this.#over) return;
    const message = typeof data === "string" ? encoder.encode(data) : new Uint8Array(data as ArrayBuffer);
    const { maxMessageSize, maxBufferedBytes } = this.#limits;
    const { byteLength } = message;
    if (byteLength > maxMessageSize) {
      this.#refuse(
        new MessageTooLongError(
          `Cannot receive: the message has ${byteLength} bytes, the limit is ${maxMessageSize}`,
        ),
      );
    } else if (this.#messages.length > 0 && this.#buffered + byteLength + OVERHEAD > maxBufferedBytes) {
      this.#refuse(
        new LimitError(`Cannot receive: ${this.#buffered} bytes wait already, and nobody receives them`),
      );
    } else {
      this.#messages.push(message);
      this.#buffered += byteLength + OVERHEAD;
      this.#tell();
    }
  }

  #refuse(error: Error): void {
    this.#end(error);
    this.#socket.close(TOO_MUCH, "more than is taken here");
  }

  #end(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#tell();
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** A {@linkcode Sink} over a WebSocket; it takes a message whole. */
export class WebSocketSink implements Sink {
  readonly begun = false;
  readonly maxMessageSize: number;
  readonly #socket: WebSocket;
  readonly #text: boolean;

  constructor(socket: WebSocket, maxMessageSize: number, text: boolean) {
    this.#socket = socket;
    this.maxMessageSize = maxMessageSize;
    this.#text = text;
  }

  put(message: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.readyState === WebSocket.CONNECTING || socket.bufferedAmount >= HIGH_WATER) return false;
    if (socket.readyState !== WebSocket.OPEN) {
      throw new BrokenPipeError("Cannot send: the connection was closed", { target: socket.url });
    }
    socket.send(this.#text ? decode(message) : message as Bytes);
    return true;
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  readonly park = (wake: () => void): () => void => {
    const timer = setTimeout(wake, LOOK);
    return () => clearTimeout(timer);
  };

  /** The closing handshake ends both directions; with its answer the peer has everything. */
  async end(): Promise<void> {
    const socket = this.#socket;
    if (socket.readyState === WebSocket.CLOSED) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.addEventListener("close", () => resolve(), { once: true });
    const timer = setTimeout(resolve, ANSWER);
    socket.close(1000);
    await promise;
    clearTimeout(timer);
  }

  close(): void {
    this.#socket.close();
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(message: Uint8Array): string {
  try {
    return decoder.decode(message);
  } catch (cause) {
    throw new TypeError("Cannot send as text: the message is not UTF-8", { cause });
  }
}

function broken({ code, reason }: CloseEvent): BrokenPipeError {
  // The runtime tells 1006 or 0 where nobody has closed it: RFC 6455 has no such code on the way.
  const why = code < 1000 || code === 1006
    ? "the connection was lost"
    : `the peer closed with ${code}${reason && ` ${reason}`}`;
  return new BrokenPipeError(`Cannot receive: ${why}`, { code: "ECONNRESET" });
}
