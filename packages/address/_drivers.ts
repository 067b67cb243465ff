/** What the mechanisms do behind their addresses: one driver for each, in a file of its own. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { MakeOptions } from "./make.ts";
import type { ObjectStatus } from "./stat.ts";
import { findMechanism } from "./_mechanisms.ts";
import * as fifo from "./_fifo.ts";
import * as stdio from "./_stdio.ts";

/** An end, as its direction says. */
export type End = Sender | Receiver | Channel;

/** What can be done with an address. What a mechanism lacks is left out; asking for that is an `AddressError`. */
export interface Driver {
  /** Opens what exists. The direction is one that the mechanism has. */
  connect?(address: Address, direction: Direction, options: ConnectOptions): Promise<End>;
  /** Opens so that others can come and go, and creates what is missing. */
  listen?(address: Address, direction: Direction, options: ListenOptions): Promise<End>;
  /** Creates; throws `AlreadyExistsError` where it exists. */
  make?(address: Address, options: MakeOptions): Promise<void>;
  /** Removes. */
  remove?(address: Address): Promise<void>;
  /** Looks and disturbs nobody. */
  stat?(address: Address): Promise<ObjectStatus>;
}

/** The driver of each scheme. */
const drivers: Readonly<Record<string, Driver>> = { fifo, stdio };

const SAID: Readonly<Record<keyof Driver, string>> = {
  connect: "connect to",
  listen: "listen at",
  make: "create",
  remove: "remove",
  stat: "look at",
};

/** What does this with an address; an `AddressError` where its mechanism cannot. */
export function actionOf<A extends keyof Driver>(
  { scheme, text }: Address,
  action: A,
  direction?: Direction,
): NonNullable<Driver[A]> {
  const does = drivers[scheme]?.[action];
  const said = SAID[action];
  if (does === undefined) throw new AddressError(text, `"${scheme}:" has nothing to ${said}`, said);
  const { directions, because = "it goes another way" } = findMechanism(scheme)!;
  if (direction !== undefined && !directions.includes(direction)) {
    const others = directions.map((other) => `"${other}"`).join(" or ");
    throw new AddressError(text, `${because}; give direction: ${others}`, said);
  }
  return does;
}
