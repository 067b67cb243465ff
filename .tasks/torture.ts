/**
 * Tortures mechanisms: `deno task torture [MECHANISM…] [--seed N] [--minutes M]`.
 *
 * Each package says in `testdata/torture.ts` how it is tortured. `IPC_TEST_SCALE` says how much of it is done; with
 * `--minutes` processes are killed every 50 to 500 ms for so long instead of a thousand times. A seed is
 * printed, and given again it makes the same choices.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { TortureMechanism } from "../packages/core/testing/torture.ts";
import { type TortureReport, tortures } from "../packages/core/testing/_tortures.ts";

const packages = resolve(import.meta.dirname!, "..", "packages");

interface Wishes {
  names: string[];
  seed: number;
  minutes: number | undefined;
}

function readArguments(): Wishes {
  const wishes: Wishes = {
    names: [],
    seed: crypto.getRandomValues(new Uint32Array(1))[0]!,
    minutes: undefined,
  };
  const left = [...Deno.args];
  while (left.length > 0) {
    const argument = left.shift()!;
    const [, option, inline] = /^--(seed|minutes)(?:=(.*))?$/.exec(argument) ?? [];
    if (option === undefined) {
      if (argument.startsWith("-")) refuse(`unknown option ${argument}`);
      wishes.names.push(argument);
      continue;
    }
    const value = Number(inline ?? left.shift() ?? NaN);
    if (!(value >= 0)) refuse(`--${option} takes a number`);
    wishes[option as "seed" | "minutes"] = value;
  }
  return wishes;
}

function refuse(reason: string): never {
  console.error(`torture: ${reason}\nUsage: deno task torture [MECHANISM…] [--seed N] [--minutes M]`);
  Deno.exit(2);
}

/** What every package brings, those whose name or package begins with one of `names`. */
async function mechanisms(names: readonly string[]): Promise<TortureMechanism[]> {
  const found: TortureMechanism[] = [];
  const folders = [...Deno.readDirSync(packages)].map((entry) => entry.name).sort();
  for (const folder of folders) {
    const path = join(packages, folder, "testdata", "torture.ts");
    try {
      Deno.statSync(path);
    } catch {
      continue;
    }
    const all: TortureMechanism[] = Object.values(await import(pathToFileURL(path).href));
    found.push(...all.filter(({ name }) => {
      return names.length === 0 || names.some((wish) => name === wish || folder === wish);
    }));
  }
  if (found.length === 0) refuse(`there is no mechanism ${names.join(" or ")}`);
  return found;
}

/** Numbers as a person reads them. */
function inWords(report: TortureReport): string {
  return Object.entries(report).map(([what, count]) => {
    if (/bytes|held|resident|limit/.test(what)) return `${what} ${(count / 1e6).toFixed(1)} MB`;
    return `${what} ${count.toLocaleString("en")}`;
  }).join(", ");
}

const { names, seed, minutes } = readArguments();
const scale = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);
console.log(`seed ${seed}, scale ${scale}${minutes === undefined ? "" : `, ${minutes} minutes each`}\n`);
let failed = 0;
for (const mechanism of await mechanisms(names)) {
  console.log(mechanism.name);
  for (const part of tortures) {
    if (part.applies?.(mechanism) === false) continue;
    const start = performance.now();
    const duration = minutes === undefined ? undefined : minutes * 60_000;
    let outcome: string;
    try {
      outcome = `ok      ${inWords(await part.run(mechanism, { seed, scale, flags: [], duration }))}`;
    } catch (error) {
      failed++;
      outcome = `FAILED  ${error instanceof Error ? error.message : error}`;
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(0).padStart(5);
    console.log(`${seconds} s  ${part.title.padEnd(46)} ${outcome}`);
  }
}
Deno.exit(failed === 0 ? 0 : 1);
