import { DEFAULT_MAX_MESSAGE_SIZE, IpcError, type WaitOptions } from "@ipc/core";
import { BaseChannel, BaseSender } from "@ipc/core/base";
import { lookupFailure } from "./_inet_address.ts";
import { within } from "./_within.ts";
import { WebSocketSink, WebSocketSource } from "./_web_socket_ends.ts";

/** How messages go over a WebSocket. */
export interface WebSocketOptions {
  /** The longest message in bytes, sent or received; 16 MiB unless told. The runtime itself refuses more than 64 MiB. */
  maxMessageSize?: number | undefined;
  /**
   * The most bytes that may arrive before they are received; then the connection is closed, and behind what had
   * arrived there is a `LimitError`. Each message counts 256 bytes more than it has. 16 MiB unless told. One message
   * always may.
   */
  maxBufferedBytes?: number | undefined;
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
  /** Sends messages, which have to be UTF-8, as text, for peers that take no binary ones; false unless told. */
  text?: boolean | undefined;
}

/**
 * A WebSocket: whole messages, both ways, as browsers speak it too.
 *
 * It is the runtime's own WebSocket in the form of a channel: nothing here blocks the thread, and an open one keeps
 * the process alive, as does one that was closed until its peer has answered that or is gone (at a listener until
 * `idleTimeout`). Messages go out as binary ones, text that comes in arrives as UTF-8; with `text`, a message that is
 * not UTF-8 is a TypeError of `send`. A WebSocket has no way to hold the peer back: what nobody receives is kept, up to `maxBufferedBytes`. `send` waits while more than 256 KiB
 * have not left yet, which it looks for every 2 ms. `end` ends both directions: what the peer had on its way is lost.
 * It waits for the peer's answer, by which the peer's WebSocket has all that was sent, 5 seconds at most.
 *
 * @example
 * ```ts
 * import { connectWebSocket, listenWebSocket } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * await using listener = await listenWebSocket("ws://127.0.0.1:0/chat");
 * const client = await connectWebSocket(listener.address); // In another process, or a browser, as a rule.
 * const server = await listener.accept();
 * await client.send(new Uint8Array([1, 2]));
 * assertEquals(await server?.receive(), new Uint8Array([1, 2]));
 * await client.end();
 * assertEquals(await server?.receive(), undefined);
 * ```
 */
export class WebSocketChannel extends BaseChannel {
  readonly #socket: WebSocket;

  /** Takes a WebSocket over, before any of its messages has arrived. */
  constructor(socket: WebSocket, options: WebSocketOptions = {}, onClose: () => void = () => {}) {
    checkWebSocket(options);
    const { maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE, maxBufferedBytes = DEFAULT_MAX_MESSAGE_SIZE } =
      options;
    const { maxQueuedBytes, text = false } = options;
    super(
      new WebSocketSource(socket, { maxMessageSize, maxBufferedBytes }, onClose),
      new BaseSender(new WebSocketSink(socket, maxMessageSize, text), { maxQueuedBytes }),
    );
    this.#socket = socket;
  }

  /** The subprotocol that both sides agreed on; empty for none. */
  get protocol(): string {
    return this.#socket.protocol;
  }
}

/** How a WebSocket is opened. */
export interface WebSocketConnectOptions extends WebSocketOptions, WaitOptions {
  /** Subprotocols that the server may choose from, the best first. */
  protocols?: string[] | undefined;
  /** Certificates in PEM that the server's may be signed by, besides those of the system, for `wss:`. */
  caCerts?: string[] | undefined;
}

/**
 * Opens a WebSocket to `ws://host:port/path` or `wss://…`. Needs `--allow-net`.
 *
 * @throws {TimeoutError} if it was not open within `timeout`.
 * @throws {NotFoundError} if there is no such host.
 * @throws {IpcError} with code `ECONNREFUSED` if nobody listens there, or the server refuses it.
 * @throws {RangeError} if `timeout` is negative.
 * @throws {TypeError} if it is not such a URL, or the protocols cannot be used.
 *
 * @example
 * ```ts ignore
 * import { connectWebSocket } from "@ipc/socket";
 *
 * await using channel = await connectWebSocket("wss://example.org/updates", { timeout: 5000 });
 * for await (const message of channel) console.log(message);
 * ```
 */
export async function connectWebSocket(
  url: string | URL,
  options: WebSocketConnectOptions = {},
): Promise<WebSocketChannel> {
  const { protocol, href } = new URL(url);
  if (protocol !== "ws:" && protocol !== "wss:") {
    throw new TypeError(`Cannot open a WebSocket to "${url}": its URL begins with ws: or wss:`);
  }
  checkWebSocket(options);
  const { timeout, signal } = options;
  let channel: WebSocketChannel | undefined;
  const open = () => {
    const socket = openSocket(href, options);
    channel = new WebSocketChannel(socket, options);
    return opened(socket, href);
  };
  try {
    await within(open, { timeout, signal, action: `open a WebSocket to "${href}"`, target: href });
    return channel!;
  } catch (error) {
    channel?.close();
    throw error;
  }
}

function openSocket(url: string, { protocols = [], caCerts }: WebSocketConnectOptions): WebSocket {
  using client = caCerts && Deno.createHttpClient({ caCerts });
  try {
    return new WebSocket(url, { protocols, ...client && { client } });
  } catch (cause) {
    // A DOMException, as browsers throw it.
    if (!(cause instanceof DOMException)) throw cause;
    throw new TypeError(`Cannot open a WebSocket to "${url}": ${cause.message}`, { cause });
  }
}

/** Settles when a WebSocket is open, or will never be. */
function opened(socket: WebSocket, url: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let why = "the server refused it";
  socket.addEventListener("open", () => resolve(), { once: true });
  socket.addEventListener("error", (event) => {
    why = (event as ErrorEvent).message || why;
  }, { once: true });
  socket.addEventListener("close", () => {
    const what = `Cannot open a WebSocket to "${url}"`;
    reject(
      lookupFailure(what, why, url) ??
        new IpcError(`${what}: ${why}`, { code: "ECONNREFUSED", target: url }),
    );
  }, { once: true });
  return promise;
}

/** Throws unless the options can be used. */
export function checkWebSocket(options: WebSocketOptions): void {
  for (const name of ["maxMessageSize", "maxBufferedBytes"] as const) {
    const limit = options[name];
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
      throw new RangeError(`Cannot use ${limit} as ${name}: it is an integer from 1`);
    }
  }
}
