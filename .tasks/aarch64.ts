/**
 * Runs the tests on emulated aarch64: `deno task test:aarch64 [--slow] [FILE…]`, of all packages unless told which.
 *
 * An aarch64 Deno from npm runs under qemu-user with Debian's cross libraries. Nothing is registered with the
 * kernel: a script stands for that Deno. A module that is loaded before any other lets `Deno.execPath()` name the
 * script, so that tests start children under emulation too, stretches long timers, and skips by name what cannot be
 * right there and, without `--slow`, what takes minutes there. Files are tested side by side where each can have IPC
 * objects of its own, which takes root.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { join, resolve } from "node:path";
import { prepare } from "./aarch64/emulator.ts";
import { IMPOSSIBLE, SLOW } from "./aarch64/skipped.ts";
import { chooseConfig } from "./config.ts";
import { runInLanes } from "./lanes.ts";

const root = resolve(import.meta.dirname!, "..");

/** So many files are tested by one Deno, which takes seconds to start; with more the lanes would end far apart. */
const TOGETHER = 4;

async function main(): Promise<number> {
  const { values: { slow }, positionals: paths } = parseArgs({
    args: Deno.args,
    options: { slow: { type: "boolean" } },
    allowPositionals: true,
  });
  const skipped = slow ? IMPOSSIBLE : [...IMPOSSIBLE, ...SLOW];
  const names = skipped.flatMap(({ names }) => names);
  const emulator = await prepare(names);
  if (emulator === undefined) return 1;
  for (const { reason, names } of skipped) {
    for (const name of names) console.log(`skipped: ${name}… (${reason})`);
  }
  const start = performance.now();
  const { flags } = await chooseConfig();
  const test = [
    emulator.deno,
    "test",
    "--no-check",
    "-A",
    "--sanitize-ops",
    "--sanitize-resources",
    ...flags,
  ];
  const files = (paths.length > 0 ? paths : ["packages"]).flatMap(testFiles)
    .filter((file) => !names.some((name) => file.startsWith(name)));
  const { lanes, success } = await runInLanes(files, {
    command: test,
    env: {
      DENO_DIR: emulator.cache,
      IPC_TEST_SCALE: Deno.env.get("IPC_TEST_SCALE") ?? "0.02",
      IPC_TEST_CEILING: "20000",
    },
    together: TOGETHER,
  });
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`aarch64 under ${emulator.qemu}: ${seconds} s, ${lanes} at a time`);
  return success ? 0 : 1;
}

/** The tests in a file or a folder, by their paths from the root. */
function testFiles(path: string): string[] {
  if (Deno.statSync(join(root, path)).isFile) return [path];
  return [...Deno.readDirSync(join(root, path))].sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) => {
    const inside = join(path, entry.name);
    return entry.isDirectory ? testFiles(inside) : entry.name.endsWith("_test.ts") ? [inside] : [];
  });
}

Deno.exit(await main());
