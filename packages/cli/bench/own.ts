/** Our own contestants: every mechanism of this library, between two processes. */

import { meetings } from "@ipc/address/meeting";
import { pairs } from "./_semaphore_pairs.ts";
import type { Memory } from "./_memory_work.ts";
import type { Case, Contestant } from "./contestant.ts";

/** The mechanisms that can be measured. */
export const mechanismNames: readonly string[] = [
  ...[...meetings, ...pairs].map(({ name }) => name),
  "memory" satisfies Memory,
  "signal",
];

const channelCases: readonly Case[] = [
  { chart: "roundTrip", name: "sync", test: "trip-sync" },
  { chart: "roundTrip", name: "async", test: "trip-async" },
  { chart: "roundTrip", name: "async, peer blocks", test: "trip-wake" },
  { chart: "messages", name: "sync", test: "pull-sync" },
  { chart: "messages", name: "awaiting each", test: "pull-await" },
  { chart: "messages", name: "not awaiting", test: "pull-stream" },
  { chart: "messages", name: "batches", test: "pull-batch" },
  { chart: "bandwidth4KiB", name: "sync", test: "pull-sync" },
  { chart: "bandwidth4KiB", name: "async", test: "pull-await" },
  { chart: "bandwidth64KiB", name: "sync", test: "pull-sync" },
  { chart: "bandwidth64KiB", name: "async", test: "pull-await" },
  { chart: "bandwidth1MiB", name: "sync", test: "pull-sync" },
  { chart: "bandwidth1MiB", name: "async", test: "pull-await" },
  { chart: "idle", name: "async", test: "idle" },
];

/** What takes a channel that can block the thread. */
const BLOCKING: ReadonlySet<string> = new Set(["trip-sync", "trip-wake", "pull-sync"]);

const pairCases: readonly Case[] = [
  { chart: "semaphores", name: "sync", test: "trip-sync" },
  { chart: "semaphores", name: "async", test: "trip-async" },
  { chart: "semaphores", name: "async, peer blocks", test: "trip-wake" },
  { chart: "idle", name: "async", test: "idle" },
];

const memoryCases: readonly Case[] = [{ chart: "memory", name: "sync", test: "words" }];

const logCases: readonly Case[] = [
  ...(["always", "interval", "never"] as const).flatMap((policy): Case[] => {
    const chart = `append${policy[0]!.toUpperCase()}${policy.slice(1)}` as Case["chart"];
    return [
      { chart, name: "sync", test: `${policy}-sync` },
      { chart, name: "awaiting each", test: `${policy}-await` },
      { chart, name: "batches", test: `${policy}-batch` },
      { chart: `${chart}Four` as Case["chart"], name: "sync", test: `${policy}-four` },
    ];
  }),
  { chart: "read4KiB", name: "sync", test: "read-sync" },
  { chart: "read4KiB", name: "async", test: "read-async" },
  { chart: "read64KiB", name: "sync", test: "read-sync" },
  { chart: "read64KiB", name: "async", test: "read-async" },
  { chart: "wake", name: "sync", test: "wake-sync" },
  { chart: "wake", name: "async", test: "wake-async" },
];

const signalCases: readonly Case[] = [
  { chart: "signal", name: "signals()", test: "signals" },
  { chart: "signal", name: "signals(), blocked at the start", test: "blocked-async" },
  { chart: "signal", name: "the same, sync", test: "blocked-sync" },
  { chart: "signal", name: "Doorbell", test: "bell" },
  { chart: "processEnd", name: "ProcessHandle", test: "watch" },
];

const crowdCases: readonly Case[] = [{ chart: "connections", name: "async", test: "crowd" }];

/** What is measured apart, beside what its mechanism does as a channel. */
const apart: Readonly<Record<string, { readonly subject: string; readonly cases: readonly Case[] }>> = {
  "file-log": { subject: "file", cases: logCases },
  "unix-crowd": { subject: "unix", cases: crowdCases },
  "tcp-crowd": { subject: "tcp", cases: crowdCases },
};

function casesOf(name: string): readonly Case[] {
  const cases = apart[name]?.cases;
  if (cases !== undefined) return cases;
  if (name === "signal") return signalCases;
  if (name === "memory") return memoryCases;
  if (pairs.some((pair) => pair.name === name)) return pairCases;
  const { blocking } = meetings.find((meeting) => meeting.name === name)!;
  return blocking === false ? channelCases.filter(({ test }) => !BLOCKING.has(test)) : channelCases;
}

/** What is measured of a mechanism, by name: most are one program. */
export function partsOf(name: string): string[] {
  return [name, ...Object.keys(apart).filter((part) => apart[part]!.subject === name)];
}

/** A mechanism between two processes of Deno, or what is measured apart of it. */
export function ownContestant(name: string): Contestant {
  const { command, args } = workerCommand();
  return {
    subject: apart[name]?.subject ?? name,
    kind: "ours",
    command,
    args: [...args, "near", name, command, ...args, "far", name],
    cases: casesOf(name),
  };
}

/** How one end of ours is started: its role, its mechanism and the far end follow. */
export function workerCommand(): { command: string; args: string[] } {
  const program = new URL("./worker.ts", import.meta.url);
  // From a registry, no configuration of the directory that we happen to be in has a say.
  const source = program.protocol === "file:"
    ? [program.pathname]
    : ["--no-config", "--no-lock", program.href];
  return { command: Deno.execPath(), args: ["run", "--quiet", "-A", ...source] };
}
