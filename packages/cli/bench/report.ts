/** What was found: one object with everything, which the table, the page and `--json` all show. */

import type { ChartName, Kind } from "./contestant.ts";
import type { Machine } from "./machine.ts";

/** How the processes were placed: all on one CPU, or wherever the kernel likes. */
export type Mode = "pinned" | "free";

/** What one contestant did in one case and one mode. */
export interface Result {
  /** Where its processes ran. */
  readonly mode: Mode;
  /** The comparison. */
  readonly chart: ChartName;
  /** Who: a mechanism of ours, its counterpart in C, or another way. */
  readonly subject: string;
  /** What kind of contestant that is. */
  readonly kind: Kind;
  /** How it was done. */
  readonly name: string;
  /** The best round, in the chart's unit. */
  readonly best: number;
  /** The round in the middle. */
  readonly median: number;
  /** The spread: the lowest and the highest round. */
  readonly range: readonly [number, number];
  /** Every round, in the order in which they ran. */
  readonly rounds: readonly number[];
  /** Of the best round: half of the round trips took less, in microseconds. */
  readonly p50?: number;
  /** Of the best round: 99 of 100 round trips took less, in microseconds. */
  readonly p99?: number;
  /** The least CPU time of a round, both processes together, in microseconds a message; none where nothing is sent. */
  readonly cpu?: number;
  /** So many times the figure of C, the fastest there was for this mechanism in this chart and mode. */
  readonly toC?: number;
  /** How many times as fast as each other way, for ours. */
  readonly toPeers?: Readonly<Record<string, number>>;
  /** The goal for `toC`, and whether it was reached. */
  readonly goal?: Goal;
}

/** What was aimed at. */
export interface Goal {
  /** At most so much where lower is better, at least where higher is. */
  readonly toC: number;
  /** Whether it was reached. */
  readonly met: boolean;
}

/** Something that could not be measured. */
export interface Missing {
  /** What. */
  readonly what: string;
  /** Why. */
  readonly why: string;
}

/** How it was measured. */
export interface Settings {
  /** How often each case was measured; they alternate. */
  readonly rounds: number;
  /** How long a round is, in milliseconds. */
  readonly period: number;
  /** The CPU of the pinned mode; none: it was left out. */
  readonly cpu: number | undefined;
}

/** A report. */
export interface Report {
  /** When it began. */
  readonly date: string;
  /** How long it took, in milliseconds. */
  readonly took: number;
  /** The machine. */
  readonly machine: Machine;
  /** Programs and their versions. */
  readonly versions: Readonly<Record<string, string>>;
  /** How it was measured. */
  readonly settings: Settings;
  /** What was found. */
  readonly results: readonly Result[];
  /** What was not. */
  readonly missing: readonly Missing[];
}

/** The modes of a report, in order. */
export function modesOf(report: Report): Mode[] {
  return (["pinned", "free"] as const).filter((mode) =>
    report.results.some((result) => result.mode === mode)
  );
}

/** What a mode means, in words. */
export function describeMode(mode: Mode, report: Report): string {
  if (mode === "pinned") return `every process on CPU ${report.settings.cpu}`;
  return `every process where the kernel puts it, ${report.machine.cpus} CPUs`;
}
