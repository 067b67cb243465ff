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

const root = resolve(import.meta.dirname!, "..");

/** So many files are tested by one Deno, which takes seconds to start; with more the lanes would end far apart. */
const TOGETHER = 4;

/** All POSIX queues of a user share one limit, in whatever namespace: what makes some runs in one lane only. */
const MAKES_QUEUES = /^packages\/(posix|address|cli|rpc|bench)\//;

/** Runs a program where nobody else makes objects of IPC, which tests would take for their own leaks. */
const ALONE = ["unshare", "--ipc", "--mount", "sh", "-c"];
const MOUNTS = `mount -t tmpfs tmpfs /dev/shm || exit
[ ! -d /dev/mqueue ] || mount -t mqueue mqueue /dev/mqueue || exit
`;
const EXEC = 'exec "$@" 2>&1';

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
  const settings = {
    cwd: root,
    env: {
      DENO_DIR: emulator.cache,
      IPC_TEST_SCALE: Deno.env.get("IPC_TEST_SCALE") ?? "0.02",
      IPC_TEST_CEILING: "20000",
    },
    stdin: "null",
    stderr: "inherit",
  } as const;
  const alone = await mayBeAlone();
  const [shell = "", ...words] = alone ? [...ALONE, MOUNTS + EXEC, "sh"] : ["sh", "-c", EXEC, "sh"];
  const files = (paths.length > 0 ? paths : ["packages"]).flatMap(testFiles)
    .filter((file) => !names.some((name) => file.startsWith(name)));
  const makingQueues = files.filter((file) => MAKES_QUEUES.test(file));
  const others = files.filter((file) => !MAKES_QUEUES.test(file));
  let failed = false;
  const lane = async (_: unknown, index: number) => {
    const mine = index === 0 ? [makingQueues, others] : [others];
    for (let from; (from = mine.find(({ length }) => length > 0)) !== undefined;) {
      const args = [...words, ...test, ...from.splice(0, TOGETHER)];
      const { success, stdout } = await new Deno.Command(shell, { args, ...settings }).output();
      // All at once, for other lanes speak too.
      console.log(new TextDecoder().decode(stdout));
      if (!success) failed = true;
    }
  };
  const lanes = alone ? navigator.hardwareConcurrency : 1;
  await Promise.all(Array.from({ length: lanes }, lane));
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`aarch64 under ${emulator.qemu}: ${seconds} s, ${lanes} at a time`);
  return failed ? 1 : 0;
}

async function mayBeAlone(): Promise<boolean> {
  const [program = "", ...args] = [...ALONE, MOUNTS];
  try {
    const { success } = await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output();
    return success;
  } catch {
    return false;
  }
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
