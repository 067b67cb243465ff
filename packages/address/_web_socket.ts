/** `ws://host:port/path` and `wss://…`: the driver of WebSockets. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { connectWebSocket, listenWebSocket } from "@ipc/socket";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { NetworkStatus } from "./stat.ts";
import { closeAlso } from "./_close_also.ts";
import { Gathering } from "./_gathering.ts";
import { networkStatus } from "./_network_status.ts";
import { readPem } from "./_pem.ts";

/** Connects to a server; the channel goes both ways, whatever the direction. */
export async function connect(
  address: Address,
  _direction: Direction,
  { timeout, signal, maxMessageSize }: ConnectOptions,
): Promise<Channel> {
  const { text, params } = address;
  if (params.cert !== undefined || params.key !== undefined) {
    throw new AddressError(text, "who connects shows no certificate; leave out cert= and key=", "connect to");
  }
  const { ca } = readPem(address, "connect to");
  const trust = ca === undefined ? {} : { caCerts: [ca] };
  return await connectWebSocket(urlOf(address), { timeout, signal, maxMessageSize, ...trust });
}

/** Listens: to receive from all who connect, or for the first who does. */
export async function listen(
  address: Address,
  direction: Direction,
  { maxMessageSize, timeout, signal, onListen, onLost }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  if (address.params.ca !== undefined) {
    throw new AddressError(
      address.text,
      "who connects is asked for no certificate; leave out ca=",
      "listen at",
    );
  }
  const { own } = address.scheme === "wss" ? readPem(address, "listen at") : {};
  const first = direction === "receive" ? {} : { maxConnections: 1 };
  const listener = await listenWebSocket(urlOf(address), {
    ...first,
    ...own,
    maxMessageSize,
    timeout,
    signal,
  });
  onListen?.(listener.address);
  if (direction === "receive") return new BaseReceiver(new Gathering(listener, { onLost }));
  try {
    const channel = (await listener.accept({ timeout, signal }))!;
    // The server carries the connection on; nobody else gets through meanwhile.
    return closeAlso(channel, () => listener.close());
  } catch (error) {
    listener.close();
    throw error;
  }
}

/** Looks at who listens there. */
export function stat(address: Address): Promise<NetworkStatus> {
  const { protocol, hostname, port } = new URL(urlOf(address));
  const host = hostname.replace(/^\[|\]$/g, "");
  return networkStatus(address.text, "tcp", { host, port: Number(port || (protocol === "wss:" ? 443 : 80)) });
}

/** The address without its parameters. */
function urlOf({ scheme, target }: Address): string {
  return `${scheme}:${target}`;
}
