/** The parts of the torture. */

import type { TortureMechanism } from "./torture.ts";
import { killing } from "./_torture_kills.ts";
import { collecting } from "./_torture_collector.ts";
import { cycles, flood } from "./_torture_memory.ts";
import { waiters } from "./_torture_waiters.ts";

/** How a part is run. */
export interface TortureSession {
  readonly seed: number;
  /** 1 for all of it. */
  readonly scale: number;
  /** Flags of `deno run` for started processes. */
  readonly flags: readonly string[];
  /** Milliseconds to go on with random kills, instead of a fixed number of them. */
  readonly duration?: number | undefined;
}

/** What a part did, for the report: numbers by what they count. */
export type TortureReport = Record<string, number>;

/** A part of the torture. */
export interface Torture {
  readonly title: string;
  /** Whether it can be done to this mechanism; absent: to all. */
  applies?(mechanism: TortureMechanism): boolean;
  /** Throws, telling the seed, when something is not as it has to be. */
  run(mechanism: TortureMechanism, session: TortureSession): Promise<TortureReport>;
}

/** All of them. */
export const tortures: readonly Torture[] = [killing, collecting, cycles, waiters, flood];
