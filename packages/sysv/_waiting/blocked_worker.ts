import type { Tools } from "./worker.ts";

/**
 * A thread that blocks in the kernel for one wait after the other, all of them in one slot.
 *
 * It wakes at once and costs nothing meanwhile. What ends a wait early is a signal, and EINTR.
 */
export function blockedWorker({ slots, Table, attempt, thread, ring }: Tools, slot: number): void {
  const { words } = slots;
  const { FREE, WAITING, LEAVING, DONE, QUIT } = Table;
  const state = slots.at(slot) + Table.STATE;
  Atomics.store(words, slots.at(slot) + Table.THREAD, thread);
  ring();
  while (true) {
    for (let now; (now = Atomics.load(words, state)) === FREE || now === DONE;) {
      Atomics.wait(words, state, now);
    }
    if (Atomics.load(words, state) === QUIT) return;
    // A signal that comes before the thread is in the kernel is lost; who gives up repeats it.
    while (Atomics.load(words, state) === WAITING && !attempt(slot));
    if (Atomics.exchange(words, state, DONE) === LEAVING) Atomics.notify(words, state);
    else ring();
  }
}
