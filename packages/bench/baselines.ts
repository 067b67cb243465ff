/** What the mechanisms are measured against in C. A new mechanism adds a row. */

import type { Case, ChartName } from "../cli/bench/contestant.ts";

/** A mechanism's counterpart in C, and how it should compare. */
export interface Baseline {
  /** The mechanism. */
  readonly name: string;
  /** The program under `c`, without its ending. */
  readonly program: string;
  /** What it can do. */
  readonly cases: readonly Case[];
  /** Whether its far end and ours understand each other; then ours are measured against blocking C as well. */
  readonly mixes: boolean;
  /** At most so many times C's figure where lower is better, at least where higher is; by chart and case. */
  readonly goals: Goals;
}

/** Goals by chart and case. */
export type Goals = Readonly<Partial<Record<ChartName, Readonly<Record<string, number>>>>>;

const queueCases: readonly Case[] = [
  { chart: "roundTrip", name: "C", test: "trip" },
  { chart: "messages", name: "C", test: "pull" },
  { chart: "bandwidth4KiB", name: "C", test: "pull" },
];

const streamCases: readonly Case[] = [
  ...queueCases,
  { chart: "messages", name: "C, a read for each", test: "pull-frames" },
  { chart: "bandwidth64KiB", name: "C", test: "pull" },
  { chart: "bandwidth1MiB", name: "C", test: "pull" },
];

const semaphoreCases: readonly Case[] = [{ chart: "semaphores", name: "C", test: "trip" }];

const stream = {
  program: "stream",
  cases: streamCases,
  mixes: true,
  goals: { roundTrip: { sync: 1.2 }, messages: { sync: 0.8, "not awaiting": 1, batches: 3 } },
} as const;

const sockets = { goals: { roundTrip: { sync: 1.15 }, messages: { sync: 0.85 } } } as const;

const packets = {
  program: "packets",
  cases: [...queueCases, { chart: "bandwidth64KiB", name: "C", test: "pull" }],
  ...sockets,
} as const;

const queue = {
  cases: queueCases,
  goals: { roundTrip: { sync: 1.2 }, messages: { sync: 0.85 } },
} as const;

const semaphores = {
  cases: semaphoreCases,
  mixes: false,
  goals: { semaphores: { sync: 1.25 } },
} as const;

const memoryCases: readonly Case[] = [{ chart: "memory", name: "C", test: "words" }];

const logCases: readonly Case[] = [
  { chart: "appendAlways", name: "C", test: "always" },
  { chart: "appendAlwaysFour", name: "C", test: "always-four" },
  { chart: "appendInterval", name: "C", test: "interval" },
  { chart: "appendIntervalFour", name: "C", test: "interval-four" },
  { chart: "appendNever", name: "C", test: "never" },
  { chart: "appendNeverFour", name: "C", test: "never-four" },
  { chart: "read4KiB", name: "C", test: "read" },
  { chart: "read64KiB", name: "C", test: "read" },
  { chart: "wake", name: "C, inotify", test: "wake" },
];

const signalCases: readonly Case[] = [
  { chart: "signal", name: "C, signalfd", test: "signalfd" },
  { chart: "signal", name: "C, sigwaitinfo", test: "sigwaitinfo" },
  { chart: "processEnd", name: "C, pidfd", test: "pidfd" },
];

/** Every counterpart. */
export const baselines: readonly Baseline[] = [
  { name: "pipe", ...stream },
  { name: "fifo", ...stream },
  {
    name: "unix",
    ...stream,
    goals: { ...sockets.goals, messages: { sync: 0.85, "not awaiting": 1, batches: 3 } },
  },
  { name: "unix-seqpacket", mixes: true, ...packets },
  { name: "unix-dgram", mixes: false, ...packets },
  { name: "tcp", ...stream, goals: {} },
  {
    name: "file",
    program: "log",
    mixes: false,
    cases: streamCases.filter(({ test }) => test !== "pull-frames"),
    goals: {},
  },
  { name: "file-log", program: "appends", cases: logCases, mixes: false, goals: {} },
  { name: "signal", program: "signals", cases: signalCases, mixes: false, goals: {} },
  { name: "sysv-msg", program: "sysv", mixes: true, ...queue },
  { name: "mq", program: "posix", mixes: true, ...queue },
  { name: "sysv-semaphores", program: "sysv", ...semaphores },
  { name: "posix-semaphores", program: "posix", ...semaphores },
  { name: "sync-semaphores", program: "sync", ...semaphores },
  { name: "memory", program: "memory", cases: memoryCases, mixes: false, goals: {} },
];
