import { type Bytes, ClosedError, errnoError, type SyncChannel } from "@ipc/core";
import type { SyncOptions, WaitOptions } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { errno } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import {
  addressOf,
  checkAddress,
  familyOf,
  formatAddress,
  type InetAddress,
  inetAddress,
  resolve,
  resolveNumber,
} from "./_inet_address.ts";
import { libc } from "./_libc.ts";
import { setGroupInterface, setMembership } from "./_multicast.ts";
import { net } from "./_net_abi.ts";
import { bindSocket, openSocket } from "./_net_bind.ts";
import { SocketDescriptor } from "./_socket_descriptor.ts";
import { type BufferOptions, checkBuffers, setBuffers, setOption } from "./_socket_options.ts";
import { type UdpMessage, UdpSender, UdpSink, UdpSource } from "./_udp_ends.ts";

export type { UdpMessage };

/** What every UDP socket can be told. */
export interface UdpOptions extends BufferOptions {
  /** Lets it send to broadcast addresses (SO_BROADCAST); false unless told. */
  broadcast?: boolean | undefined;
  /** How many routers a multicast datagram may pass, 0 to 255; 1, this network only, unless told. */
  multicastTtl?: number | undefined;
  /** Whether what is sent to a group is received on this machine too; true unless told. */
  multicastLoop?: boolean | undefined;
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/** How a UDP socket is bound. */
export interface UdpBindOptions extends UdpOptions, WaitOptions {
  /** Lets several sockets have the same address, as the members of a group on one machine do (SO_REUSEADDR). */
  reuseAddress?: boolean | undefined;
  /** Lets several processes of one user share the datagrams among them (SO_REUSEPORT). */
  reusePort?: boolean | undefined;
}

/** Where a datagram goes. */
export interface UdpSendOptions {
  /** The receiver; its host has to be a number. The one that the socket is connected to unless told. */
  to?: InetAddress | undefined;
}

/** The network that a group is joined on. */
export interface GroupOptions {
  /** The name of the interface, such as `eth0`; the system's choice unless told. */
  interface?: string | undefined;
}

/** Octets of a datagram of IPv4 and IPv6 that are left for the message. */
const LONGEST = { 4: 65_507, 6: 65_527 } as const;

/**
 * A UDP socket: datagrams, each whole or not at all, from and to anybody.
 *
 * It owns a descriptor until it is closed. The network may drop, double and reorder datagrams, and a receiver that
 * does not keep up loses those that the kernel has no room for: `send` waits for room on this machine only. Nobody
 * learns that the other side has gone, so `receive` never gives the end. A connected socket receives from its peer
 * alone, and an error with code `ECONNREFUSED` tells that an earlier datagram found nobody; try again then. Anybody can
 * send under any address: what matters needs a signature. Over 1,472 bytes (IPv6: 1,452) a datagram travels in pieces,
 * and one lost piece loses it all.
 *
 * System calls: `sendto`, `recvfrom`, `setsockopt`, and `epoll_wait` where it waits.
 *
 * @example
 * ```ts
 * import { bindUdp, connectUdp } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using server = await bindUdp("127.0.0.1:0");
 * using client = await connectUdp(server.address); // In another process, as a rule.
 * await client.send(new Uint8Array([1]));
 * const { data, from } = await server.receiveMessage() ?? {};
 * await server.send(new Uint8Array([data![0]! + 1]), { to: from });
 * assertEquals(await client.receive(), new Uint8Array([2]));
 * ```
 */
export class UdpSocket extends BaseReceiver<Bytes> implements SyncChannel {
  readonly #descriptor: SocketDescriptor;
  readonly #source: UdpSource;
  readonly #sender: UdpSender;
  readonly #family: number;
  /** What the socket is connected to, and receives from alone; `undefined`: anybody. */
  readonly remoteAddress: InetAddress | undefined;

  /** Takes over the descriptor of a bound or connected socket. Most programs use {@linkcode bindUdp} or {@linkcode connectUdp}. */
  constructor(fd: number, options: Pick<UdpOptions, "maxQueuedBytes"> = {}) {
    const remote = addressOf(fd, "remote");
    const descriptor = new SocketDescriptor(fd, {
      nonblocking: true,
      target: formatAddress(remote ?? addressOf(fd, "local")!),
    });
    const source = new UdpSource(descriptor);
    super(source);
    this.#descriptor = descriptor;
    this.#source = source;
    this.remoteAddress = remote;
    this.#family = addressOf(fd, "local")!.host.includes(":") ? net.AF_INET6 : net.AF_INET;
    const longest = this.#family === net.AF_INET ? LONGEST[4] : LONGEST[6];
    this.#sender = new UdpSender(new UdpSink(descriptor, longest), options);
  }

  /** The descriptor's number; it stays owned here. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /**
   * Where it receives; the kernel chooses the port where none was told.
   *
   * @throws {ClosedError} if the socket is closed.
   */
  get address(): InetAddress {
    this.#checkOpen();
    return addressOf(this.fd, "local")!;
  }

  /** The longest datagram in bytes: 65,507, and 65,527 over IPv6. */
  get maxMessageSize(): number {
    return this.#sender.maxMessageSize;
  }

  /** The sending half of a connected socket as a stream: a write resolves once the kernel has it. */
  get writable(): WritableStream<Uint8Array> {
    return this.#sender.writable;
  }

  /**
   * Sends one datagram; resolves once the kernel has it, which does not mean that it arrives.
   *
   * @throws {TimeoutError} if there was no room within `timeout`.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`; nothing is sent.
   * @throws {PermissionError} if it goes to a broadcast address without the option `broadcast`.
   * @throws {TypeError} if `to` has a name rather than a number.
   * @throws {IpcError} with code `EDESTADDRREQ` if it goes nowhere, `ECONNREFUSED` if an earlier one found nobody.
   * @throws {ClosedError} if the socket was closed, or its sending half ended.
   */
  async send(message: Uint8Array, options: WaitOptions & UdpSendOptions = {}): Promise<void> {
    await this.#sender.sendTo(message, this.#sockaddr(options.to), options);
  }

  /** Sends many datagrams to the one that the socket is connected to; an error carries `sent`, how many had left. */
  sendBatch(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    return this.#sender.sendBatch(messages, options);
  }

  /** Sends without waiting; false: there is no room, and nothing was sent. Throws as `send` does. */
  trySend(message: Uint8Array, options: UdpSendOptions = {}): boolean {
    return this.#sender.trySendTo(message, this.#sockaddr(options.to));
  }

  /** Sends, blocking this thread while there is no room. Throws as `send` does. */
  sendSync(message: Uint8Array, options: SyncOptions & UdpSendOptions = {}): void {
    this.#sender.sendSyncTo(message, this.#sockaddr(options.to), options);
  }

  /** Waits until the kernel has what was sent, and sends no more from here. The other side is not told. */
  end(): Promise<void> {
    return this.#sender.end();
  }

  /** Receives a datagram with its sender; `undefined`: the socket was closed meanwhile. Throws as `receive` does. */
  receiveMessage(options?: WaitOptions): Promise<UdpMessage | undefined> {
    return this.receiveWith(() => this.#source.takeMessage(), options);
  }

  /** Receives a datagram with its sender, without waiting; `undefined`: there is none. */
  tryReceiveMessage(): UdpMessage | undefined {
    return this.tryReceiveWith(() => this.#source.takeMessage());
  }

  /** Receives a datagram with its sender, blocking this thread until there is one. */
  receiveMessageSync(options?: SyncOptions): UdpMessage {
    return this.receiveSyncWith(() => this.#source.takeMessage(), options)!;
  }

  /**
   * Receives what is sent to a multicast group as well. System call: `setsockopt` with IP_ADD_MEMBERSHIP.
   *
   * @throws {TypeError} if the group is not a number of this socket's version of IP.
   * @throws {IpcError} with code `EADDRINUSE` if it has joined already, `EINVAL` if it is no group, `ENODEV` if there
   * is no such interface, or none leads there.
   * @throws {ClosedError} if the socket is closed.
   */
  joinGroup(group: string, options?: GroupOptions): void {
    this.#setMembership(group, options, "join");
  }

  /** Leaves a multicast group. Throws as {@linkcode UdpSocket.joinGroup} does. */
  leaveGroup(group: string, options?: GroupOptions): void {
    this.#setMembership(group, options, "leave");
  }

  /**
   * Sends what goes to groups through one interface; the system's choice unless told. System call: `setsockopt` with
   * IP_MULTICAST_IF.
   *
   * @throws {IpcError} with code `ENODEV` if there is no such interface.
   * @throws {ClosedError} if the socket is closed.
   */
  setMulticastInterface(name: string): void {
    this.#checkOpen();
    setGroupInterface(this.fd, this.#family, name);
  }

  /** Closes at once; the kernel is first given what it takes without waiting. Calling it again does nothing. */
  override close(): void {
    if (this.closed) return;
    this.#sender.close();
    super.close();
  }

  /** Waits until the kernel has what was sent, and closes. */
  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#sender[Symbol.asyncDispose]();
    } finally {
      this.close();
    }
  }

  /** Throws if the socket is closed: the number of its descriptor may be somebody else's by now. */
  #checkOpen(): void {
    if (this.closed) throw new ClosedError("Cannot use the socket: it is closed");
  }

  #sockaddr(to: InetAddress | undefined): Bytes | undefined {
    if (to === undefined) return undefined;
    checkAddress(to);
    const found = resolveNumber(to, { type: constants.SOCK_DGRAM });
    const sockaddr = found?.find((candidate) => familyOf(candidate) === this.#family);
    if (sockaddr !== undefined) return sockaddr;
    throw new TypeError(
      `Cannot send to "${to.host}": it is not an address of IPv${
        this.#family === net.AF_INET ? 4 : 6
      } in numbers`,
    );
  }

  #setMembership(group: string, options: GroupOptions | undefined, action: "join" | "leave"): void {
    this.#checkOpen();
    const sockaddr = this.#sockaddr({ host: group, port: 0 })!;
    setMembership(this.fd, sockaddr, { group, action, name: options?.interface });
  }
}

/**
 * Binds a UDP socket to an address, to receive there; port 0 is one that is free.
 *
 * `:port` is every address of IPv4. `[::]:port` is every address of IPv6, and of IPv4 too unless the system says
 * otherwise (net.ipv6.bindv6only): those have the form `::ffff:192.0.2.1` there.
 *
 * System calls: `getaddrinfo` on a thread of the pool where the host is a name, `socket`, `bind`, `setsockopt`.
 *
 * @throws {AlreadyExistsError} with code `EADDRINUSE` if somebody else receives there.
 * @throws {NotFoundError} if there is no such host.
 * @throws {PermissionError} if the port is below 1024 and this user may not have it.
 * @throws {IpcError} with code `EADDRNOTAVAIL` if it is not an address of this machine.
 *
 * @example
 * ```ts
 * import { bindUdp } from "@ipc/socket";
 *
 * using group = await bindUdp("0.0.0.0:0", { reuseAddress: true });
 * group.joinGroup("239.255.1.2", { interface: "lo" });
 * ```
 */
export async function bindUdp(at: InetAddress | string, options: UdpBindOptions = {}): Promise<UdpSocket> {
  const address = inetAddress(at, "udp");
  return await make(address, { ...options, passive: true }, (fd, sockaddr) => {
    if (options.reuseAddress) {
      setOption(fd, constants.SOL_SOCKET, constants.SO_REUSEADDR, 1, "reuse of the address");
    }
    if (options.reusePort) {
      setOption(fd, constants.SOL_SOCKET, constants.SO_REUSEPORT, 1, "reuse of the port");
    }
    bindSocket(fd, sockaddr, address);
  });
}

/**
 * Makes a UDP socket that sends to one address and receives from there alone.
 *
 * System calls: `getaddrinfo` on a thread of the pool where the host is a name, `socket`, `connect`, `setsockopt`.
 *
 * @throws {NotFoundError} if there is no such host.
 * @throws {IpcError} with code `ENETUNREACH` if no way leads there.
 *
 * @example
 * ```ts
 * import { connectUdp } from "@ipc/socket";
 *
 * using log = await connectUdp("127.0.0.1:514");
 * await log.send(new TextEncoder().encode("<14>hello"));
 * ```
 */
export async function connectUdp(
  to: InetAddress | string,
  options: UdpOptions & WaitOptions = {},
): Promise<UdpSocket> {
  const address = inetAddress(to, "udp");
  return await make(address, options, (fd, sockaddr) => {
    if (libc.connect(fd, sockaddr, sockaddr.length) === 0) return;
    const code = errno();
    const target = formatAddress(address);
    throw errnoError(code, { syscall: "connect", action: `connect to "${target}"`, target });
  });
}

async function make(
  address: InetAddress,
  options: UdpOptions & WaitOptions & { passive?: boolean },
  attach: (fd: number, sockaddr: Bytes) => void,
): Promise<UdpSocket> {
  checkBuffers(options);
  const { timeout, signal, passive, multicastTtl = 1 } = options;
  if (!(Number.isInteger(multicastTtl) && multicastTtl >= 0 && multicastTtl <= 255)) {
    throw new RangeError(`Cannot use ${multicastTtl} as multicastTtl: it is an integer from 0 to 255`);
  }
  let failure: unknown;
  for (const sockaddr of await resolve(address, { type: constants.SOCK_DGRAM, passive, timeout, signal })) {
    let fd: number;
    try {
      fd = openSocket(sockaddr, constants.SOCK_DGRAM);
    } catch (error) {
      failure = error;
      continue;
    }
    try {
      setUp(fd, familyOf(sockaddr), options);
      attach(fd, sockaddr);
      return new UdpSocket(fd, options);
    } catch (error) {
      libc.close(fd);
      failure = error;
    }
  }
  throw failure;
}

function setUp(fd: number, family: number, options: UdpOptions): void {
  setBuffers(fd, options);
  const { broadcast = false, multicastTtl, multicastLoop } = options;
  if (broadcast) setOption(fd, constants.SOL_SOCKET, constants.SO_BROADCAST, 1, "broadcast");
  const four = family === net.AF_INET;
  const level = four ? net.IPPROTO_IP : net.IPPROTO_IPV6;
  if (multicastTtl !== undefined) {
    setOption(
      fd,
      level,
      four ? net.IP_MULTICAST_TTL : net.IPV6_MULTICAST_HOPS,
      multicastTtl,
      "multicast TTL",
    );
  }
  if (multicastLoop !== undefined) {
    const name = four ? net.IP_MULTICAST_LOOP : net.IPV6_MULTICAST_LOOP;
    setOption(fd, level, name, multicastLoop ? 1 : 0, "multicast loop");
  }
}
