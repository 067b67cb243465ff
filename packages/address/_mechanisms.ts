/** The mechanisms that have addresses: one small entry for each, and its driver in a file of its own. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { MakeOptions } from "./make.ts";
import type { ObjectStatus } from "./stat.ts";

/** One mechanism: how its addresses look, and where what they do is found. */
export interface Mechanism {
  /** What its addresses begin with. */
  readonly scheme: string;
  /** An address as help shows it. */
  readonly form: string;
  /** What it is, in a few words. */
  readonly summary: string;
  /** The directions that one end can have. */
  readonly directions: readonly Direction[];
  /** Why it has no others. */
  readonly because?: string;
  /** The parameters behind the question mark. */
  readonly params: Readonly<Record<string, Param>>;
  /** Says what is wrong with the object's name; `undefined`: nothing. */
  checkTarget(target: string): string | undefined;
  /** What its driver does. */
  readonly can: readonly Action[];
  /** Loads the driver, only when it is needed: help and mistakes do not wait for libc. */
  load(): Promise<Driver>;
}

/** What can be done with an address. */
export type Action = keyof Driver;

/** A parameter of an address. */
export interface Param {
  /** What it can be, as help shows it. */
  readonly values: string;
  /** Whether it can be this. */
  accepts(value: string): boolean;
}

/** An end, as its direction says. */
export type End = Sender | Receiver | Channel;

/** What a mechanism does behind its addresses; of these, what its entry says that it can. */
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

/** A parameter that is one of a few words. */
function oneOf(...words: string[]): Param {
  return { values: words.join("|"), accepts: (value) => words.includes(value) };
}

/** A user's number. */
const user: Param = { values: "UID", accepts: (value) => /^\d{1,10}$/.test(value) };

const framing = oneOf("length", "lines", "nul", "content-length", "raw");

/** Every mechanism, in the order of the help. */
export const mechanisms: readonly Mechanism[] = [
  {
    scheme: "fifo",
    form: "fifo:/path",
    summary: "named pipe",
    directions: ["send", "receive"],
    because: "a FIFO goes one way",
    params: { framing, "allow-writers": oneOf("group", "all"), "allow-owner": user },
    checkTarget: (path) => path === "" ? "it has no path" : undefined,
    can: ["connect", "listen", "make", "remove", "stat"],
    load: () => import("./_fifo.ts"),
  },
  {
    scheme: "stdio",
    form: "stdio:",
    summary: "standard input and output, one message a line",
    directions: ["both", "send", "receive"],
    params: { framing },
    checkTarget: (rest) => rest === "" ? undefined : 'only parameters follow "stdio:"',
    can: ["connect"],
    load: () => import("./_stdio.ts"),
  },
];

/** The mechanism of a scheme. */
export function findMechanism(scheme: string): Mechanism | undefined {
  return mechanisms.find((mechanism) => mechanism.scheme === scheme);
}

const SAID: Readonly<Record<Action, string>> = {
  connect: "connect to",
  listen: "listen at",
  make: "create",
  remove: "remove",
  stat: "look at",
};

/** What does this with an address; an `AddressError` where its mechanism cannot. */
export async function actionOf<A extends Action>(
  address: Address,
  action: A,
  direction?: Direction,
): Promise<NonNullable<Driver[A]>> {
  const mechanism = findMechanism(address.scheme)!;
  const said = SAID[action];
  if (!mechanism.can.includes(action)) {
    throw new AddressError(address.text, `"${address.scheme}:" has nothing to ${said}`, said);
  }
  if (direction !== undefined && !mechanism.directions.includes(direction)) {
    const others = mechanism.directions.map((other) => `"${other}"`).join(" or ");
    throw new AddressError(
      address.text,
      `${mechanism.because ?? "it goes another way"}; give direction: ${others}`,
      said,
    );
  }
  return (await mechanism.load())[action]!;
}
