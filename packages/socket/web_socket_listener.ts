import { AlreadyExistsError, type WaitOptions } from "@ipc/core";
import { DEFAULT_MAX_CONNECTIONS } from "./_accept_source.ts";
import { Listener, type ListenerSource } from "./listener.ts";
import { checkWebSocket, WebSocketChannel, type WebSocketOptions } from "./web_socket.ts";

/** How to listen for WebSockets; what is told of messages is for each. */
export interface WebSocketListenOptions extends WebSocketOptions, WaitOptions {
  /** The most WebSockets that may be open at a time; others are refused with status 503. 1024 unless told. */
  maxConnections?: number | undefined;
  /**
   * The web pages that may connect, as `https://example.org`. A browser says which page connects, and any page in the
   * world can make a browser connect to this machine: unless told, none may; programs, which say nothing, may.
   */
  origins?: readonly string[] | undefined;
  /** Asked of each request after that; where it says no, the request is refused with status 403. */
  authorize?: ((request: Request) => boolean | Promise<boolean>) | undefined;
  /** Subprotocols that are spoken here; the first that the client names is chosen. */
  protocols?: readonly string[] | undefined;
  /** Milliseconds after which a peer is asked whether it is still there, and closed if it does not say so; 120,000 unless told. */
  idleTimeout?: number | undefined;
  /** The certificate in PEM, for `wss:`. */
  cert?: string | undefined;
  /** Its key in PEM, for `wss:`. */
  key?: string | undefined;
}

class WebSocketListenerSource implements ListenerSource<WebSocketChannel> {
  readonly fd = undefined;
  readonly ended = false;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();
  readonly #path: string;
  readonly #options: WebSocketListenOptions;
  readonly #arrived: WebSocketChannel[] = [];
  readonly address: string;
  connections = 0;
  refused = 0;
  #wake: (() => void) | undefined;

  constructor({ protocol, hostname, port, pathname }: URL, options: WebSocketListenOptions) {
    const { cert, key } = options;
    this.#options = options;
    this.#path = pathname;
    this.#server = Deno.serve({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || (protocol === "wss:" ? 443 : 80)),
      signal: this.#stop.signal,
      onListen: () => {},
      ...protocol === "wss:" && { cert: cert!, key: key! },
    }, (request) => this.#answer(request));
    this.#server.unref();
    this.address = `${protocol}//${hostname}:${this.#server.addr.port}${pathname}`;
  }

  get finished(): Promise<void> {
    this.#server.ref();
    return this.#server.finished;
  }

  take(): WebSocketChannel | undefined {
    return this.#arrived.shift();
  }

  ready(): boolean {
    return this.#arrived.length > 0;
  }

  park(wake: () => void): () => void {
    this.#server.ref();
    this.#wake = wake;
    return () => this.#rest();
  }

  close(): void {
    this.#rest();
    this.#stop.abort();
    for (const channel of this.#arrived.splice(0)) channel.close();
  }

  #rest(): void {
    this.#wake = undefined;
    this.#server.unref();
  }

  async #answer(request: Request): Promise<Response> {
    const { maxConnections = DEFAULT_MAX_CONNECTIONS, authorize, idleTimeout = 120_000 } = this.#options;
    if (new URL(request.url).pathname !== this.#path) return new Response("Not found\n", { status: 404 });
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("A WebSocket is spoken here\n", { status: 426, headers: { upgrade: "websocket" } });
    }
    const origin = request.headers.get("origin");
    const known = origin === null || this.#options.origins?.includes(origin);
    if (!known || (authorize !== undefined && !await authorize(request))) {
      this.refused++;
      return new Response("Forbidden\n", { status: 403 });
    }
    if (this.connections >= maxConnections) return new Response("Too many\n", { status: 503 });
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: Math.ceil(idleTimeout / 1000),
      ...this.#protocol(request),
    });
    this.connections++;
    this.#arrived.push(new WebSocketChannel(socket, this.#options, () => this.connections--));
    const wake = this.#wake;
    this.#rest();
    wake?.();
    return response;
  }

  #protocol(request: Request): { protocol: string } | undefined {
    const asked = request.headers.get("sec-websocket-protocol")?.split(/\s*,\s*/) ?? [];
    const protocol = asked.find((name) => this.#options.protocols?.includes(name));
    return protocol === undefined ? undefined : { protocol };
  }
}

/**
 * Listens for WebSockets at `ws://host:port/path`, or `wss:` with a certificate; port 0 is one that is free.
 *
 * Other paths are answered with status 404. Web pages may connect only if `origins` names theirs. Needs `--allow-net`.
 *
 * @throws {AlreadyExistsError} with code `EADDRINUSE` if somebody else listens there.
 * @throws {TypeError} if it is not such a URL, or `cert` and `key` are missing for `wss:`.
 *
 * @example
 * ```ts
 * import { listenWebSocket } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * await using listener = await listenWebSocket("ws://127.0.0.1:0/", { origins: ["https://example.org"] });
 * const response = await fetch(listener.address.replace("ws:", "http:"));
 * assertEquals([response.status, await response.text()], [426, "A WebSocket is spoken here\n"]);
 * ```
 */
export function listenWebSocket(
  at: string | URL,
  options: WebSocketListenOptions = {},
): Promise<Listener<WebSocketChannel>> {
  return Promise.resolve().then(() => {
    const url = new URL(at);
    if (url.protocol !== "ws:" && url.protocol !== "wss:") {
      throw new TypeError(`Cannot listen at "${at}": the URL of a WebSocket begins with ws: or wss:`);
    }
    if (url.protocol === "wss:" && (options.cert === undefined || options.key === undefined)) {
      throw new TypeError(`Cannot listen at "${at}": wss: needs cert and key`);
    }
    checkWebSocket(options);
    try {
      return new Listener(new WebSocketListenerSource(url, options));
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      throw new AlreadyExistsError(`Cannot listen at "${at}": the address is in use`, {
        code: "EADDRINUSE",
        target: String(at),
        cause: error,
      });
    }
  });
}
