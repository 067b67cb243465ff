/** `tcp:host:port`: the driver of TCP connections. */

import type { Channel, FramingName, Receiver, Sender } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { connectTcp, listenTcp } from "@ipc/socket";
import type { Address } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import { Gathering } from "./_gathering.ts";
import { firstOf } from "./_unix.ts";

/** Connects to whoever listens; the channel goes both ways, whatever the direction. */
export function connect(
  { target, params }: Address,
  _direction: Direction,
  { timeout, signal, maxMessageSize }: ConnectOptions,
): Promise<Channel> {
  const framing = params.framing as FramingName | undefined;
  return connectTcp(target, { framing, maxMessageSize, timeout, signal });
}

/** Listens: to receive from all who connect, or for the first who does. */
export async function listen(
  { target, params }: Address,
  direction: Direction,
  { maxMessageSize, timeout, signal }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  const framing = params.framing as FramingName | undefined;
  const listener = await listenTcp(target, { framing, maxMessageSize, timeout, signal });
  if (direction === "receive") return new BaseReceiver(new Gathering(listener));
  return await firstOf(listener, { timeout, signal });
}
