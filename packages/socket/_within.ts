/** Waiting for what the runtime does, and no longer than was told. */

import { TimeoutError, type WaitOptions } from "@ipc/core";

/** How long {@linkcode within} waits, and what its error says. */
export interface WithinOptions extends WaitOptions {
  /** What is tried, as it follows "Cannot". */
  action: string;
  /** What it is tried on. */
  target: string;
}

/**
 * What `begin` gives, given up when its time is over or the signal aborts; what it gives then is lost.
 *
 * @throws {TimeoutError} if it took longer than `timeout`.
 * @throws {RangeError} if `timeout` is no number from 0; nothing has begun then.
 */
export async function within<T>(
  begin: () => Promise<T>,
  { timeout, signal, action, target }: WithinOptions,
): Promise<T> {
  checkTimeout(timeout);
  signal?.throwIfAborted();
  const begun = begin();
  if (timeout === undefined && signal === undefined) return await begun;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const timer = timeout === undefined ? undefined : setTimeout(() => {
    reject(new TimeoutError(`Cannot ${action}: no answer within ${timeout} ms`, { target }));
  }, Math.min(timeout, 2 ** 31 - 1));
  begun.then(resolve, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** Throws unless this can be waited for. */
export function checkTimeout(timeout: number | undefined): void {
  if (timeout === undefined || timeout >= 0) return;
  throw new RangeError(`Cannot wait ${timeout} ms: a timeout is 0 or more`);
}
