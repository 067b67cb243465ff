/**
 * Whether tests leave anything behind.
 *
 * @module
 */

import { libc } from "../sys/_libc.ts";
import { abi } from "../sys/abi.ts";
import { check } from "../sys/errno.ts";
import { diagnostics, waitFor } from "../sys/poller.ts";

/** What {@linkcode leakCheck} and {@linkcode trackLeaks} overlook. */
export interface LeakCheckOptions {
  /** What matches one of these is no leak; they see the lines that {@linkcode resources} gives. */
  ignore?: readonly RegExp[] | undefined;
  /** Milliseconds for what is still being let go of; 2,000 when left out. */
  settle?: number | undefined;
}

/** What was counted by {@linkcode trackLeaks}. */
export interface LeakTracker extends AsyncDisposable {
  /**
   * Waits until nothing is there that was not there before.
   *
   * @throws {Error} naming what is left when the time to settle is over.
   */
  check(): Promise<void>;
}

/** Databases in which the runtime keeps what it compiled: opened when it likes. */
const RUNTIME_FILES = /_v\d+(-(wal|shm|journal))?( \(deleted\))?$/;

/**
 * Checks that the tests of this file leave nothing behind; one line at the top of a test file.
 *
 * Compares before the first and after the last test: descriptors by what they are open on, mapped files and shared
 * memory, System V objects, /dev/shm and /dev/mqueue. What another program on the machine makes and keeps in the
 * meantime shows too. Needs `-A`.
 *
 * @example
 * ```ts ignore
 * import { leakCheck } from "@ipc/core/testing";
 *
 * leakCheck();
 *
 * Deno.test("a test", () => {});
 * ```
 */
export function leakCheck(options: LeakCheckOptions = {}): void {
  let tracker: LeakTracker | undefined;
  Deno.test.beforeAll(async () => {
    tracker = await trackLeaks(options);
  });
  Deno.test.afterAll(async () => {
    await tracker?.check();
  });
}

/**
 * Takes stock, for a part of a test; its `check`, or the end of an `await using`, compares.
 *
 * @example
 * ```ts
 * import { trackLeaks } from "@ipc/core/testing";
 * import { dupCloexec, OwnedFd } from "@ipc/core/sys";
 * import { assertRejects } from "@std/assert";
 *
 * await using tracker = await trackLeaks({ settle: 0 });
 * using copy = new OwnedFd(dupCloexec(0));
 * await assertRejects(() => tracker.check(), Error, "Left behind");
 * ```
 */
export async function trackLeaks(options: LeakCheckOptions = {}): Promise<LeakTracker> {
  await warmUp();
  const { ignore = [], settle = 2000 } = options;
  const before = resources();
  const compare = async () => {
    const deadline = performance.now() + settle;
    for (;;) {
      const left = difference(before, resources()).filter((line) =>
        !ignore.some((known) => known.test(line))
      );
      if (left.length === 0) return;
      if (performance.now() >= deadline) throw new Error(`Left behind:\n  ${left.join("\n  ")}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { check: compare, [Symbol.asyncDispose]: compare };
}

/**
 * What this process holds and what objects of IPC there are, each as a line with how often it is there.
 *
 * @example
 * ```ts
 * import { resources } from "@ipc/core/testing";
 * import { assert } from "@std/assert";
 *
 * assert([...resources().keys()].some((line) => line.startsWith("descriptor ")));
 * ```
 */
export function resources(): Map<string, number> {
  const found = new Map<string, number>();
  const add = (line: string) => void found.set(line, (found.get(line) ?? 0) + 1);
  descriptors(add);
  mappings(add);
  for (const kind of ["msg", "sem", "shm"]) systemV(kind, add);
  for (const folder of ["/dev/shm", "/dev/mqueue"]) {
    for (const name of names(folder)) add(`object ${folder}/${name}`);
  }
  return found;
}

function difference(before: Map<string, number>, after: Map<string, number>): string[] {
  const more: string[] = [];
  for (const [line, count] of after) {
    const extra = count - (before.get(line) ?? 0);
    if (extra > 0) more.push(extra === 1 ? line : `${line} (${extra} times)`);
  }
  return more;
}

function descriptors(add: (line: string) => void): void {
  for (const name of names("/proc/self/fd")) {
    let target: string;
    try {
      target = Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The one through which the list itself was read.
      continue;
    }
    if (!RUNTIME_FILES.test(target)) add(`descriptor ${target}`);
  }
}

/** Program files and libraries are mapped by the runtime; so is, by its allocator, what has no name. */
function mappings(add: (line: string) => void): void {
  const regions = Deno.readTextFileSync("/proc/self/maps").trimEnd().split("\n").map((line) => {
    const [, permissions = "", , , , ...path] = line.split(/ +/);
    return { permissions, path: path.join(" ") };
  });
  const programs = new Set(
    regions.filter(({ permissions }) => permissions[2] === "x").map(({ path }) => path),
  );
  for (const { permissions, path } of regions) {
    const shared = permissions[3] === "s";
    if (!shared && (!path.startsWith("/") || programs.has(path) || /\.so[.\d]*$/.test(path))) continue;
    if (!RUNTIME_FILES.test(path)) add(`mapping ${permissions} ${path}`);
  }
}

function systemV(kind: string, add: (line: string) => void): void {
  let table: string;
  try {
    table = Deno.readTextFileSync(`/proc/sysvipc/${kind}`);
  } catch {
    return;
  }
  for (const line of table.trimEnd().split("\n").slice(1)) {
    const [key, id] = line.trim().split(/ +/);
    add(`System V ${kind} ${id}, key ${key}`);
  }
}

function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map((entry) => entry.name);
  } catch {
    return [];
  }
}

let warm: Promise<void> | undefined;

/** Opens what the runtime and this library open once, at first need, and then keep. */
function warmUp(): Promise<void> {
  return warm ??= (async () => {
    // Waiting for children and signals.
    await new Deno.Command("true", { stdin: "null", stdout: "null", stderr: "null" }).output();
    const onSignal = () => {};
    Deno.addSignalListener("SIGWINCH", onSignal);
    Deno.removeSignalListener("SIGWINCH", onSignal);
    // The shared waiter.
    const ends = new Int32Array(2);
    check(libc.pipe2(ends, abi.O_CLOEXEC), "pipe2", "create pipe");
    const giveUp = waitFor(ends[0]!, "readable", () => {});
    giveUp();
    libc.close(ends[0]!);
    libc.close(ends[1]!);
    while (diagnostics().poolThreads > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  })();
}
