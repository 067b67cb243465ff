/** How a wait climbs: a few turns of the event loop while they pay, then parked until the kernel wakes it. */

import type { Park } from "./mechanism.ts";

/** One turn of the event loop: about 1 µs under Deno, and timers and other I/O get their share. */
export const nextTurn: (callback: () => void) => void =
  (globalThis as { setImmediate?: (callback: () => void) => void }).setImmediate ??
    ((callback) => setTimeout(callback, 0));

/** Turns before parking: some 50 µs, about what waking an idle CPU costs. */
const TURNS = 50;
let turns = TURNS;
/** Turning is tried again after at most so many waits, however often it did not pay. */
const MOST_SKIPPED = 1024;
/** More endpoints than this do not turn at once: they would only slow each other. */
const MOST_TURNING = 4;

/** With one CPU a turn keeps the peer from running. */
const mayTurn = (globalThis.navigator?.hardwareConcurrency ?? 1) > 1;

const counters = { waits: 0, turning: 0 };

/** How many waits of this isolate are under way. */
export function pendingWaits(): number {
  return counters.waits;
}

/** Has waits begin with so many turns, or as many as usual: tests that let every call fail in turn need few. */
export function setTurns(count: number = TURNS): void {
  turns = count;
}

let immediate = 0;

/**
 * Whether a call that need not wait should take a turn of the event loop all the same: one in 256, so that
 * a loop over calls that all succeed at once cannot starve timers and other channels.
 */
export function turnIsDue(): boolean {
  return (++immediate & 255) === 0;
}

/**
 * One endpoint's wait: `attempt` is tried again at each step until it says that nothing is left to wait for.
 *
 * Where the kernel has no room for a wait, it is over, and `fail` is told why.
 */
export class Ladder {
  readonly #park: Park;
  readonly #attempt: () => boolean;
  readonly #fail: (error: unknown) => void;
  #waiting = false;
  #turns = 0;
  /** Told apart from waits that were stopped: a turn cannot be taken back. */
  #generation = 0;
  #cancel: (() => void) | undefined;
  #skip = 0;
  #penalty = 0;

  constructor(park: Park, attempt: () => boolean, fail: (error: unknown) => void) {
    this.#park = park;
    this.#attempt = attempt;
    this.#fail = fail;
  }

  get waiting(): boolean {
    return this.#waiting;
  }

  /** Begins to wait, unless it does already; with `turn`, at least one turn comes before parking. */
  climb(turn = false): void {
    if (this.#waiting) return;
    this.#waiting = true;
    counters.waits++;
    if (mayTurn && this.#skip === 0 && counters.turning < MOST_TURNING) this.#turns = turns;
    else {
      if (this.#skip > 0) this.#skip--;
      this.#turns = 0;
    }
    if (this.#turns > 0) {
      counters.turning++;
      this.#turn(this.#generation);
    } else if (turn) this.#turn(this.#generation);
    else this.#parkNow();
  }

  /** Gives the wait up. */
  stop(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    counters.waits--;
    if (this.#turns > 0) {
      this.#turns = 0;
      counters.turning--;
    }
    this.#generation++;
    const cancel = this.#cancel;
    this.#cancel = undefined;
    cancel?.();
  }

  #turn(generation: number): void {
    nextTurn(() => {
      if (generation !== this.#generation) return;
      const turning = this.#turns > 0;
      if (this.#attempt()) {
        if (turning) this.#penalty = 0;
        this.stop();
      } else if (generation !== this.#generation) return;
      else if (turning && --this.#turns > 0) this.#turn(generation);
      else {
        if (turning) {
          counters.turning--;
          this.#penalty = Math.min(MOST_SKIPPED, this.#penalty * 2 || 1);
          this.#skip = this.#penalty;
        }
        this.#parkNow();
      }
    });
  }

  #parkNow(): void {
    const generation = this.#generation;
    try {
      this.#cancel = this.#park(() => {
        if (generation !== this.#generation) return;
        this.#cancel = undefined;
        if (this.#attempt()) this.stop();
        else if (generation === this.#generation) this.#parkNow();
      });
    } catch (error) {
      this.stop();
      this.#fail(error);
    }
  }
}
