/**
 * JSON-RPC over WebSockets, from both ends of one: {@linkcode webSocketChannel} makes a channel of any standard
 * `WebSocket`, in a browser too.
 *
 * Messages go out as text, as other programs expect them; bytes beside the JSON, with `binary: true`, as binary ones.
 * A server accepts with `Deno.upgradeWebSocket`, or listens with `@ipc/socket`, whose channels work with it as well.
 *
 * @example
 * ```ts
 * import { client, serve } from "@ipc/rpc";
 * import { webSocketChannel } from "@ipc/rpc/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { add(a: number, b: number): number }
 * await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
 *   const { socket, response } = Deno.upgradeWebSocket(request);
 *   serve<Api>(webSocketChannel(socket), { add: (a, b) => a + b });
 *   return response;
 * });
 *
 * const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
 * await using api = client<Api>(webSocketChannel(socket)); // Calls wait until it is open.
 * assertEquals(await api.add(1, 2), 3);
 * ```
 *
 * @module
 */

import { BrokenPipeError, IpcError, LimitError, MessageTooLongError } from "@ipc/core";
import type { RpcChannel } from "./channel.ts";
import { isLonger, utf8Length } from "./_encoder.ts";

/** How far the other side is trusted. */
export interface WebSocketChannelOptions {
  /** The longest message in bytes, sent or received; 16 MiB unless told. A longer one ends the connection. */
  maxMessageSize?: number | undefined;
  /**
   * The most bytes that may arrive before they are read; more end the connection. Each message counts with 256 more,
   * which is what an empty one takes. 16 MiB unless told.
   */
  maxBufferedBytes?: number | undefined;
}

/** What a message takes besides its bytes. */
const OVERHEAD = 256;
/** What may wait inside the WebSocket before senders wait, in bytes. */
const HIGH = 256 * 1024;
/** How often it is looked at, in milliseconds: a WebSocket does not say when it has room. */
const LOOK = 2;
const MOST = 16 * 1024 * 1024;
/** How long the other side may take to close as well, in milliseconds. */
const PATIENCE = 5000;

/** Codes of closing, RFC 6455, 7.4: programs may not send 1009, "message too big", themselves. */
const CODE = { normal: 1000, tooBig: 4009 } as const;

/**
 * Makes a channel of a WebSocket that is open or about to be, before any of its messages has arrived.
 *
 * The channel owns it. If it cannot be opened, or breaks, calls over it reject with a `DisconnectedError` whose `cause`
 * says so. A WebSocket has no way to hold the other side back: see `maxBufferedBytes`.
 *
 * @throws {RangeError} if a limit is not a number above 0.
 */
export function webSocketChannel(socket: WebSocket, options: WebSocketChannelOptions = {}): RpcChannel {
  const { maxMessageSize = MOST, maxBufferedBytes = MOST } = options;
  for (const [name, limit] of Object.entries({ maxMessageSize, maxBufferedBytes })) {
    if (!(limit >= 1)) throw new RangeError(`Cannot set ${name} to ${limit}`);
  }
  return new WebSocketMessages(socket, maxMessageSize, maxBufferedBytes);
}

type Message = string | Uint8Array<ArrayBuffer>;

class WebSocketMessages implements RpcChannel {
  readonly #socket: WebSocket;
  readonly #opened: Promise<void>;
  readonly #ended: Promise<void>;
  #arrived: Message[] = [];
  #bytes = 0;
  #wasOpen = false;
  #over = false;
  #closed = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(socket: WebSocket, readonly maxMessageSize: number, readonly maxBufferedBytes: number) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    const ended = Promise.withResolvers<void>();
    this.#ended = ended.promise;
    this.#opened = new Promise((resolve) => {
      const open = () => {
        this.#wasOpen = true;
        resolve();
      };
      if (socket.readyState === socket.OPEN) open();
      else socket.addEventListener("open", open, { once: true });
      socket.addEventListener("close", ({ wasClean }) => {
        if (!this.#wasOpen) this.#fail(this.#refused());
        else if (!wasClean) this.#fail(this.#broken());
        this.#end();
        resolve();
        ended.resolve();
      }, { once: true });
    });
    // What happened is told by the event that follows; without a listener the runtime would report it.
    socket.addEventListener("error", (event) => event.preventDefault());
    socket.addEventListener("message", ({ data }) => this.#take(data));
  }

  send(message: Uint8Array): Promise<void> {
    return this.#send(message as Uint8Array<ArrayBuffer>);
  }

  sendText(message: string): Promise<void> {
    return this.#send(message);
  }

  async receive(): Promise<Message | undefined> {
    while (this.#arrived.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#closed) return undefined;
    const message = this.#arrived.shift();
    if (message !== undefined) this.#bytes -= weight(message);
    else if (this.#error !== undefined) throw this.#error;
    return message;
  }

  async receiveBatch(): Promise<Message[]> {
    const first = await this.receive();
    if (first === undefined) return [];
    const messages = [first, ...this.#arrived];
    this.#arrived = [];
    this.#bytes = 0;
    return messages;
  }

  /** Sends what was handed over, and closes: a WebSocket ends in both directions. */
  async end(): Promise<void> {
    await this.#opened;
    this.#socket.close(CODE.normal);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, PATIENCE));
    await Promise.race([this.#ended, patience]);
    clearTimeout(timer);
  }

  close(): void {
    this.#closed = true;
    this.#end();
    this.#socket.close(CODE.normal);
  }

  async #send(message: Message): Promise<void> {
    if (this.#socket.readyState === this.#socket.CONNECTING) await this.#opened;
    if (this.#socket.readyState !== this.#socket.OPEN) {
      throw this.#error ?? new BrokenPipeError("Cannot send: the WebSocket is closed", { code: "EPIPE" });
    }
    this.#socket.send(message);
    while (this.#socket.bufferedAmount > HIGH && this.#socket.readyState === this.#socket.OPEN) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
  }

  #take(data: string | ArrayBuffer): void {
    if (this.#over) return;
    const message = typeof data === "string" ? data : new Uint8Array(data);
    if (isLonger(message, this.maxMessageSize)) {
      const length = typeof message === "string" ? utf8Length(message) : message.length;
      return this.#break(
        new MessageTooLongError(
          `Cannot receive the message: it has ${length} bytes, the limit is ${this.maxMessageSize}`,
        ),
      );
    }
    if (this.#arrived.length > 0 && this.#bytes + weight(message) > this.maxBufferedBytes) {
      return this.#break(
        new LimitError(`Cannot keep the message: ${this.#bytes} bytes wait to be read already`),
      );
    }
    this.#bytes += weight(message);
    this.#arrived.push(message);
    this.#wake?.();
  }

  #break(error: unknown): void {
    this.#fail(error);
    this.#end();
    this.#socket.close(CODE.tooBig);
  }

  #fail(error: unknown): void {
    this.#error ??= error;
  }

  #end(): void {
    this.#over = true;
    this.#wake?.();
  }

  #broken(): IpcError {
    const { url } = this.#socket;
    return new IpcError(`Cannot receive: the WebSocket to "${url}" broke off`, {
      code: "ECONNRESET",
      target: url,
    });
  }

  #refused(): IpcError {
    const { url } = this.#socket;
    return new IpcError(`Cannot open a WebSocket to "${url}": the server is not there, or refuses it`, {
      code: "ECONNREFUSED",
      target: url,
    });
  }
}

/** What a message takes while it waits: memory has two bytes for a UTF-16 unit at most. */
function weight(message: Message): number {
  return OVERHEAD + (typeof message === "string" ? 2 * message.length : message.length);
}
