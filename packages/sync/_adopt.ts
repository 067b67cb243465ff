/** Guards whose lock a condition gives up and takes again. */

import type { MutexGuard } from "./mutex_guard.ts";

/** What a guard does with another that has just been made: that one's lock is its own from then on. */
export const ADOPT: unique symbol = Symbol("adopt");

/** A guard of this package. */
export interface Adopting extends MutexGuard {
  [ADOPT](next: MutexGuard): void;
}

/** Whether a guard is one of this package. */
export function canAdopt(guard: MutexGuard): guard is Adopting {
  return ADOPT in guard;
}
