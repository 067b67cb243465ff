/** The other ways of processes and threads to talk, and the programs that they need. */

import { workerCommand } from "../cli/bench/own.ts";
import type { Case, Contestant } from "../cli/bench/contestant.ts";
import type { Missing } from "../cli/bench/report.ts";

/** Another way. A new one adds a row. */
interface Peer {
  readonly subject: string;
  /** The program that it needs, and what is printed in the report as its version. */
  readonly program: "Deno" | "Node" | "Python";
  readonly args: readonly string[];
}

const programs = {
  Deno: { command: Deno.execPath(), args: [] },
  Node: { command: "node", args: ["--version"] },
  Python: { command: "python3", args: ["--version"] },
} as const;

const file = (name: string) => new URL(`./peers/${name}`, import.meta.url).pathname;

function denoPeer(name: string): string[] {
  const { command } = workerCommand();
  const source = ["run", "--quiet", "-A", file("deno.ts")];
  return [...source, "near", name, command, ...source, "far", name];
}

const peers: readonly Peer[] = [
  { subject: "Deno.connect, unix", program: "Deno", args: denoPeer("connect") },
  { subject: "Deno child streams", program: "Deno", args: denoPeer("stdio") },
  { subject: "Node IPC, json", program: "Node", args: [file("node_ipc.mjs"), "json"] },
  { subject: "Node IPC, advanced", program: "Node", args: [file("node_ipc.mjs"), "advanced"] },
  { subject: "Node MessagePort", program: "Node", args: [file("node_port.mjs")] },
  { subject: "Python Pipe", program: "Python", args: [file("python_pipe.py")] },
];

function cases(trip: string, pull: string, name: string): Case[] {
  return [
    { chart: "roundTrip", name, test: trip },
    { chart: "messages", name, test: pull },
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
  const versions: Record<string, string> = {};
  const missing: Missing[] = [];
  for (const name of ["Node", "Python"] as const) {
    const { command, args } = programs[name];
    const version = await versionOf(command, args);
    if (version !== undefined) versions[name] = version;
  }
  const contestants = peers.flatMap(({ subject, program, args }): Contestant[] => {
    const { command } = programs[program];
    if (program === "Deno" || program in versions) {
      return [{ subject, kind: "peer", command, args, cases: casesOf[program] }];
    }
    missing.push({ what: subject, why: `there is no ${command}` });
    return [];
  });
  return { contestants, versions, missing };
}

/** The version that a program tells; `undefined`: there is no such program. */
export async function versionOf(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout, success } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stderr: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    return success ? /\d+(\.\d+)+/.exec(text)?.[0] ?? "?" : undefined;
  } catch {
    return undefined;
  }
}
