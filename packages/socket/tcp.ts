import { BrokenPipeError, ERRNO, errnoError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { abi, check, errno, setNonblocking, waitFor } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { addressOf, formatAddress, type InetAddress, inetAddress, resolve } from "./_inet_address.ts";
import { libc } from "./_libc.ts";
import { net, TCP_CLOSE } from "./_net_abi.ts";
import { openSocket } from "./_net_bind.ts";
import { SocketDescriptor } from "./_socket_descriptor.ts";
import { type BufferOptions, checkBuffers, getOption, setBuffers, setOption } from "./_socket_options.ts";
import { checkStream, StreamChannel, type StreamHooks, type StreamOptions } from "./_stream_channel.ts";

export type { InetAddress };

/** How the kernel finds out that a silent peer is gone. */
export interface KeepAlive {
  /** Milliseconds of silence before the first question; rounded up to seconds. 60,000 unless told. */
  idle?: number | undefined;
  /** Milliseconds between questions; rounded up to seconds. 10,000 unless told. */
  interval?: number | undefined;
  /** Questions without an answer after which the connection is given up; 6 unless told. */
  probes?: number | undefined;
}

/** How messages go over a TCP connection. */
export interface TcpOptions extends StreamOptions, BufferOptions {
  /** Sends short messages at once (TCP_NODELAY), rather than waiting for more to put in a packet; true unless told. */
  noDelay?: boolean | undefined;
  /** Asks a silent peer whether it is still there (SO_KEEPALIVE); `true` for the times below, false unless told. */
  keepAlive?: boolean | KeepAlive | undefined;
}

/**
 * A TCP connection: messages, framed in its stream of bytes, both ways.
 *
 * It owns a descriptor until it is closed. Neither encrypted nor authenticated: whoever is on the way can read and
 * change what goes by; {@linkcode connectTls} is. A message that `send` has given to the kernel may still be lost
 * when the connection breaks: only an answer tells that it arrived. A connection that is closed here while bytes of
 * the peer lie unread is reset, which can cost the peer the last that was sent to it: receive to the end first.
 *
 * System calls: `read`, `write`, `shutdown`, `getsockopt`, `poll`, `fcntl`, and the runtime's reactor.
 *
 * @example
 * ```ts
 * import { connectTcp, listenTcp } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * await using listener = await listenTcp("127.0.0.1:0");
 * await using client = await connectTcp(listener.address); // In another process, as a rule.
 * await using server = await listener.accept();
 * await client.send(new Uint8Array([1, 2]));
 * assertEquals(await server?.receive(), new Uint8Array([1, 2]));
 * ```
 */
export class TcpStream extends StreamChannel {
  /** This end. */
  readonly localAddress: InetAddress;
  /** The other end. */
  readonly remoteAddress: InetAddress;

  /** Takes over the descriptor of a connection, and closes it if that fails. Most programs use `connect` or `listen`. */
  constructor(fd: number, options: TcpOptions = {}, hooks: StreamHooks = {}) {
    const { local, remote } = setUp(fd, options);
    const target = formatAddress(remote);
    let channel: TcpStream | undefined = undefined;
    let expected = false;
    super(new SocketDescriptor(fd, { target, resetIsEnd: true }), options, {
      ...hooks,
      onEnd: () => {
        expected = true;
      },
      // The runtime's reactor takes a reset for the end, and the error away with it: what is left is the state, which
      // tells nothing once this side has ended. A message that has begun is cut off, one way or the other.
      isEnd: () => {
        if (expected || (channel as TcpStream).buffered > 0 || stateOf(fd) !== TCP_CLOSE) return true;
        expected = true;
        throw wasReset(target);
      },
    });
    channel = this as TcpStream;
    this.localAddress = local;
    this.remoteAddress = remote;
  }
}

/** How a connection is made. */
export interface TcpConnectOptions extends TcpOptions, WaitOptions {}

/**
 * Connects to a TCP listener: `host:port`, `[2001:db8::1]:port` or an object. Each address of the host is tried.
 *
 * System calls: `getaddrinfo` on a thread of the pool where the host is a name, `socket`, `connect`, `setsockopt`.
 *
 * @throws {NotFoundError} if there is no such host.
 * @throws {TimeoutError} if it did not answer within `timeout`, for all addresses together.
 * @throws {IpcError} with code `ECONNREFUSED` if nobody listens there.
 * @throws {RangeError} if the port or an option is out of range.
 *
 * @example
 * ```ts
 * import { connectTcp, listenTcp } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * await using listener = await listenTcp("127.0.0.1:0");
 * await using client = await connectTcp(listener.address, { timeout: 5000 });
 * assertEquals(client.remoteAddress.host, "127.0.0.1");
 * ```
 */
export async function connectTcp(
  to: InetAddress | string,
  options: TcpConnectOptions = {},
): Promise<TcpStream> {
  const address = inetAddress(to, "tcp");
  checkTcp(options);
  checkStream(options);
  const { timeout, signal } = options;
  const start = performance.now();
  let failure: unknown;
  for (const sockaddr of await resolve(address, { type: constants.SOCK_STREAM, timeout, signal })) {
    const left = timeout === undefined ? undefined : Math.max(0, timeout - (performance.now() - start));
    try {
      return await connectOne(sockaddr, address, { ...options, timeout: left });
    } catch (error) {
      signal?.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}

async function connectOne(
  sockaddr: Uint8Array,
  address: InetAddress,
  options: TcpConnectOptions,
): Promise<TcpStream> {
  const fd = openSocket(sockaddr, constants.SOCK_STREAM);
  const target = formatAddress(address);
  const said = { syscall: "connect", action: `connect to "${target}"`, target };
  try {
    // The size of its window is told to the peer at the very beginning.
    setBuffers(fd, options);
    if (libc.connect(fd, sockaddr as Uint8Array<ArrayBuffer>, sockaddr.length) === -1) {
      const code = errno();
      if (code !== ERRNO.EINPROGRESS) throw errnoError(code, said);
      const outcome = await untilConnected(fd, options);
      if (outcome !== 0) throw errnoError(outcome, said);
    }
    // Where nobody listens at a port of this machine that the kernel chooses from, it may choose that very one.
    if (isItself(fd)) throw errnoError(ERRNO.ECONNREFUSED, said);
    // Every call of a channel says for itself whether it may wait.
    setNonblocking(fd, false);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return new TcpStream(fd, options);
}

/** Whether a socket is connected to itself. */
function isItself(fd: number): boolean {
  const [local, remote] = [addressOf(fd, "local"), addressOf(fd, "remote")];
  return remote !== undefined && local!.port === remote.port && local!.host === remote.host;
}

/** Waits until a connection is made or refused; the errno of that, 0 for none. */
async function untilConnected(fd: number, { timeout, signal }: WaitOptions): Promise<number> {
  const pollfd = new DataView(new ArrayBuffer(8));
  pollfd.setInt32(0, fd, true);
  pollfd.setInt16(4, abi.POLLOUT, true);
  const wait = new Waits({ action: "connect", park: (wake) => waitFor(fd, "writable", wake) });
  const attempt = () => {
    if (check(libc.poll(pollfd, 1n, 0), "poll", "wait for socket", fd) === 0) return undefined;
    return getOption(fd, constants.SOL_SOCKET, constants.SO_ERROR, "the error");
  };
  return (await wait.take(attempt, { timeout, signal }))!;
}

/** Throws unless the options can be used. */
export function checkTcp(options: TcpOptions): void {
  checkBuffers(options);
  const { idle, interval, probes } = typeof options.keepAlive === "object" ? options.keepAlive : {};
  for (const time of [idle, interval]) {
    if (time !== undefined && !(time > 0 && time <= 32_767_000)) {
      throw new RangeError(`Cannot keep alive with ${time} ms: it is more than 0 and at most 32767000`);
    }
  }
  if (probes !== undefined && !(Number.isInteger(probes) && probes >= 1 && probes <= 127)) {
    throw new RangeError(`Cannot keep alive with ${probes} probes: it is an integer from 1 to 127`);
  }
}

function setUp(fd: number, options: TcpOptions) {
  try {
    setTcp(fd, options);
    const local = addressOf(fd, "local")!;
    // A peer that has reset the connection already has no address any more.
    const remote = addressOf(fd, "remote") ?? { host: "", port: 0 };
    return { local, remote };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function setTcp(fd: number, { noDelay = true, keepAlive = false }: TcpOptions): void {
  if (noDelay) setOption(fd, net.IPPROTO_TCP, net.TCP_NODELAY, 1, "no delay");
  if (keepAlive === false) return;
  const { idle = 60_000, interval = 10_000, probes = 6 } = keepAlive === true ? {} : keepAlive;
  setOption(fd, constants.SOL_SOCKET, constants.SO_KEEPALIVE, 1, "keep-alive");
  setOption(fd, net.IPPROTO_TCP, net.TCP_KEEPIDLE, Math.ceil(idle / 1000), "keep-alive");
  setOption(fd, net.IPPROTO_TCP, net.TCP_KEEPINTVL, Math.ceil(interval / 1000), "keep-alive");
  setOption(fd, net.IPPROTO_TCP, net.TCP_KEEPCNT, probes, "keep-alive");
}

/** `tcpi_state`, the first byte of TCP_INFO. */
function stateOf(fd: number): number {
  return getOption(fd, net.IPPROTO_TCP, net.TCP_INFO, "the state") & 0xff;
}

function wasReset(target: string): BrokenPipeError {
  return new BrokenPipeError(`Cannot receive from "${target}": the connection was reset`, {
    code: "ECONNRESET",
    errno: ERRNO.ECONNRESET,
    syscall: "recvfrom",
    target,
  });
}
