/** `ws://host:port/path` and `wss://…`: the driver of WebSockets. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { connectWebSocket, listenWebSocket, type WebSocketChannel } from "@ipc/socket";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import { closeAlso } from "./_close_also.ts";
import { Gathering } from "./_gathering.ts";

/** Connects to a server; the channel goes both ways, whatever the direction. */
export async function connect(
  { text }: Address,
  _direction: Direction,
  { timeout, signal, maxMessageSize }: ConnectOptions,
): Promise<Channel> {
  return patient(await connectWebSocket(text, { timeout, signal, maxMessageSize }));
}

/** Listens: to receive from all who connect, or for the first who does. */
export async function listen(
  { scheme, text }: Address,
  direction: Direction,
  { maxMessageSize, timeout, signal }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  if (scheme === "wss") {
    throw new AddressError(text, "a certificate is needed: that is for @ipc/socket", "listen at");
  }
  const first = direction === "receive" ? {} : { maxConnections: 1 };
  const listener = await listenWebSocket(text, { ...first, maxMessageSize, timeout, signal });
  if (direction === "receive") return new BaseReceiver(new Gathering(listener));
  try {
    const channel = (await listener.accept({ timeout, signal }))!;
    // The server carries the connection on; nobody else gets through meanwhile.
    return closeAlso(patient(channel), () => listener.close());
  } catch (error) {
    listener.close();
    throw error;
  }
}

/** How long the peer may take to answer that this end has ended, in milliseconds. */
const ANSWER = 5_000;

/** Makes `end` wait for the peer's answer: by then it has everything, and the process may end. */
function patient(channel: WebSocketChannel): WebSocketChannel {
  const end = channel.end.bind(channel);
  channel.end = async () => {
    await end();
    try {
      while (await channel.receive({ timeout: ANSWER }) !== undefined);
    } catch {
      // It did not answer, or broke off: that is its end as well.
    }
  };
  return channel;
}
