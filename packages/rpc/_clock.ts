import type { RpcClock } from "./options.ts";

/** The time of the runtime. */
export const CLOCK: RpcClock = {
  now: () => performance.now(),
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  clearTimeout: (timer) => clearTimeout(timer as number),
};
