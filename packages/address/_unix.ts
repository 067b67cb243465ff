/** `unix:/path` and `unix-seqpacket:/path`: the driver of unix sockets that are connected. */

import { type Channel, type FramingName, NotSupportedError, type Receiver, type Sender } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import {
  type Authorize,
  connectUnix,
  type Credentials,
  type Listener,
  listenUnix,
  sameUserOrRoot,
  type UnixAddress,
  type UnixScheme,
  type UnixSeqpacket,
  type UnixStream,
} from "@ipc/socket";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { SocketStatus } from "./stat.ts";
import { asked } from "./_asked.ts";
import { Gathering } from "./_gathering.ts";
import { socketStatus } from "./_unix_status.ts";

/** Connects to whoever listens; the channel goes both ways, whatever the direction. */
export function connect(
  address: Address,
  _direction: Direction,
  { timeout, signal, maxMessageSize }: ConnectOptions,
): Promise<Channel> {
  return connectUnix(addressOf(address), {
    ...framingOf(address, maxMessageSize),
    authorize: address.params["allow-user"] === undefined ? undefined : whoMay(address),
    timeout,
    signal,
  });
}

/** Listens: to receive from all who connect, or for the first who does. */
export async function listen(
  address: Address,
  direction: Direction,
  { mode, maxMessageSize, timeout, signal, onLost }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  const listener = await listenUnix(addressOf(address), {
    ...framingOf(address, maxMessageSize),
    mode,
    signal,
    authorize: whoMay(address),
  }) as Listener<UnixStream | UnixSeqpacket>;
  if (direction === "receive") return new BaseReceiver(new Gathering(listener, { onLost }));
  return await firstOf(listener, { timeout, signal });
}

/** The first who connects; nobody else can any more. */
export async function firstOf<C>(
  listener: Listener<C>,
  options: Pick<ListenOptions, "timeout" | "signal">,
): Promise<C> {
  try {
    return (await listener.accept(options))!;
  } finally {
    listener.close();
  }
}

/** Removes what has the name of a socket; who has connected goes on. */
export function remove({ text, target }: Address): Promise<void> {
  return Promise.try(() => {
    if (target.startsWith("@")) {
      throw new AddressError(text, "an abstract name is in no folder, and goes with its socket", "remove");
    }
    const file = asked("stat", ["remove", "socket"], target, () => Deno.lstatSync(target));
    if (!file.isSocket) {
      throw new NotSupportedError(`Cannot remove socket "${target}": it is not a socket`, { target });
    }
    asked("unlink", ["remove", "socket"], target, () => Deno.removeSync(target));
  });
}

/** Looks at a socket. */
export function stat(address: Address): Promise<SocketStatus> {
  return Promise.try(socketStatus, address);
}

/** The address as the package of sockets takes it. */
export function addressOf({ scheme, target }: Address): UnixAddress {
  return { type: scheme as UnixScheme, path: target };
}

/** Who may be at the other end: this user, root, and whom the address allows. */
export function whoMay({ params: { "allow-user": allowed } }: Address): Authorize<Credentials> {
  if (allowed === "any") return () => true;
  return (peer) => sameUserOrRoot(peer) || peer.uid === Number(allowed ?? NaN);
}

/** How messages are marked, where that is not the kernel's. */
function framingOf({ scheme, params }: Address, maxMessageSize: number | undefined) {
  const most = maxMessageSize === undefined ? {} : { maxMessageSize };
  return scheme === "unix" ? { ...most, framing: params.framing as FramingName | undefined } : most;
}
