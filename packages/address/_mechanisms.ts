/** The mechanisms that have addresses, and how these look: pure data, so that reading one takes no libc. */

import type { Direction } from "./connect.ts";

/** One mechanism, as its addresses show it; what they do is in its driver. */
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
}

/** A parameter of an address. */
export interface Param {
  /** What it can be, as help shows it. */
  readonly values: string;
  /** The same, as it follows "must be". */
  readonly expected: string;
  /** Whether it can be this. */
  accepts(value: string): boolean;
}

/** A parameter that is one of a few words. */
function oneOf(...words: string[]): Param {
  const values = words.join("|");
  return { values, expected: `one of ${values}`, accepts: (value) => words.includes(value) };
}

/** A user's number. */
const user: Param = {
  values: "UID",
  expected: "a user's number",
  accepts: (value) => /^\d{1,10}$/.test(value),
};

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
  },
  {
    scheme: "stdio",
    form: "stdio:",
    summary: "standard input and output, one message a line",
    directions: ["both", "send", "receive"],
    params: { framing },
    checkTarget: (rest) => rest === "" ? undefined : 'only parameters follow "stdio:"',
  },
];

/** The mechanism of a scheme. */
export function findMechanism(scheme: string): Mechanism | undefined {
  return mechanisms.find((mechanism) => mechanism.scheme === scheme);
}
