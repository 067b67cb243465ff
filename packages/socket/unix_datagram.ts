import type { Bytes, SyncOptions, WaitOptions } from "@ipc/core";
import { constants } from "./_abi.ts";
import { PacketChannel, type PacketOptions } from "./_packet_channel.ts";
import type { Destination } from "./_packet_ends.ts";
import type { Handle } from "./handle.ts";
import type { MessageWithHandles } from "./_handle_source.ts";
import { libc } from "./_libc.ts";
import { getOption } from "./_socket_options.ts";
import { look } from "./_unix_bind.ts";
import { nameOf, remoteOf } from "./_unix_socket.ts";
import { encodeUnixAddress, isAbstract } from "./_unix_address.ts";
import { type Authorize, type Credentials, sameUserOrRoot } from "./peer.ts";

/** A datagram, and what the kernel tells of its sender. */
export interface UnixDatagramMessage {
  /** Its bytes. */
  readonly data: Bytes;
  /** The path or `@name` to send an answer to; `undefined` where the sender has none. */
  readonly from: string | undefined;
  /** The process that sent it; of number 0 where it did so before this socket asked, as before a service began. */
  readonly peer: Credentials;
}

/** How datagrams travel. */
export interface UnixDatagramOptions extends PacketOptions {
  /**
   * Whose datagrams are received, others are dropped and counted: those of this user and of root unless told, on a
   * connected socket those of the one that it is connected to. Nobody knows who sent what came before the socket asked
   * for it, as before a service began; unless told it is received where only this user or root can write to the path.
   */
  authorize?: Authorize<Credentials> | undefined;
}

/** Where one datagram goes. */
export interface UnixDatagramSendOptions {
  /** The path or `@name` of the receiver; where the socket is connected, its peer unless told. */
  to?: string | undefined;
}

/** What a {@linkcode UnixDatagram} is told by those who make it. */
export interface UnixDatagramHooks {
  /** The path or `@name` that it is connected to. */
  remote?: string | undefined;
  /** Called once when the socket is closed, before its descriptor is. */
  onClose?: (() => void) | undefined;
}

/** The most destinations whose addresses are kept encoded. */
const MOST_KEPT = 64;

/**
 * A datagram socket of this machine: messages, each whole, in order and once, from and to anybody who may.
 *
 * It owns a descriptor until it is closed, and the path that it was bound to. Unlike datagrams of a network none is
 * lost: `send` waits until the receiver has room, which is for ten of them as a rule (net.unix.max_dgram_qlen). Nobody
 * learns that the other side has gone before sending to it, so `receive` never gives the end. Each datagram tells
 * who sent it.
 *
 * Each destination has a line of its own: who does not read holds up what is sent there, and nothing else. All lines
 * together hold `maxQueuedBytes` of what nobody awaits, and at most 256 destinations may be without room.
 *
 * Where one of the two answers the other it needs an address: a bound socket has its path, a connected one gets a
 * name from the kernel. For a dialogue {@linkcode UnixSeqpacket} is the better choice.
 *
 * System calls: `recvmsg`, `sendto`, `setsockopt`, `poll`, and `epoll_wait` where it waits; while a destination other
 * than the peer has no room, it is tried again every millisecond.
 *
 * @example
 * ```ts
 * import { bindUnixDatagram, connect } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/log.sock`;
 * using log = await bindUnixDatagram(path);
 * using client = await connect(`unix-dgram:${path}`); // In another process, as a rule.
 * await client.send(new TextEncoder().encode("hello"));
 * const { data, from, peer } = (await log.receiveMessage())!;
 * assertEquals([new TextDecoder().decode(data), peer.pid], ["hello", Deno.pid]);
 * await log.send(new Uint8Array([1]), { to: from });
 * assertEquals(await client.receive(), new Uint8Array([1]));
 * ```
 */
export class UnixDatagram extends PacketChannel<UnixDatagramMessage> {
  /** The path or `@name` that it is connected to; `undefined`: each datagram says where it goes. */
  readonly remote: string | undefined;
  readonly #destinations = new Map<string, Destination>();

  /** Takes over the descriptor of a socket, and closes it if that fails. Most programs use `bindUnixDatagram` or `connect`. */
  constructor(fd: number, options: UnixDatagramOptions = {}, hooks: UnixDatagramHooks = {}) {
    const { remote, authorize } = whoIsThere(fd, options, hooks);
    super(fd, options, {
      connected: false,
      target: remote,
      onClose: hooks.onClose,
      admit: authorize && (({ credentials }) => authorize(credentials!) === true),
      describe: (data, { from, credentials }) => ({ data, from, peer: credentials! }),
    });
    this.remote = remote;
  }

  /** The path or `@name` under which others reach it; `undefined`: it has none. System call: `getsockname`. */
  get address(): string | undefined {
    this.checkOpen();
    return nameOf(this.fd);
  }

  /** How many datagrams were dropped because their senders were not authorised. */
  get refused(): number {
    return this.dropped;
  }

  /**
   * Sends one datagram; resolves once the receiver's queue has it. Do not change it before. System call: `sendto`.
   *
   * @throws {TimeoutError} if there was no room within `timeout`; nothing was sent.
   * @throws {NotFoundError} if there is nothing of that name.
   * @throws {BrokenPipeError} if nobody receives there any more.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`.
   * @throws {PermissionError} if this user may not write to that path, or its socket is connected to somebody else.
   * @throws {LimitError} if too many bytes wait already because nobody awaited them.
   * @throws {TypeError} if it goes nowhere: the socket is not connected, and there is no `to`.
   * @throws {ClosedError} if the socket was closed, or its sending half ended.
   */
  override send(message: Uint8Array, options: WaitOptions & UnixDatagramSendOptions = {}): Promise<void> {
    try {
      return this.sendTo(message, this.#destination(options), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Sends without waiting; false: there is no room, and nothing was sent. Throws as `send` does. */
  override trySend(message: Uint8Array, options: UnixDatagramSendOptions = {}): boolean {
    return this.trySendTo(message, this.#destination(options));
  }

  /** Sends, blocking this thread while there is no room. Throws as `send` does. */
  override sendSync(message: Uint8Array, options: SyncOptions & UnixDatagramSendOptions = {}): void {
    this.sendSyncTo(message, this.#destination(options), options);
  }

  /**
   * Receives one datagram with its sender; `undefined`: this end was closed meanwhile. System call: `recvmsg`.
   *
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {ClosedError} if the socket is closed already.
   */
  receiveMessage(options?: WaitOptions): Promise<UnixDatagramMessage | undefined> {
    return this.receiveWith(() => this.takeMessage(), options);
  }

  /** Receives one datagram with its sender, without waiting; `undefined`: there is none. */
  tryReceiveMessage(): UnixDatagramMessage | undefined {
    return this.tryReceiveWith(() => this.takeMessage());
  }

  /** Receives one datagram with its sender, blocking this thread until there is one. */
  receiveMessageSync(options?: SyncOptions): UnixDatagramMessage {
    return this.receiveSyncWith(() => this.takeMessage(), options)!;
  }

  /**
   * Sends one message with handles: open files, sockets, memory, which the receiver gets descriptors of, whatever its
   * rights to open them. They stay the sender's too, and open until the promise settles. System call: `sendmsg`.
   *
   * @throws {RangeError} if there are none, or more than 253.
   * @throws {TypeError} if one of them is no handle.
   * @throws {TypeError} if it goes nowhere: the socket is not connected, and there is no `to`.
   * @throws {ClosedError} if one of them is closed, or this channel.
   * @throws {IpcError} with code `EBADF` if a number is no open descriptor; with `ETOOMANYREFS` if this user has too
   * many under way that nobody has received.
   * @throws {TimeoutError} if there was no room within `timeout`.
   * @throws {BrokenPipeError} if nobody can receive it any more.
   *
   * @example
   * ```ts
   * import { socketPair } from "@ipc/socket";
   * import { stat } from "@ipc/core/sys";
   * import { assertEquals } from "@std/assert";
   *
   * const [here, there] = socketPair("datagram");
   * await using _ = here, __ = there;
   * using file = await Deno.open(new URL(import.meta.url).pathname);
   * await here.sendHandles(new Uint8Array([1]), [file]);
   * const { data, handles } = (await there.receiveWithHandles())!;
   * using handle = handles[0]!;
   * assertEquals([data.length, stat(handle.fd).type], [1, "file"]);
   * ```
   */
  sendHandles(
    message: Uint8Array,
    handles: readonly Handle[],
    options: WaitOptions & UnixDatagramSendOptions = {},
  ): Promise<void> {
    try {
      return this.sendParcel(message, handles, options, this.#destination(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Receives one message with the handles that came with it, close-on-exec; `undefined`: this end was closed meanwhile. Whoever
   * calls it owns them, and has to close each. `receive` closes them.
   *
   * System call: `recvmsg`.
   *
   * @throws {LimitError} if this process had no room for all of them: those that came were
   * closed, and the message is dropped.
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {ClosedError} if the channel is closed already.
   */
  receiveWithHandles(options?: WaitOptions): Promise<UnixDatagramMessage & MessageWithHandles | undefined> {
    return this.receiveWith(() => this.takeMessageWithHandles(), options);
  }

  /** Looks at the next datagram and leaves it; `undefined`: there is none now. System call: `recvmsg` with MSG_PEEK. */
  peek(): UnixDatagramMessage | undefined {
    return this.peekMessage();
  }

  #destination({ to }: UnixDatagramSendOptions): Destination | undefined {
    if (to === undefined) {
      if (this.remote !== undefined) return undefined;
      throw new TypeError("Cannot send: the socket is not connected, say where the datagram goes with `to`");
    }
    let destination = this.#destinations.get(to);
    if (destination === undefined) {
      destination = { to: encodeUnixAddress(to), name: to };
      if (this.#destinations.size >= MOST_KEPT) this.#destinations.clear();
      this.#destinations.set(to, destination);
    }
    return destination;
  }
}

/** What the socket is connected to, and who else gets through to it; closes it where it tells neither. */
function whoIsThere(fd: number, options: UnixDatagramOptions, hooks: UnixDatagramHooks) {
  try {
    const remote = hooks.remote ?? remoteOf(fd);
    // Nobody but the one that it is connected to gets through to a connected socket.
    return { remote, authorize: options.authorize ?? (remote === undefined ? sendersTo(fd) : undefined) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/**
 * Who may send unless told: this user and root.
 *
 * Of what was sent before a socket was told to ask for credentials nobody knows the sender, such as of the datagram
 * that lets a service begin: the mode of its path says whether that was one of them.
 */
function sendersTo(fd: number): Authorize<Credentials> {
  const asked =
    getOption(fd, constants.SOL_SOCKET, constants.SO_PASSCRED, "the passing of credentials") !== 0;
  if (asked || !isPrivate(nameOf(fd))) return sameUserOrRoot;
  return (sender) => sender.pid === 0 || sameUserOrRoot(sender);
}

/** Whether nobody but this user and root can write to a path. */
function isPrivate(path: string | undefined): boolean {
  if (path === undefined || isAbstract(path)) return false;
  const status = look(path);
  return status?.type === "socket" && sameUserOrRoot(status) && (status.mode & 0o022) === 0;
}
