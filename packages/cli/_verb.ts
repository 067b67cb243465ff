/** What a verb of the command is. */

import type { Io } from "./io.ts";
import type { Options, Values } from "./_options.ts";

/** A verb that was called. */
export interface Call<O extends Options = Options> {
  /** What is not an option. */
  readonly operands: readonly string[];
  /** The options. */
  readonly options: Values<O>;
  /** Where to read and write. */
  readonly io: Io;
}

/** A verb: what its help says, and what it does. */
export interface Verb<O extends Options = Options> {
  /** What it does and what one has to know, a paragraph each. */
  readonly text: readonly string[];
  /** Its options. */
  readonly options: O;
  /** Commands, with what each does. */
  readonly examples: readonly (readonly [command: string, text: string])[];
  /** Does it; gives the exit status, where that is not 0. */
  run(call: Call<O>): Promise<number | void>;
}

/** A verb, with the types of its options known to `run`. */
export function verb<const O extends Options>(made: Verb<O>): Verb {
  return made as unknown as Verb;
}
