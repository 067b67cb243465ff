/** Waiting for what must come, and for what must not. */

/** Milliseconds after which something is taken to hang. */
export const CEILING = 60_000;

/** Resolves when `condition` holds; fails when it does not for long. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + CEILING;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`It never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A promise that stays pending until the signal aborts, and says so. */
export function forever(signal: AbortSignal, aborted: unknown[] = []): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => {
      aborted.push(signal.reason);
      reject(signal.reason);
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
  });
}
