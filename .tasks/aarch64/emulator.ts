/** An aarch64 Deno that runs under qemu-user. */

import { homedir } from "node:os";
import { join } from "node:path";

const VERSION = "2.9.5";
const PACKAGE = "@deno/linux-arm64-glibc";
const SYSROOT = "/usr/aarch64-linux-gnu";
const DEBIAN = ["qemu-user-static", "libc6-arm64-cross", "libgcc-s1-arm64-cross"];
/** A common machine. The `max` that qemu takes otherwise authenticates pointers, which doubles the time. */
const CPU = "neoverse-n1";

/** What stands for Deno, and where it keeps what it compiles. */
export interface Emulator {
  /** The path of qemu. */
  readonly qemu: string;
  /** The path of a script that runs Deno under it. */
  readonly deno: string;
  /** A folder for DENO_DIR. */
  readonly cache: string;
}

/**
 * Gets everything ready, tests with any of these words in "FILE: NAME" to be ignored; undefined: something has to be
 * installed, and the user was told what.
 */
export async function prepare(skipped: readonly string[]): Promise<Emulator | undefined> {
  const qemu = missingOrQemu();
  if (qemu === undefined) return undefined;
  const cache = join(Deno.env.get("DENO_DIR") || join(homedir(), ".cache", "deno"), "ipc_aarch64");
  const deno = await writeScript(cache, qemu, await fetchDeno(cache), skipped);
  return { qemu, deno, cache: join(cache, "dir") };
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
async function writeScript(
  cache: string,
  qemu: string,
  deno: string,
  skipped: readonly string[],
): Promise<string> {
  const script = join(cache, "deno");
  const preload = join(cache, "preload.js");
  await Deno.writeTextFile(
    preload,
    `Deno.execPath = () => ${JSON.stringify(script)};
const skipped = ${JSON.stringify(skipped)};
const { test } = Deno;
Deno.test = Object.assign((first, ...rest) => {
  const name = Deno.mainModule + ": " + (typeof first === "string" ? first : first.name);
  return skipped.some((part) => name.includes(part)) ? test.ignore(first, ...rest) : test(first, ...rest);
}, test);
// Waits of many seconds are ceilings for what ends long before on a machine of its own kind.
const stretched = (time) => time >= 10_000 ? 6 * time : time;
const { setTimeout } = globalThis;
globalThis.setTimeout = (callback, time, ...rest) => setTimeout(callback, stretched(time), ...rest);
const { timeout } = AbortSignal;
AbortSignal.timeout = (time) => timeout.call(AbortSignal, stretched(time));
// The kernel reads the length of an address only where there is one, qemu always: where it is left out it is garbage.
const { dlopen } = Deno;
Deno.dlopen = (path, table) => {
  const { sendto } = table;
  if (sendto?.name !== "syscall") return dlopen(path, table);
  const parameters = [...sendto.parameters, "u32"];
  const library = dlopen(path, { ...table, sendto: { ...sendto, parameters } });
  const { symbols } = library;
  const whole = (number, fd, data, length, flags, address) =>
    symbols.sendto(number, fd, data, length, flags, address, 0);
  return { symbols: { ...symbols, sendto: whole }, close: () => library.close() };
};
`,
  );
  await Deno.writeTextFile(
    script,
    `#!/bin/sh
case "$1" in
  run | eval | test) verb=$1; shift; set -- "$verb" "--preload=${preload}" "$@" ;;
esac
exec "${qemu}" -cpu ${CPU} -L "${SYSROOT}" "${deno}" "$@"
`,
  );
  await Deno.chmod(script, 0o755);
  return script;
}
