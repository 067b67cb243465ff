/** Everyone whom the mechanisms of this library are measured against: C, and other ways. */

import type { Case, Contestant } from "../cli/bench/contestant.ts";
import { ownContestant, partsOf, workerCommand } from "../cli/bench/own.ts";
import type { Missing } from "../cli/bench/report.ts";
import type { Field } from "../cli/bench/verb.ts";
import { type Baseline, baselines, type Goals } from "./baselines.ts";
import { findPeers, findProgram, type Program } from "./peers.ts";

/** Ours at one end, blocking C at the other. */
const mixedCases: readonly Case[] = [
  { chart: "roundTrip", name: "async, peer is C", test: "trip-wake" },
  { chart: "messages", name: "sync, from C", test: "pull-sync" },
  { chart: "messages", name: "sync, to C", test: "push-sync" },
];

/** Puts the field together; programs are compiled into `folder`. */
export async function invite(names: readonly string[], folder: string): Promise<Field> {
  const { contestants: peers, versions, missing } = await findPeers();
  const compiler = await findProgram("cc", ["--version"]);
  if (compiler === undefined) missing.push({ what: "C", why: "there is no cc" });
  else versions.cc = compiler.version;
  const contestants: Contestant[] = [];
  const compiled = new Map<string, string | undefined>();
  for (const name of names.flatMap(partsOf)) {
    const baseline = baselines.find((baseline) => baseline.name === name);
    const own = ownContestant(name);
    if (baseline === undefined || compiler === undefined) {
      if (baseline === undefined) missing.push({ what: `${name}, C`, why: "it has no counterpart in C" });
      contestants.push(own);
      continue;
    }
    const { program } = baseline;
    if (!compiled.has(program)) compiled.set(program, await compile(compiler, program, folder, missing));
    const path = compiled.get(program);
    contestants.push(...path === undefined ? [own] : withC(own, baseline, path));
  }
  return { contestants: [...contestants, ...peers], versions, missing };
}

function withC(
  own: Contestant,
  { name, mixes, cases: cCases, goals }: Baseline,
  program: string,
): Contestant[] {
  const { subject } = own;
  const c: Contestant = { subject, kind: "c", command: program, args: ["near", name], cases: cCases };
  // A peer in C wakes us as a peer of ours that blocks does, only sooner.
  const cases = own.cases.filter(({ test }) => !mixes || test !== "trip-wake");
  const ours = { ...own, cases: cases.map((each) => withGoal(each, goals)) };
  if (!mixes) return [c, ours];
  const { command, args } = workerCommand();
  const mixed = { ...own, args: [...args, "near", name, program, "far"], cases: mixedCases };
  return [c, ours, { ...mixed, command }];
}

function withGoal(each: Case, goals: Goals): Case {
  const goal = goals[each.chart]?.[each.name];
  return { ...each, ...goal !== undefined && { goal } };
}

/** Compiles a program of ours; `undefined`: it could not be. */
async function compile(
  { path: cc }: Program,
  program: string,
  folder: string,
  missing: Missing[],
): Promise<string | undefined> {
  const source = new URL(`./c/${program}.c`, import.meta.url).pathname;
  const path = `${folder}/${program}`;
  const { success, stderr } = await new Deno.Command(cc, {
    args: ["-O2", "-Wall", "-o", path, source],
    stdin: "null",
  }).output();
  if (success) return path;
  const said = new TextDecoder().decode(stderr).split("\n").find((line) => line.includes("error"));
  missing.push({ what: `${program}.c`, why: said ?? "cc fails" });
  return undefined;
}
