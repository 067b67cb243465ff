import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, TimeoutError, UntrustedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { Barrier } from "./mod.ts";
import { CEILING, opening, pause, settled, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const LONG = { timeout: CEILING };

Deno.test("Barrier: opens when all have arrived, again and again, and tells the last one", async () => {
  using mapping = Mapping.anonymous(4096);
  using barrier = Barrier.initialize(mapping, 0, 3);
  using same = Barrier.at(mapping, 0);
  assertEquals([same.parties, same.arrived], [3, 0]);
  for (let round = 0; round < 5; round++) {
    let open = 0;
    const waits = [barrier.wait(LONG), same.wait(LONG)].map((each) => each.finally(() => open++));
    await pause(2);
    assertEquals([open, barrier.arrived], [0, 2]);
    assertEquals(await barrier.wait({ timeout: 0 }), true);
    assertEquals([await Promise.all(waits), barrier.arrived], [[false, false], 0]);
  }
  using alone = Barrier.initialize(mapping, 64, 1);
  assertEquals([await alone.wait(), alone.waitSync()], [true, true]);
  await settled();
});

Deno.test("Barrier: nobody is a round ahead of the others, in three processes", () =>
  withMemory(async (memory, path) => {
    using barrier = Barrier.initialize(memory, 0, 3);
    const words = new Int32Array(memory.buffer);
    const rounds = scaled(2000);
    const source = (index: number, wait: string) =>
      `${opening(path)}
      const barrier = sync.Barrier.at(memory, 0);
      let last = 0;
      for (let round = 1; round <= ${rounds}; round++) {
        Atomics.store(words, ${index}, round);
        if (${wait}) last++;
        for (const each of [32, 33, 34]) {
          const there = Atomics.load(words, each);
          if (there !== round && there !== round + 1) throw new Error(\`\${there} in round \${round}\`);
        }
      }
      Atomics.add(words, 40, last);`;
    await using first = new TestProcess(source(32, "barrier.waitSync()"));
    await using second = new TestProcess(source(33, "await barrier.wait()"));
    await using third = new TestProcess(source(34, "barrier.waitSync({ timeout: 1e6 })"));
    for (const each of [first, second, third]) assertEquals((await each.status).code, 0);
    assertEquals([words[40], barrier.arrived], [rounds, 0]);
  }));

Deno.test("Barrier: who gives up, or is closed, has not arrived", async () => {
  using mapping = Mapping.anonymous(4096);
  using barrier = Barrier.initialize(mapping, 0, 3);
  await assertRejects(() => barrier.wait({ timeout: 2 }), TimeoutError);
  assertThrows(() => barrier.waitSync({ timeout: 2 }), TimeoutError);
  const signal = AbortSignal.timeout(2);
  await assertRejects(() => barrier.wait({ signal }), DOMException);
  await assertRejects(() => barrier.wait({ signal }), DOMException);
  assertEquals(barrier.arrived, 0);
  const closed = Barrier.at(mapping, 0);
  const waits = [closed.wait(), closed.wait()].map((each) => each.catch((error) => error));
  assertEquals(barrier.arrived, 2);
  closed.close();
  for (const error of await Promise.all(waits)) assertEquals(error instanceof ClosedError, true);
  assertEquals(barrier.arrived, 0);
  assertThrows(() => closed.arrived, ClosedError);
  await settled();
});

Deno.test("Barrier: closed after the memory was resized it has not arrived either; nonsense is no barrier", () =>
  withMemory(async (memory) => {
    using barrier = Barrier.initialize(memory, 0, 3);
    const same = Barrier.at(memory, 0);
    const waiting = assertRejects(() => same.wait(), ClosedError);
    assertEquals(barrier.arrived, 1);
    memory.grow(8192);
    same.close();
    await waiting;
    assertEquals(barrier.arrived, 0);
    for (const parties of [0, -1, 4096]) {
      new Int32Array(memory.buffer)[3] = parties;
      assertThrows(() => Barrier.at(memory, 0), UntrustedError);
    }
  }));

Deno.test("Barrier: one that has opened just before the time was over has opened", async () => {
  using mapping = Mapping.anonymous(4096);
  using barrier = Barrier.initialize(mapping, 0, 2);
  using same = Barrier.at(mapping, 0);
  const controller = new AbortController();
  const waiting = barrier.wait({ signal: controller.signal });
  assertEquals(same.waitSync(), true);
  controller.abort();
  assertEquals([await waiting, barrier.arrived], [false, 0]);
  const closing = barrier.wait();
  assertEquals(same.waitSync(), true);
  barrier.close();
  assertEquals([await closing, same.arrived], [false, 0]);
  await settled();
});

Deno.test("Barrier: one that is killed while it waits has arrived", () =>
  withMemory(async (memory, path) => {
    using barrier = Barrier.initialize(memory, 0, 3);
    await using other = new TestProcess(`${opening(path)}
      console.log("starts");
      sync.Barrier.at(memory, 0).waitSync();`);
    assertEquals(await other.line(), "starts");
    await other.blocked();
    await other.kill();
    const waiting = barrier.wait(LONG);
    assertEquals([await barrier.wait(LONG), await waiting, barrier.arrived], [true, false, 0]);
  }));

Deno.test("Barrier: for how many is an integer from 1 to 4,095", async () => {
  using mapping = Mapping.anonymous(4096);
  for (const parties of [0, -1, 0.5, NaN, 4096]) {
    assertThrows(() => Barrier.initialize(mapping, 0, parties), RangeError, "Cannot initialize barrier");
  }
  using barrier = Barrier.initialize(mapping, 0, 4095);
  new Int32Array(mapping.buffer)[1] = -4096;
  const waits = Array.from({ length: 4095 }, () => barrier.wait(LONG));
  assertEquals((await Promise.all(waits)).filter((last) => last).length, 1);
  assertEquals([barrier.arrived, new Int32Array(mapping.buffer)[1]], [0, 0]);
  await settled();
});
