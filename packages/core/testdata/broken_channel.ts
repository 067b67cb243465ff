/** What breaking a channel on purpose takes. */

import type { ChannelPair, ConformanceOptions } from "../testing/conformance.ts";
import type { MemoryChannel } from "../testing/memory_channel.ts";

/** A channel that breaks a promise on purpose, and the check that has to notice. */
export interface Broken {
  name: string;
  /** The title of the check. */
  check: string;
  /** What the failure says. */
  says: RegExp;
  breaks(channel: MemoryChannel): void | Partial<ChannelPair>;
  options?: ConformanceOptions;
  /** What goes on in spite of everything ends with it. */
  settle?(): Promise<unknown>;
}

/** Enough for those who hang: they would for ever. */
export const HANGS: ConformanceOptions = { ceiling: 300 };

/** Replaces a method by one that can call what was there. */
export function replace<T extends object, K extends keyof T>(
  target: T,
  key: K,
  make: (before: T[K]) => T[K],
): void {
  const before = target[key];
  const bound = typeof before === "function" ? before.bind(target) : before;
  Object.defineProperty(target, key, { value: make(bound), configurable: true });
}

/** Gives up at an abort what goes on nevertheless. */
export function raced<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
