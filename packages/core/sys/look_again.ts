/**
 * Waiting for what nothing tells: by looking again and again.
 *
 * @module
 */

interface Look {
  readonly seen: () => boolean;
  /** `undefined` once the wait is over. */
  wake: (() => void) | undefined;
}

/** Milliseconds between looks: at first, and when nothing has happened for a while. */
const SHORTEST_PAUSE = 1;
const LONGEST_PAUSE = 5;

const looks = new Set<Look>();
let timer: ReturnType<typeof setTimeout> | undefined;
let pause = SHORTEST_PAUSE;

/**
 * Calls `wake` once when `seen` says true; returns what gives the wait up.
 *
 * One timer looks for all: every millisecond at first, every 5 ms when nothing has happened for a while. For what
 * neither a descriptor nor a word in memory tells of. `seen` must not throw. System calls: none.
 *
 * @example
 * ```ts
 * import { lookAgain } from "@ipc/core/sys";
 *
 * let done = false;
 * const seen = new Promise<void>((resolve) => lookAgain(() => done, resolve));
 * done = true;
 * await seen;
 * ```
 */
export function lookAgain(seen: () => boolean, wake: () => void): () => void {
  const look: Look = { seen, wake };
  looks.add(look);
  if (timer === undefined || pause > SHORTEST_PAUSE) schedule(SHORTEST_PAUSE);
  return () => {
    look.wake = undefined;
    if (looks.delete(look) && looks.size === 0) stop();
  };
}

function schedule(next: number): void {
  stop();
  pause = next;
  timer = setTimeout(lookAtAll, pause);
}

function stop(): void {
  clearTimeout(timer);
  timer = undefined;
}

function lookAtAll(): void {
  timer = undefined;
  const ready: Look[] = [];
  for (const look of looks) if (look.seen()) ready.push(look);
  for (const look of ready) looks.delete(look);
  if (looks.size > 0) schedule(ready.length > 0 ? SHORTEST_PAUSE : Math.min(pause + 1, LONGEST_PAUSE));
  // Woken only now: a wake-up may begin and end waits of its own.
  for (const look of ready) look.wake?.();
}
