import type { Direction } from "./connect.ts";
import { mechanisms } from "./_mechanisms.ts";

/** A mechanism that has addresses, as help shows it. */
export interface Scheme {
  /** What its addresses begin with, without the colon. */
  readonly scheme: string;
  /** An address of it: `fifo:/path`. */
  readonly form: string;
  /** What it is, in a few words. */
  readonly summary: string;
  /** The directions that one end can have; none: it carries no messages. */
  readonly directions: readonly Direction[];
  /** Whether a receiving end reads ahead, so that what it has read and not given is lost when it closes. */
  readonly readsAhead: boolean;
  /** Whether messages stay in it when all ends are closed. */
  readonly keepsMessages: boolean;
  /** Whether it has objects that are made, and stay until they are removed. */
  readonly hasObjects: boolean;
  /** The parameters that may follow a question mark, by name, with what each can be. */
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Every mechanism that has addresses. Nothing of a mechanism is loaded for it.
 *
 * @example
 * ```ts
 * import { schemes } from "@ipc/address";
 * import { assert } from "@std/assert";
 *
 * assert(schemes.some(({ form }) => form === "fifo:/path"));
 * ```
 */
export const schemes: readonly Scheme[] = mechanisms.map(({ params, ...mechanism }) => ({
  scheme: mechanism.scheme,
  form: mechanism.form,
  summary: mechanism.summary,
  directions: mechanism.directions,
  readsAhead: mechanism.readsAhead,
  keepsMessages: mechanism.keepsMessages ?? false,
  hasObjects: mechanism.makes.length > 0,
  params: Object.fromEntries(Object.entries(params).map(([name, { values }]) => [name, values])),
}));
