import { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { waitFor } from "@ipc/core/sys";
import { AcceptSource, DEFAULT_MAX_CONNECTIONS, REFUSED } from "./_accept_source.ts";
import { ByteBudget, type TotalOptions } from "./_byte_budget.ts";
import { addressOf, formatAddress, type InetAddress, inetAddress } from "./_inet_address.ts";
import { libc } from "./_libc.ts";
import { NodeConn } from "./_node_conn.ts";
import { checkBuffers } from "./_socket_options.ts";
import { checkStream, type StreamOptions } from "./_stream_channel.ts";
import { Listener, type ListenerSource } from "./listener.ts";
import { listeningSocket, type SocketListenOptions } from "./tcp_listener.ts";
import { type TlsPeer, TlsStream } from "./tls.ts";

/** Milliseconds that a client has for its handshake. */
const HANDSHAKE = 10_000;
/** Milliseconds between two looks for connections while nobody waits for one. */
const LOOK = 10;

/** How to listen for TLS connections; what is told of messages is for each connection. */
export interface TlsListenOptions extends StreamOptions, SocketListenOptions, TotalOptions {
  /** The certificate of this server in PEM, with those that lead to its root. */
  cert: string;
  /** Its key in PEM. */
  key: string;
  /** Asks each client for a certificate that is signed by one of these, in PEM; those without are refused. */
  clientCaCerts?: string[] | undefined;
  /**
   * The most accepted connections that may be open at a time, others wait in the kernel; 1024 unless told. As many may
   * be in the middle of their handshake, for which they have ten seconds, or wait behind it.
   */
  maxConnections?: number | undefined;
  /** Asked of each connection after its handshake; unless it says `true`, it is closed and never given out. */
  authorize?: ((peer: TlsPeer) => boolean) | undefined;
}

/** A connection that has its handshake behind it. */
interface Shaken {
  readonly channel: TlsStream;
  readonly conn: NodeConn;
}

/**
 * Connections are accepted here, and node:tls does the handshakes: its own accepting ends for good, and without a
 * word, when the process has no descriptor left (Deno 2.9.5).
 *
 * Whether somebody waits for a connection or not, clients get their handshakes.
 */
class TlsListenerSource implements ListenerSource<TlsStream> {
  readonly ended = false;
  readonly address: string;
  refused = 0;
  readonly #accepting: AcceptSource<Socket>;
  readonly #server: Server;
  readonly #options: TlsListenOptions;
  readonly #most: number;
  readonly #budget: ByteBudget;
  /** Sockets above which a handshake is under way, by the addresses of both ends, and what is called after it. */
  readonly #shaking = new Map<string, { below: Socket; onShaken: () => void }>();
  readonly #arrived: Shaken[] = [];
  /** Those that were given out, until nothing is left of them. */
  readonly #open = new Set<Shaken>();
  #error: { error: unknown } | undefined;
  /** What `authorize` threw last. */
  #costOne: unknown;
  #wake: (() => void) | undefined;
  /** What keeps the process alive while somebody waits. */
  #alive: ReturnType<typeof setInterval> | undefined;
  #looks: ReturnType<typeof setInterval> | undefined;
  #giveUp: (() => void) | undefined;

  /** Takes the listening socket over, and closes it if that fails. */
  constructor(fd: number, budget: ByteBudget, options: TlsListenOptions) {
    const { cert, key, clientCaCerts, maxConnections = DEFAULT_MAX_CONNECTIONS } = options;
    this.address = `tls:${formatAddress(addressOf(fd, "local")!)}`;
    this.#options = options;
    this.#most = maxConnections;
    this.#budget = budget;
    this.#accepting = new AcceptSource({
      fd,
      address: this.address,
      maxConnections,
      admit: (connection, onShaken) => this.#shake(connection, onShaken),
    });
    this.#server = createServer({
      cert,
      key,
      handshakeTimeout: HANDSHAKE,
      allowHalfOpen: true,
      ...clientCaCerts && { ca: clientCaCerts, requestCert: true, rejectUnauthorized: true },
    }, (socket) => this.#admit(socket));
    this.#server.on("tlsClientError", (_error, socket) => {
      this.refused++;
      socket.destroy();
    });
    this.#rest();
  }

  get fd(): number {
    return this.#accepting.fd;
  }

  get connections(): number {
    return this.#open.size;
  }

  /** Settles when nothing is left of the channels that were closed. */
  get finished(): Promise<void> {
    const closed = [...this.#open].filter(({ channel }) => channel.closed);
    return Promise.all(closed.map(({ conn }) => conn.gone)).then(() => {});
  }

  take(): TlsStream | undefined {
    this.#error ??= this.#look();
    if (this.#error !== undefined) {
      const { error } = this.#error;
      this.#error = undefined;
      throw error;
    }
    if (!this.ready()) return undefined;
    const shaken = this.#arrived.shift()!;
    this.#open.add(shaken);
    shaken.conn.gone.then(() => {
      this.#open.delete(shaken);
      this.#changed();
    });
    return shaken.channel;
  }

  ready(): boolean {
    return this.#error !== undefined || (this.#arrived.length > 0 && this.#open.size < this.#most);
  }

  retryAfter(error: unknown): number | undefined {
    return error === this.#costOne ? 0 : this.#accepting.retryAfter(error);
  }

  park(wake: () => void): () => void {
    clearInterval(this.#looks);
    this.#alive = setInterval(() => {}, 0x7fff_ffff);
    this.#wake = wake;
    // Something may have come since the last look.
    queueMicrotask(() => this.#changed());
    return () => this.#rest();
  }

  close(): void {
    clearInterval(this.#looks);
    this.#accepting.close();
    for (const { below } of this.#shaking.values()) below.destroy();
    for (const { channel } of this.#arrived) channel.close();
  }

  /** Nobody waits for a connection any more. */
  #rest(): void {
    this.#wake = undefined;
    this.#giveUp?.();
    this.#giveUp = undefined;
    clearInterval(this.#alive);
    clearInterval(this.#looks);
    this.#looks = setInterval(() => void this.#look(), LOOK);
    Deno.unrefTimer(this.#looks);
  }

  /** Wakes who waits if there is something, and watches for more. */
  #changed(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    if (!this.ready() && this.#giveUp === undefined && this.#hasRoom) {
      try {
        this.#giveUp = waitFor(this.fd, "readable", () => {
          this.#giveUp = undefined;
          this.#error ??= this.#look();
          this.#changed();
        });
      } catch (error) {
        this.#error = { error };
      }
    }
    if (!this.ready()) return;
    this.#rest();
    wake();
  }

  get #hasRoom(): boolean {
    return this.#open.size < this.#most && this.#arrived.length + this.#accepting.connections < this.#most;
  }

  /** Begins the handshakes of those who connect; gives what went wrong. */
  #look(): { error: unknown } | undefined {
    try {
      while (this.#hasRoom && this.#accepting.take() !== undefined);
    } catch (error) {
      return { error };
    }
    return undefined;
  }

  #shake(fd: number, onShaken: () => void): Socket | typeof REFUSED {
    let below: Socket;
    try {
      below = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    } catch (error) {
      libc.close(fd);
      throw error;
    }
    if (below.remoteAddress === undefined) {
      // Its peer has gone already.
      below.destroy();
      return REFUSED;
    }
    const ends = endsOf(below);
    let shaken = false;
    const over = () => {
      if (shaken) return;
      shaken = true;
      if (this.#shaking.get(ends)?.below === below) this.#shaking.delete(ends);
      onShaken();
      this.#changed();
    };
    this.#shaking.set(ends, { below, onShaken: over });
    below.once("close", over);
    below.on("error", () => {});
    below.unref();
    this.#server.emit("connection", below);
    return below;
  }

  /** Decides about a connection whose handshake is done. */
  #admit(socket: TLSSocket): void {
    socket.on("error", () => {});
    const { below, onShaken } = this.#shaking.get(endsOf(socket)) ?? {};
    onShaken?.();
    const { authorize, clientCaCerts } = this.#options;
    const peer = peerOf(socket, clientCaCerts !== undefined);
    try {
      if (below === undefined || (authorize !== undefined && authorize(peer) !== true)) {
        this.refused++;
        socket.destroy();
        return;
      }
    } catch (error) {
      this.refused++;
      socket.destroy();
      this.#error ??= { error: this.#costOne = error };
      return this.#changed();
    }
    const conn = new NodeConn(socket, below);
    this.#arrived.push({ channel: new TlsStream(conn, peer, this.#options, { budget: this.#budget }), conn });
    this.#changed();
  }
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

function peerOf(socket: TLSSocket, checked: boolean): TlsPeer {
  const address = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
  if (!checked) return { address };
  const { subject, fingerprint256 } = socket.getPeerCertificate();
  const name: unknown = subject?.CN;
  // Of several names none is the one.
  return { address, commonName: typeof name === "string" ? name : undefined, fingerprint: fingerprint256 };
}

/** The runtime looks at certificates only when a client comes, and then tells the client alone. */
function checkCertificates({ cert, key, clientCaCerts = [] }: TlsListenOptions): void {
  try {
    for (const pem of clientCaCerts) new X509Certificate(pem);
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`Cannot listen for TLS: a certificate or its key cannot be read (${why})`, { cause });
  }
  throw new TypeError("Cannot listen for TLS: the key is not that of the certificate");
}

/**
 * Listens for TLS connections at `host:port` or `:port`, which is every address of this machine; port 0 is one that is
 * free.
 *
 * With `clientCaCerts` both sides show a certificate, and `peer` of a channel says whose it is. That a connection was cut
 * off between two messages these channels do not tell from a good end, see {@linkcode TlsStream}.
 *
 * System calls: `getaddrinfo` on a thread of the pool where the host is a name, `socket`, `bind`, `listen`, `accept4`.
 *
 * @throws {AlreadyExistsError} with code `EADDRINUSE` if somebody else listens there.
 * @throws {NotFoundError} if there is no such host.
 * @throws {PermissionError} if the port is below 1024 and this user may not have it.
 * @throws {IpcError} with code `EADDRNOTAVAIL` if it is not an address of this machine.
 * @throws {RangeError} if the port or an option is out of range.
 * @throws {TypeError} if it is no address, or a certificate or its key cannot be used.
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
  const budget = new ByteBudget(options, checkStream(options).maxMessageSize);
  checkBuffers(options);
  checkCertificates(options);
  return new Listener(new TlsListenerSource(await listeningSocket(address, options), budget, options));
}
