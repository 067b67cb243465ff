/** The runner: starts the contestants, lets them measure in turn, and puts the report together. */

import { type Chart, charts, type Contestant, type Figures } from "./contestant.ts";
import { Contender, type Surroundings } from "./_contender.ts";
import { lastCpu, lookAtMachine } from "./machine.ts";
import type { Missing, Mode, Report, Result } from "./report.ts";

/** What to run, and how. */
export interface RunOptions {
  /** Everyone who takes part, in the order of the report. */
  readonly contestants: readonly Contestant[];
  /** How often each case is measured. */
  readonly rounds: number;
  /** How long a round should be, in milliseconds. */
  readonly period: number;
  /** The least that everyone does before it counts, in milliseconds: compilers need a while. */
  readonly warmUp: number;
  /** Programs and their versions, besides Deno. */
  readonly versions?: Readonly<Record<string, string>> | undefined;
  /** What is known to be missing already. */
  readonly missing?: readonly Missing[] | undefined;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Told how far it is, from 0 to 1, and what is at work. */
  readonly onProgress?: ((part: number, what: string) => void) | undefined;
}

/** The most messages of a round; latencies of that many are kept. */
const MOST = 20_000_000;
/** Idleness is watched for longer than work, in milliseconds at most. */
const IDLE = { periods: 40, most: 1000 };
/** So many connections are opened for a millisecond of a round. */
const CONNECTIONS = 100;
/** What is not measured as often as work. */
const SLOW = { units: ["ms/s", "bytes"], rounds: 3 };
/** How long a round may take in all, in milliseconds. */
const DEADLINE = 20_000;
/** How many contestants start at the same time. */
const STARTING = 4;

/** One case of one contestant, with what was measured. */
interface Entry {
  readonly contender: Contender;
  readonly test: string;
  readonly name: string;
  readonly goal: number | undefined;
  readonly rounds: { readonly value: number; readonly figures: Figures }[];
  count: number;
}

/** Measures. */
export async function run(options: RunOptions): Promise<Report> {
  const { contestants, rounds, period, versions = {} } = options;
  const date = new Date();
  const machine = lookAtMachine();
  const missing = [...options.missing ?? []];
  const cpu = await tasksetCpu(missing);
  const modes: Mode[] = cpu === undefined ? ["free"] : ["pinned", "free"];
  const results: Result[] = [];
  await using folder = await temporaryFolder();
  for (const [index, mode] of modes.entries()) {
    const prefix = mode === "pinned" ? ["taskset", "-c", String(cpu)] : [];
    const surroundings = { prefix, folder: folder.path, signal: options.signal };
    await using contenders = await startAll(contestants, surroundings, missing);
    for (const [at, chart] of charts.entries()) {
      const entries = entriesOf(chart, contenders.list, contestants);
      const told = (part: number, what: string) => {
        options.onProgress?.((index + (at + part) / charts.length) / modes.length, `${mode}: ${what}`);
      };
      await measureChart(chart, entries, options, missing, told);
      results.push(...resultsOf(mode, chart, entries));
    }
  }
  return {
    date: date.toISOString(),
    took: Date.now() - date.getTime(),
    machine,
    versions: { Deno: Deno.version.deno, ...versions },
    settings: { rounds, period, cpu },
    results: compare(results, contestants),
    missing,
  };
}

/** The CPU to pin to, where that can be done. */
async function tasksetCpu(missing: Missing[]): Promise<number | undefined> {
  const cpu = lastCpu();
  try {
    const { success } = await new Deno.Command("taskset", {
      args: ["-c", String(cpu), "true"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    if (success) return cpu;
    missing.push({ what: "pinned to one CPU", why: `taskset cannot pin to CPU ${cpu}` });
  } catch {
    missing.push({ what: "pinned to one CPU", why: "there is no taskset (util-linux)" });
  }
  return undefined;
}

async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "ipc-bench-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function startAll(
  contestants: readonly Contestant[],
  surroundings: Surroundings,
  missing: Missing[],
): Promise<AsyncDisposable & { list: Contender[] }> {
  const { signal } = surroundings;
  const list: Contender[] = [];
  // Not all at once: on one CPU none of them would be ready in time.
  for (let at = 0; at < contestants.length && !signal.aborted; at += STARTING) {
    const some = contestants.slice(at, at + STARTING);
    const started = await Promise.allSettled(
      some.map((contestant) => Contender.start(contestant, surroundings)),
    );
    for (const [index, outcome] of started.entries()) {
      if (outcome.status === "fulfilled") list.push(outcome.value);
      else note(missing, describe(some[index]!), outcome.reason);
    }
  }
  const stop = async () => void await Promise.all(list.map((contender) => contender.stop()));
  if (signal.aborted) await stop();
  signal.throwIfAborted();
  return { list, [Symbol.asyncDispose]: stop };
}

/** Everything of a chart; nothing, where none of ours can do it. */
function entriesOf(
  chart: Chart,
  contenders: readonly Contender[],
  contestants: readonly Contestant[],
): Entry[] {
  const entries = contenders.filter(({ maxMessageSize }) => chart.size <= maxMessageSize).flatMap(
    (contender) => {
      return contender.contestant.cases.filter((each) => each.chart === chart.name).map(
        ({ test, name, goal }): Entry => ({ contender, test, name, goal, rounds: [], count: 0 }),
      );
    },
  );
  const isOurs = ({ kind }: Contestant) => kind === "ours";
  if (contestants.some(isOurs) && !entries.some(({ contender }) => isOurs(contender.contestant))) return [];
  return entries;
}

/** Lets everyone find its pace and warm up, then measures all in turn, round after round. */
async function measureChart(
  chart: Chart,
  entries: readonly Entry[],
  options: RunOptions,
  missing: Missing[],
  told: (part: number, what: string) => void,
): Promise<void> {
  const { signal } = options;
  const rounds = SLOW.units.includes(chart.unit) ? Math.min(options.rounds, SLOW.rounds) : options.rounds;
  const measure = async (entry: Entry, round: number) => {
    const { contender, test, name } = entry;
    if (!contender.usable || round >= 0 && entry.count === 0) return;
    try {
      if (round < 0) entry.count = await pace(entry, chart, options);
      else {
        const figures = await contender.measure(test, chart.size, entry.count, DEADLINE, signal);
        entry.rounds.push({ value: valueOf(chart, entry.count, figures), figures });
      }
    } catch (error) {
      signal.throwIfAborted();
      note(missing, `${describe(contender.contestant)}: ${chart.title}, ${name}`, error);
    }
  };
  const steps = (rounds + 1) * entries.length;
  let step = 0;
  for (let round = -1; round < rounds; round++) {
    if (isIdle(chart)) {
      // Who waits does not disturb the others.
      told((round + 1) / (rounds + 1), chart.title);
      await Promise.all(entries.map((entry) => measure(entry, round)));
      continue;
    }
    for (const entry of entries) {
      told(step++ / steps, `${chart.title}: ${describe(entry.contender.contestant)}, ${entry.name}`);
      await measure(entry, round);
    }
  }
}

/** How many messages fill a round. Finding that out is the warm-up. */
async function pace({ contender, test }: Entry, chart: Chart, options: RunOptions): Promise<number> {
  const { period, warmUp, signal } = options;
  if (isIdle(chart)) return Math.min(period * IDLE.periods, IDLE.most);
  const { size, most = MOST } = chart;
  if (chart.unit === "bytes") return Math.min(period * CONNECTIONS, most);
  let count = Math.max(4, Math.min(100, 4_000_000 / size >> 2));
  let spent = 0;
  // The first time it starts what it needs, which says nothing of its pace.
  await contender.measure(test, size, count, DEADLINE, signal);
  while (true) {
    const { nanoseconds } = await contender.measure(test, size, count, DEADLINE, signal);
    const time = nanoseconds / 1e6;
    spent += time;
    const wanted = Math.max(1, Math.round(count * period / time));
    if (spent >= warmUp && time >= period / 3 || count >= most) return Math.min(wanted, most);
    count = Math.min(wanted, count * 8, most);
  }
}

/** Whether it is watched what waiting costs. */
function isIdle({ unit }: Chart): boolean {
  return unit === "ms/s";
}

function valueOf({ unit, size }: Chart, count: number, { nanoseconds, cpu, bytes }: Figures): number {
  if (unit === "bytes") return bytes!;
  // Less than a microsecond is not told.
  if (unit === "ms/s") return Math.max(1, cpu) / 1000;
  if (unit === "µs") return nanoseconds / count / 1000;
  const perSecond = count * 1e9 / nanoseconds;
  return unit === "messages/s" ? perSecond : perSecond * size;
}

function resultsOf(mode: Mode, chart: Chart, entries: readonly Entry[]): Result[] {
  return entries.filter(({ rounds }) => rounds.length > 0).map(({ contender, name, rounds, goal }) => {
    const sorted = rounds.toSorted((a, b) => a.value - b.value);
    const best = chart.better === "lower" ? sorted[0]! : sorted.at(-1)!;
    const { p50, p99 } = best.figures;
    return {
      mode,
      chart: chart.name,
      subject: contender.contestant.subject,
      kind: contender.contestant.kind,
      name,
      best: best.value,
      median: sorted[sorted.length >> 1]!.value,
      range: [sorted[0]!.value, sorted.at(-1)!.value],
      rounds: rounds.map(({ value }) => value),
      ...p50 !== undefined && { p50 },
      ...p99 !== undefined && { p99 },
      ...!isIdle(chart) && { cpu: Math.min(...rounds.map(({ figures }) => figures.cpu)) },
      ...goal !== undefined && { goal: { toC: goal, met: false } },
    };
  });
}

/** Adds how each of ours compares with C and with the other ways, and brings all into the order of the report. */
function compare(results: readonly Result[], contestants: readonly Contestant[]): Result[] {
  const order = (result: Result) => contestants.findIndex(({ subject }) => subject === result.subject);
  const compared = results.map((result) => {
    if (result.kind !== "ours") return result;
    const lower = charts.find(({ name }) => name === result.chart)!.better === "lower";
    const others = results.filter(({ mode, chart }) => mode === result.mode && chart === result.chart);
    const c = others.filter(({ kind, subject }) => kind === "c" && subject === result.subject);
    const peers = others.filter(({ kind }) => kind === "peer").map(({ subject, best }) => {
      return [subject, lower ? best / result.best : result.best / best];
    });
    const beside = { ...result, ...peers.length > 0 && { toPeers: Object.fromEntries(peers) } };
    return againstC(beside, c.map(({ best }) => best), lower);
  });
  return compared.sort((a, b) => order(a) - order(b));
}

/** The fastest C counts, whichever way it reads. */
function againstC({ goal, ...result }: Result, c: readonly number[], lower: boolean): Result {
  if (c.length === 0) return result;
  const toC = result.best / (lower ? Math.min(...c) : Math.max(...c));
  if (goal === undefined) return { ...result, toC };
  // As it is shown: 1.204 is not shown as 1.20 and missed.
  const shown = Math.round(toC * 100) / 100;
  return { ...result, toC, goal: { ...goal, met: lower ? shown <= goal.toC : shown >= goal.toC } };
}

/** Who it is, in words. */
function describe({ subject, kind }: Contestant): string {
  return kind === "c" ? `${subject}, C` : subject;
}

function note(missing: Missing[], what: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  if (!missing.some((known) => known.what === what)) missing.push({ what, why });
}
