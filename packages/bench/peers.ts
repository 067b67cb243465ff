/** The other ways of processes and threads to talk, and the programs that they need. */

import { DatabaseSync } from "node:sqlite";
import { workerCommand } from "../cli/bench/own.ts";
import type { Case, Contestant } from "../cli/bench/contestant.ts";
import type { Missing } from "../cli/bench/report.ts";

/** Another way. A new one adds a row. */
interface Peer {
  readonly subject: string;
  /** The program that it needs. */
  readonly program: "Deno" | "Node" | "Python";
  readonly args: readonly string[];
  /** What it can do; the same as others of its program, unless told. */
  readonly cases?: readonly Case[];
}

/** What else is needed, and how it tells its version. Deno puts itself into PATH as `node` where there is none. */
const programs = {
  Node: { command: "node", args: ["-p", "process.versions.deno ? '' : process.version"] },
  Python: { command: "python3", args: ["--version"] },
} as const;

const file = (name: string) => new URL(`./peers/${name}`, import.meta.url).pathname;

/** Memory that nobody else sees. */
const ownMemory: Peer = {
  subject: "memory of its own",
  program: "Deno",
  args: [...workerCommand().args, "near", "own-memory"],
  cases: [{ chart: "memory", name: "blocking", test: "words" }],
};

/** Rows that are inserted by a transaction each, read back, and polled for. */
const sqlite: Peer = {
  subject: "SQLite",
  program: "Deno",
  args: ["run", "--quiet", "-A", file("sqlite.ts")],
  cases: [
    { chart: "appendAlways", name: "blocking", test: "always" },
    { chart: "appendAlwaysFour", name: "blocking", test: "always-four" },
    { chart: "appendInterval", name: "blocking", test: "interval" },
    { chart: "appendIntervalFour", name: "blocking", test: "interval-four" },
    { chart: "appendNever", name: "blocking", test: "never" },
    { chart: "appendNeverFour", name: "blocking", test: "never-four" },
    { chart: "read4KiB", name: "blocking", test: "read" },
    { chart: "read64KiB", name: "blocking", test: "read" },
    { chart: "wake", name: "blocking", test: "wake" },
  ],
};

function denoPeer(name: string): string[] {
  const { command } = workerCommand();
  const source = ["run", "--quiet", "-A", file("deno.ts")];
  return [...source, "near", name, command, ...source, "far", name];
}

const peers: readonly Peer[] = [
  { subject: "Deno.connect, unix", program: "Deno", args: denoPeer("connect") },
  {
    subject: "Deno.connect, unix",
    program: "Deno",
    args: denoPeer("crowd"),
    cases: [{ chart: "connections", name: "awaiting", test: "crowd" }],
  },
  { subject: "Deno child streams", program: "Deno", args: denoPeer("stdio") },
  { subject: "Node IPC, json", program: "Node", args: [file("node_ipc.mjs"), "json"] },
  { subject: "Node IPC, advanced", program: "Node", args: [file("node_ipc.mjs"), "advanced"] },
  { subject: "Node MessagePort", program: "Node", args: [file("node_port.mjs")] },
  { subject: "Python Pipe", program: "Python", args: [file("python_pipe.py")] },
  ownMemory,
  sqlite,
];

function cases(trip: string, pull: string, name: string): Case[] {
  return [
    { chart: "roundTrip", name, test: trip },
    { chart: "messages", name, test: pull },
    { chart: "bandwidth4KiB", name, test: pull },
    { chart: "bandwidth64KiB", name, test: pull },
    { chart: "bandwidth1MiB", name, test: pull },
  ];
}

/** What each program's way is called beside ours. */
const casesOf = {
  Deno: cases("trip-async", "pull-await", "awaiting"),
  Node: cases("trip", "pull", "events"),
  Python: cases("trip", "pull", "blocking"),
} as const;

/** The peers that can be measured here, the versions of their programs, and those that cannot. */
export async function findPeers(): Promise<{
  contestants: Contestant[];
  versions: Record<string, string>;
  missing: Missing[];
}> {
  const versions: Record<string, string> = { SQLite: sqliteVersion() };
  const missing: Missing[] = [];
  const paths: Record<string, string> = { Deno: Deno.execPath() };
  for (const [name, { command, args }] of Object.entries(programs)) {
    const found = await findProgram(command, args);
    if (found === undefined) continue;
    versions[name] = found.version;
    paths[name] = found.path;
  }
  const contestants = peers.flatMap(({ subject, program, args, cases = casesOf[program] }): Contestant[] => {
    const command = paths[program];
    if (command !== undefined) return [{ subject, kind: "peer", command, args, cases }];
    missing.push({ what: subject, why: `there is no ${programs[program as "Node" | "Python"].command}` });
    return [];
  });
  return { contestants, versions, missing };
}

/** Of the one that is part of Deno. */
function sqliteVersion(): string {
  using database = new DatabaseSync(":memory:");
  return String(database.prepare("SELECT sqlite_version() AS version").get()!.version);
}

/** A program that was found. */
export interface Program {
  /** Where it is. */
  readonly path: string;
  /** The version that it tells. */
  readonly version: string;
}

/** Looks for a program in PATH, and asks it for its version; `undefined`: there is none. */
export async function findProgram(name: string, args: readonly string[]): Promise<Program | undefined> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${folder}/${name}`;
    try {
      const { stdout, success } = await new Deno.Command(path, {
        args: [...args],
        stdin: "null",
        stderr: "null",
      })
        .output();
      const version = /\d+(\.\d+)+/.exec(new TextDecoder().decode(stdout))?.[0];
      if (success && version !== undefined) return { path, version };
    } catch {
      // Not here.
    }
  }
  return undefined;
}
