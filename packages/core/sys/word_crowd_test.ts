/** Very many words waited for at once, and kernels that cannot wait for several. */

import { assert, assertEquals } from "@std/assert";
import { scaled } from "../testdata/child.ts";
import { settled, until, Words } from "../testdata/words.ts";
import { leakCheck } from "../testing/mod.ts";
import { ERRNO } from "../errno.ts";
import { hasFutexWaitv } from "./_word_vector.ts";
import { waitForWord, wakeWord, wordDiagnostics } from "./word_waiter.ts";

leakCheck();

const several = hasFutexWaitv();
const MANY = 1000;
const PLACES = 254;

Deno.test("1,000 words: two threads wait for 254, a timer looks at the rest, and files are read as ever", async () => {
  using shared = new Words(MANY + 1);
  const woken = new Set<number>();
  for (let index = 0; index < MANY; index++) {
    waitForWord(shared.mapping, 4 * index, 0, () => woken.add(index));
  }
  const parked = several ? PLACES : 0;
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(wordDiagnostics(), { poolThreads: several ? 2 : 0, parked, looked: MANY - parked });
  await Promise.all(Array.from({ length: 64 }, () => Deno.readTextFile(shared.path)));
  assertEquals(woken.size, 0);
  for (const index of [0, 126, 127, 253, 254, 999]) {
    Atomics.store(shared.words, index, 1);
    wakeWord(shared.mapping, 4 * index);
    await until(() => woken.has(index));
  }
  assertEquals(woken.size, 6);
  await until(() => wordDiagnostics().parked === parked);
  // Who comes last is waited for by the kernel, which wakes it without a change.
  if (several) {
    waitForWord(shared.mapping, 4 * MANY, 0, () => woken.add(MANY));
    await until(() => wakeWord(shared.mapping, 4 * MANY) === 1);
    await until(() => woken.delete(MANY));
  }
  for (let index = 0; index < MANY; index++) {
    Atomics.store(shared.words, index, 1);
    wakeWord(shared.mapping, 4 * index);
  }
  await until(() => woken.size === MANY);
  await settled();
});

Deno.test("1,000 waits for one word are woken together, and given up together", async () => {
  using shared = new Words();
  let woken = 0;
  const begin = (offset: number) => waitForWord(shared.mapping, offset, 0, () => woken++);
  const giveUps = Array.from({ length: MANY }, (_, index) => begin(4 * (index % 2)));
  Atomics.store(shared.words, 0, 1);
  wakeWord(shared.mapping, 0, Infinity);
  await until(() => woken === MANY / 2);
  for (const giveUp of giveUps) giveUp();
  await settled();
  assertEquals(woken, MANY / 2);
});

Deno.test("words change at random while waits come and go, and no change is missed", async () => {
  using shared = new Words();
  const words = 400;
  const running = shared.run(`
    for (let left = ${scaled(100_000)}; left > 0; left--) {
      const index = Math.floor(Math.random() * ${words});
      Atomics.add(words, index, 1);
      wakeWord(mapping, 4 * index, Infinity);
      if (left % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    Atomics.store(words, ${words}, 1);`);
  const seen = new Int32Array(words);
  let over = false;
  const follow = async (index: number) => {
    while (!over) {
      const expected = seen[index]!;
      let patience: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        const giveUp = waitForWord(shared.mapping, 4 * index, expected, resolve);
        // Some lose patience, and come back.
        if (Math.random() < 0.3) patience = setTimeout(() => (giveUp(), resolve()), Math.random() * 5);
      });
      clearTimeout(patience);
      seen[index] = Atomics.load(shared.words, index);
    }
  };
  const following = Array.from({ length: words }, (_, index) => follow(index));
  assertEquals((await running).code, 0);
  await until(() => seen.every((value, index) => value === Atomics.load(shared.words, index)));
  assert(seen.some((value) => value > 0));
  over = true;
  for (let index = 0; index < words; index++) {
    Atomics.add(shared.words, index, 1);
    wakeWord(shared.mapping, 4 * index, Infinity);
  }
  await Promise.all(following);
  await settled();
});

/** The kernel as it is elsewhere; `calls` counts the calls that park. */
const KERNELS: Record<string, string> = {
  "has no futex_waitv": `
    interceptCalls((symbol, args, real) =>
      symbol.startsWith("futex_waitv") ? (setErrno(${ERRNO.ENOSYS}), -1) : real(...args));`,
  "has it forbidden": `
    interceptCalls((symbol, args, real) =>
      symbol.startsWith("futex_waitv") ? (setErrno(${ERRNO.EPERM}), -1) : real(...args));`,
  "stops waiting later": `
    let calls = 0;
    interceptCalls((symbol, args, real) => {
      if (symbol === "futex_waitv_parked") return Promise.resolve(-1);
      return symbol === "futex_waitv" && calls++ > 0 ? (setErrno(${ERRNO.ENOMEM}), -1) : real(...args);
    });`,
};

for (const [name, kernel] of Object.entries(KERNELS)) {
  Deno.test(`waitForWord where the kernel ${name}: a timer looks`, async () => {
    using shared = new Words();
    const running = shared.run(`
      ${kernel}
      const giveUp = waitForWord(mapping, 8, 0, () => console.log("given up"));
      waitForWord(mapping, 0, 0, () => {
        console.log("woken", JSON.stringify(wordDiagnostics()));
        giveUp();
        waitForWord(mapping, 4, 0, () => console.log("again"));
        words[1] = 1;
      });
      setTimeout(() => words[3] = 1, 20);`);
    await until(() => Atomics.load(shared.words, 3) === 1);
    Atomics.store(shared.words, 0, 1);
    const { code, stdout, stderr } = await running;
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout, 'woken {"poolThreads":0,"parked":0,"looked":1}\nagain\n');
  });
}

Deno.test("waitForWord goes on where a call ends for nothing, as signals make it", async () => {
  using shared = new Words();
  const running = shared.run(`
    let calls = 0;
    interceptCalls((symbol, args, real) =>
      symbol === "futex_waitv_parked" && ++calls < 50 ? Promise.resolve(-1) : real(...args));
    waitForWord(mapping, 0, 0, () => console.log("woken", calls));
    setTimeout(() => words[3] = 1, 100);`);
  await until(() => Atomics.load(shared.words, 3) === 1);
  Atomics.store(shared.words, 0, 1);
  wakeWord(shared.mapping, 0);
  assertEquals((await running).stdout, several ? "woken 50\n" : "woken 0\n");
});
