import { type Framing, IpcError, UntrustedError, type WaitOptions } from "@ipc/core";
import { BaseChannel, BaseSender } from "@ipc/core/base";
import { decoderOf } from "./_byte_budget.ts";
import { type ByteConn, ConnSink, ConnSource } from "./_conn_ends.ts";
import { formatAddress, type InetAddress, inetAddress, lookupFailure } from "./_inet_address.ts";
import { within } from "./_within.ts";
import { patient } from "./_patient_source.ts";
import { checkStream, type StreamHooks, type StreamOptions } from "./_stream_channel.ts";

/** Who is at the other end of a {@linkcode TlsStream}. */
export interface TlsPeer {
  /** Its address. */
  readonly address: InetAddress;
  /** The common name in the certificate that it has shown, where one was asked for and checked, and it has just one. */
  readonly commonName?: string | undefined;
  /** The SHA-256 fingerprint of that certificate, as `5C:F9:…`. */
  readonly fingerprint?: string | undefined;
}

/**
 * A TLS connection: messages, framed in an encrypted stream of bytes, both ways.
 *
 * It is the runtime's own TLS in the form of a channel: nothing here blocks the thread. Where this end has connected, a
 * connection that is cut off by somebody on the way, or by a crash, is a `BrokenPipeError`. The end that a listener gave
 * is not told that apart from a good end, unless it comes inside a message: a protocol that must know needs a last
 * message of its own. `send` resolves once the message is among the 64 KiB
 * that wait for the connection; what is there when it is closed has five seconds to leave.
 *
 * @example
 * ```ts ignore
 * import { connectTls } from "@ipc/socket";
 *
 * await using channel = await connectTls("example.org:4433");
 * await channel.send(new TextEncoder().encode("hello"));
 * ```
 */
export class TlsStream extends BaseChannel {
  /** Who is at the other end. */
  readonly peer: TlsPeer;

  /** Takes a connection over whose handshake is done. Programs use {@linkcode connectTls} or {@linkcode listenTls}. */
  constructor(
    conn: ByteConn,
    peer: TlsPeer,
    options: StreamOptions,
    { budget }: Pick<StreamHooks, "budget"> = {},
  ) {
    const framing: Framing = checkStream(options);
    const sink = new ConnSink(conn, framing);
    const decoder = decoderOf(framing, budget, () => conn.close());
    const source = new ConnSource(conn, decoder, async () => {
      decoder.release?.();
      await sink.finishAndClose();
    });
    super(patient(source, options), new BaseSender(sink, { maxQueuedBytes: options.maxQueuedBytes }));
    this.peer = peer;
  }
}

/** How a TLS connection is made. */
export interface TlsConnectOptions extends StreamOptions, WaitOptions {
  /** Certificates in PEM that the server's may be signed by, besides those that the runtime trusts. */
  caCerts?: string[] | undefined;
  /** This client's certificate in PEM, for servers that ask for one. */
  cert?: string | undefined;
  /** Its key in PEM. */
  key?: string | undefined;
}

/**
 * Connects to a TLS listener at `host:port`, whose certificate has to name the host. Needs `--allow-net`. An attempt that
 * is given up before the other machine has answered at all keeps the process alive until the kernel gives it up as well.
 *
 * @throws {UntrustedError} if its certificate is not signed by anybody who is trusted, or not for this host.
 * @throws {TimeoutError} if it did not answer within `timeout`.
 * @throws {NotFoundError} if there is no such host.
 * @throws {IpcError} with code `ECONNREFUSED` if nobody listens there.
 * @throws {RangeError} if `timeout` is negative.
 * @throws {TypeError} if it is no address, or only one of `cert` and `key` is told.
 */
export async function connectTls(
  to: InetAddress | string,
  options: TlsConnectOptions = {},
): Promise<TlsStream> {
  const address = inetAddress(to, "tls");
  checkStream(options);
  const { caCerts, cert, key, timeout, signal } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("Cannot connect with TLS: a certificate and its key belong together");
  }
  const { host: hostname, port } = address;
  const target = formatAddress(address);
  let conn: Deno.TlsConn | undefined;
  let over = false;
  const connecting = () =>
    Deno.connectTls({
      hostname,
      port,
      ...caCerts && { caCerts },
      ...cert !== undefined && { cert, key: key! },
    })
      .then(async (connected) => {
        conn = connected;
        // Whoever waited has given up meanwhile: closing it ends the handshake too.
        if (over) conn.close();
        await conn.handshake();
        return conn;
      })
      .catch((error) => {
        throw tlsFailure(error, target);
      });
  try {
    const connected = await within(connecting, { timeout, signal, action: `connect to "${target}"`, target });
    return new TlsStream(connected, { address }, options);
  } catch (error) {
    over = true;
    conn?.close();
    throw error;
  }
}

/** The errors of the runtime as those of this package. */
function tlsFailure(cause: unknown, target: string): unknown {
  if (!(cause instanceof Error)) return cause;
  const what = `Cannot connect to "${target}"`;
  if (cause instanceof Deno.errors.InvalidData) {
    return new UntrustedError(`${what}: ${cause.message}`, { target, cause });
  }
  if (cause instanceof Deno.errors.ConnectionRefused) {
    return new IpcError(`${what}: nobody listens there`, { code: "ECONNREFUSED", target, cause });
  }
  if (cause instanceof Deno.errors.NotCapable) return cause;
  return lookupFailure(what, cause.message, target) ??
    new IpcError(`${what}: ${cause.message}`, { code: "ECONNRESET", target, cause });
}
