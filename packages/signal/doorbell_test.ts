/** Who waits at a doorbell, and who is rung. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IpcError, NotSupportedError } from "@ipc/core";
import { encodeIdentity, Mapping, processIdentity } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { TestProcess } from "../core/testdata/process.ts";
import { mapFile } from "../core/testdata/words.ts";
import { Doorbell } from "./mod.ts";
import { SIGNAL, WORDS } from "./testdata/modules.ts";

leakCheck();

/** Milliseconds; long enough for any machine, never waited for in full. */
const CEILING = { timeout: 20_000 };

/** Until a wait that began before is parked. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/** The word of a process, and whether its name is there. */
function word(pid: number, named: boolean): bigint {
  const { startTime } = processIdentity(pid);
  return BigInt(startTime % 2 ** 31) << 32n | BigInt(pid) | (named ? 1n << 63n : 0n);
}

Deno.test("Doorbell: of two processes that begin to wait at the same moment one is refused, and the other woken", async () => {
  const path = await Deno.makeTempFile({ dir: "/dev/shm" });
  try {
    await Deno.truncate(path, 4096);
    const source = `
      import { Doorbell } from ${JSON.stringify(SIGNAL)};
      import { mapFile } from ${JSON.stringify(WORDS)};
      const memory = mapFile(${JSON.stringify(path)});
      const words = new Int32Array(memory.buffer);
      const bell = Doorbell.at(memory, 64);
      console.log("up");
      for (let round = 1;; round++) {
        while (Atomics.load(words, 0) < round);
        console.log(await bell.wait(() => Atomics.load(words, 1) >= round).then(() => "woken", () => "refused"));
      }`;
    await using first = new TestProcess(source);
    await using second = new TestProcess(source);
    using memory = mapFile(path);
    const words = new Int32Array(memory.buffer);
    using bell = Doorbell.at(memory, 64);
    const said = () => Promise.all([first.line(), second.line()]);
    assertEquals(await said(), ["up", "up"]);
    for (let round = 1; round <= Math.max(20, scaled(400)); round++) {
      Atomics.store(words, 0, round);
      const lines = [first.line(), second.line()];
      assertEquals(await Promise.race(lines), "refused", `round ${round}`);
      Atomics.store(words, 1, round);
      bell.ring();
      assertEquals((await Promise.all(lines)).sort(), ["refused", "woken"], `round ${round}`);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Doorbell: the place of one that is about to write its name is not taken, unless it has ended", async () => {
  using memory = Mapping.anonymous(64);
  using bell = Doorbell.at(memory, 0);
  const words = new BigUint64Array(memory.buffer);
  await using other = new TestProcess("setInterval(() => {}, 1000); console.log('up');");
  assertEquals(await other.line(), "up");
  Atomics.store(words, 0, word(other.pid, false));
  assertEquals(bell.ring(), false);
  assertEquals((await assertRejects(() => bell.wait(() => true), IpcError)).code, "EBUSY");
  await other.kill();
  await bell.wait(() => true);
  assertEquals(words[0], 0n);
});

Deno.test("Doorbell: one whose place was taken all the same takes it again, or says so", async () => {
  using memory = Mapping.anonymous(64);
  using bell = Doorbell.at(memory, 0);
  using other = Doorbell.at(memory, 0);
  const words = new BigUint64Array(memory.buffer);
  let there = false;
  const waiting = bell.wait(() => there);
  const name = words[0]!;
  Atomics.store(words, 0, 0n);
  Deno.kill(Deno.pid, "SIGURG");
  while (Atomics.load(words, 0) !== name) await new Promise((resolve) => setTimeout(resolve, 1));
  there = true;
  assertEquals(other.ring(), true);
  await waiting;
  await using stranger = new TestProcess("setInterval(() => {}, 1000); console.log('up');");
  assertEquals(await stranger.line(), "up");
  const refused = assertRejects(
    () => bell.wait(() => false),
    IpcError,
    `process ${stranger.pid} waits for it`,
  );
  encodeIdentity(processIdentity(stranger.pid), memory.bytes, 8);
  Atomics.store(words, 0, word(stranger.pid, true));
  Deno.kill(Deno.pid, "SIGURG");
  await refused;
});

Deno.test("Doorbell: one that waits in another pid namespace is not rung, nor who has its number here", async () => {
  using memory = Mapping.anonymous(64);
  using bell = Doorbell.at(memory, 0);
  await using stranger = new TestProcess(`
    Deno.addSignalListener("SIGURG", () => console.log("rung"));
    Deno.addSignalListener("SIGTERM", () => console.log("not rung"));
    console.log("up");
    setInterval(() => {}, 1000);`);
  assertEquals(await stranger.line(), "up");
  const identity = processIdentity(stranger.pid);
  encodeIdentity({ ...identity, pidNamespace: identity.pidNamespace + 1 }, memory.bytes, 8);
  const words = new BigUint64Array(memory.buffer);
  Atomics.store(words, 0, word(stranger.pid, true));
  assertThrows(() => bell.ring(), NotSupportedError, "cannot be seen from here");
  Deno.kill(stranger.pid, "SIGTERM");
  assertEquals(await stranger.line(), "not rung");
  // Nor can its place be taken: nobody can tell whether it lives.
  await assertRejects(() => bell.wait(() => true, { timeout: 10 }), IpcError, "waits for it");
});

Deno.test("Doorbell: a ring is heard by each that waits, whatever those before it wait for", async () => {
  using memory = Mapping.anonymous(96);
  using bell = Doorbell.at(memory, 64);
  const words = new Int32Array(memory.buffer);
  const controller = new AbortController();
  const first = bell.wait(() => Atomics.load(words, 0) === 1, { signal: controller.signal });
  const second = bell.wait(() => Atomics.load(words, 1) === 1, CEILING);
  await pause();
  Atomics.store(words, 1, 1);
  assertEquals(bell.ring(), true);
  await second;
  controller.abort();
  await assertRejects(() => first, DOMException);
});

Deno.test("Doorbell: what changed just before the place was taken again is seen", async () => {
  using memory = Mapping.anonymous(96);
  using bell = Doorbell.at(memory, 64);
  const words = new Int32Array(memory.buffer);
  const word = new BigUint64Array(memory.buffer, 64, 1);
  let rung: boolean | undefined;
  const controller = new AbortController();
  const waiting = bell.wait(() => {
    const seen = Atomics.load(words, 0) === 1;
    if (!seen && rung === undefined && Atomics.load(word, 0) === 0n) {
      // Somebody else changes it after this look.
      Atomics.store(words, 0, 1);
      rung = bell.ring();
    }
    return seen;
  }, { signal: controller.signal });
  await pause();
  Atomics.store(word, 0, 0n);
  Deno.kill(Deno.pid, "SIGURG");
  // When its time is over, a wait looks once more; one that is aborted does not.
  const ceiling = setTimeout(() => controller.abort(), CEILING.timeout);
  await waiting.finally(() => clearTimeout(ceiling));
  assertEquals(rung, false);
});

for (const when of ["at once", "after a ring"]) {
  Deno.test(`Doorbell: one that is closed by what it looks for, ${when}, leaves no name behind`, async () => {
    using memory = Mapping.anonymous(32);
    using bell = Doorbell.at(memory, 0);
    let closes = when === "at once";
    const waiting = assertRejects(
      () =>
        bell.wait(() => {
          if (closes) bell.close();
          return false;
        }, CEILING),
      ClosedError,
    );
    if (!closes) {
      await pause();
      closes = true;
      bell.ring();
    }
    await waiting;
    assertEquals(new BigUint64Array(memory.buffer)[0], 0n);
    using next = Doorbell.at(memory, 0);
    await next.wait(() => true);
  });
}
