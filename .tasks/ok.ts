/**
 * The gate that every change passes: one line for each step, and the output of those that fail.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chooseConfig } from "./config.ts";

const root = resolve(import.meta.dirname!, "..");
const { config, flags } = await chooseConfig();
const configured = `--config=${config}`;
const settings: { links?: string[] } = await readJson(config) ?? {};

interface Member {
  readonly name?: string;
  readonly exports?: string | Record<string, string>;
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(root, path)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function modules({ exports = {} }: Member): [name: string, path: string][] {
  return Object.entries(typeof exports === "string" ? { ".": exports } : exports);
}

/** Returns every module that a package publishes. */
async function entryPoints(): Promise<string[]> {
  const entries: string[] = [];
  for await (const { name } of Deno.readDir(join(root, "packages"))) {
    const member = await readJson<Member>(join("packages", name, "deno.json")) ?? {};
    entries.push(...modules(member).map(([, path]) => join("packages", name, path)));
  }
  return entries.sort();
}

/** `deno doc` takes no configuration, so it learns of the stand-ins through an import map. */
async function docFlags(): Promise<string[]> {
  if (!settings.links) return flags.filter((flag) => flag.startsWith("--lock"));
  const imports: Record<string, string> = {};
  for (const link of settings.links) {
    const standIn = await readJson<Member>(join(link, "deno.json")) ?? {};
    for (const [name, path] of modules(standIn)) {
      imports[`${standIn.name}${name.slice(1)}`] = pathToFileURL(join(root, link, path)).href;
    }
  }
  const map = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(map, JSON.stringify({ imports }));
  addEventListener("unload", () => Deno.removeSync(map));
  return [`--import-map=${map}`, "--no-remote"];
}

/** Runs one step and prints its line; returns whether it passed. */
async function step(title: string, args: string[]): Promise<boolean> {
  const start = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${success ? "ok    " : "FAILED"} ${title.padEnd(14)} ${seconds.padStart(5)} s`);
  if (!success) {
    const decoder = new TextDecoder();
    console.log(`\n${decoder.decode(stdout)}${decoder.decode(stderr)}`.trimEnd());
    console.log(`\n(deno ${args.slice(0, 2).join(" ")} …)\n`);
  }
  return success;
}

const steps: [title: string, args: string[]][] = [
  ["format", ["fmt", "--check", configured]],
  ["lint", ["lint", configured]],
  ["types", ["check", "--doc", ...flags]],
  ["documentation", ["doc", "--lint", ...await docFlags(), ...await entryPoints()]],
  ["publish", ["publish", "--dry-run", "--allow-dirty", configured]],
];

let failed = 0;
for (const [title, args] of steps) if (!await step(title, args)) failed++;
console.log(
  failed === 0 ? `\nok, all ${steps.length} steps passed` : `\nFAILED, ${failed} of ${steps.length} steps`,
);
Deno.exit(failed === 0 ? 0 : 1);
