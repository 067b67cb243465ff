/** Lets everyone call in turn, round after round, and puts what was found together. */

import { Contender, type Surroundings } from "../../cli/bench/_contender.ts";
import { lastCpu, lookAtMachine, type Machine } from "../../cli/bench/machine.ts";
import type { Field } from "./contestants.ts";

/** Bytes of the text that each call sends, and that is its answer. */
export const SIZE = 100;
/** How many calls are under way: one after another, and pipelined. */
export const UNDER_WAY = [1, 64] as const;

/** The least calls a second that ours should make, one after another. */
const GOALS: Readonly<Record<string, number>> = { unix: 25_000 };
/** How long a round may take in all, in milliseconds. */
const DEADLINE = 20_000;
/** How many contestants start at the same time. */
const STARTING = 4;
/** The most calls of a round. */
const MOST = 200_000;

/** How the processes were placed: both on one CPU, or wherever the kernel likes. */
export type Mode = "pinned" | "free";

/** What one contestant did. */
export interface Result {
  readonly mode: Mode;
  readonly subject: string;
  readonly ours: boolean;
  /** How many calls were under way. */
  readonly underWay: number;
  /** Calls a second: the best round, the one in the middle, and all in the order in which they ran. */
  readonly best: number;
  readonly median: number;
  readonly rounds: readonly number[];
  /** Of the best round: half of the calls, and 99 of 100, took less, in microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The least CPU time of a round, both processes together, in microseconds a call. */
  readonly cpu: number;
  /** What `best` should be at least. */
  readonly goal?: number;
}

/** Everything that was found. */
export interface Report {
  /** When it began. */
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  /** How often each was measured; how long a round is, in milliseconds; the CPU of the pinned mode. */
  readonly settings: { readonly rounds: number; readonly period: number; readonly cpu: number | undefined };
  readonly results: readonly Result[];
  /** Who is missing, and why. */
  readonly missing: readonly string[];
}

/** How it is measured. */
export interface RunOptions {
  readonly modes: readonly Mode[];
  readonly rounds: number;
  /** How long a round should be, in milliseconds. */
  readonly period: number;
  /** The least that everyone does before it counts, in milliseconds: compilers need a while. */
  readonly warmUp: number;
  readonly signal: AbortSignal;
  /** Told what is at work. */
  readonly onProgress: (what: string) => void;
}

interface Entry {
  readonly contender: Contender;
  readonly underWay: number;
  count: number;
  readonly found: { perSecond: number; p50: number; p99: number; cpu: number }[];
}

/** Measures. */
export async function run({ contestants, versions, ...field }: Field, options: RunOptions): Promise<Report> {
  const { modes, rounds, period, signal, onProgress } = options;
  const date = new Date().toISOString();
  const machine = lookAtMachine();
  const missing = [...field.missing];
  const cpu = modes.includes("pinned") ? await tasksetCpu() : undefined;
  if (modes.includes("pinned") && cpu === undefined) {
    missing.push("pinned to one CPU: there is no taskset (util-linux)");
  }
  const results: Result[] = [];
  for (const mode of modes.filter((mode) => mode === "free" || cpu !== undefined)) {
    const folder = await Deno.makeTempDir({ prefix: "ipc-bench-" });
    const prefix = mode === "pinned" ? ["taskset", "-c", String(cpu)] : [];
    const fail = (what: string, error: unknown) => {
      signal.throwIfAborted();
      missing.push(`${what}: ${error instanceof Error ? error.message : error}`);
    };
    const contenders: Contender[] = [];
    try {
      await startAll(contestants, { prefix, folder, signal }, contenders, fail);
      for (const underWay of UNDER_WAY) {
        const entries = contenders.map((contender): Entry => ({ contender, underWay, count: 0, found: [] }));
        const tell = (round: number, { contender }: Entry) =>
          onProgress(`${mode}, ${underWay} under way, round ${round} of ${rounds}: ${nameOf(contender)}`);
        await measureAll(entries, options, tell, (entry, error) => {
          entry.count = 0;
          fail(`${nameOf(entry.contender)}, ${underWay} under way, ${mode}`, error);
        });
        results.push(...entries.filter(({ found }) => found.length > 0).map((each) => resultOf(mode, each)));
      }
    } finally {
      await Promise.all(contenders.map((contender) => contender.stop()));
      await Deno.remove(folder, { recursive: true });
    }
  }
  return { date, machine, versions, settings: { rounds, period, cpu }, results, missing };
}

/** Starts all that can be, in their order, into `started`. */
async function startAll(
  contestants: Field["contestants"],
  surroundings: Surroundings,
  started: Contender[],
  fail: (what: string, error: unknown) => void,
): Promise<void> {
  // Not all at once: on one CPU none of them would be ready in time.
  for (let at = 0; at < contestants.length; at += STARTING) {
    const some = contestants.slice(at, at + STARTING);
    const outcomes = await Promise.allSettled(some.map(({ subject, ours, command, args }) => {
      const contestant = { subject, kind: ours ? "ours" : "peer", command, args, cases: [] } as const;
      return Contender.start(contestant, surroundings);
    }));
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") started.push(outcome.value);
    }
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "rejected") fail(some[index]!.subject, outcome.reason);
    }
  }
}

/** Lets all measure in turn; in the first round they find out how many calls fill one. */
async function measureAll(
  entries: readonly Entry[],
  options: RunOptions,
  tell: (round: number, entry: Entry) => void,
  fail: (entry: Entry, error: unknown) => void,
): Promise<void> {
  for (let round = 0; round <= options.rounds; round++) {
    for (const entry of entries) {
      tell(round, entry);
      try {
        if (round === 0) entry.count = await pace(entry, options);
        else if (entry.count > 0) await measure(entry, entry.count, options.signal);
      } catch (error) {
        fail(entry, error);
      }
    }
  }
}

/** How many calls fill a round. Finding that out is the warm-up. */
async function pace(entry: Entry, { period, warmUp, signal }: RunOptions): Promise<number> {
  let count = entry.underWay;
  let spent = 0;
  while (true) {
    const time = await measure(entry, count, signal);
    spent += time;
    const wanted = Math.min(MOST, Math.max(entry.underWay, Math.round(count * period / time)));
    if (spent >= warmUp && time >= period / 3 || count >= MOST) break;
    count = Math.min(wanted, count * 8);
  }
  const { perSecond } = entry.found.at(-1)!;
  entry.found.length = 0;
  return Math.min(MOST, Math.max(entry.underWay, Math.round(perSecond * period / 1000)));
}

/** Lets one call so many times; milliseconds. */
async function measure(entry: Entry, count: number, signal: AbortSignal): Promise<number> {
  const { contender, underWay } = entry;
  const figures = await contender.measure(String(underWay), SIZE, count, DEADLINE, signal);
  const { nanoseconds, cpu, p50 = NaN, p99 = NaN } = figures;
  entry.found.push({ perSecond: count * 1e9 / nanoseconds, p50, p99, cpu });
  return nanoseconds / 1e6;
}

function resultOf(mode: Mode, { contender, underWay, found }: Entry): Result {
  const { subject, kind } = contender.contestant;
  const sorted = found.toSorted((a, b) => a.perSecond - b.perSecond);
  const { perSecond, p50, p99 } = sorted.at(-1)!;
  const goal = underWay === 1 ? GOALS[subject] : undefined;
  return {
    mode,
    subject,
    ours: kind === "ours",
    underWay,
    best: perSecond,
    median: sorted[sorted.length >> 1]!.perSecond,
    rounds: found.map(({ perSecond }) => perSecond),
    p50,
    p99,
    cpu: Math.min(...found.map(({ cpu }) => cpu)),
    ...goal !== undefined && { goal },
  };
}

/** The CPU to pin to, where that can be done. */
async function tasksetCpu(): Promise<number | undefined> {
  const cpu = lastCpu();
  try {
    const { success } = await new Deno.Command("taskset", { args: ["-c", String(cpu), "true"] }).output();
    return success ? cpu : undefined;
  } catch {
    return undefined;
  }
}

function nameOf({ contestant }: Contender): string {
  return contestant.subject;
}
