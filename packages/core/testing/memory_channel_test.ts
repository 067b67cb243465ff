import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { BrokenPipeError, NotSupportedError, TimeoutError, TruncatedError } from "../errors.ts";
import { lines } from "../framing/delimited.ts";
import { memoryChannel } from "./memory_channel.ts";
import { pattern, turn } from "./_trial.ts";
import { Random } from "./_random.ts";
import { Wire } from "./_wire.ts";

/** How a wire of this seed cuts what is written and read at once. */
function cuts(seed: number): { written: number[]; read: number[] } {
  const wire = new Wire(new Random(seed), 1000, Infinity);
  const written: number[] = [];
  const read: number[] = [];
  const target = new Uint8Array(5000);
  for (
    let left = 3000, looks = 0;
    read.reduce((sum, count) => sum + count, 0) < 3000 && looks < 1e6;
    looks++
  ) {
    const count = left === 0 ? 0 : wire.write(new Uint8Array(left));
    if (count > 0) written.push(count);
    left -= count;
    const got = wire.read(target)!;
    if (got > 0) read.push(got);
  }
  return { written, read };
}

Deno.test("memoryChannel does the same again with the same seed", () => {
  const seeds = [1, 2, 3, 4, 5];
  assertEquals(seeds.map(cuts), seeds.map(cuts));
  assertEquals(new Set(seeds.map((seed) => JSON.stringify(cuts(seed)))).size, seeds.length);
});

Deno.test("memoryChannel cuts and merges what is written", () => {
  const all = Array.from({ length: 20 }, (_, seed) => cuts(seed));
  assert(all.some(({ written }) => written.length > 5), "nothing is cut");
  assert(all.some(({ written, read }) => read.length < written.length), "nothing is merged");
});

Deno.test("memoryChannel takes no more than its capacity", async () => {
  const { sender, receiver } = memoryChannel({ seed: 1, capacity: 100 });
  for (let count = 0; count < 10; count++) assert(sender.trySend(new Uint8Array(6)));
  assertEquals(sender.trySend(new Uint8Array(6)), false);
  for (let count = 0; count < 10; count++) assertEquals((await receiver.receive())?.byteLength, 6);
  sender.close();
  receiver.close();
});

Deno.test("memoryChannel dies at any byte of three messages, and delivers those before it", async () => {
  const messages = [pattern(1, 0), pattern(2, 9), pattern(3, 30)];
  const starts = [0, 4, 17, 51];
  for (let dieAt = 0; dieAt <= 51; dieAt++) {
    const { sender, receiver } = memoryChannel({ seed: dieAt, dieAt });
    const sending = Promise.allSettled([...messages.map((message) => sender.send(message)), sender.end()]);
    const whole = starts.filter((start) => start > 0 && start <= dieAt).length;
    for (let index = 0; index < whole; index++) assertEquals(await receiver.receive(), messages[index]);
    if (!starts.includes(dieAt)) await assertRejects(() => receiver.receive(), TruncatedError);
    assertEquals(await receiver.receive(), undefined);
    const outcomes = await sending;
    for (const [index, outcome] of outcomes.slice(0, 3).entries()) {
      assertEquals(outcome.status, index < whole ? "fulfilled" : "rejected");
      if (outcome.status === "rejected") assertInstanceOf(outcome.reason, BrokenPipeError);
    }
    sender.close();
    receiver.close();
  }
});

Deno.test("memoryChannel truncates under other framings", async () => {
  const { sender, receiver, truncate } = memoryChannel({ seed: 1, framing: lines() });
  await sender.send(new TextEncoder().encode("whole"));
  truncate();
  assertEquals(new TextDecoder().decode(await receiver.receive()), "whole");
  await assertRejects(() => receiver.receive(), TruncatedError);
  receiver.close();
});

Deno.test("memoryChannel delays what was sent", async () => {
  let late = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { sender, receiver } = memoryChannel({ seed });
    await sender.send(new Uint8Array(1));
    let message = receiver.tryReceive();
    if (message === undefined) late++;
    while (message === undefined) {
      await turn();
      message = receiver.tryReceive();
    }
    sender.close();
    receiver.close();
  }
  assertGreater(late, 0);
});

Deno.test("memoryChannel has no thread to block", () => {
  const { sender, receiver } = memoryChannel({ seed: 1, capacity: 256 });
  assertThrows(() => receiver.receiveSync({ timeout: 0 }), TimeoutError);
  assertThrows(() => receiver.receiveSync(), NotSupportedError);
  assertThrows(() => sender.sendSync(new Uint8Array(1000)), NotSupportedError);
  receiver.close();
  sender.close();
});
