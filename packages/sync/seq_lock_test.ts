import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IpcError, LayoutMismatchError, TimeoutError, UntrustedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { array, f64, struct, u32, u8, utf8 } from "../mmap/struct/mod.ts";
import { SeqLock } from "./mod.ts";
import { CEILING, opening, pause, settled, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const Weather = struct({ station: u32, celsius: f64, name: utf8(10) });
const here = { station: 7, celsius: 21.5, name: "here" };

/** A value that says whether it is whole: all its words are made of the first one. */
const Marked = struct({ seed: u32, rest: array(u32, 63) });
const MARKED = `
  const { array, struct, u32 } = await import(${
  JSON.stringify(new URL("../mmap/struct/mod.ts", import.meta.url).href)
});
  const Marked = struct({ seed: u32, rest: array(u32, 63) });
  const cell = sync.SeqLock.at(memory, 64, Marked);
  const marked = (seed) => ({ seed, rest: Array.from({ length: 63 }, (_, index) => seed * 31 + index >>> 0) });`;

function marked(seed: number): { seed: number; rest: number[] } {
  return { seed, rest: Array.from({ length: 63 }, (_, index) => seed * 31 + index >>> 0) };
}

function checkWhole(value: { seed: number; rest: ArrayLike<number> }): void {
  assertEquals([...Array.from(value.rest)], marked(value.seed).rest);
}

Deno.test("SeqLock: a struct is written, changed and read, through all handles", () => {
  using mapping = Mapping.anonymous(4096);
  using cell = SeqLock.initialize(mapping, 8, Weather, here);
  using same = SeqLock.at(mapping, 8, Weather);
  assertEquals([same.read(), same.version], [here, 0]);
  same.write({ station: 8, celsius: -1, name: "there" });
  assertEquals([cell.read(), cell.version], [{ station: 8, celsius: -1, name: "there" }, 1]);
  cell.update((draft) => {
    draft.celsius += 0.5;
  });
  cell.update((draft) => ({ ...draft, name: "where" }));
  assertEquals([same.read(), same.version], [{ station: 8, celsius: -0.5, name: "where" }, 3]);
  const taken = same.read();
  cell.write(here);
  assertEquals(taken.name, "where");
  assertEquals(SeqLock.initialize(mapping, 1024, Weather).read(), { station: 0, celsius: 0, name: "" });
});

Deno.test("SeqLock: bytes of any number, and nothing beside them is touched", () => {
  for (const byteLength of [1, 3, 4, 15, 16, 17, 1000]) {
    using mapping = Mapping.anonymous(4096);
    const length = SeqLock.byteLength({ byteLength });
    assertEquals(length % 16, 0);
    mapping.bytes.fill(0xaa);
    using cell = SeqLock.initialize(mapping, 64, { byteLength });
    assertEquals(cell.read(), new Uint8Array(byteLength));
    for (let round = 1; round < 5; round++) {
      const bytes = new Uint8Array(byteLength).fill(round);
      cell.write(bytes);
      assertEquals(cell.read(), bytes);
      using other = SeqLock.at(mapping, 64, { byteLength });
      assertEquals(other.read(), bytes);
    }
    const around = new Uint8Array(mapping.buffer);
    assert(around.subarray(0, 64).every((byte) => byte === 0xaa));
    assert(around.subarray(64 + length).every((byte) => byte === 0xaa));
  }
});

Deno.test("SeqLock: what does not fit is refused, and changes nothing", () => {
  using mapping = Mapping.anonymous(4096);
  using cell = SeqLock.initialize(mapping, 0, Weather, here);
  assertThrows(() => cell.write({ ...here, name: "much too long" }), RangeError);
  assertThrows(() => cell.write({ ...here, station: 1.5 }), RangeError);
  assertThrows(() => cell.update((draft) => ({ ...draft, station: -1 })), RangeError);
  assertThrows(
    () =>
      cell.update((draft) => {
        draft.celsius = 99;
        throw new TypeError("No");
      }),
    TypeError,
    "No",
  );
  const promise = (draft: typeof here) => Promise.resolve(draft) as unknown as typeof here;
  assertThrows(() => cell.update(promise), TypeError, "does not wait for a promise");
  assertEquals([cell.read(), cell.version], [here, 0]);
  using bytes = SeqLock.initialize(mapping, 1024, { byteLength: 4 });
  assertThrows(() => bytes.write(new Uint8Array(5)), RangeError, "Cannot keep 5 bytes where there are 4");
  assertThrows(() => bytes.write("text" as unknown as Uint8Array), TypeError);
  for (const byteLength of [0, -1, 0.5, NaN, 2 ** 31]) {
    assertThrows(() => SeqLock.initialize(mapping, 0, { byteLength }), RangeError, "Cannot keep");
    assertThrows(() => SeqLock.byteLength({ byteLength }), RangeError);
  }
  assertThrows(() => SeqLock.initialize(mapping, 4, Weather), RangeError);
  assertThrows(() => SeqLock.initialize(mapping, 4096 - 64, Weather), RangeError);
});

Deno.test("SeqLock: one of another layout, or none, or nonsense is refused", () => {
  using mapping = Mapping.anonymous(4096);
  assertThrows(() => SeqLock.at(mapping, 0, Weather), UntrustedError);
  using _cell = SeqLock.initialize(mapping, 0, Weather, here);
  const sized = struct({ station: u32, celsius: f64, name: utf8(12), more: u8 });
  assertThrows(() => SeqLock.at(mapping, 0, sized), LayoutMismatchError, "bytes");
  const named = struct({ station: u32, fahrenheit: f64, name: utf8(10) });
  assertThrows(() => SeqLock.at(mapping, 0, named), LayoutMismatchError, "another schema");
  assertThrows(() => SeqLock.at(mapping, 0, { byteLength: Weather.byteLength }), LayoutMismatchError);
  const words = new Int32Array(mapping.buffer);
  for (const length of [0, -1, 0x7fff_ffff, 5000]) {
    words[3] = length;
    assertThrows(() => SeqLock.at(mapping, 0, Weather), UntrustedError);
  }
});

Deno.test("SeqLock: two processes write, a third reads nothing but whole values", () =>
  withMemory(async (memory, path) => {
    using cell = SeqLock.initialize(memory, 64, Marked, marked(0));
    const rounds = scaled(20_000);
    const writing = (from: number) =>
      `${opening(path)}${MARKED}
      for (let left = ${rounds}, seed = ${from}; left > 0; left--) cell.write(marked(seed += 2));
      console.log("done");`;
    await using first = new TestProcess(writing(0));
    await using second = new TestProcess(writing(1));
    let over = 0;
    for (const each of [first, second]) each.line().then(() => over++);
    let reads = 0;
    while (over < 2) {
      for (let left = 100; left > 0; left--, reads++) checkWhole(cell.read());
      await pause(0);
    }
    assert(reads > 0);
    assertEquals(cell.version, 2 * rounds);
  }));

Deno.test("SeqLock: updates of two processes are not lost", () =>
  withMemory(async (memory, path) => {
    using cell = SeqLock.initialize(memory, 64, Marked, marked(0));
    const rounds = scaled(10_000);
    const counting = `${opening(path)}${MARKED}
      for (let left = ${rounds}; left > 0; left--) cell.update(({ seed }) => marked(seed + 1));`;
    await using first = new TestProcess(counting);
    await using second = new TestProcess(counting);
    assertEquals([(await first.status).code, (await second.status).code], [0, 0]);
    assertEquals([cell.read().seed, cell.version], [2 * rounds, 2 * rounds]);
    checkWhole(cell.read());
  }));

Deno.test("SeqLock: a writer that is killed at any store leaves a whole value, and the next one goes on", () =>
  withMemory(async (memory, path) => {
    using cell = SeqLock.initialize(memory, 64, Marked, marked(1));
    for (const stores of [1, 2, 17, 32, 33, 34]) {
      const { version } = cell;
      const { seed } = cell.read();
      await using writer = new TestProcess(`${opening(path)}${MARKED}
        const store = Atomics.store;
        let left = ${stores};
        Atomics.store = (...args) => {
          const stored = store(...args);
          if (--left === 0) Deno.kill(Deno.pid, "SIGKILL");
          return stored;
        };
        cell.write(marked(${seed + 1}));
        cell.write(marked(${seed + 2}));`);
      assertEquals((await writer.status).signal, "SIGKILL");
      // 32 of the value, and the version.
      const written = stores >= 33 ? 1 : 0;
      assertEquals([cell.version, cell.read().seed], [version + written, seed + written]);
      checkWhole(cell.read());
      cell.write(marked(seed + 5), { timeout: CEILING });
      checkWhole(cell.read());
    }
  }));

Deno.test("SeqLock: writers that are killed at random, and others that go on", () =>
  withMemory(async (memory, path) => {
    using cell = SeqLock.initialize(memory, 64, Marked, marked(1));
    for (let round = scaled(60); round > 0; round--) {
      await using writer = new TestProcess(`${opening(path)}${MARKED}
        console.log("writes");
        for (let seed = ${round};; seed++) cell.write(marked(seed >>> 0));`);
      assertEquals(await writer.line(), "writes");
      const end = performance.now() + 10 * Math.random();
      while (performance.now() < end) checkWhole(cell.read());
      await writer.kill();
      checkWhole(cell.read());
      const { version } = cell;
      cell.write(marked(round), { timeout: CEILING });
      assertEquals([cell.read().seed, cell.version], [round, version + 1]);
    }
  }));

Deno.test("SeqLock: a writer that does not go on keeps writers waiting, readers never", () =>
  withMemory(async (memory, path) => {
    using cell = SeqLock.initialize(memory, 64, Marked, marked(3));
    await using writer = new TestProcess(`${opening(path)}${MARKED}
      cell.update(() => {
        console.log("holds");
        for (;;);
      });`);
    assertEquals(await writer.line(), "holds");
    assertEquals(cell.read().seed, 3);
    assertThrows(() => cell.write(marked(4), { timeout: 30 }), TimeoutError);
    assertThrows(() => cell.update(() => marked(4), { timeout: 0 }), TimeoutError);
    assertEquals([cell.read().seed, cell.version], [3, 0]);
    await writer.kill();
    cell.write(marked(4), { timeout: CEILING });
    assertEquals(cell.read().seed, 4);
  }));

Deno.test("SeqLock: an update that writes by itself would wait for ever, and throws", () => {
  using mapping = Mapping.anonymous(4096);
  using cell = SeqLock.initialize(mapping, 0, Weather, here);
  using same = SeqLock.at(mapping, 0, Weather);
  for (const other of [cell, same]) {
    const error = assertThrows(() => cell.update(() => other.write(here)), IpcError) as IpcError;
    assertEquals(error.code, "EDEADLK");
  }
  cell.update((draft) => {
    assertEquals(same.read(), here);
    draft.station = 9;
  });
  assertEquals(same.read().station, 9);
});

Deno.test("SeqLock.changed: gives the version that follows the one that is known", async () => {
  using mapping = Mapping.anonymous(4096);
  using cell = SeqLock.initialize(mapping, 0, Weather, here);
  using same = SeqLock.at(mapping, 0, Weather);
  const waiting = same.changed({ timeout: CEILING });
  cell.write(here);
  assertEquals(await waiting, 1);
  assertEquals([await same.changed({ after: 0 }), same.changedSync({ after: 0 })], [1, 1]);
  await assertRejects(() => same.changed({ after: 1, timeout: 5 }), TimeoutError);
  new Int32Array(mapping.buffer)[1] = -1;
  assertEquals(cell.version, 0xffff_ffff);
  const next = same.changed({ after: 0xffff_ffff, timeout: CEILING });
  cell.write(here);
  assertEquals([await next, cell.version], [0, 0]);
  await settled();
});

Deno.test("SeqLock.changed: a version that has passed is told at once, whoever else waits on the handle", async () => {
  using mapping = Mapping.anonymous(4096);
  using cell = SeqLock.initialize(mapping, 0, { byteLength: 4 });
  for (const byte of [1, 2]) cell.write(new Uint8Array(4).fill(byte));
  const other = cell.changed({ after: 2 });
  // One call in 256 has a turn of the event loop first; now and then that other one is parked.
  for (let call = 0; call < 600; call++) {
    if (call > 300 && call % 50 === 0) await pause(2);
    const begin = performance.now();
    assertEquals(await cell.changed({ after: 1, timeout: CEILING }), 2);
    assert(performance.now() - begin < CEILING / 2);
  }
  cell.write(new Uint8Array(4));
  assertEquals(await other, 3);
  for (const after of [NaN, 0.5, Infinity]) {
    await assertRejects(() => cell.changed({ after }), RangeError, "it is an integer");
    assertThrows(() => cell.changedSync({ after }), RangeError, "it is an integer");
  }
});

Deno.test("SeqLock.subscribe: the newest value, none twice, from another process", () =>
  withMemory(async (memory, path) => {
    using cell = SeqLock.initialize(memory, 64, Marked, marked(0));
    const rounds = scaled(5000);
    await using _writer = new TestProcess(`${opening(path)}${MARKED}
      for (let seed = 1; seed <= ${rounds}; seed++) {
        cell.write(marked(seed));
        if (seed % 100 === 0) await pause(1);
      }
      setInterval(() => {}, 1e6);`);
    const seeds: number[] = [];
    for await (const value of cell.subscribe()) {
      checkWhole(value);
      seeds.push(value.seed);
      if (value.seed === rounds) break;
    }
    assertEquals(seeds[0], 0);
    assert(seeds.every((seed, index) => index === 0 || seed > seeds[index - 1]!));
  }));

Deno.test("SeqLock.subscribe: leaving, aborting and closing end it, also while it waits", async () => {
  using mapping = Mapping.anonymous(4096);
  using cell = SeqLock.initialize(mapping, 0, Weather, here);
  const left = cell.subscribe();
  assertEquals((await left.next()).value, here);
  const waiting = [left.next(), left.next()];
  await pause(5);
  assertEquals(await left.return!(), { done: true, value: undefined });
  for (const each of waiting) assertEquals((await each).done, true);
  assertEquals((await left.next()).done, true);

  const controller = new AbortController();
  const aborted = cell.subscribe({ signal: controller.signal });
  await aborted.next();
  const next = aborted.next();
  controller.abort(new TypeError("Enough"));
  await assertRejects(() => next, TypeError, "Enough");
  assertEquals((await aborted.next()).done, true);

  const closed = cell.subscribe();
  await closed.next();
  const last = closed.next();
  cell.close();
  assertEquals((await last).done, true);
  assertThrows(() => cell.subscribe(), ClosedError);
  assertThrows(() => cell.read(), ClosedError);
  assertThrows(() => cell.write(here), ClosedError);
  assertThrows(() => cell.update(() => here), ClosedError);
  assertThrows(() => cell.version, ClosedError);
  await settled();
});

Deno.test("SeqLock: closed in the middle of an update, by itself and with its mapping", () => {
  const mapping = Mapping.anonymous(4096);
  const cell = SeqLock.initialize(mapping, 0, Weather, here);
  using same = SeqLock.at(mapping, 0, Weather);
  assertThrows(() => cell.update(() => cell.close()), ClosedError);
  same.write({ ...here, station: 1 }, { timeout: CEILING });
  assertEquals(same.read().station, 1);
  assertThrows(() => same.update(() => mapping.close()), ClosedError);
});
