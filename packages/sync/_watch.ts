/** Looking at owners while somebody waits for them: nothing tells of a death. */

/** Milliseconds after which who waits for a lock looks whether its owner still lives. */
export const LOOK_EVERY = 20;

const looks = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Calls `look` every 20 ms, one timer for all; returns what ends that. `look` must not throw. */
export function watch(look: () => void): () => void {
  looks.add(look);
  timer ??= setInterval(lookAll, LOOK_EVERY);
  return () => {
    looks.delete(look);
    if (looks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function lookAll(): void {
  for (const look of [...looks]) if (looks.has(look)) look();
}
