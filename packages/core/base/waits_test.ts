import { assertEquals } from "@std/assert";
import { leakCheck } from "../testing/mod.ts";
import { Waits } from "./waits.ts";

leakCheck();

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A line that is parked until `wake` is called. */
function parked(): { line: Waits; wake: () => void; parks: () => number } {
  let wake = () => {};
  let parks = 0;
  const line = new Waits({
    action: "wait",
    park(call) {
      parks++;
      wake = call;
      return () => wake = () => {};
    },
  });
  return { line, wake: () => wake(), parks: () => parks };
}

Deno.test("Waits: one that only looks is told, whoever before it looks for something else", async () => {
  const { line, wake } = parked();
  let state = 0;
  const look = (wanted: number) => line.take(() => state >= wanted || undefined, { watching: true });
  const [late, soon] = [look(2), look(1)];
  for (let round = 0; round < 100; round++) await turn();
  state = 1;
  wake();
  assertEquals(await soon, true);
  assertEquals(line.length, 1);
  state = 2;
  wake();
  assertEquals(await late, true);
});

Deno.test("Waits: those that take are served in their order, and one that finds nothing is not overtaken", async () => {
  const { line, wake } = parked();
  let permits = 0;
  const served: number[] = [];
  const take = (count: number) =>
    line.take(() => permits >= count ? (permits -= count, served.push(count), true) : undefined);
  const calls = [take(2), take(1)];
  for (let round = 0; round < 100; round++) await turn();
  permits = 1;
  wake();
  await turn();
  assertEquals([served, permits], [[], 1]);
  permits = 3;
  wake();
  await Promise.all(calls);
  assertEquals(served, [2, 1]);
});

Deno.test("Waits: a call for which there is something gets it, also where one before it is parked", async () => {
  const { line, wake, parks } = parked();
  let ready = false;
  const other = line.take(() => ready || undefined, { watching: true });
  while (parks() === 0) await turn();
  // One of 256 does not look before a turn of the event loop.
  for (let call = 0; call < 600; call++) {
    assertEquals(await line.take(() => call, { watching: true }), call);
  }
  ready = true;
  wake();
  assertEquals(await other, true);
});

Deno.test("Waits: those behind one that gives up are looked at, whatever it waited for", async () => {
  for (const how of ["abort", "timeout", "give up"]) {
    const { line } = parked();
    let permits = 2;
    const take = (count: number) => () => permits >= count ? (permits -= count, count) : undefined;
    const controller = new AbortController();
    const options = how === "abort"
      ? { signal: controller.signal }
      : how === "timeout"
      ? { timeout: 20 }
      : {};
    const much = line.wait(take(5), options);
    const little = line.take(take(1));
    const outcome = much.promise.then(() => "given up", (error) => error.name);
    for (let round = 0; round < 100; round++) await turn();
    controller.abort();
    if (how === "give up") much.giveUp();
    assertEquals(await little, 1, how);
    assertEquals(await outcome, { abort: "AbortError", timeout: "TimeoutError" }[how] ?? "given up");
  }
});

Deno.test("Waits: what the last look of one brings besides, those behind it get", async () => {
  const { line } = parked();
  const come: number[] = [];
  const take = () => come.shift();
  // Nobody wakes the line: only the last look of the first, whose time is over right after that, finds them.
  setTimeout(() => come.push(1, 2), 20);
  const first = line.take(take, { timeout: 20 });
  const second = line.take(take);
  assertEquals([await first, await second], [1, 2]);
});
