import { check } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { AcceptSource, REFUSED } from "./_accept_source.ts";
import type { UnixAddress, UnixScheme } from "./address.ts";
import { ByteBudget, type TotalOptions } from "./_byte_budget.ts";
import { libc } from "./_libc.ts";
import { Listener } from "./listener.ts";
import { checkPacket } from "./_packet_channel.ts";
import { checkStream } from "./_stream_channel.ts";
import { bindUnix, checkMode } from "./_unix_bind.ts";
import { formatUnixAddress, isAbstract } from "./_unix_address.ts";
import { SOCKET_TYPES, unixSocket } from "./_unix_socket.ts";
import { type Authorize, credentialsOf, peerOf, sameUserOrRoot } from "./peer.ts";
import { UnixSeqpacket } from "./unix_seqpacket.ts";
import { checkUnixStream, UnixStream, type UnixStreamOptions } from "./unix_stream.ts";

/** How a unix socket listens; the options of streams are those of each connection. */
export interface UnixListenOptions extends UnixStreamOptions, TotalOptions {
  /** Who may connect by the permission bits of the path, exact whatever the umask; 0o600 unless told. */
  mode?: number | undefined;
  /**
   * Who may connect; others are closed at once and counted. This user and root unless told, which at an abstract name
   * has to be said with `sameUser`.
   */
  authorize?: Authorize | undefined;
  /** Says that this user and root may connect, as is required at an abstract name, which anybody can reach. */
  sameUser?: true | undefined;
  /** How many may wait to be accepted; as many as net.core.somaxconn allows unless told, mostly 4096. */
  backlog?: number | undefined;
  /** How many accepted connections may be open at a time, others wait; 1024 unless told. */
  maxConnections?: number | undefined;
  /** Gives up to wait for others who take the path of a dead server. */
  signal?: AbortSignal | undefined;
}

/** Listens at a path or an abstract name; `listen` for addresses as text. */
export async function listenUnix(
  address: UnixAddress,
  options: UnixListenOptions = {},
): Promise<Listener<UnixStream | UnixSeqpacket>> {
  const { type, path } = address;
  checkOptions(address, options);
  const { backlog = constants.SOMAXCONN } = options;
  using socket = unixSocket(SOCKET_TYPES[type], constants.SOCK_NONBLOCK);
  const binding = await bindUnix(socket.fd, path, options);
  try {
    check(libc.listen(socket.fd, backlog), "listen", "listen at", path);
  } catch (error) {
    binding.release();
    throw error;
  }
  return unixListener(socket.take(), address, options, () => binding.leave());
}

/** Makes a listener of a non-blocking socket that listens, and closes it if that fails. */
export function unixListener(
  fd: number,
  address: UnixAddress,
  options: UnixListenOptions,
  onClose?: () => void,
): Listener<UnixStream | UnixSeqpacket> {
  const { type } = address;
  const { authorize, maxConnections } = options;
  const budget = type === "unix" ? new ByteBudget(options, checkStream(options).maxMessageSize) : undefined;
  return new Listener(
    new AcceptSource<UnixStream | UnixSeqpacket>({
      fd,
      address: formatUnixAddress(address),
      maxConnections,
      onClose,
      admit: (fd, onClose) => {
        if (!isAllowed(fd, authorize)) return REFUSED;
        return type === "unix"
          ? new UnixStream(fd, options, { onClose, budget })
          : new UnixSeqpacket(fd, options, { onClose });
      },
    }),
  );
}

/** Whether a connection may go on; otherwise it is closed. */
function isAllowed(fd: number, authorize: Authorize | undefined): boolean {
  let allowed = false;
  try {
    // Unless somebody wants to know more of it, the user is enough.
    allowed = authorize === undefined ? sameUserOrRoot(credentialsOf(fd)) : authorize(peerOf(fd)) === true;
    return allowed;
  } finally {
    if (!allowed) libc.close(fd);
  }
}

/** Throws unless what is told of each connection can be used. */
export function checkConnections(type: UnixScheme, options: UnixListenOptions): void {
  if (type !== "unix") return checkPacket(options);
  checkUnixStream(options);
  // Its limit too.
  new ByteBudget(options, checkStream(options).maxMessageSize);
}

/** Throws unless the options can be used, before anything is made. */
function checkOptions({ type, path }: UnixAddress, options: UnixListenOptions): void {
  const { mode = 0o600, authorize, sameUser, backlog, maxConnections, signal } = options;
  signal?.throwIfAborted();
  checkConnections(type, options);
  checkMode(mode, path);
  if (isAbstract(path) && authorize === undefined && sameUser !== true) {
    throw new TypeError(
      `Cannot listen at "${path}": anybody can connect to an abstract name, say who may with authorize or sameUser`,
    );
  }
  if (authorize !== undefined && sameUser === true) {
    throw new TypeError(`Cannot listen at "${path}": give authorize or sameUser, not both`);
  }
  if (backlog !== undefined && !(Number.isInteger(backlog) && backlog >= 0 && backlog <= 0x7fff_ffff)) {
    throw new RangeError(`Cannot listen with backlog ${backlog}: it is an integer from 0`);
  }
  if (maxConnections !== undefined && !(maxConnections >= 1)) {
    throw new RangeError(`Cannot listen with maxConnections ${maxConnections}: it is a number from 1`);
  }
}
