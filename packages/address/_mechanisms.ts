/** The mechanisms that have addresses: one small entry for each, and its driver in a file of its own. */

import type { Channel, Receiver, Sender } from "@ipc/core";
import type { Address } from "./address.ts";
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
  /** Loads the code, only when it is needed: help and spelling mistakes do not wait for libc. */
  load(): Promise<Driver>;
}

/** A parameter of an address. */
export interface Param {
  /** What it can be, as help shows it. */
  readonly values: string;
  /** Whether it can be this. */
  accepts(value: string): boolean;
}

/** An end, as its direction says. */
export type End = Sender | Receiver | Channel;

/** What a mechanism does behind its addresses. What it lacks is left out; asking for that is an `AddressError`. */
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

const framing = oneOf("length", "lines", "nul", "content-length", "raw");

/** Every mechanism, in the order of the help. */
export const mechanisms: readonly Mechanism[] = [
  {
    scheme: "fifo",
    form: "fifo:/path",
    summary: "named pipe",
    directions: ["send", "receive"],
    because: "a FIFO goes one way",
    params: { framing },
    checkTarget: (path) => path === "" ? "it has no path" : undefined,
    load: () => import("./_fifo.ts"),
  },
  {
    scheme: "stdio",
    form: "stdio:",
    summary: "standard input and output, one message a line",
    directions: ["both", "send", "receive"],
    params: { framing },
    checkTarget: (rest) => rest === "" ? undefined : 'only parameters follow "stdio:"',
    load: () => import("./_stdio.ts"),
  },
];

/** The mechanism of a scheme. */
export function findMechanism(scheme: string): Mechanism | undefined {
  return mechanisms.find((mechanism) => mechanism.scheme === scheme);
}
