import { assertEquals, assertThrows } from "@std/assert";
import { ClosedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { Event } from "./mod.ts";
import { CEILING, opening, pause, settled, TestProcess, until, withMemory } from "./testdata/memory.ts";

leakCheck();

const LONG = { timeout: CEILING };

Deno.test("Event with manual reset: stays set for everybody until it is reset", async () => {
  using mapping = Mapping.anonymous(4096);
  using event = Event.initialize(mapping, 0);
  using same = Event.at(mapping, 0);
  assertEquals([event.isSet, event.tryWait()], [false, false]);
  const waits = [event.wait(LONG), same.wait(LONG), event.wait(LONG)];
  same.set();
  same.set();
  await Promise.all(waits);
  await event.wait({ timeout: 0 });
  event.waitSync({ timeout: 0 });
  assertEquals([event.isSet, event.tryWait(), event.tryWait()], [true, true, true]);
  event.reset();
  event.reset();
  assertEquals([same.isSet, same.tryWait()], [false, false]);
  using set = Event.initialize(mapping, 64, { set: true });
  assertEquals(set.isSet, true);
  await settled();
});

Deno.test("Event with manual reset: who waited goes on though it is reset at once", async () => {
  using mapping = Mapping.anonymous(4096);
  using event = Event.initialize(mapping, 0);
  using same = Event.at(mapping, 0);
  for (let round = 0; round < 20; round++) {
    const waits = [event.wait(LONG), same.wait(LONG), same.wait(LONG)];
    if (round % 2 === 0) await pause(2);
    event.set();
    event.reset();
    const late = same.wait({ timeout: 1 }).catch((error) => error.name);
    await Promise.all(waits);
    assertEquals(await late, "TimeoutError");
  }
  await settled();
});

Deno.test("Event with auto reset: each set lets exactly one go on", async () => {
  using mapping = Mapping.anonymous(4096);
  using event = Event.initialize(mapping, 0, { reset: "auto" });
  using same = Event.at(mapping, 0);
  event.set();
  event.set();
  assertEquals([same.isSet, same.tryWait(), same.tryWait(), event.isSet], [true, true, false, false]);
  let going = 0;
  const waits = [event, same, event, same, event].map((each) => each.wait(LONG).then(() => going++));
  for (let sets = 1; sets <= 5; sets++) {
    await pause(3);
    same.set();
    await until(() => going === sets && !event.isSet, "one goes on");
  }
  await Promise.all(waits);
  event.set();
  event.reset();
  assertEquals(event.tryWait(), false);
  await settled();
});

Deno.test("Event with auto reset: several processes share sets, and none is taken twice or lost", () =>
  withMemory(async (memory, path) => {
    using event = Event.initialize(memory, 0, { reset: "auto" });
    const words = new Int32Array(memory.buffer);
    const source = (wait: string) =>
      `${opening(path)}
      const event = sync.Event.at(memory, 0);
      console.log("starts");
      for (;;) {
        ${wait};
        Atomics.add(words, 32, 1);
      }`;
    await using first = new TestProcess(source("event.waitSync()"));
    await using second = new TestProcess(source("await event.wait()"));
    await using third = new TestProcess(source("event.waitSync({ timeout: 1e6 })"));
    for (const each of [first, second, third]) assertEquals(await each.line(), "starts");
    const rounds = scaled(5000);
    for (let sets = 1; sets <= rounds; sets++) {
      event.set();
      const seen = () => Atomics.load(words, 32) >= sets;
      for (let spins = 0; !seen() && spins < 1000; spins++);
      if (!seen()) await until(seen, "one goes on");
    }
    await pause(5);
    assertEquals([words[32], event.isSet], [rounds, false]);
  }));

// Each round takes the second after which who is blocked looks again.
Deno.test("Event: a setter that is killed before it wakes keeps nobody waiting, with either reset", async () => {
  await Promise.all((["manual", "auto"] as const).map((reset) =>
    withMemory(async (memory, path) => {
      using event = Event.initialize(memory, 0, { reset });
      const words = new Int32Array(memory.buffer);
      for (let round = scaled(20); round > 0; round--) {
        await using blocked = new TestProcess(`${opening(path)}
          console.log("starts");
          sync.Event.at(memory, 0).waitSync();
          console.log("goes on");`);
        assertEquals(await blocked.line(), "starts");
        // Counted among those who sleep, or nobody would be woken; then asleep.
        await until(() => Atomics.load(words, 2) === 1, "it sleeps");
        await blocked.blocked();
        const waiting = reset === "manual" ? event.wait(LONG) : undefined;
        await using setter = new TestProcess(`${opening(path)}
          const { interceptCalls } = await import("@ipc/core/sys");
          const event = sync.Event.at(memory, 0);
          interceptCalls((symbol, args, real) => {
            if (symbol === "futex" && args[1] === 1) Deno.kill(Deno.pid, "SIGKILL");
            return real(...args);
          });
          event.set();`);
        assertEquals((await setter.status).signal, "SIGKILL");
        assertEquals(await blocked.line(), "goes on");
        await waiting;
        event.reset();
      }
    })
  ));
});

Deno.test("Event: bad arguments, and calls after close", () => {
  using mapping = Mapping.anonymous(4096);
  const reset = "sometimes" as "auto";
  assertThrows(() => Event.initialize(mapping, 0, { reset }), TypeError, 'with reset "sometimes"');
  const event = Event.initialize(mapping, 0);
  event.close();
  for (const call of [() => event.set(), () => event.reset(), () => event.tryWait(), () => event.isSet]) {
    assertThrows(call, ClosedError, "event at byte 0: it was closed here");
  }
});

Deno.test("Event: the count of sets and resets begins again after 32 bits", async () => {
  using mapping = Mapping.anonymous(4096);
  using event = Event.initialize(mapping, 0);
  const words = new Int32Array(mapping.buffer);
  for (const count of [-2, 0x7fff_fffe]) {
    words[1] = count;
    const waiting = event.wait(LONG);
    event.set();
    event.reset();
    await waiting;
    assertEquals([event.isSet, words[1]], [false, count + 2 | 0]);
  }
  await settled();
});
