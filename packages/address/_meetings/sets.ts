/**
 * System V semaphores that count the messages and the empty places of a channel.
 *
 * The kernel gives back what a process has to undo, also where that is killed: here those are units by which the peer
 * wakes up and finds nothing.
 */

import { RemovedError, type SyncChannel, TimeoutError } from "@ipc/core";
import type { Semaphore, SemaphoreSet } from "@ipc/sysv";
import { arrival } from "./arrival.ts";
import { gone, type Incoming, type Outgoing, slotChannel, type Slots } from "./slots.ts";

/** The semaphores of a channel: four for each direction, and one by which the far end says that it is there. */
const SEMAPHORES = {
  there: { full: 0, empty: 1, goodbye: 2, left: 3 },
  back: { full: 4, empty: 5, goodbye: 6, left: 7 },
  arrived: 8,
  size: 9,
} as const;
/** Messages that a sender may have put there, and not announced, when it was killed; and the end. */
const LAST = 2;

/** What the semaphores of a channel are created with. */
export function semaphoresFor(places: number): { size: number; initial: number[] } {
  const initial = new Array(SEMAPHORES.size).fill(0);
  initial[SEMAPHORES.there.empty] = initial[SEMAPHORES.back.empty] = places;
  return { size: SEMAPHORES.size, initial };
}

/** Waits until the far end has opened; `ended` resolves should it end before. */
export function setArrival(set: SemaphoreSet, ended: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return arrival((options) => set.at(SEMAPHORES.arrived).acquire(1, options), ended, signal);
}

/** One end of a channel; `close` is told whether the other one went without a word. */
export function setChannel(
  end: "near" | "far",
  set: SemaphoreSet,
  slots: { readonly there: Slots; readonly back: Slots },
  close: (abandoned: boolean) => void,
): SyncChannel {
  const [out, back] = end === "near" ? ["there", "back"] as const : ["back", "there"] as const;
  // Leaves the values as they are, and something to undo: what the peer would wait for in vain.
  const owed = [
    [SEMAPHORES[out].full, LAST],
    [SEMAPHORES[back].empty, slots[back].count],
    [SEMAPHORES[back].left, 1],
  ] as const;
  set.operateSync(owed.flatMap(([index, by]) => [{ index, by }, { index, by: -by, undo: true }]));
  const incoming = new IncomingSet(set, back, slots[back].count);
  const channel = slotChannel([incoming, slots[back]], [new OutgoingSet(set, out), slots[out]], close);
  if (end === "far") set.at(SEMAPHORES.arrived).release();
  return channel;
}

class IncomingSet implements Incoming {
  readonly #set: SemaphoreSet;
  readonly #full: Semaphore;
  readonly #empty: Semaphore;
  readonly #goodbye: Semaphore;
  readonly #left: Semaphore;
  readonly #places: number;

  constructor(set: SemaphoreSet, direction: "there" | "back", places: number) {
    const { full, empty, goodbye, left } = SEMAPHORES[direction];
    this.#set = set;
    this.#full = set.at(full);
    this.#empty = set.at(empty);
    this.#goodbye = set.at(goodbye);
    this.#left = set.at(left);
    this.#places = places;
  }

  tryTake(): boolean {
    return this.#full.tryAcquire();
  }

  takeSync(): void {
    this.#full.acquireSync();
  }

  emptied(places: number): void {
    this.#empty.release(places);
  }

  get goodbye(): boolean {
    return this.#goodbye.value !== 0;
  }

  leave(): void {
    this.#left.release();
    this.#empty.release(this.#places);
  }

  park(wake: () => void): () => void {
    return park(this.#set, this.#full, 1, wake);
  }

  block(timeout: number | undefined): void {
    block(this.#set, this.#full, 1, timeout);
  }
}

class OutgoingSet implements Outgoing {
  readonly #set: SemaphoreSet;
  readonly #full: Semaphore;
  readonly #empty: Semaphore;
  readonly #goodbye: Semaphore;
  readonly #left: Semaphore;

  constructor(set: SemaphoreSet, direction: "there" | "back") {
    const { full, empty, goodbye, left } = SEMAPHORES[direction];
    this.#set = set;
    this.#full = set.at(full);
    this.#empty = set.at(empty);
    this.#goodbye = set.at(goodbye);
    this.#left = set.at(left);
  }

  tryTake(places: number): boolean {
    if (this.#empty.tryAcquire(places)) return true;
    // Who has left has given places, so that nobody waits for more, but not without end.
    if (this.left) throw gone();
    return false;
  }

  takeSync(places: number): void {
    while (!this.tryTake(places)) this.block(places, undefined);
  }

  giveBack(places: number): void {
    this.#empty.release(places);
  }

  announce(): void {
    this.#full.release();
  }

  sayGoodbye(): void {
    this.#goodbye.release();
  }

  get left(): boolean {
    return this.#left.value !== 0;
  }

  park(places: number, wake: () => void): () => void {
    return park(this.#set, this.#empty, places, wake);
  }

  block(places: number, timeout: number | undefined): void {
    block(this.#set, this.#empty, places, timeout);
  }
}

/** Waits for units and leaves them there; whatever else comes of it, trying tells. */
function park(set: SemaphoreSet, { index }: Semaphore, units: number, wake: () => void): () => void {
  const stop = new AbortController();
  const woken = () => {
    if (!stop.signal.aborted) wake();
  };
  set.operate([{ index, by: -units }, { index, by: units }], { signal: stop.signal }).then(woken, woken);
  return () => stop.abort();
}

/** The same, blocking this thread. */
function block(set: SemaphoreSet, { index }: Semaphore, units: number, timeout: number | undefined): void {
  try {
    set.operateSync([{ index, by: -units }, { index, by: units }], { timeout });
  } catch (error) {
    if (!(error instanceof TimeoutError) && !(error instanceof RemovedError)) throw error;
  }
}
