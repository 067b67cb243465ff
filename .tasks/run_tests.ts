/**
 * Runs the tests and the examples in the documentation: `deno task test`, of everything, package by package and side
 * by side; or `deno task test PATH…`, with the options of `deno test`, of that alone.
 *
 * Types are checked by `deno task ok`.
 *
 * @module
 */

import { resolve } from "node:path";
import { chooseConfig } from "./config.ts";
import { runInLanes } from "./lanes.ts";

const root = resolve(import.meta.dirname!, "..");
const { flags } = await chooseConfig();
const test = ["test", "-A", "--no-check", "--doc", "--sanitize-ops", "--sanitize-resources", ...flags];

if (Deno.args.length > 0) {
  const { code } = await new Deno.Command(Deno.execPath(), { args: [...test, ...Deno.args], cwd: root })
    .spawn()
    .status;
  Deno.exit(code);
}

/** What takes longest comes first, so that no lane is left with it at the end. */
const LONGEST = ["socket", "sync", "sysv", "cli"];
const packages = [...Deno.readDirSync(`${root}/packages`)].map(({ name }) => name).sort();
const inOrder = [...LONGEST, ...packages.filter((name) => !LONGEST.includes(name))];
const start = performance.now();
const { lanes, success } = await runInLanes(
  [...inOrder.map((name) => `packages/${name}`), ".tasks"],
  { command: [Deno.execPath(), ...test] },
);
console.log(`${Math.round((performance.now() - start) / 1000)} s, ${lanes} at a time`);
Deno.exit(success ? 0 : 1);
