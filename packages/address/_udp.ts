/** `udp:host:port`: the driver of datagrams over the network. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import { bindUdp, connectUdp } from "@ipc/socket";
import type { Address } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import { checkReceives, checkSends } from "./_unix_dgram.ts";

/** Sends to an address; what comes back are answers. */
export function connect(
  address: Address,
  direction: Direction,
  { timeout, signal }: ConnectOptions,
): Promise<Channel> {
  return Promise.try(() => {
    checkSends(address, direction);
    return connectUdp(address.target, { timeout, signal });
  });
}

/** Receives what is sent to an address of this machine. */
export function listen(
  address: Address,
  direction: Direction,
  { timeout, signal }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  return Promise.try(() => {
    checkReceives(address, direction);
    return bindUdp(address.target, { timeout, signal });
  });
}
