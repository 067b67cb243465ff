/** Calls that wait asynchronously: their order, their ends, and what they leave alone. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Mapping, wordDiagnostics } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { waitForPost } from "./_semaphore_wait.ts";
import { Semaphore } from "./mod.ts";
import { TestProcess } from "./testdata/process.ts";
import {
  CEILING,
  MOD,
  outcomes,
  parked,
  processWith,
  settled,
  until,
  withName,
  withSemaphore,
} from "./testdata/semaphores.ts";

leakCheck();

/** How many wait, as glibc counts them. */
function waiters(mapping: Mapping, offset: number): number {
  return new Int32Array(mapping.buffer, offset, 2)[1]!;
}

/** Waits until a process says that it has acquired. */
async function goesOn(process: TestProcess): Promise<void> {
  let line: string | undefined;
  process.line().then((text) => line = text);
  await until(() => line !== undefined);
  assertEquals(line, "acquired");
}

Deno.test("Semaphore: waits of one handle are served in the order of the calls", () =>
  withSemaphore(async (semaphore) => {
    const order: number[] = [];
    const pending = Array.from(
      { length: 20 },
      (_, number) => semaphore.acquire(CEILING).then(() => order.push(number)),
    );
    for (let number = 0; number < 20; number++) {
      if (number % 3 === 0) await parked();
      semaphore.release();
    }
    await Promise.all(pending);
    assertEquals(order, Array.from({ length: 20 }, (_, number) => number));
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: two processes take turns, each waiting asynchronously", () =>
  withSemaphore((there) =>
    withSemaphore(async (back) => {
      const rounds = scaled(5000);
      await using other = await processWith(
        there,
        `const back = Semaphore.open("${back.name}");
         for (let round = 0; round < ${rounds}; round++) {
           await semaphore.acquire({ timeout: ${CEILING.timeout} });
           back.release();
         }`,
      );
      for (let round = 0; round < rounds; round++) {
        there.release();
        await back.acquire(CEILING);
      }
      assertEquals((await other.status).code, 0);
      assertEquals([there.value, back.value], [0, 0]);
    })
  ));

Deno.test("Semaphore: an aborted wait rejects with the reason, and takes nothing", () =>
  withSemaphore(async (semaphore) => {
    for (const wait of [() => parked(), () => Promise.resolve()]) {
      const controller = new AbortController();
      const { signal } = controller;
      const settled = Promise.allSettled([
        semaphore.acquire({ signal }),
        semaphore.acquire({ signal, ...CEILING }),
        semaphore.withLock(() => {}, { signal }),
      ]);
      await wait();
      const reason = new Error("No longer");
      controller.abort(reason);
      semaphore.release();
      for (const each of await settled) assertEquals((each as PromiseRejectedResult).reason, reason);
      assertEquals(semaphore.value, 1);
      assertEquals(await assertRejects(() => semaphore.acquire({ signal })), reason);
      semaphore.acquireSync();
    }
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: whoever aborts or times out while another process releases, no permit is lost or doubled", () =>
  withSemaphore((semaphore) =>
    withSemaphore(async (end) => {
      const releases = scaled(3000);
      await using other = await processWith(
        semaphore,
        `const end = Semaphore.open("${end.name}");
         for (let left = ${releases}; left > 0; left--) {
           semaphore.release();
           const pause = performance.now() + Math.random() * 0.5;
           while (performance.now() < pause);
         }
         end.release();`,
      );
      let acquired = 0;
      while (end.value === 0 || semaphore.value > 0) {
        const controller = new AbortController();
        using second = Semaphore.open(semaphore.name);
        const pending = [
          semaphore.acquire({ signal: controller.signal }),
          semaphore.acquire({ timeout: Math.random() * 3 }),
          second.acquire({ timeout: 2, signal: controller.signal }),
        ].map((each) => each.then(() => acquired++, () => {}));
        setTimeout(() => controller.abort(), Math.random() * 3);
        await Promise.all(pending);
      }
      assertEquals([acquired, semaphore.value], [releases, 0]);
      assertEquals((await other.status).code, 0);
    })
  ));

Deno.test("Semaphore: nobody else is left waiting when a wait is given up just as a permit comes", () =>
  withSemaphore(async (semaphore) => {
    // It waits behind ours in the kernel's line, so that ours is the one that is woken.
    for (let round = scaled(50); round > 0; round--) {
      const controller = new AbortController();
      const aborted = assertRejects(() => semaphore.acquire({ signal: controller.signal }));
      await parked();
      await using other = await processWith(
        semaphore,
        `semaphore.acquireSync({ timeout: ${CEILING.timeout} }); console.log("acquired");`,
      );
      await other.blocked();
      semaphore.release();
      controller.abort();
      assertEquals(await other.line(), "acquired");
      await aborted;
    }
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: with 1,000 pending waits files are read as ever, and each gets its own permit", () =>
  withName(async (name) => {
    using mapping = Mapping.anonymous(32_000);
    const semaphores = Array.from(
      { length: 1000 },
      (_, index) => Semaphore.initialize(mapping, 32 * index, 0),
    );
    const acquired = new Set<number>();
    const pending = semaphores.map((semaphore, index) =>
      semaphore.acquire(CEILING).then(() => acquired.add(index))
    );
    await parked();
    assert(wordDiagnostics().poolThreads <= 2);
    const path = `/tmp${name}`;
    Deno.writeTextFileSync(path, "text");
    try {
      await Promise.all(Array.from({ length: 64 }, () => Deno.readTextFile(path)));
    } finally {
      Deno.removeSync(path);
    }
    assertEquals(acquired.size, 0);
    for (const index of [999, 0, 500]) {
      semaphores[index]!.release();
      await pending[index];
    }
    assertEquals([...acquired], [999, 0, 500]);
    for (const [index, semaphore] of semaphores.entries()) if (!acquired.has(index)) semaphore.release();
    await Promise.all(pending);
    assert(semaphores.every((semaphore) => semaphore.value === 0));
    for (let index = 0; index < 1000; index++) assertEquals(waiters(mapping, 32 * index), 0);
  }));

Deno.test("Semaphore: 1,000 pending waits for one semaphore, in many handles, and as many aborts", () =>
  withSemaphore(async (semaphore) => {
    using stack = new DisposableStack();
    const handles = Array.from({ length: 50 }, () => stack.use(Semaphore.open(semaphore.name)));
    const controller = new AbortController();
    const options = (index: number) => index % 2 === 0 ? CEILING : { signal: controller.signal };
    const settled = outcomes(
      Array.from({ length: 1000 }, (_, index) => handles[index % 50]!.acquire(options(index))),
    );
    await parked();
    controller.abort();
    for (let permits = 500; permits > 0; permits--) semaphore.release();
    const results = await settled;
    assertEquals(results.filter((result) => result === "done").length, 500);
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: who waits is counted as libc counts, and not any more afterwards", async () => {
  using mapping = Mapping.anonymous(4096);
  const semaphore = Semaphore.initialize(mapping, 0, 0);
  using other = Semaphore.at(mapping, 0);
  const acquired = semaphore.acquire(CEILING);
  const controller = new AbortController();
  const aborted = outcomes([other.acquire({ signal: controller.signal })]);
  await parked();
  if (Deno.build.env !== "musl") assertEquals(waiters(mapping, 0), 2);
  controller.abort();
  await aborted;
  if (Deno.build.env !== "musl") assertEquals(waiters(mapping, 0), 1);
  other.release();
  await acquired;
  assertEquals(waiters(mapping, 0), 0);
  const pending = outcomes([semaphore.acquire()]);
  await parked();
  semaphore.close();
  assertEquals([await pending, waiters(mapping, 0)], [["ClosedError"], 0]);
  await settled();
});

Deno.test("Semaphore: a wait that cannot begin is not counted, and not told that the memory was closed", async () => {
  const mapping = Mapping.anonymous(4096);
  let woken = 0;
  mapping.pin = () => {
    throw new Error("On purpose");
  };
  try {
    Semaphore.initialize(mapping, 0, 0);
    // Where a timer looks nothing can fail.
    if (Deno.build.env === "musl") return;
    assertThrows(() => waitForPost(mapping, 0, () => woken++), Error, "On purpose");
    assertEquals(waiters(mapping, 0), 0);
  } finally {
    mapping.close();
  }
  await settled();
  assertEquals(woken, 0);
});

Deno.test("Semaphore: a pending wait keeps the process alive, an open handle does not", () =>
  withSemaphore(async (semaphore) => {
    const open = await processWith(semaphore, "");
    assertEquals((await open.status).code, 0);
    await open[Symbol.asyncDispose]();
    await using other = await processWith(
      semaphore,
      `semaphore.acquire().then(() => console.log("acquired"));`,
    );
    await parked();
    semaphore.release();
    assertEquals(await other.line(), "acquired");
    assertEquals((await other.status).code, 0);
  }));

Deno.test("Semaphore: a process that is killed while it waits keeps nobody else from waiting", () =>
  withSemaphore(async (semaphore) => {
    for (let round = scaled(30); round > 0; round--) {
      await using other = await processWith(
        semaphore,
        `semaphore.acquire(); setTimeout(() => console.log("waits"), 5);`,
      );
      assertEquals(await other.line(), "waits");
      await other.kill();
      const acquired = semaphore.acquire(CEILING);
      await parked();
      semaphore.release();
      await acquired;
      assertEquals([semaphore.value, semaphore.tryAcquire()], [0, false]);
    }
  }));

Deno.test("Semaphore: a wake-up that a terminated Worker got keeps nobody waiting for good", () =>
  withSemaphore(async (semaphore) => {
    await using other = await processWith(
      semaphore,
      `const source = \`
         import { Semaphore } from ${MOD};
         Semaphore.open("${semaphore.name}").acquire();
         setTimeout(() => postMessage("waits"), 50);\`;
       const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
       const worker = new Worker(url, { type: "module" });
       await new Promise((resolve) => worker.onmessage = resolve);
       worker.terminate();
       semaphore.acquire().then(() => console.log("acquired"));
       setTimeout(() => console.log("waits"), 20);`,
    );
    assertEquals(await other.line(), "waits");
    semaphore.release();
    await goesOn(other);
  }));

for (const call of ["await semaphore.acquire()", "semaphore.acquireSync()"]) {
  Deno.test(`Semaphore: a wake-up that a busy process got does not keep another from ${call}`, () =>
    withSemaphore(async (semaphore) => {
      await using busy = await processWith(
        semaphore,
        `semaphore.acquire();
         setTimeout(() => { console.log("busy"); for (;;); }, 50);`,
      );
      assertEquals(await busy.line(), "busy");
      await using other = await processWith(semaphore, `${call}; console.log("acquired");`);
      await other.blocked();
      semaphore.release();
      await goesOn(other);
    }));
}

Deno.test("Semaphore: where the kernel cannot wait for several words a timer looks", () =>
  withSemaphore(async (semaphore) => {
    await using other = new TestProcess(`
      import { interceptCalls, setErrno } from "@ipc/core/sys";
      import { Semaphore } from ${MOD};
      interceptCalls((symbol, args, real) =>
        symbol.startsWith("futex_waitv") ? (setErrno(38), -1) : real(...args));
      const semaphore = Semaphore.open("${semaphore.name}");
      console.log("started");
      await semaphore.acquire({ timeout: ${CEILING.timeout} });
      console.log(semaphore.value);`);
    assertEquals(await other.line(), "started");
    await other.blocked();
    semaphore.release();
    assertEquals(await other.line(), "0");
  }));

Deno.test("Semaphore: where libc counts waiters otherwise a timer looks", () =>
  withSemaphore(async (semaphore) => {
    await using other = new TestProcess(`
      Object.defineProperty(Deno, "build", { value: { ...Deno.build, env: "musl" } });
      const { Semaphore } = await import(${MOD});
      const semaphore = Semaphore.open("${semaphore.name}");
      console.log("started");
      await semaphore.acquire({ timeout: ${CEILING.timeout} });
      console.log(semaphore.value);
      await semaphore.acquire({ timeout: 5 }).catch((error) => console.log(error.name));`);
    assertEquals(await other.line(), "started");
    await other.blocked();
    semaphore.release();
    assertEquals([await other.line(), await other.line()], ["0", "TimeoutError"]);
    await until(() => semaphore.value === 0);
  }));
