/** `udp:host:port`: the driver of datagrams over the network. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import { bindUdp, connectUdp } from "@ipc/socket";
import type { Address } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { NetworkStatus } from "./stat.ts";
import { checkPort, readHost, writeHost } from "./_host.ts";
import { listNetwork, networkStatus } from "./_network_status.ts";
import { checkReceives, checkSends } from "./_unix_dgram.ts";

/** Sends to an address; what comes back are answers. */
export function connect(
  address: Address,
  direction: Direction,
  { timeout, signal }: ConnectOptions,
): Promise<Channel> {
  return Promise.try(() => {
    checkSends(address, direction);
    checkPort(address);
    return connectUdp(address.target, { timeout, signal });
  });
}

/** Receives what is sent to an address of this machine. */
export async function listen(
  address: Address,
  direction: Direction,
  { timeout, signal, onListen }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  checkReceives(address, direction);
  const socket = await bindUdp(address.target, { timeout, signal });
  onListen?.(`udp:${writeHost(socket.address)}`);
  return socket;
}

/** Looks at who receives there. */
export function stat({ text, target }: Address): Promise<NetworkStatus> {
  return networkStatus(text, "udp", readHost(target));
}

/** Lists who receives from anybody. */
export function list(): NetworkStatus[] {
  return listNetwork("udp");
}
