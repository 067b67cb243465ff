/** What the drivers of POSIX objects have in common. */

import type { Limit } from "@ipc/posix";
import type { KernelLimit } from "./limits.ts";

/** A limit as a number that JSON has, too. */
export function finite({ limit, ...rest }: Limit): KernelLimit {
  return { ...rest, limit: Math.min(limit, 2 ** 64) };
}
