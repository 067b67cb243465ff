import { assert, assertEquals } from "@std/assert";
import { runChild } from "../testdata/child.ts";
import { leakCheck } from "../testing/mod.ts";
import { lookAgain } from "./look_again.ts";

leakCheck();

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

Deno.test("lookAgain wakes once, later, and only who has seen something", async () => {
  const woken: number[] = [];
  let threshold = 0;
  const giveUps = [1, 2, 3].map((number) => lookAgain(() => number <= threshold, () => woken.push(number)));
  await pause(20);
  assertEquals(woken, []);
  threshold = 2;
  assertEquals(woken, []);
  while (woken.length < 2) await pause(1);
  await pause(10);
  assertEquals(woken, [1, 2]);
  giveUps.forEach((giveUp) => giveUp());
});

Deno.test("lookAgain: what was given up is not woken, even by a wake-up of the same look", async () => {
  const woken: string[] = [];
  let seen = false;
  const giveUps: (() => void)[] = [];
  for (const name of ["first", "second"]) {
    giveUps.push(lookAgain(() => seen, () => {
      woken.push(name);
      giveUps.forEach((giveUp) => giveUp());
    }));
  }
  const other = lookAgain(() => seen, () => woken.push("given up"));
  other();
  other();
  seen = true;
  while (woken.length === 0) await pause(1);
  await pause(10);
  assertEquals(woken, ["first"]);
});

Deno.test("lookAgain: a wake-up may begin another wait", async () => {
  let rounds = 0;
  await new Promise<void>((resolve) => {
    const next = () => ++rounds === 20 ? resolve() : void lookAgain(() => true, next);
    next();
  });
  assertEquals(rounds, 20);
});

Deno.test("lookAgain keeps the process alive until the wait is over or given up", async () => {
  const { code, stdout } = await runChild(`
    import { lookAgain } from "@core/sys/mod.ts";
    const start = performance.now();
    lookAgain(() => false, () => {})();
    lookAgain(() => performance.now() - start > 100, () => console.log("woken"));`);
  assertEquals([code, stdout], [0, "woken\n"]);
});

Deno.test("lookAgain begins anew to look often when a wait is added, without ever putting a look off", async () => {
  const never = lookAgain(() => false, () => {});
  try {
    await pause(50);
    let looks = 0;
    let more = true;
    const begin = () => {
      const giveUp = lookAgain(() => (looks++, false), () => {});
      setTimeout(() => (giveUp(), more && begin()), 0);
    };
    begin();
    await pause(100);
    more = false;
    await pause(10);
    assert(looks > 0, "waits that come and go all the time are never looked at");
  } finally {
    never();
  }
});
