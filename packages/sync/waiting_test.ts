/** What everything that can be waited for promises alike. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, TimeoutError } from "@ipc/core";
import { Mapping, wordDiagnostics } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import * as sync from "./mod.ts";
import { kinds, processWith } from "./testdata/kinds.ts";
import { CEILING, pause, until, withMemory } from "./testdata/memory.ts";

leakCheck();

const LONG = { timeout: CEILING };

/** The names of the errors that promises reject with. */
async function outcomes(promises: Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((each) => each.status === "fulfilled" ? "done" : each.reason.name);
}

/** Until nobody waits for words any more. */
function settled(): Promise<void> {
  return until(() => wordDiagnostics().poolThreads === 0, "a thread still waits for words");
}

for (const [name, kind] of Object.entries(kinds)) {
  const test = (title: string, fn: (memory: Mapping, path: string) => unknown) =>
    Deno.test(`${name}: ${title}`, () =>
      withMemory(async (memory, path) => (await fn(memory, path), await settled())));

  test("who waits goes on, asynchronously and blocked, here and in another process", async (memory, path) => {
    const handle = kind.make(sync, memory);
    const other = kind.at(sync, memory);
    const waiting = kind.wait(handle, LONG);
    await pause(20);
    kind.wake(other);
    await waiting;
    handle.close();
    for (const way of ["await kind.wait(handle", "kind.waitSync(handle"]) {
      for (const options of ["", `, { timeout: ${CEILING} }`]) {
        const here = kind.make(sync, memory);
        await using process = await processWith(kind, path, `${way}${options}); console.log("goes on");`);
        await process.blocked();
        kind.wake(here);
        assertEquals(await process.line(), "goes on");
        here.close();
      }
    }
    other.close();
  });

  test("another process lets one go on that is blocked here", async (memory, path) => {
    const handle = kind.make(sync, memory);
    await using _process = await processWith(kind, path, `setInterval(() => kind.wake(handle), 20);`);
    kind.waitSync(handle, LONG);
    handle.close();
  });

  test("a Worker is like a process", async (memory, path) => {
    const handle = kind.make(sync, memory);
    await using process = await processWith(
      kind,
      path,
      `const source = \`
         import { MappedFile } from "${new URL("../mmap/mod.ts", import.meta.url)}";
         import * as sync from "${new URL("mod.ts", import.meta.url)}";
         const memory = MappedFile.open(${JSON.stringify(path)});
         const handle = (\${kind.at})(sync, memory);
         postMessage("started");
         (\${kind.waitSync})(handle);
         postMessage("goes on");\`;
       const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
       const worker = new Worker(url, { type: "module" });
       worker.onmessage = ({ data }) => {
         console.log(data);
         if (data === "goes on") worker.terminate();
         else setInterval(() => kind.wake(handle), 20);
       };`,
    );
    assertEquals([await process.line(), await process.line()], ["started", "goes on"]);
    handle.close();
  });

  test("a wait that takes too long is a TimeoutError, and has taken nothing", async (memory) => {
    const handle = kind.make(sync, memory);
    const before = memory.read(64, 16);
    for (const timeout of [0, 1, 25.5]) {
      const start = performance.now();
      await assertRejects(() => kind.wait(handle, { timeout }), TimeoutError, `within ${timeout} ms`);
      assertThrows(() => kind.waitSync(handle, { timeout }), TimeoutError, `within ${timeout} ms`);
      // Clocks round.
      assert(performance.now() - start >= 2 * timeout - 2);
    }
    for (const timeout of [-1, NaN]) {
      await assertRejects(() => kind.wait(handle, { timeout }), RangeError);
      assertThrows(() => kind.waitSync(handle, { timeout }), RangeError);
    }
    assertEquals(memory.read(64, 16), before);
    const waiting = kind.wait(handle, LONG);
    const other = kind.at(sync, memory);
    await pause(5);
    kind.wake(other);
    await waiting;
    handle.close();
    other.close();
  });

  test("an aborted wait rejects with the reason, and has taken nothing", async (memory) => {
    const handle = kind.make(sync, memory);
    const before = memory.read(64, 16);
    const reason = new Error("Enough");
    const refused = await assertRejects(() => kind.wait(handle, { signal: AbortSignal.abort(reason) }));
    assertEquals(refused, reason);
    const controller = new AbortController();
    const { signal } = controller;
    // Two would open the barrier.
    const waits = Array.from(
      { length: name === "Barrier" ? 1 : 20 },
      () => kind.wait(handle, { signal }).catch((error) => error),
    );
    await pause(20);
    controller.abort(reason);
    for (const error of await Promise.all(waits)) assertEquals(error, reason);
    assertEquals(memory.read(64, 16), before);
    handle.close();
  });

  test(
    "closing the handle ends waits, closing the mapping too; then all calls throw",
    async (memory, path) => {
      const handle = kind.make(sync, memory);
      const other = kind.at(sync, memory);
      let waits = outcomes([kind.wait(handle)]);
      await pause(10);
      handle.close();
      handle.close();
      assertEquals(await waits, ["ClosedError"]);
      await assertRejects(() => kind.wait(handle), ClosedError, "it was closed here");
      assertThrows(() => kind.waitSync(handle), ClosedError, "it was closed here");
      waits = outcomes([kind.wait(other), ...name === "Barrier" ? [] : [kind.wait(other, LONG)]]);
      await pause(10);
      memory.close();
      assert((await waits).every((outcome) => outcome === "ClosedError"));
      await assertRejects(() => kind.wait(other), ClosedError, "its mapping was closed");
      assertThrows(() => kind.waitSync(other), ClosedError, "its mapping was closed");
      other.close();
      assert(Deno.statSync(path).size === 4096);
    },
  );

  test("one that is killed while it waits keeps nobody else from going on", async (memory, path) => {
    for (let round = scaled(20); round > 0; round--) {
      const handle = kind.make(sync, memory);
      const asleep = round % 2 === 0 ? "kind.wait(handle); console.log('waits');" : "kind.waitSync(handle);";
      await using process = await processWith(kind, path, asleep);
      await process.blocked();
      await process.kill();
      const waiting = kind.wait(handle, LONG);
      // The dead one had arrived at a barrier, which is for two.
      if (name !== "Barrier") {
        await pause(5);
        kind.wake(handle);
      }
      await waiting;
      handle.close();
    }
  });

  test("an open handle does not keep the process alive, a pending wait does", async (memory, path) => {
    const handle = kind.make(sync, memory);
    await using open = await processWith(kind, path, "");
    assertEquals((await open.status).code, 0);
    await using other = await processWith(
      kind,
      path,
      `kind.wait(handle).then(() => console.log("goes on"));`,
    );
    await other.blocked();
    kind.wake(handle);
    assertEquals(await other.line(), "goes on");
    assertEquals((await other.status).code, 0);
    handle.close();
  });
}

Deno.test("1,000 pending waits of all kinds leave file I/O alone, and each goes on", async () => {
  using mapping = Mapping.anonymous(1000 * 64);
  const going = new Set<number>();
  const wakes: (() => void)[] = [];
  const waits: Promise<unknown>[] = [];
  for (let index = 0; index < 1000; index++) {
    const offset = 64 * index;
    const options = LONG;
    const [wait, wake] = [
      () => {
        const semaphore = sync.Semaphore.initialize(mapping, offset);
        return [semaphore.acquire(1, options), () => semaphore.release()] as const;
      },
      () => {
        const event = sync.Event.initialize(mapping, offset, { reset: index % 8 < 4 ? "auto" : "manual" });
        return [event.wait(options), () => event.set()] as const;
      },
      () => {
        const barrier = sync.Barrier.initialize(mapping, offset, 2);
        return [barrier.wait(options), () => void barrier.wait()] as const;
      },
      () => {
        const mutex = sync.Mutex.initialize(mapping, offset);
        const condition = sync.Condition.initialize(mapping, offset + 16);
        const wait = mutex.withLock((guard) => condition.wait(guard, options));
        return [wait, () => condition.notifyOne()] as const;
      },
    ][index % 4]!();
    waits.push(wait.then(() => going.add(index)));
    wakes.push(wake);
  }
  await pause(50);
  assert(wordDiagnostics().poolThreads <= 2);
  const file = await Deno.makeTempFile();
  try {
    await Promise.all(Array.from({ length: 64 }, () => Deno.readTextFile(file)));
  } finally {
    await Deno.remove(file);
  }
  assertEquals(going.size, 0);
  for (const index of [999, 0, 502, 501]) {
    wakes[index]!();
    await waits[index];
  }
  assertEquals([...going], [999, 0, 502, 501]);
  for (const wake of wakes.filter((_, index) => !going.has(index))) wake();
  await Promise.all(waits);
  await settled();
});

Deno.test("a wake-up that a process got and was killed with goes to another: of semaphore, event, condition", async () => {
  await Promise.all(
    ["Semaphore", "auto Event", "Condition"].map((name) => kinds[name]!).map((kind) =>
      withMemory(async (memory, path) => {
        const handle = kind.make(sync, memory);
        const blocked = `kind.waitSync(handle); console.log("goes on");`;
        await using first = await processWith(
          kind,
          path,
          `const { interceptCalls } = await import("@ipc/core/sys");
         interceptCalls((symbol, args, real) => {
           const result = real(...args);
           const woken = symbol === "futex" && args[1] === 0 && result === 0;
           if (woken) Deno.kill(Deno.pid, "SIGKILL");
           return result;
         });
         ${blocked}`,
        );
        // The kernel wakes who came first, which is the second if the first has just looked again.
        for (let killed = false; !killed;) {
          await first.blocked();
          await using second = await processWith(kind, path, blocked);
          await second.blocked();
          kind.wake(handle);
          assertEquals(await second.line(), "goes on");
          killed = hasEnded(first.pid);
        }
        assertEquals((await first.status).signal, "SIGKILL");
        handle.close();
      })
    ),
  );
});

/** Whether a process has ended, be it that its parent has not heard of it. */
function hasEnded(pid: number): boolean {
  try {
    return /\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
}
