/** What waiting costs while nothing comes. */

import { cpuTime } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

/** How long everything comes to rest before it counts, in milliseconds. */
const SETTLING = 200;

/** What one process spent while it waited. */
export interface Rest {
  /** How long it was watched, in milliseconds. */
  readonly time: number;
  /** CPU time meanwhile, in microseconds. */
  readonly cpu: number;
}

/** Watches this process, which has begun to wait, for so many milliseconds. */
export async function watchRest(milliseconds: number): Promise<Rest> {
  await sleep(SETTLING);
  const [before, began] = [cpuTime(), performance.now()];
  await sleep(milliseconds);
  return { time: performance.now() - began, cpu: cpuTime() - before };
}

/** What is told of it; `there` is the CPU time of the far end. */
export function restFigures({ time, cpu }: Rest, there: number): Figures {
  return { nanoseconds: Math.round(time * 1e6), cpu: (cpu + there) * 1000 / time };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
