import type { Tools } from "./worker.ts";

/**
 * A thread that looks after all waits for which no thread is blocked.
 *
 * It looks at a wait at intervals that double up to some milliseconds; where something came a moment ago it goes
 * on looking at the shortest. With nothing to look at it sleeps until it is called.
 */
export function pollingWorker({ slots, Table, attempt, ring, sleepExactly }: Tools): void {
  const { words } = slots;
  const { WAITING, LOOKING, DONE, QUIT } = Table;
  // Milliseconds. Shorter or longer ones cost what they gain: every look is a wake-up of this thread, some 25 µs.
  const SHORTEST = 0.1;
  const LONG = 4;
  const LONGEST = 6;
  /** After so many milliseconds nobody is thought to hurry. */
  const OLD = 1000;
  const generations: number[] = [];
  const intervals: number[] = [];
  const due: number[] = [];
  const busyUntil: number[] = [];
  const oldFrom: number[] = [];

  sleepExactly();
  Atomics.compareExchange(words, Table.POLLING, 0, 1);
  ring();
  while (Atomics.load(words, Table.POLLING) !== QUIT) {
    const bell = Atomics.load(words, Table.BELL);
    const count = Atomics.load(words, Table.COUNT);
    const now = performance.now();
    let next = Infinity;
    let found = false;
    for (let slot = Table.BLOCKED; slot < count; slot++) {
      const at = slots.at(slot);
      const state = at + Table.STATE;
      if (Atomics.load(words, state) !== WAITING) continue;
      const generation = words[at + Table.GENERATION]!;
      if (generations[slot] !== generation) {
        generations[slot] = generation;
        busyUntil[slot] = now + words[at + Table.BUSY]! / 1000;
        oldFrom[slot] = now + OLD;
        intervals[slot] = SHORTEST;
        due[slot] = now;
      }
      if (due[slot]! <= now) {
        // Meanwhile the wait may have been given up.
        if (Atomics.compareExchange(words, state, WAITING, LOOKING) !== WAITING) continue;
        if (attempt(slot)) {
          Atomics.store(words, state, DONE);
          found = true;
          continue;
        }
        Atomics.store(words, state, WAITING);
        const most = now < busyUntil[slot]! ? SHORTEST : now < oldFrom[slot]! ? LONG : LONGEST;
        intervals[slot] = Math.min(most, intervals[slot]! * 2);
        // All waits of one interval come due together, so that the thread wakes once for them.
        due[slot] = (Math.floor(now / intervals[slot]!) + 1) * intervals[slot]!;
      }
      next = Math.min(next, due[slot]!);
    }
    if (found) ring();
    Atomics.wait(words, Table.BELL, bell, next - performance.now());
  }
}
