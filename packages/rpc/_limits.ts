import type { RpcLimits } from "./limits.ts";

/** The limits, each with a value. */
export type Limits = { readonly [Name in keyof RpcLimits]-?: number };

const DEFAULTS: Limits = {
  maxMessageSize: 16 * 1024 * 1024,
  maxDepth: 64,
  maxBatch: 1000,
  maxRunning: 1024,
  maxWaiting: 16_384,
  maxRequestBytes: 64 * 1024 * 1024,
  maxCalls: 65_536,
  maxQueuedBytes: 16 * 1024 * 1024,
  streamCredit: 64,
  streamBytes: 1024 * 1024,
  maxReferences: 1024,
  maxGathered: 10_000,
};

/** The limits as they were told, the rest by default; throws a `RangeError` for what is no whole number above 0. */
export function limitsOf(told: RpcLimits = {}): Limits {
  const limits: Record<string, number> = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof RpcLimits)[]) {
    const value = told[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`Cannot set ${name} to ${value}`);
    limits[name] = value;
  }
  // Some messages of the longest fit into what is kept.
  limits.maxRequestBytes = told.maxRequestBytes ??
    Math.max(DEFAULTS.maxRequestBytes, 4 * limits.maxMessageSize!);
  return limits as Limits;
}
