/** Round trips: all of them together for their mean, and as many again for the time of each. */

import type { Figures } from "./contestant.ts";

/** How long they took, in milliseconds. */
export interface Trips {
  /** The first half of them. */
  readonly time: number;
  /** Each of the others. */
  readonly times: Float64Array;
}

/** Makes round trips that block. */
export function tripsSync(count: number, trip: () => void): Trips {
  const began = performance.now();
  for (let left = count; left > 0; left--) trip();
  const time = performance.now() - began;
  const times = new Float64Array(count);
  for (let made = 0, last = performance.now(); made < count; made++) {
    trip();
    const now = performance.now();
    times[made] = now - last;
    last = now;
  }
  return { time, times };
}

/** Makes round trips that do not. */
export async function trips(count: number, trip: () => Promise<unknown>): Promise<Trips> {
  const began = performance.now();
  for (let left = count; left > 0; left--) await trip();
  const time = performance.now() - began;
  const times = new Float64Array(count);
  for (let made = 0, last = performance.now(); made < count; made++) {
    await trip();
    const now = performance.now();
    times[made] = now - last;
    last = now;
  }
  return { time, times };
}

/** What is told of them; `cpu` is the time of both processes for all of them, in microseconds. */
export function figuresOf({ time, times }: Trips, cpu: number): Figures {
  times.sort();
  return {
    nanoseconds: Math.round(time * 1e6),
    // Each trip is two messages, and there were as many trips again for the times of each.
    cpu: cpu / (4 * times.length),
    p50: times[times.length >> 1]! * 1000,
    p99: times[Math.floor(times.length * 0.99)]! * 1000,
  };
}
