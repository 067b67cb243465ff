/** `tls:host:port`: the driver of encrypted TCP connections. */

import type { Channel, FramingName, Receiver, Sender } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { connectTls, listenTls } from "@ipc/socket";
import type { Address } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import { Gathering } from "./_gathering.ts";
import { checkPort } from "./_host.ts";
import { readPem } from "./_pem.ts";
import { firstOf } from "./_unix.ts";

export { stat } from "./_tcp.ts";

/** Connects to whoever listens; the channel goes both ways, whatever the direction. */
export async function connect(
  address: Address,
  _direction: Direction,
  { timeout, signal, maxMessageSize }: ConnectOptions,
): Promise<Channel> {
  checkPort(address);
  const { own, ca } = readPem(address, "connect to");
  const framing = address.params.framing as FramingName | undefined;
  const trust = ca === undefined ? {} : { caCerts: [ca] };
  return await connectTls(address.target, { framing, maxMessageSize, timeout, signal, ...own, ...trust });
}

/** Listens: to receive from all who connect, or for the first who does. */
export async function listen(
  address: Address,
  direction: Direction,
  { maxMessageSize, timeout, signal, onListen, onLost }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  const { own, ca } = readPem(address, "listen at");
  const framing = address.params.framing as FramingName | undefined;
  const trust = ca === undefined ? {} : { clientCaCerts: [ca] };
  const listener = await listenTls(address.target, { framing, maxMessageSize, ...own!, ...trust });
  onListen?.(listener.address);
  if (direction === "receive") return new BaseReceiver(new Gathering(listener, { onLost }));
  return await firstOf(listener, { timeout, signal });
}
