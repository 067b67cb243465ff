/** Figures as people read them, and what the table and the page both make of a report. */

import { type Chart, charts } from "./contestant.ts";
import type { Mode, Report, Result } from "./report.ts";

/** A figure with its unit, in three digits: `4.47 µs`, `1.62 M/s`, `4.71 GB/s`. */
export function figure(value: number, unit: Chart["unit"]): string {
  if (unit === "µs") return `${threeDigits(value)} µs`;
  const bytes = unit === "bytes/s";
  const steps: readonly [number, string][] = bytes
    ? [[1e9, "GB/s"], [1e6, "MB/s"], [1e3, "kB/s"], [1, "B/s"]]
    : [[1e6, "M/s"], [1e3, "k/s"], [1, "/s"]];
  const [step, name] = steps.find(([step]) => value >= step * 0.9995) ?? steps.at(-1)!;
  return `${threeDigits(value / step)} ${name}`;
}

/** Three digits, and all of those before the point. */
export function threeDigits(value: number): string {
  const digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return digits === 0 ? Math.round(value).toLocaleString("en-US") : value.toFixed(digits);
}

/** By how much the worst round was worse than the best, in percent. */
export function spread({ best, range: [low, high] }: Result): string {
  const worst = best === low ? high / low : high / low;
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

/** A chart by its name. */
export function chartOf(name: string): Chart {
  return charts.find((chart) => chart.name === name)!;
}

/** The results of one chart in one mode. */
export function resultsIn(report: Report, mode: Mode, chart: Chart): Result[] {
  return report.results.filter((result) => result.mode === mode && result.chart === chart.name);
}

/** Where figures of a chart lie between 0 and 1, on a logarithmic scale that both modes share. */
export function scaleOf(report: Report, chart: Chart): { low: number; high: number; at(value: number): number } {
  const values = report.results.filter((result) => result.chart === chart.name).flatMap(({ range }) => range);
  let low = Math.min(...values) / 1.15;
  let high = Math.max(...values) * 1.15;
  // Less than a factor of four would blow noise up to a landscape.
  if (high / low < 4) [low, high] = [low / Math.sqrt(4 * low / high), high * Math.sqrt(4 * low / high)];
  return { low, high, at: (value) => Math.log(value / low) / Math.log(high / low) };
}

/** How ours compare with the other ways, best against best. */
export interface Comparison {
  /** The other way. */
  readonly peer: string;
  /** Times faster, for each chart; `undefined`: not measured. */
  readonly times: readonly (number | undefined)[];
}

/** Compares the ways of one mechanism that `accepts` names with each peer. */
export function compareToPeers(
  report: Report,
  mode: Mode,
  subject: string,
  accepts: (result: Result) => boolean,
): Comparison[] {
  const peers = new Set(report.results.filter(({ kind }) => kind === "peer").map(({ subject }) => subject));
  return [...peers].map((peer) => {
    const times = charts.map((chart) => {
      const all = resultsIn(report, mode, chart);
      const best = (results: Result[]) => {
        const values = results.map(({ best }) => best);
        return chart.better === "lower" ? Math.min(...values) : Math.max(...values);
      };
      const ours = all.filter((each) => each.kind === "ours" && each.subject === subject && accepts(each));
      const theirs = all.filter((each) => each.subject === peer);
      if (ours.length === 0 || theirs.length === 0) return undefined;
      return chart.better === "lower" ? best(theirs) / best(ours) : best(ours) / best(theirs);
    });
    return { peer, times };
  });
}

/** The mechanisms of a report. */
export function subjectsOf(report: Report): string[] {
  return [...new Set(report.results.filter(({ kind }) => kind === "ours").map(({ subject }) => subject))];
}

/** Whether neither end blocks its thread, as with most peers. */
export function isAsync({ name }: Result): boolean {
  return name === "async" || name === "awaiting each";
}

/** What was measured, on what, and how, in a few lines. */
export function circumstances(report: Report): string[] {
  const { machine, versions, settings } = report;
  return [
    `${machine.cpu}, ${machine.cpus} ${machine.cpus === 1 ? "CPU" : "CPUs"}, ${machine.kernel} ${machine.arch}`,
    Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(" · "),
    `best of ${settings.rounds} rounds of ${settings.period} ms each, everyone in turn, after a warm-up; ` +
    `load before: ${machine.load.toFixed(2)}`,
  ];
}

/** Said where other programs were at work; figures are worse then. */
export function warning({ machine }: Report): string | undefined {
  if (machine.load < 0.5) return undefined;
  return `Other programs were running (load ${machine.load.toFixed(2)}): these figures are worse than they need be`;
}
