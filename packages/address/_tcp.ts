/** `tcp:host:port`: the driver of TCP connections. */

import type { Channel, FramingName, Receiver, Sender } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { connectTcp, listenTcp } from "@ipc/socket";
import type { Address } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { NetworkStatus } from "./stat.ts";
import { Gathering } from "./_gathering.ts";
import { checkPort, readHost } from "./_host.ts";
import { listNetwork, networkStatus } from "./_network_status.ts";
import { firstOf } from "./_unix.ts";

/** Connects to whoever listens; the channel goes both ways, whatever the direction. */
export async function connect(
  address: Address,
  _direction: Direction,
  { timeout, signal, maxMessageSize }: ConnectOptions,
): Promise<Channel> {
  checkPort(address);
  const framing = address.params.framing as FramingName | undefined;
  return await connectTcp(address.target, { framing, maxMessageSize, timeout, signal });
}

/** Listens: to receive from all who connect, or for the first who does. */
export async function listen(
  { target, params }: Address,
  direction: Direction,
  { maxMessageSize, timeout, signal, onListen, onLost }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  const framing = params.framing as FramingName | undefined;
  const listener = await listenTcp(target, { framing, maxMessageSize, timeout, signal });
  onListen?.(listener.address);
  if (direction === "receive") return new BaseReceiver(new Gathering(listener, { onLost }));
  return await firstOf(listener, { timeout, signal });
}

/** Looks at who listens. */
export function stat({ text, target }: Address): Promise<NetworkStatus> {
  return networkStatus(text, "tcp", readHost(target));
}

/** Lists who listens. */
export function list(): NetworkStatus[] {
  return listNetwork("tcp");
}
