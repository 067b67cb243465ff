/** Waiting for words, between processes too. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClosedError, IpcError } from "../errors.ts";
import { scaled } from "../testdata/child.ts";
import { blocked, settled, until, Words } from "../testdata/words.ts";
import { leakCheck } from "../testing/mod.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { check } from "./errno.ts";
import { OwnedFd } from "./fd.ts";
import { Mapping } from "./mapping.ts";
import { blockOnWord, waitForWord, wakeWord, wordDiagnostics } from "./word_waiter.ts";

leakCheck();

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A wait that counts how often it is woken. */
function count(mapping: Mapping, offset: number, expected: number) {
  const wait = { woken: 0, giveUp: () => {} };
  wait.giveUp = waitForWord(mapping, offset, expected, () => wait.woken++);
  return wait;
}

Deno.test("waitForWord: another process changes the word and wakes who waits for it", async () => {
  using shared = new Words();
  const wait = count(shared.mapping, 40, 0);
  const other = count(shared.mapping, 44, 0);
  await pause(20);
  assertEquals([wait.woken, wordDiagnostics().parked + wordDiagnostics().looked], [0, 2]);
  const { stdout } = await shared.run(`words[10] = 7; console.log(wakeWord(mapping, 40, Infinity));`);
  await until(() => wait.woken > 0);
  assert(Number(stdout) <= 1);
  await pause(10);
  assertEquals([wait.woken, other.woken, shared.words[10]], [1, 0, 7]);
  other.giveUp();
  await settled();
});

Deno.test("waitForWord: a word that has changed already is seen at once, and without a wake-up", async () => {
  using shared = new Words();
  shared.words[0] = -1;
  const before = count(shared.mapping, 0, 0);
  const unsigned = count(shared.mapping, 0, 0xffff_ffff);
  const signed = count(shared.mapping, 0, -1);
  const after = count(shared.mapping, 4, 0);
  // Before the kernel has been asked.
  Atomics.store(shared.words, 1, 1);
  await until(() => before.woken + after.woken === 2);
  await pause(10);
  assertEquals([unsigned.woken, signed.woken], [0, 0]);
  unsigned.giveUp();
  signed.giveUp();
  await settled();
});

Deno.test("waitForWord: what was given up is not woken, nor waited for by the kernel", async () => {
  using shared = new Words();
  const waits = Array.from({ length: 10 }, () => count(shared.mapping, 0, 0));
  await pause(10);
  for (const wait of waits) {
    wait.giveUp();
    wait.giveUp();
  }
  await settled();
  Atomics.store(shared.words, 0, 1);
  assertEquals(wakeWord(shared.mapping, 0, Infinity), 0);
  await pause(10);
  assertEquals(waits.filter(({ woken }) => woken > 0).length, 0);
});

Deno.test("waitForWord: a wake-up that came while its wait was given up goes on to another process", async () => {
  for (let round = scaled(10); round > 0; round--) {
    using shared = new Words();
    const wait = count(shared.mapping, 0, 0);
    await pause(5);
    const running = shared.run(`
      words[1] = Deno.pid;
      while (words[0] === 0) blockOnWord(mapping, 0, 0, 20_000) || Deno.exit(1);
      console.log("woken");`);
    await until(() => Atomics.load(shared.words, 1) !== 0);
    await blocked(shared.words[1]!);
    Atomics.store(shared.words, 0, 1);
    // The first in the kernel's line is ours.
    assertEquals(wakeWord(shared.mapping, 0), 1);
    wait.giveUp();
    assertEquals((await running).stdout, "woken\n");
    assertEquals(wait.woken, 0);
    await settled();
  }
});

Deno.test("waitForWord: a wake-up may give other waits up and begin new ones", async () => {
  using shared = new Words();
  let woken = 0;
  let last = 0;
  const giveUps: (() => void)[] = [];
  for (let index = 0; index < 5; index++) {
    giveUps.push(waitForWord(shared.mapping, 4 * index, 0, () => {
      woken++;
      giveUps.forEach((giveUp) => giveUp());
      waitForWord(shared.mapping, 400, 0, () => last++);
    }));
  }
  await pause(10);
  for (let index = 0; index < 5; index++) Atomics.store(shared.words, index, 1);
  for (let index = 0; index < 5; index++) wakeWord(shared.mapping, 4 * index);
  await until(() => woken === 1);
  await pause(10);
  assertEquals([woken, last], [1, 0]);
  Atomics.store(shared.words, 100, 1);
  wakeWord(shared.mapping, 400);
  await until(() => last === 1);
  await settled();
});

Deno.test("waitForWord: two processes take turns, one of them blocked", async () => {
  using shared = new Words();
  const rounds = scaled(5000);
  const running = shared.run(`
    for (let round = 0; round < ${rounds}; round++) {
      while (Atomics.load(words, 0) === round) blockOnWord(mapping, 0, round, 20_000) || Deno.exit(1);
      Atomics.add(words, 1, 1);
      wakeWord(mapping, 4);
    }`);
  for (let round = 0; round < rounds; round++) {
    Atomics.add(shared.words, 0, 1);
    wakeWord(shared.mapping, 0);
    while (Atomics.load(shared.words, 1) === round) {
      await new Promise<void>((resolve) => waitForWord(shared.mapping, 4, round, resolve));
    }
  }
  assertEquals((await running).code, 0);
});

Deno.test("waitForWord: memory that is closed while it is waited for harms nobody, and the wait ends", async () => {
  for (const wake of [true, false]) {
    using shared = new Words();
    const wait = count(shared.mapping, 0, 0);
    await pause(10);
    shared.mapping.close();
    if (wake) {
      // Whatever ends the call, it is seen that the memory is gone.
      using other = Mapping.anonymous(4096);
      count(other, 0, 0).giveUp();
      await until(() => wait.woken === 1);
    }
    // Without a reason to it is looked at every second.
    await until(() => wait.woken === 1);
    wait.giveUp();
    await settled();
  }
});

Deno.test("waitForWord: a change of which nobody tells is seen all the same", async () => {
  using shared = new Words();
  const wait = count(shared.mapping, 0, 0);
  await pause(20);
  Atomics.store(shared.words, 0, 1);
  await until(() => wait.woken === 1);
  await settled();
});

Deno.test("waitForWord keeps the process alive while it waits, and no longer", async () => {
  using shared = new Words();
  const running = shared.run(`
    waitForWord(mapping, 4, 0, () => {})();
    waitForWord(mapping, 0, 0, () => console.log("woken"));
    words[2] = 1;`);
  await until(() => Atomics.load(shared.words, 2) === 1);
  await pause(100);
  Atomics.store(shared.words, 0, 1);
  wakeWord(shared.mapping, 0);
  const { code, stdout, stderr } = await running;
  assertEquals([code, stdout, stderr], [0, "woken\n", ""]);
});

Deno.test("Deno.exit and an error that nobody catches end a process that waits", async () => {
  using shared = new Words();
  for (
    const [statement, expected] of [["Deno.exit(7)", 7], ["throw new Error('On purpose')", 1]] as const
  ) {
    const { code } = await shared.run(`
      waitForWord(mapping, 0, 0, () => {});
      setTimeout(() => { ${statement}; }, 20);`);
    assertEquals(code, expected);
  }
});

Deno.test("waitForWord: FFI is all that it needs", async () => {
  using shared = new Words();
  const { code, stderr } = await shared.run(
    `
    await new Promise((resolve) => { waitForWord(mapping, 0, 0, resolve); words[0] = 1; });
    if (blockOnWord(mapping, 4, 0, 1)) Deno.exit(1);`,
    { flags: ["--allow-ffi", "--allow-import", "--no-prompt"] },
  );
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("blockOnWord returns when the word has changed, when it is woken, and when the time is over", async () => {
  using shared = new Words();
  assertEquals(blockOnWord(shared.mapping, 0, 1), true);
  assertEquals(blockOnWord(shared.mapping, 0, 0, 0), false);
  const start = performance.now();
  assertEquals(blockOnWord(shared.mapping, 0, 0, 30.5), false);
  assert(performance.now() - start > 29);
  assertEquals(blockOnWord(shared.mapping, 0, 1, Infinity), true);
  const running = shared.run(`
    words[1] = 1;
    while (wakeWord(mapping, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));`);
  await until(() => Atomics.load(shared.words, 1) === 1);
  assertEquals(blockOnWord(shared.mapping, 0, 0, 20_000), true);
  assertEquals((await running).code, 0);
});

Deno.test("words are where they are said to be, and numbers are checked before any call", () => {
  using mapping = Mapping.anonymous(16);
  for (const offset of [-4, 1, 2, 3, 14, 16, 0.5, NaN, Infinity]) {
    assertThrows(() => waitForWord(mapping, offset, 0, () => {}), RangeError, `at byte ${offset}`);
    assertThrows(() => wakeWord(mapping, offset), RangeError);
    assertThrows(() => blockOnWord(mapping, offset, 0, 0), RangeError);
  }
  for (const timeout of [-1, NaN]) assertThrows(() => blockOnWord(mapping, 0, 0, timeout), RangeError);
  for (const most of [0, -1, NaN]) assertThrows(() => wakeWord(mapping, 0, most), RangeError);
  assertEquals(blockOnWord(mapping, 12, 1, 1e300), true);
});

Deno.test("words that are not aligned in memory are refused, and do not disturb other waits", async () => {
  using shared = new Words();
  using file = new OwnedFd(
    check(libc.open(cString(shared.path), abi.O_RDWR | abi.O_CLOEXEC, 0), "open", "open"),
  );
  using odd = Mapping.map(file.fd, { offset: 6 });
  const wait = count(shared.mapping, 0, 0);
  assertThrows(() => waitForWord(odd, 0, 0, () => {}), RangeError, "not a multiple of 4");
  assertThrows(() => blockOnWord(odd, 0, 0), IpcError);
  assertThrows(() => wakeWord(odd, 0), IpcError);
  await pause(10);
  Atomics.store(shared.words, 0, 1);
  wakeWord(shared.mapping, 0);
  await until(() => wait.woken === 1);
  await settled();
});

Deno.test("words of a mapping that was closed or transferred away cannot be waited for", () => {
  const closed = Mapping.anonymous(16);
  closed.close();
  using transferred = Mapping.anonymous(16);
  transferred.buffer.transfer();
  for (const [mapping, error] of [[closed, ClosedError], [transferred, RangeError]] as const) {
    assertThrows(() => waitForWord(mapping, 0, 0, () => {}), error);
    assertThrows(() => wakeWord(mapping, 0), error);
    assertThrows(() => blockOnWord(mapping, 0, 0), error);
  }
});

Deno.test("words that are mapped for reading can be waited for, and nobody can be woken there", async () => {
  using shared = new Words();
  using file = new OwnedFd(
    check(libc.open(cString(shared.path), abi.O_RDONLY | abi.O_CLOEXEC, 0), "open", "open"),
  );
  using reading = Mapping.map(file.fd, { access: "read" });
  assertEquals(blockOnWord(reading, 0, 0, 1), false);
  const wait = count(reading, 0, 0);
  await pause(10);
  assertThrows(() => wakeWord(reading, 0), TypeError, "for reading");
  Atomics.store(shared.words, 0, 1);
  wakeWord(shared.mapping, 0);
  await until(() => wait.woken === 1);
  await settled();
});
