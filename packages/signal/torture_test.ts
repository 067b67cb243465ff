/** Calls that fail, processes that are killed, crowds, a busy garbage collector, and ten thousand of everything. */

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ERRNO, NotFoundError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { everyFault, leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { answer, permitted, TestProcess } from "../core/testdata/process.ts";
import { mapFile } from "../core/testdata/words.ts";
import { Doorbell } from "./doorbell.ts";
import { ProcessHandle } from "./process_handle.ts";
import { send } from "./send.ts";
import { signals } from "./signals.ts";
import { SIGNAL, TESTING, WORDS } from "./testdata/modules.ts";

leakCheck();

const CEILING = { timeout: 20_000 } as const;
const ERRNOS = [ERRNO.EINTR, ERRNO.EAGAIN, ERRNO.EMFILE, ERRNO.ENOMEM, ERRNO.EPERM, ERRNO.ESRCH];
const blocked = ["env", "--block-signal=USR2", "--block-signal=RTMIN+1"];
const busyCollector = ["-A", "--v8-flags=--gc-interval=100,--stress-compaction"];

function sleeper(): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["60"], stdin: "null" }).spawn();
}

function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("signals under faults: none that was sent is lost, and nobody is deaf", {
  ignore: !permitted(blocked),
}, async () => {
  // Each is received, or waits still after the fault; the one that hears knows that they were blocked, or says why not.
  const source = `
    import { signals, send } from ${JSON.stringify(SIGNAL)};
    import { everyFault } from ${JSON.stringify(TESTING)};
    const fds = () => [...Deno.readDirSync("/proc/self/fd")].length;
    let sent = 0, got = [];
    const operate = async () => {
      got = [];
      using heard = signals("SIGUSR2", "SIGRTMIN+1");
      try {
        heard.receiveSync({ timeout: 1 });
      } catch (error) {
        if (error.name !== "TimeoutError") throw error;
      }
      for (const take of [() => heard.receive({ timeout: 5000 }), () => heard.receiveSync({ timeout: 5000 })]) {
        send(Deno.pid, "SIGRTMIN+1", { value: sent + 1 });
        sent++;
        got.push((await take()).value);
      }
    };
    await operate();
    const before = fds();
    const report = await everyFault(operate, {
      errnos: ${JSON.stringify(ERRNOS)},
      verify({ error }) {
        using heard = signals("SIGRTMIN+1");
        for (let more; (more = heard.tryReceive()) !== undefined;) got.push(more.value);
        heard.close();
        const expected = got.map((_, index) => sent - got.length + 1 + index);
        if (String(got) !== String(expected)) throw new Error("Expected " + expected + ", got " + got);
        if (["TimeoutError", "NotSupportedError"].includes(error?.name)) throw error;
        if (fds() > before) throw new Error(fds() + " descriptors instead of " + before);
      },
    });
    console.log(JSON.stringify(report.hits));`;
  const hits = await answer(source, { before: blocked }) as Record<string, number>;
  for (const call of ["sigprocmask", "signalfd", "read", "poll", "sigqueue"]) assert(hits[call]! > 0, call);
});

Deno.test("Doorbell under faults: who is rung comes, and who cannot ring says so", async () => {
  using memory = Mapping.anonymous(4096);
  const words = new Int32Array(memory.buffer);
  const before = descriptors();
  const { hits } = await everyFault(async () => {
    using bell = Doorbell.at(memory, 64);
    Atomics.store(words, 0, 0);
    const waiting = bell.wait(() => Atomics.load(words, 0) === 1, CEILING);
    waiting.catch(() => {});
    Atomics.store(words, 0, 1);
    if (bell.ring()) await waiting;
  }, { errnos: ERRNOS, verify: () => assertEquals(descriptors(), before) });
  for (const call of ["pidfd_open", "pidfd_send_signal"]) assert(hits[call]! > 0, call);
});

Deno.test("a process's end under faults", async () => {
  const { hits } = await everyFault(async () => {
    const child = sleeper();
    try {
      using process = ProcessHandle.open(child.pid);
      const ended = process.ended(CEILING);
      child.kill("SIGKILL");
      await ended;
      assert(!process.alive);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
    }
  }, { errnos: [ERRNO.EINTR, ERRNO.EMFILE, ERRNO.ENOMEM] });
  for (const call of ["pidfd_open", "poll"]) assert(hits[call]! > 0, call);
});

Deno.test("a receiver that is killed at any moment: its sender is told, and nobody else gets the signal", async () => {
  for (let round = 0; round < Math.max(5, scaled(100)); round++) {
    await using child = new TestProcess(`
      import { signals } from ${JSON.stringify(SIGNAL)};
      using heard = signals("SIGUSR2");
      console.log("ready");
      for await (const { signal } of heard) console.log(signal);`);
    assertEquals(await child.line(), "ready");
    using process = ProcessHandle.open(child.pid);
    const killed = new Promise((resolve) => setTimeout(resolve, Math.random() * 20)).then(() => child.kill());
    let error: unknown;
    for (let sent = 0; error === undefined; sent++) {
      try {
        process.send("SIGUSR2");
      } catch (thrown) {
        error = thrown;
      }
      if (sent % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertInstanceOf(error, NotFoundError);
    await killed;
    await process.ended(CEILING);
    for (let line; (line = await child.line()) !== undefined;) assertEquals(line, "SIGUSR2");
  }
});

Deno.test("one that waits at a Doorbell is killed at any moment: it is not rung, and the next one waits", async () => {
  const path = await Deno.makeTempFile({ dir: "/dev/shm" });
  try {
    await Deno.truncate(path, 4096);
    using memory = mapFile(path);
    const words = new Int32Array(memory.buffer);
    using here = Doorbell.at(memory, 64);
    for (let round = 0; round < Math.max(5, scaled(100)); round++) {
      await using child = new TestProcess(`
        import { Doorbell } from ${JSON.stringify(SIGNAL)};
        import { mapFile } from ${JSON.stringify(WORDS)};
        const memory = mapFile(${JSON.stringify(path)});
        const words = new Int32Array(memory.buffer);
        using bell = Doorbell.at(memory, 64);
        for (let seen = Atomics.load(words, 0);;) {
          await bell.wait(() => Atomics.load(words, 0) !== seen);
          seen = Atomics.load(words, 0);
          Atomics.store(words, 1, seen);
        }`);
      // It comes each time that the bell is rung, until it is killed.
      for (const end = Math.random() * 20; words[1]! < end;) {
        Atomics.add(words, 0, 1);
        here.ring();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await child.kill();
      assertEquals(here.ring(), false);
      await here.wait(() => true, CEILING);
      words.fill(0, 0, 2);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("senders that are killed at any moment: their values come in order, and none twice", {
  ignore: !permitted(blocked),
}, async () => {
  await using hearing = new TestProcess(
    `
    import { signals } from ${JSON.stringify(SIGNAL)};
    const last = new Map();
    using heard = signals("SIGRTMIN+1");
    console.log("ready");
    for await (const { value, sender } of heard) {
      const expected = (last.get(sender.pid) ?? 0) + 1;
      if (value !== expected) throw new Error("Expected " + expected + ", got " + value);
      last.set(sender.pid, value);
      if (value === 1) console.log(sender.pid);
    }`,
    { before: blocked },
  );
  assertEquals(await hearing.line(), "ready");
  for (let round = 0; round < Math.max(5, scaled(50)); round++) {
    await using sending = new TestProcess(`
      import { ProcessHandle } from ${JSON.stringify(SIGNAL)};
      using process = ProcessHandle.open(${hearing.pid});
      for (let value = 1;;) {
        try {
          process.send("SIGRTMIN+1", { value });
          value++;
        } catch (error) {
          // So many wait already.
          if (error.code !== "EAGAIN") throw error;
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }`);
    assertEquals(await hearing.line(), String(sending.pid));
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
    await sending.kill();
  }
  send(hearing.pid, "SIGRTMIN+1", { value: 1 });
  assertEquals(await hearing.line(), String(Deno.pid));
});

Deno.test("1,000 receives wait on one signals(): each signal goes to one, in their order, and files can be read", async () => {
  using heard = signals("SIGUSR2", "SIGHUP");
  const stop = new AbortController();
  const served: number[] = [];
  const pending = Array.from({ length: 1000 }, async (_, index) => {
    const left = index % 10 === 5;
    const options = left ? { signal: stop.signal } : {};
    const got = await heard.receive(options).catch((error) => error.name as string);
    if (typeof got === "object") served.push(index);
    return got;
  });
  const before = performance.now();
  await Deno.readTextFile("/proc/self/status");
  assert(performance.now() - before < 2000);
  stop.abort();
  const waiting = pending.map((_, index) => index).filter((index) => index % 10 !== 5);
  const count = Math.max(50, scaled(500));
  for (const index of waiting.slice(0, count)) {
    send(Deno.pid, index % 2 === 0 ? "SIGUSR2" : "SIGHUP");
    const got = await pending[index];
    assertEquals(typeof got === "object" && got.signal, index % 2 === 0 ? "SIGUSR2" : "SIGHUP");
  }
  assertEquals(served, waiting.slice(0, count));
  heard.close();
  const all = await Promise.all(pending);
  assertEquals(all.filter((got) => got === "AbortError").length, 100);
  assertEquals(all.filter((got) => got === undefined).length, 900 - count);
});

for (const before of [[], blocked]) {
  const title = before.length === 0 ? "" : ", blocked at the start";
  Deno.test(
    `signals with garbage collection all the time${title}`,
    { ignore: !permitted(before) },
    async () => {
      await using child = new TestProcess(
        `
      import { signals } from ${JSON.stringify(SIGNAL)};
      using heard = signals("SIGUSR2");
      console.log(heard.detailed);
      for (;;) {
        const { signal, value } = heard.detailed && Math.random() < 0.5 ? heard.receiveSync() : await heard.receive();
        console.log(signal, value);
      }`,
        { before, flags: busyCollector },
      );
      const detailed = before.length > 0;
      assertEquals(await child.line(), String(detailed));
      using process = ProcessHandle.open(child.pid);
      for (let round = 0; round < Math.max(50, scaled(1000)); round++) {
        process.send("SIGUSR2", { value: round });
        assertEquals(await child.line(), `SIGUSR2 ${detailed ? round : undefined}`);
      }
    },
  );
}

Deno.test("10,000 handles, receivers and doorbells are opened and closed, and no descriptor stays", async () => {
  const child = sleeper();
  using memory = Mapping.anonymous(4096);
  // The runtime lets go of a signal a turn later.
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  const open = async () => {
    using process = ProcessHandle.open(child.pid);
    assert(process.alive);
    using heard = signals("SIGUSR2", "SIGHUP");
    assertEquals(heard.tryReceive(), undefined);
    using bell = Doorbell.at(memory, 64);
    await bell.wait(() => true);
    assertEquals(bell.ring(), false);
  };
  try {
    await open();
    const before = descriptors();
    const times = Math.max(1000, scaled(10_000));
    for (let time = 0; time < times; time++) {
      await open();
      if (time % 10 === 0) await turn();
      if (time % 1000 === 0) assert(descriptors() <= before + 1, `${descriptors()} descriptors`);
    }
    assertEquals(descriptors(), before);
    // And with somebody who waits at each.
    for (let time = 0; time < times / 100; time++) {
      const process = ProcessHandle.open(child.pid);
      const ended = process.ended();
      const heard = signals("SIGUSR2");
      const received = heard.receive();
      process.close();
      heard.close();
      assertInstanceOf(await ended.catch((error) => error), Error);
      assertEquals(await received, undefined);
      await turn();
    }
    await turn();
    assert(descriptors() <= before + 2);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
  assertThrows(() => ProcessHandle.open(child.pid), NotFoundError);
});
