/** Our own contestants: every mechanism of this library, between two processes. */

import { meetings } from "@ipc/address/meeting";
import { pairs } from "./_semaphore_pairs.ts";
import type { Memory } from "./_memory_work.ts";
import type { Case, Contestant } from "./contestant.ts";

/** The mechanisms that can be measured. */
export const mechanismNames: readonly string[] = [
  ...[...meetings, ...pairs].map(({ name }) => name),
  "memory" satisfies Memory,
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

const pairCases: readonly Case[] = [
  { chart: "semaphores", name: "sync", test: "trip-sync" },
  { chart: "semaphores", name: "async", test: "trip-async" },
  { chart: "semaphores", name: "async, peer blocks", test: "trip-wake" },
  { chart: "idle", name: "async", test: "idle" },
];

const memoryCases: readonly Case[] = [{ chart: "memory", name: "sync", test: "words" }];

function casesOf(name: string): readonly Case[] {
  if (name === "memory") return memoryCases;
  return pairs.some((pair) => pair.name === name) ? pairCases : channelCases;
}

/** A mechanism between two processes of Deno. */
export function ownContestant(name: string): Contestant {
  const { command, args } = workerCommand();
  return {
    subject: name,
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
