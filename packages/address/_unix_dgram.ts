/** `unix-dgram:/path`: the driver of unix sockets for datagrams. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import { bindUnixDatagram, connectUnix } from "@ipc/socket";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import { addressOf, whoMay } from "./_unix.ts";

export { remove, stat } from "./_unix.ts";

/** Sends to whoever is bound there; what comes back are answers. */
export function connect(
  address: Address,
  direction: Direction,
  { timeout, signal, maxMessageSize }: ConnectOptions,
): Promise<Channel> {
  return Promise.try(() => {
    checkSends(address, direction);
    if ("allow-user" in address.params) {
      throw new AddressError(
        address.text,
        "nobody can tell whose socket receives datagrams; leave out ?allow-user",
        "connect to",
      );
    }
    return connectUnix(addressOf(address), { maxMessageSize, timeout, signal });
  });
}

/** Binds, to receive from whoever sends there. */
export function listen(
  address: Address,
  direction: Direction,
  { mode, maxMessageSize, signal }: ListenOptions,
): Promise<Sender | Receiver | Channel> {
  return Promise.try(() => {
    checkReceives(address, direction);
    return bindUnixDatagram(address.target, { mode, maxMessageSize, signal, authorize: whoMay(address) });
  });
}

/** Throws unless a connected end can be used in this direction: nobody knows it whom it has sent nothing to. */
export function checkSends({ text }: Address, direction: Direction): void {
  if (direction === "receive") {
    throw new AddressError(text, "datagrams are received by who listens there", "receive from");
  }
}

/** Throws unless who listens can be used in this direction: there is nobody to send to. */
export function checkReceives({ text }: Address, direction: Direction): void {
  if (direction !== "receive") {
    throw new AddressError(
      text,
      "who listens for datagrams only receives: there is nobody to send to",
      "listen at",
    );
  }
}
