/** Figures as people read them, and what the table and the page both make of a report. */

import { type Chart, charts } from "./contestant.ts";
import type { Mode, Report, Result } from "./report.ts";

const STEPS: Readonly<Record<"bytes" | "bytes/s" | "messages/s", readonly (readonly [number, string])[]>> = {
  "bytes": [[1e6, "MB"], [1e3, "kB"], [1, "B"]],
  "bytes/s": [[1e9, "GB/s"], [1e6, "MB/s"], [1e3, "kB/s"], [1, "B/s"]],
  "messages/s": [[1e6, "M/s"], [1e3, "k/s"], [1, "/s"]],
};

/** A figure with its unit, in three digits: `4.47 µs`, `1.62 M/s`, `4.71 GB/s`. */
export function figure(value: number, unit: Chart["unit"]): string {
  if (unit === "µs" || unit === "ms/s") return `${threeDigits(value)} ${unit}`;
  const steps = STEPS[unit];
  const [step, name] = steps.find(([step]) => value >= step * 0.9995) ?? steps.at(-1)!;
  return `${threeDigits(value / step)} ${name}`;
}

/** Three digits, and all of those before the point. */
export function threeDigits(value: number): string {
  const digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return digits === 0 ? Math.round(value).toLocaleString("en-US") : value.toFixed(digits);
}

/** By how much the worst round was worse than the best, in percent. */
export function spread({ range: [low, high] }: Result): string {
  const worst = high / low;
  const percent = Math.round((worst - 1) * 100);
  return percent < 1000 ? `${percent} %` : `${threeDigits(worst)}×`;
}

/** A goal in few characters. */
export function goalText(result: Result): string {
  const { goal, chart } = result;
  if (goal === undefined) return "";
  const lower = chartOf(chart).better === "lower";
  return `${lower ? "≤" : "≥"} ${goal.toC}`;
}

/** What was done, within a sentence: `round trip, 64 B, sync`. */
export function inWords({ chart, name }: Result): string {
  const { title } = chartOf(chart);
  return `${title[0]!.toLowerCase()}${title.slice(1)}, ${name}`;
}

/** A chart by its name. */
export function chartOf(name: string): Chart {
  return charts.find((chart) => chart.name === name)!;
}

/** The results of one chart in one mode. */
export function resultsIn(report: Report, mode: Mode, chart: Chart): Result[] {
  return report.results.filter((result) => result.mode === mode && result.chart === chart.name);
}

/** Where figures of a chart lie between 0 and 1, on a logarithmic scale that both modes share. */
export function scaleOf(
  report: Report,
  chart: Chart,
): { low: number; high: number; at(value: number): number } {
  const values = report.results.filter((result) => result.chart === chart.name).flatMap(({ range }) => range);
  let low = Math.min(...values) / 1.15;
  let high = Math.max(...values) * 1.15;
  // Less than a factor of four would blow noise up to a landscape.
  if (high / low < 4) [low, high] = [low / Math.sqrt(4 * low / high), high * Math.sqrt(4 * low / high)];
  return { low, high, at: (value) => Math.log(value / low) / Math.log(high / low) };
}

/** How a mechanism of ours compares with another way. */
export interface Comparison {
  /** The other way. */
  readonly peer: string;
  /** Whether it blocks its threads; it is compared with ours doing so, and otherwise with ours awaiting. */
  readonly blocks: boolean;
  /** How many times as fast ours is, for each of {@linkcode comparedCharts}; `undefined`: not measured. */
  readonly times: readonly (number | undefined)[];
}

/** The ways of ours that are compared with others. */
const LIKE = { blocking: ["sync"], awaiting: ["async", "awaiting each"] } as const;

/** The charts that a mechanism of ours and other ways are both in, and that tell who is faster. */
export function comparedCharts(report: Report, subject: string): Chart[] {
  return charts.filter(({ name, unit }) => {
    if (unit === "bytes") return false;
    const results = report.results.filter(({ chart }) => chart === name);
    return results.some(({ kind }) => kind === "peer") && results.some((each) => each.subject === subject);
  });
}

/** Compares one mechanism with every other way, like with like. */
export function compareToPeers(report: Report, mode: Mode, subject: string): Comparison[] {
  const peers = new Map(
    report.results.filter(({ kind }) => kind === "peer").map((each) => [each.subject, each]),
  );
  return [...peers].map(([peer, { name }]) => {
    const blocks = name === "blocking";
    const like: readonly string[] = blocks ? LIKE.blocking : LIKE.awaiting;
    const times = comparedCharts(report, subject).map((chart) => {
      const ours = resultsIn(report, mode, chart).find((each) => {
        return each.kind === "ours" && each.subject === subject && like.includes(each.name);
      });
      return ours?.toPeers?.[peer];
    });
    return { peer, blocks, times };
  }).filter(({ times }) => times.some((time) => time !== undefined));
}

/** The mechanisms of a report. */
export function subjectsOf(report: Report): string[] {
  return [...new Set(report.results.filter(({ kind }) => kind === "ours").map(({ subject }) => subject))];
}

/** What was measured, on what, and how, in a few lines. */
export function circumstances(report: Report): string[] {
  const { machine, versions, settings } = report;
  return [
    `${machine.cpu}, ${machine.cpus} ${
      machine.cpus === 1 ? "CPU" : "CPUs"
    }, ${machine.kernel} ${machine.arch}`,
    Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(" · "),
    `best of ${settings.rounds} rounds of ${settings.period} ms each, everyone in turn, after a warm-up; ` +
    `load before: ${machine.load.toFixed(2)}`,
  ];
}

/** Said where other programs were at work; figures are worse then. */
export function warning({ machine }: Report): string | undefined {
  if (machine.load < 0.5) return undefined;
  return `Other programs were running (load ${
    machine.load.toFixed(2)
  }): these figures are worse than they need be`;
}
