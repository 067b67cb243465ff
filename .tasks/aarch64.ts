/**
 * Runs tests on emulated aarch64: `deno task test:aarch64 [FILE…]`.
 *
 * An aarch64 Deno from npm runs under qemu-user with Debian's cross libraries. Nothing is registered with
 * the kernel: a script stands for that Deno, and a module loaded before any other lets `Deno.execPath()` name the
 * script, so that tests start children under emulation too. What cannot be right there is skipped by name.
 *
 * @module
 */

import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { chooseConfig } from "./config.ts";

const VERSION = "2.9.5";
const PACKAGE = "@deno/linux-arm64-glibc";
const SYSROOT = "/usr/aarch64-linux-gnu";
const DEBIAN = ["qemu-user-static", "libc6-arm64-cross", "libgcc-s1-arm64-cross"];

const root = resolve(import.meta.dirname!, "..");

/** What the two architectures do differently lives here: layouts, constants, and the calls that use them. */
const FILES = [
  "packages/core/sys",
  "packages/pipe/pipe_test.ts",
  "packages/pipe/child_test.ts",
  "packages/fifo/fifo_test.ts",
  "packages/fifo/mkfifo_test.ts",
];

/** Tests that cannot pass, or not in time, and why; each begins a name or stands in it. */
const SKIPPED: readonly [name: string, reason: string][] = [
  [
    "CORE-005 errno is the true one",
    "qemu answers an unknown ioctl with ENOSYS, and strace sees qemu's own calls",
  ],
  ["stat knows pipes, sockets, links", "qemu shows the program itself where /proc/self/exe is a link"],
  ["ftok is", "qemu looks for / in the folder of the cross libraries first"],
  ["CORE-007 Mapping", "qemu makes up /proc/self/maps in a file of its own"],
  ["processIdentity is what /proc says", "qemu makes up /proc/self/stat"],
  [
    "isAlive does not judge a process of a real other pid namespace",
    "starts several Denos, each for seconds",
  ],
  ["Mapping that is forgotten", "lets a collector run that takes most of a minute here"],
  ["a child inherits its two descriptors and nothing else", "starts several Denos, each for seconds"],
  ["pipe of packets: promise", "the checks that a pipe passes too, over the same calls"],
  ["promise 4: an open but idle channel", "starts Deno, which takes seconds here, and gives it 300 ms"],
  ["promise 4: a pending wait keeps the process alive", "the same"],
  ["promise 4: closing lets the process exit", "the same"],
  ["promise 4: aborting the last wait", "the same"],
  ["promise 2: trySend that says true", "moves 16 MiB, and has run into its ceiling"],
  ["promise 6: 31 pending receives", "reads files within a ceiling that emulation does not keep"],
  ["promise 6: 64 pending receives", "the same"],
  ["promise 6: 1,000 pending receives", "the same"],
];

async function main(): Promise<number> {
  const qemu = await missingOrQemu();
  if (qemu === undefined) return 1;
  const cache = join(Deno.env.get("DENO_DIR") || join(homedir(), ".cache", "deno"), "ipc_aarch64");
  const deno = await fetchDeno(cache);
  const script = await writeScript(cache, qemu, deno);
  for (const [name, reason] of SKIPPED) console.log(`skipped: ${name}… (${reason})`);
  const { flags } = await chooseConfig();
  const files = Deno.args.length > 0 ? Deno.args : FILES.filter((path) => exists(join(root, path)));
  const args = ["test", "--no-check", "-A", "--sanitize-ops", "--sanitize-resources", ...flags];
  const start = performance.now();
  const { code } = await new Deno.Command(script, {
    args: [...args, ...files],
    cwd: root,
    env: {
      DENO_DIR: join(cache, "dir"),
      IPC_TEST_SCALE: Deno.env.get("IPC_TEST_SCALE") ?? "0.02",
      IPC_TEST_CEILING: "20000",
    },
    stdin: "null",
  }).spawn().status;
  console.log(`aarch64 under ${qemu}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
  return code;
}

/** The emulator, or says what is to be installed. */
function missingOrQemu(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const programs = ["qemu-aarch64-static", "qemu-aarch64"];
  const qemu = programs.flatMap((name) => folders.map((folder) => join(folder, name))).find(exists);
  const libraries = ["ld-linux-aarch64.so.1", "libgcc_s.so.1"].map((name) => join(SYSROOT, "lib", name));
  const missing = [
    ...qemu === undefined ? programs.slice(0, 1) : [],
    ...libraries.filter((path) => !exists(path)),
  ];
  if (missing.length === 0) return qemu;
  console.error(
    `Cannot emulate aarch64: ${missing.join(", ")} missing\nhint: apt-get install ${DEBIAN.join(" ")}`,
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The aarch64 Deno, from npm the first time. */
async function fetchDeno(cache: string): Promise<string> {
  const folder = join(cache, VERSION);
  const deno = join(folder, "package", "deno");
  if (exists(deno)) return deno;
  await Deno.mkdir(folder, { recursive: true });
  const draft = await Deno.makeTempDir({ dir: cache });
  try {
    await run("npm", ["pack", "--silent", "--pack-destination", draft, `${PACKAGE}@${VERSION}`]);
    const [archive] = [...Deno.readDirSync(draft)];
    await run("tar", ["-xzf", join(draft, archive!.name), "-C", draft]);
    await Deno.rename(join(draft, "package"), join(folder, "package"));
  } finally {
    await Deno.remove(draft, { recursive: true });
  }
  return deno;
}

async function run(program: string, args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, stdin: "null", stdout: "null" }).output();
  if (!success) throw new Error(`Cannot fetch Deno for aarch64: ${program} ${args.join(" ")} failed`);
}

/** What is executed in place of the aarch64 Deno, by us and by the tests. */
async function writeScript(cache: string, qemu: string, deno: string): Promise<string> {
  const script = join(cache, "deno");
  const preload = join(cache, "exec_path.js");
  await Deno.writeTextFile(
    preload,
    `Deno.execPath = () => ${JSON.stringify(script)};
const skipped = ${JSON.stringify(SKIPPED.map(([name]) => name))};
const { test } = Deno;
Deno.test = Object.assign((first, ...rest) => {
  const name = typeof first === "string" ? first : first.name;
  return skipped.some((part) => name.includes(part)) ? test.ignore(first, ...rest) : test(first, ...rest);
}, test);
`,
  );
  await Deno.writeTextFile(
    script,
    `#!/bin/sh
case "$1" in
  run | eval | test) verb=$1; shift; set -- "$verb" "--preload=${preload}" "$@" ;;
esac
exec "${qemu}" -L "${SYSROOT}" "${deno}" "$@"
`,
  );
  await Deno.chmod(script, 0o755);
  return script;
}

Deno.exit(await main());
