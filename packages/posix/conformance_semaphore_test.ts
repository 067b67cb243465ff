/** What libc does with semaphores, at `@ipc/posix/sys`. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClosedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { Semaphore } from "./mod.ts";
import {
  constants,
  type Sem,
  sem_close,
  sem_getvalue,
  sem_open,
  sem_post,
  sem_timedwait,
  sem_trywait,
  sem_unlink,
  sem_wait,
} from "./sys.ts";
import { Cases, code } from "../core/testdata/cases.ts";
import { TestProcess } from "./testdata/process.ts";
import { fileOf, SYS, withName } from "./testdata/semaphores.ts";

leakCheck();

const { O_CREAT, O_EXCL, SEM_VALUE_MAX } = constants;
const cases = new Cases("posix-sem", new URL("testdata/conformance.json", import.meta.url));

/** Runs a test with a new semaphore. */
function withSem(value: number, test: (sem: Sem, name: string) => unknown): Promise<void> {
  return withName(async (name) => {
    const sem = sem_open(name, O_CREAT | O_EXCL, 0o600, value);
    try {
      await test(sem, name);
    } finally {
      sem_close(sem);
    }
  });
}

/** Another process with the semaphore as `sem`; it says "ready" and then stays. */
async function otherWith(name: string, source: string): Promise<TestProcess> {
  const process = new TestProcess(`
    import { sem_open, sem_post, sem_trywait, sem_wait } from ${SYS};
    const sem = sem_open("${name}", 0);
    console.log("ready");
    ${source}
    setInterval(() => {}, 1000);`);
  assertEquals(await process.line(), "ready");
  return process;
}

/** A moment that is so many milliseconds away. */
function inMilliseconds(milliseconds: number): { sec: number; nsec: number } {
  const moment = Date.now() + milliseconds;
  return { sec: Math.floor(moment / 1000), nsec: moment % 1000 * 1e6 };
}

cases.test("PSEM-001", () =>
  withName((name) => {
    assertEquals(code(() => sem_open(name, 0)), "ENOENT");
  }));

cases.test("PSEM-002", () =>
  withSem(0, (_sem, name) => {
    assertEquals(code(() => sem_open(name, O_CREAT | O_EXCL, 0o600, 0)), "EEXIST");
  }));

cases.test("PSEM-003", () =>
  withSem(1, (sem, name) => {
    const same = sem_open(name, O_CREAT, 0o600, 9);
    assertEquals(sem_getvalue(same), 1);
    sem_post(same);
    assertEquals(sem_getvalue(sem), 2);
    sem_close(same);
  }));

cases.test("PSEM-004", () =>
  withName((name) => {
    assertEquals(code(() => sem_open(name, O_CREAT, 0o600, SEM_VALUE_MAX + 1)), "EINVAL");
    assertEquals(code(() => sem_open(name, 0)), "ENOENT");
    assertThrows(() => Semaphore.create(name, { initial: SEM_VALUE_MAX + 1 }), RangeError);
  }));

cases.test("PSEM-005", () => withSem(42, (sem) => assertEquals(sem_getvalue(sem), 42)));

cases.test("PSEM-006", () =>
  withSem(0, (sem) => {
    assertEquals(code(() => sem_trywait(sem)), "EAGAIN");
    assertEquals(sem_getvalue(sem), 0);
  }));

cases.test("PSEM-007", () =>
  withSem(0, (sem) => {
    const start = performance.now();
    assertEquals(code(() => sem_timedwait(sem, inMilliseconds(50))), "ETIMEDOUT");
    // The two clocks round.
    assert(performance.now() - start > 48);
    sem_post(sem);
    sem_timedwait(sem, inMilliseconds(-1000));
    assertEquals(sem_getvalue(sem), 0);
  }));

cases.test("PSEM-009", () =>
  withSem(0, (sem) => {
    for (const nsec of [-1, 1e9]) assertEquals(code(() => sem_timedwait(sem, { sec: 1, nsec })), "EINVAL");
  }));

cases.test("PSEM-011", () =>
  withSem(0, async (sem, name) => {
    const waiting = `sem_wait(sem); console.log("done");`;
    const others = [
      await otherWith(name, waiting),
      await otherWith(name, waiting),
      await otherWith(name, waiting),
    ];
    await using stack = new AsyncDisposableStack();
    others.forEach((other) => stack.use(other));
    await Promise.all(others.map((other) => other.blocked()));
    const done: number[] = [];
    const lines = others.map((other, index) => other.line().then(() => done.push(index)));
    for (let posts = 1; posts <= 3; posts++) {
      sem_post(sem);
      await Promise.race(lines.filter((_, index) => !done.includes(index)));
      await Promise.all(others.filter((_, index) => !done.includes(index)).map((other) => other.blocked()));
      assertEquals([done.length, sem_getvalue(sem)], [posts, 0]);
    }
  }));

cases.test("PSEM-012", () =>
  withSem(0, (sem, name) => {
    sem_unlink(name);
    sem_post(sem);
    sem_wait(sem);
    assertEquals(code(() => sem_open(name, 0)), "ENOENT");
  }));

cases.test("PSEM-013", () =>
  withName((name) => {
    assertEquals(code(() => sem_unlink(name)), "ENOENT");
  }));

cases.test("PSEM-016", () =>
  withSem(1, async (sem, name) => {
    await using holder = await otherWith(name, `sem_wait(sem); console.log("held");`);
    assertEquals(await holder.line(), "held");
    await holder.kill();
    assertEquals(code(() => sem_trywait(sem)), "EAGAIN");
  }));

cases.test("PSEM-018", () =>
  withName((name) => {
    const semaphore = Semaphore.create(name, { initial: 1 });
    semaphore.close();
    const calls = [
      () => semaphore.acquireSync(),
      () => semaphore.tryAcquire(),
      () => semaphore.release(),
      () => semaphore.value,
      () => semaphore.unlink(),
    ];
    for (const call of calls) assertThrows(call, ClosedError);
  }));

cases.test("PSEM-019", () =>
  withName((name) => {
    const target = Deno.makeTempFileSync();
    try {
      Deno.writeTextFileSync(target, "untouched");
      Deno.symlinkSync(target, fileOf(name));
      assertEquals(code(() => sem_open(name, O_CREAT, 0o600, 1)), "ELOOP");
      assertEquals(Deno.readTextFileSync(target), "untouched");
    } finally {
      Deno.removeSync(target);
    }
  }));

cases.test("PSEM-020", () =>
  withSem(1, async (sem, name) => {
    const rounds = scaled(100_000);
    const counter = await Deno.makeTempFile();
    try {
      await Deno.writeFile(counter, new Uint8Array(8));
      // Neither reads and writes as one: only the semaphore keeps them apart.
      const count = `
        const file = Deno.openSync("${counter}", { read: true, write: true });
        const words = new BigInt64Array(1);
        const bytes = new Uint8Array(words.buffer);
        for (let round = 0; round < ${rounds}; round++) {
          sem_wait(sem);
          file.seekSync(0, 0);
          file.readSync(bytes);
          words[0]++;
          file.seekSync(0, 0);
          file.writeSync(bytes);
          sem_post(sem);
        }
        console.log("counted");`;
      await using one = await otherWith(name, count);
      await using other = await otherWith(name, count);
      assertEquals([await one.line(), await other.line()], ["counted", "counted"]);
      const total = new BigInt64Array(Deno.readFileSync(counter).buffer)[0];
      assertEquals([total, sem_getvalue(sem)], [BigInt(2 * rounds), 1]);
    } finally {
      await Deno.remove(counter);
    }
  }));

cases.complete();
