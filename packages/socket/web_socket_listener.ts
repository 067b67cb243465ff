import {
  AlreadyExistsError,
  ERRNO,
  errnoError,
  IpcError,
  LimitError,
  PermissionError,
  type WaitOptions,
} from "@ipc/core";
import { DEFAULT_MAX_CONNECTIONS } from "./_accept_source.ts";
import { checkTimeout } from "./_within.ts";
import { Listener, type ListenerSource } from "./listener.ts";
import { checkWebSocket, WebSocketChannel, type WebSocketOptions } from "./web_socket.ts";

/** Milliseconds until there may be descriptors again. */
const PAUSE = 100;
/** Milliseconds that a client has from the answer until its WebSocket is open. */
const HANDSHAKE = 10_000;

/** How to listen for WebSockets; what is told of messages is for each. */
export interface WebSocketListenOptions extends WebSocketOptions, WaitOptions {
  /** The most WebSockets that may be open at a time; others are refused with status 503. 1024 unless told. */
  maxConnections?: number | undefined;
  /**
   * The web pages that may connect, as `https://example.org`. A browser says which page connects, and any page in the
   * world can make a browser connect to this machine: unless told, none may; programs, which say nothing, may.
   */
  origins?: readonly string[] | undefined;
  /**
   * Asked of each request after that; unless it says `true`, the request is refused with status 403. A client that
   * leaves while it is asked is forgotten. Where it gives a promise, that is seen by `request.signal`, of which the
   * runtime warns once: that warning means nothing here.
   */
  authorize?: ((request: Request) => boolean | Promise<boolean>) | undefined;
  /** Subprotocols that are spoken here; the first that the client names is chosen. */
  protocols?: readonly string[] | undefined;
  /** Milliseconds after which a peer is asked whether it is still there, and closed if it does not say so; 0: never. 120,000 unless told. */
  idleTimeout?: number | undefined;
  /** The certificate in PEM, for `wss:`. */
  cert?: string | undefined;
  /** Its key in PEM, for `wss:`. */
  key?: string | undefined;
}

class WebSocketListenerSource implements ListenerSource<WebSocketChannel> {
  readonly fd = undefined;
  readonly ended = false;
  readonly #stop = new AbortController();
  readonly #url: URL;
  readonly #options: WebSocketListenOptions;
  readonly #arrived: WebSocketChannel[] = [];
  /** Those that are not closed. */
  readonly #channels = new Set<WebSocketChannel>();
  /** Those of them that are not open yet, and when they are given up. */
  readonly #opening = new Map<WebSocketChannel, ReturnType<typeof setTimeout>>();
  readonly address: string;
  refused = 0;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #error: { error: unknown } | undefined;
  /** What was thrown last that does not last. */
  #costOne: unknown;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #wake: (() => void) | undefined;

  constructor(url: URL, options: WebSocketListenOptions) {
    this.#options = options;
    this.#url = new URL(url);
    const { protocol, hostname, pathname } = url;
    this.#server = this.#serve(Number(url.port || (protocol === "wss:" ? 443 : 80)));
    this.address = `${protocol}//${hostname}:${this.#server.addr.port}${pathname}`;
  }

  get finished(): Promise<void> {
    this.#server.ref();
    return this.#server.finished.catch(() => {});
  }

  get connections(): number {
    return this.#channels.size;
  }

  take(): WebSocketChannel | undefined {
    if (this.#error === undefined) return this.#arrived.shift();
    const { error } = this.#error;
    this.#error = undefined;
    throw error;
  }

  ready(): boolean {
    return this.#error !== undefined || this.#arrived.length > 0;
  }

  retryAfter(error: unknown): number | undefined {
    if (error instanceof LimitError) return PAUSE;
    return error === this.#costOne ? 0 : undefined;
  }

  park(wake: () => void): () => void {
    this.#server.ref();
    if (this.#pause !== undefined) Deno.refTimer(this.#pause);
    this.#wake = wake;
    return () => this.#rest();
  }

  close(): void {
    this.#rest();
    clearTimeout(this.#pause);
    this.#stop.abort();
    for (const channel of [...this.#opening.keys()]) this.#drop(channel);
    for (const channel of this.#arrived.splice(0)) channel.close();
  }

  #rest(): void {
    this.#wake = undefined;
    this.#server.unref();
    if (this.#pause !== undefined) Deno.unrefTimer(this.#pause);
  }

  #tell(): void {
    const wake = this.#wake;
    this.#rest();
    wake?.();
  }

  #serve(port: number): Deno.HttpServer<Deno.NetAddr> {
    const { protocol, hostname } = this.#url;
    const { cert, key } = this.#options;
    const server = Deno.serve({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port,
      signal: this.#stop.signal,
      onListen: () => {},
      ...protocol === "wss:" && { cert: cert!, key: key! },
    }, (request) => this.#answer(request));
    server.unref();
    server.finished.catch((error) => this.#failed(error));
    return server;
  }

  /** The runtime's server ends for good where it cannot accept, as when the process has no descriptor left. */
  #failed(cause: Error): void {
    if (this.#stop.signal.aborted) return;
    // Where nobody waits it may be over before somebody does.
    if (this.#wake !== undefined) {
      const { address: target } = this;
      const code = Number(/os error (\d+)/.exec(cause.message)?.[1] ?? ERRNO.EMFILE);
      const action = `accept a connection at "${target}"`;
      this.#costOne = errnoError(code, { syscall: "accept4", action, target });
      this.#error ??= { error: this.#costOne };
    }
    this.#tell();
    this.#serveAgain();
  }

  #serveAgain(): void {
    const again = () => {
      this.#pause = undefined;
      try {
        this.#server = this.#serve(this.#server.addr.port);
        if (this.#wake !== undefined) this.#server.ref();
      } catch {
        this.#serveAgain();
      }
    };
    this.#pause = setTimeout(again, PAUSE);
    if (this.#wake === undefined) Deno.unrefTimer(this.#pause);
  }

  async #answer(request: Request): Promise<Response> {
    const { maxConnections = DEFAULT_MAX_CONNECTIONS, idleTimeout = 120_000 } = this.#options;
    if (new URL(request.url).pathname !== this.#url.pathname) {
      return new Response("Not found\n", { status: 404 });
    }
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("A WebSocket is spoken here\n", { status: 426, headers: { upgrade: "websocket" } });
    }
    let left: AbortSignal | undefined;
    let admitted = this.#admits(request);
    if (typeof admitted !== "boolean") {
      // Read before the wait: later on it does not tell of a client that left meanwhile.
      left = request.signal;
      admitted = await admitted;
    }
    if (!admitted) {
      this.refused++;
      return new Response("Forbidden\n", { status: 403 });
    }
    if (left?.aborted || this.#stop.signal.aborted) return new Response("Nobody is there\n", { status: 503 });
    // Some of those that nobody has accepted may have gone again.
    if (Math.max(this.connections, this.#arrived.length + this.#opening.size) >= maxConnections) {
      return new Response("Too many\n", { status: 503 });
    }
    let upgraded: Deno.WebSocketUpgrade;
    try {
      upgraded = Deno.upgradeWebSocket(request, {
        idleTimeout: Math.ceil(idleTimeout / 1000),
        ...this.#protocol(request),
      });
    } catch {
      return new Response("Not the handshake of a WebSocket\n", { status: 400 });
    }
    this.#begin(upgraded.socket);
    return upgraded.response;
  }

  /** Gives a WebSocket out once it is open. It may never be, and tell nothing, where the client has left meanwhile. */
  #begin(socket: WebSocket): void {
    const channel = new WebSocketChannel(socket, this.#options, () => this.#channels.delete(channel));
    const timer = setTimeout(() => this.#drop(channel), HANDSHAKE);
    Deno.unrefTimer(timer);
    this.#channels.add(channel);
    this.#opening.set(channel, timer);
    socket.addEventListener("error", () => this.#drop(channel));
    socket.addEventListener("open", () => {
      clearTimeout(timer);
      // One that was given up before could not be closed yet.
      if (!this.#opening.delete(channel)) return socket.close();
      this.#arrived.push(channel);
      this.#tell();
    });
  }

  /** Gives one up that is not open yet. */
  #drop(channel: WebSocketChannel): void {
    clearTimeout(this.#opening.get(channel));
    if (!this.#opening.delete(channel)) return;
    this.#channels.delete(channel);
    channel.close();
  }

  /** Whether a request may go on; a promise only where `authorize` gives one. */
  #admits(request: Request): boolean | Promise<boolean> {
    const { origins, authorize } = this.#options;
    const origin = request.headers.get("origin");
    if (origin !== null && !origins?.includes(origin)) return false;
    if (authorize === undefined) return true;
    try {
      const answer = authorize(request);
      if (typeof answer !== "object") return answer === true;
      return Promise.resolve(answer).then((admitted) => admitted === true, (error) => this.#refuse(error));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** `authorize` has thrown: that refuses one, and is told. */
  #refuse(error: unknown): false {
    this.#error ??= { error: this.#costOne = error };
    this.#tell();
    return false;
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
 * Other paths are answered with status 404. Web pages may connect only if `origins` names theirs. Closing the listener
 * ends its connections as well. Needs `--allow-net`.
 *
 * It is the runtime's own server. Where it cannot accept because the process has no descriptor left, one `accept`
 * throws a `LimitError`, and it listens again a moment later. What it does not bound are the connections that have
 * not asked for a WebSocket yet, in number and time, and the up to 64 MiB of a message that each of the
 * `maxConnections` may be in the middle of: where strangers come, put a proxy before it that does.
 *
 * @throws {AlreadyExistsError} with code `EADDRINUSE` if somebody else listens there.
 * @throws {PermissionError} if the port is below 1024 and this user may not have it.
 * @throws {IpcError} with code `EADDRNOTAVAIL` if it is not an address of this machine.
 * @throws {RangeError} if an option is out of range.
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
    checkListen(options);
    options.signal?.throwIfAborted();
    try {
      return new Listener(new WebSocketListenerSource(url, options));
    } catch (error) {
      throw listenFailure(error, String(at));
    }
  });
}

function checkListen({ maxConnections = 1, idleTimeout = 0, timeout }: WebSocketListenOptions): void {
  checkTimeout(timeout);
  if (!(maxConnections >= 1)) {
    throw new RangeError(`Cannot listen with maxConnections ${maxConnections}: it is a number from 1`);
  }
  if (!(idleTimeout >= 0)) {
    throw new RangeError(`Cannot use ${idleTimeout} as idleTimeout: it is a number of milliseconds from 0`);
  }
}

/** The errors of the runtime as those of this package. */
function listenFailure(cause: unknown, target: string): unknown {
  const what = `Cannot listen at "${target}"`;
  if (cause instanceof Deno.errors.AddrInUse) {
    return new AlreadyExistsError(`${what}: the address is in use`, { code: "EADDRINUSE", target, cause });
  }
  if (cause instanceof Deno.errors.AddrNotAvailable) {
    return new IpcError(`${what}: it is not an address of this machine`, {
      code: "EADDRNOTAVAIL",
      target,
      cause,
    });
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return new PermissionError(`${what}: this user may not have the port`, { code: "EACCES", target, cause });
  }
  return cause;
}
