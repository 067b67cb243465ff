/** Owners that die: kill -9 at any moment, numbers that are used again, other pid namespaces, Workers. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { permitted } from "../core/testdata/process.ts";
import { nonces } from "./_owner.ts";
import { Mutex } from "./mutex.ts";
import { CEILING, opening, pause, TestProcess, until, withMemory } from "./testdata/memory.ts";

leakCheck();

/** Of the mutex at byte 0, the word with the owner. */
const LOCK = 2;
/**
 * Words that the lock guards: two that are equal unless somebody died between, how many deaths were told, how often
 * it was held to the end, and whether a death was kept back.
 */
const [FIRST, SECOND, TOLD, PROGRESS, WRONG] = [100, 101, 102, 103, 104];
const PROCESSES = 8;

const contender = (path: string) =>
  `${opening(path)}
  const mutex = Mutex.at(memory, 0);
  for (let n = 0;; n++) {
    const guard = n % 4 === 0 ? await mutex.lock() : mutex.lockSync();
    if (guard.abandoned) {
      words[${TOLD}] = words[${TOLD}] + 1;
      words[${SECOND}] = words[${FIRST}];
      guard.markConsistent();
    } else if (words[${FIRST}] !== words[${SECOND}]) words[${WRONG}] = 1;
    words[${FIRST}] = words[${FIRST}] + 1;
    for (let spin = 0; spin < 3000; spin++) Atomics.load(words, 500);
    words[${SECOND}] = words[${SECOND}] + 1;
    words[${PROGRESS}] = words[${PROGRESS}] + 1;
    guard.unlock();
    if (n % 16 === 0) await pause(0);
  }`;

/** The state letter of proc_pid_stat(5). */
function state(pid: number): string {
  return Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]![0]!;
}

Deno.test("Mutex: eight processes, of which whoever holds it is killed: each death told once, the count exact", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    const words = new Int32Array(memory.buffer);
    const source = contender(path);
    const processes = Array.from({ length: PROCESSES }, () => new TestProcess(source));
    try {
      let deaths = 0;
      for (const most = scaled(1000); deaths < most;) {
        const before = Atomics.load(words, PROGRESS);
        await until(() => Atomics.load(words, PROGRESS) > before, "somebody goes on");
        const owner = Atomics.load(words, LOCK) >>> 8 & 0x3f_ffff;
        const index = processes.findIndex(({ pid }) => pid === owner);
        if (index < 0) continue;
        Deno.kill(owner, "SIGSTOP");
        await until(() => state(owner) === "T", "it stops");
        // It stands still: what the word says now is what it dies with.
        if ((Atomics.load(words, LOCK) >>> 8 & 0x3f_ffff) === owner) {
          deaths++;
          const [dead] = processes.splice(index, 1, new TestProcess(source));
          await dead![Symbol.asyncDispose]();
        } else Deno.kill(owner, "SIGCONT");
      }
      // The last one is told too.
      using guard = await mutex.lock({ timeout: CEILING });
      const told = words[TOLD]! + (guard.abandoned ? 1 : 0);
      assertEquals(told, deaths);
      if (!guard.abandoned) assertEquals(words[FIRST], words[SECOND]);
      guard.markConsistent();
      assertEquals(words[WRONG], 0);
    } finally {
      for (const process of processes) await process[Symbol.asyncDispose]();
    }
  }));

/** A process that locks, and then does nothing. */
const holder = (path: string) =>
  `${opening(path)}
  const mutex = Mutex.at(memory, 0);
  const guard = mutex.lockSync();
  console.log(JSON.stringify([Deno.pid, guard.abandoned]));
  setInterval(() => {}, 1000);`;

async function holding(path: string, before?: readonly string[]) {
  const process = new TestProcess(holder(path), { before });
  const [pid, abandoned] = JSON.parse(await process.line() ?? "null");
  return { process, pid, abandoned };
}

/** Runs a test with whatever nonce is told. */
async function withNonce(nonce: number, test: () => unknown): Promise<void> {
  const { first } = nonces;
  nonces.first = () => nonce;
  try {
    await test();
  } finally {
    nonces.first = first;
  }
}

Deno.test("Mutex: each way of locking is told of a death, by whom, and the others are not", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    using other = Mutex.at(memory, 0);
    for (const lock of [() => mutex.lockSync(), () => mutex.tryLock()!, () => mutex.lock()]) {
      const { process, pid } = await holding(path);
      assertEquals(mutex.tryLock(), undefined);
      await process[Symbol.asyncDispose]();
      const guard = await lock();
      assertEquals([guard.abandoned, guard.previousOwner], [true, { pid }]);
      assertEquals(other.tryLock(), undefined);
      guard.markConsistent();
      guard.unlock();
      assertEquals(other.lockSync()[Symbol.dispose](), undefined);
    }
  }));

Deno.test("Mutex: who waits when the owner is killed gets it, sync and async", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    for (const way of ["async", "sync"]) {
      const { process } = await holding(path);
      await using _process = process;
      if (way === "async") {
        const waiting = mutex.lock({ timeout: CEILING });
        await pause(30);
        await process.kill();
        using guard = await waiting;
        assertEquals(guard.abandoned, true);
        guard.markConsistent();
      } else {
        new Deno.Command("sh", { args: ["-c", `sleep 0.05; kill -9 ${process.pid}`] }).spawn().unref();
        using guard = mutex.lockSync({ timeout: CEILING });
        assertEquals(guard.abandoned, true);
        guard.markConsistent();
      }
    }
  }));

Deno.test("Mutex: a successor who dies before the repair leaves it to be told again", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    const first = await holding(path);
    await first.process[Symbol.asyncDispose]();
    const second = await holding(path);
    assertEquals(second.abandoned, true);
    await second.process[Symbol.asyncDispose]();
    const guard = mutex.lockSync();
    assertEquals([guard.abandoned, guard.previousOwner], [true, { pid: second.pid }]);
  }));

Deno.test("Mutex: a newcomer with the number and the nonce of the dead owner does not pass for it", () =>
  withMemory(async (memory) => {
    await withNonce(77, () => {
      const dead = Mutex.initialize(memory, 0);
      const words = new Int32Array(memory.buffer);
      dead.lockSync();
      const left = words[LOCK];
      assertEquals(left, Deno.pid << 8 | 77);
      dead.close();
      // The same number, and it would be the same nonce.
      using newcomer = Mutex.at(memory, 0);
      using guard = newcomer.lockSync();
      assertEquals(guard.abandoned, true);
      assertEquals(words[LOCK], Deno.pid << 8 | 78);
      guard.markConsistent();
    });
  }));

Deno.test("Mutex: a token that somebody alive has, in whatever pid namespace, is not taken", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    const { process } = await holding(path);
    await using _process = process;
    const words = new Int32Array(memory.buffer);
    const token = words[LOCK]! & 0x3fff_ffff;
    // As if the other had our number, in a namespace of its own.
    const own = Object.getOwnPropertyDescriptor(Deno, "pid")!;
    Object.defineProperty(Deno, "pid", { value: token >>> 8, configurable: true });
    try {
      await withNonce(token & 0xff, () => {
        assertEquals(mutex.tryLock(), undefined);
        assertEquals(Atomics.load(words, LOCK) & 0x3fff_ffff, token);
      });
    } finally {
      Object.defineProperty(Deno, "pid", own);
    }
    await process.kill();
    using guard = mutex.lockSync();
    assertEquals(guard.abandoned, true);
    assert((words[LOCK]! & 0x3fff_ffff) !== token);
    guard.markConsistent();
  }));

const namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

Deno.test({
  name: "Mutex: processes of pid namespaces with the same number lock one another out, and deaths are told",
  ignore: !permitted(namespace),
  fn: () =>
    withMemory(async (memory, path) => {
      using mutex = Mutex.initialize(memory, 0);
      for (let round = 0; round < scaled(20) + 1; round++) {
        const first = await holding(path, namespace);
        const second = new TestProcess(holder(path), { before: namespace });
        assertEquals(mutex.tryLock(), undefined);
        assertEquals(first.abandoned, round > 0);
        await first.process[Symbol.asyncDispose]();
        const [pid, abandoned] = JSON.parse(await second.line() ?? "null");
        assertEquals([pid, abandoned], [first.pid, true]);
        await second[Symbol.asyncDispose]();
      }
      assertEquals(mutex.lockSync().abandoned, true);
    }),
});

Deno.test({
  name: "Mutex: the same number and the same nonce in two pid namespaces, and again after a death",
  ignore: !permitted(namespace),
  fn: () =>
    withMemory(async (memory, path) => {
      using _mutex = Mutex.initialize(memory, 0);
      const words = new Int32Array(memory.buffer);
      const source = `${opening(path)}
        const { nonces } = await import(${JSON.stringify(new URL("_owner.ts", import.meta.url).href)});
        nonces.first = () => 7;
        const mutex = Mutex.at(memory, 0);
        console.log(JSON.stringify([Deno.pid, mutex.tryLock()?.abandoned ?? "held"]));
        setInterval(() => {}, 1000);`;
      const asked = async (process: TestProcess) => JSON.parse(await process.line() ?? "null");
      await using first = new TestProcess(source, { before: namespace });
      const [pid, abandoned] = await asked(first);
      const token = words[LOCK]!;
      assertEquals([abandoned, token], [false, pid << 8 | 7]);
      await using second = new TestProcess(source, { before: namespace });
      assertEquals(await asked(second), [pid, "held"]);
      assertEquals(words[LOCK], token);
      // Nobody has the token any more, but the word still says so.
      await first.kill();
      await second.kill();
      await using third = new TestProcess(source, { before: namespace });
      assertEquals(await asked(third), [pid, true]);
      assertEquals(words[LOCK], pid << 8 | 8);
    }),
});

Deno.test("Mutex: a Worker that is terminated while it holds the lock has died", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    const worker = `${opening(path)}
      const guard = Mutex.at(memory, 0).lockSync();
      globalThis.postMessage(guard.abandoned);`;
    // In a process of its own: what libc opened in a Worker, the mapping itself, stays until the process ends.
    await using process = new TestProcess(`
      const source = new Blob([${JSON.stringify(worker)}], { type: "application/typescript" });
      const worker = new Worker(URL.createObjectURL(source), { type: "module" });
      worker.onmessage = ({ data }) => {
        console.log(data);
        setTimeout(() => worker.terminate(), 100);
      };
      setInterval(() => {}, 1000);`);
    assertEquals(await process.line(), "false");
    using guard = await mutex.lock({ timeout: CEILING });
    assertEquals([guard.abandoned, guard.previousOwner], [true, { pid: process.pid }]);
    guard.markConsistent();
  }));
