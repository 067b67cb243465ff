import { surveys } from "./_drivers.ts";

/** One limit of the kernel. */
export interface KernelLimit {
  /** The kernel's name for it: `"MSGMNI"`. */
  readonly name: string;
  /** What it limits, in a few words. */
  readonly meaning: string;
  /** The most there may be; from 2^53 on the nearest number, and as good as none. */
  readonly limit: number;
  /** What `limit` and `used` count: `"bytes"`, `"queues"`. */
  readonly unit: string;
  /** How much of it is in use now, by everybody; `undefined` where it limits one object or one call. */
  readonly used: number | undefined;
  /** `used` in percent of `limit`, not rounded; `undefined` where `used` is. */
  readonly percent: number | undefined;
}

/**
 * The limits of the kernel for all mechanisms, and how much of them is in use.
 *
 * @throws {NotSupportedError} if the kernel was built without what they limit.
 *
 * @example
 * ```ts
 * import { limits } from "@ipc/address";
 * import { assert } from "@std/assert";
 *
 * assert(limits().some(({ name, used }) => name === "MSGMNI" && used !== undefined));
 * ```
 */
export function limits(): KernelLimit[] {
  return Object.values(surveys).flatMap((survey) => survey.limits?.() ?? []);
}
