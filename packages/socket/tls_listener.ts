import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { AlreadyExistsError, IpcError, type WaitOptions } from "@ipc/core";
import { DEFAULT_MAX_CONNECTIONS } from "./_accept_source.ts";
import { ByteBudget, type TotalOptions } from "./_byte_budget.ts";
import { formatAddress, type InetAddress, inetAddress } from "./_inet_address.ts";
import { NodeConn } from "./_node_conn.ts";
import { checkStream, type StreamOptions } from "./_stream_channel.ts";
import { Listener, type ListenerSource } from "./listener.ts";
import { type TlsPeer, TlsStream } from "./tls.ts";

/** Milliseconds that a client has for its handshake. */
const HANDSHAKE = 10_000;

/** How to listen for TLS connections; what is told of messages is for each connection. */
export interface TlsListenOptions extends StreamOptions, TotalOptions, WaitOptions {
  /** The certificate of this server in PEM, with those that lead to its root. */
  cert: string;
  /** Its key in PEM. */
  key: string;
  /** Asks each client for a certificate that is signed by one of these, in PEM; those without are refused. */
  clientCaCerts?: string[] | undefined;
  /**
   * The most connections that may be open at a time, and as many may be in the middle of their handshake, for which
   * they have ten seconds; others are closed at once. 1024 unless told.
   */
  maxConnections?: number | undefined;
  /** Asked of each connection after its handshake; where it says no, it is closed and never given out. */
  authorize?: ((peer: TlsPeer) => boolean) | undefined;
}

class TlsListenerSource implements ListenerSource<TlsStream> {
  readonly fd = undefined;
  readonly ended = false;
  readonly #server: Server;
  readonly #options: TlsListenOptions;
  readonly #budget: ByteBudget;
  readonly #arrived: TlsStream[] = [];
  /** Connections in the middle of their handshake, by the address of the peer. */
  readonly #shaking = new Map<string, Socket>();
  readonly finished: Promise<void>;
  address = "";
  connections = 0;
  refused = 0;
  #wake: (() => void) | undefined;

  constructor(options: TlsListenOptions) {
    const { cert, key, clientCaCerts } = options;
    this.#options = options;
    this.#budget = new ByteBudget(options, checkStream(options).maxMessageSize);
    this.#server = createServer({
      cert,
      key,
      handshakeTimeout: HANDSHAKE,
      allowHalfOpen: true,
      ...clientCaCerts && { ca: clientCaCerts, requestCert: true, rejectUnauthorized: true },
    }, (socket) => this.#admit(socket));
    this.#server.on("connection", (socket: Socket) => {
      const peer = nameOf(socket);
      this.#shaking.set(peer, socket);
      socket.on("close", () => this.#shaking.delete(peer));
    });
    this.#server.maxConnections = 2 * (options.maxConnections ?? DEFAULT_MAX_CONNECTIONS);
    this.#server.on("tlsClientError", (_error, socket) => {
      this.refused++;
      socket.destroy();
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#server.on("close", () => resolve());
  }

  listen(address: InetAddress): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", (error) => reject(listenFailure(error, address)));
    const { host, port } = address;
    this.#server.listen({ port, ...host !== "" && { host } }, () => {
      const { address: host, port } = this.#server.address() as { address: string; port: number };
      this.address = `tls:${formatAddress({ host, port })}`;
      this.#server.unref();
      resolve();
    });
    return promise;
  }

  take(): TlsStream | undefined {
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
    this.#server.close();
    for (const socket of this.#shaking.values()) socket.destroy();
    for (const channel of this.#arrived.splice(0)) channel.close();
  }

  #rest(): void {
    this.#wake = undefined;
    this.#server.unref();
  }

  #admit(socket: TLSSocket): void {
    const below = this.#shaking.get(nameOf(socket));
    this.#shaking.delete(nameOf(socket));
    const { maxConnections = DEFAULT_MAX_CONNECTIONS, authorize, clientCaCerts } = this.#options;
    const peer = peerOf(socket, clientCaCerts !== undefined);
    socket.on("error", () => {});
    if (below === undefined || this.connections >= maxConnections || authorize?.(peer) === false) {
      this.refused++;
      socket.destroy();
      return;
    }
    this.connections++;
    const hooks = { budget: this.#budget, onClose: () => void this.connections-- };
    this.#arrived.push(new TlsStream(new NodeConn(socket, below), peer, this.#options, hooks));
    const wake = this.#wake;
    this.#rest();
    wake?.();
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function peerOf(socket: TLSSocket, checked: boolean): TlsPeer {
  const address = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
  if (!checked) return { address };
  const { subject, fingerprint256 } = socket.getPeerCertificate();
  return { address, commonName: subject?.CN, fingerprint: fingerprint256 };
}

function listenFailure(cause: Error & { code?: string }, address: InetAddress): Error {
  const target = formatAddress(address);
  const what = `Cannot listen at "${target}"`;
  const { code = "EIPC" } = cause;
  if (code !== "EADDRINUSE") return new IpcError(`${what}: ${cause.message}`, { code, target, cause });
  return new AlreadyExistsError(`${what}: the address is in use`, { code, target, cause });
}

/**
 * Listens for TLS connections at `host:port`; port 0 is one that is free. Needs `--allow-net`.
 *
 * With `clientCaCerts` both sides show a certificate, and `peer` of a channel says whose it is.
 *
 * @throws {AlreadyExistsError} with code `EADDRINUSE` if somebody else listens there.
 * @throws {TypeError} if it is no address.
 *
 * @example
 * ```ts ignore
 * import { listenTls } from "@ipc/socket";
 *
 * const [cert, key, ca] = ["server.pem", "server.key", "clients.pem"].map((path) => Deno.readTextFileSync(path));
 * await using listener = await listenTls("0.0.0.0:4433", { cert, key, clientCaCerts: [ca] });
 * for await (const channel of listener) console.log(channel.peer.commonName, await channel.receive());
 * ```
 */
export async function listenTls(
  at: InetAddress | string,
  options: TlsListenOptions,
): Promise<Listener<TlsStream>> {
  const address = inetAddress(at, "tls");
  const source = new TlsListenerSource(options);
  await source.listen(address);
  return new Listener(source);
}
