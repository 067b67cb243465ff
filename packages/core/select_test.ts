import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import * as fc from "fast-check";
import {
  type Bytes,
  ClosedError,
  DecodeError,
  merge,
  type Receiver,
  select,
  text,
  TimeoutError,
  typed,
  type WaitOptions,
} from "@ipc/core";
import { memoryChannel } from "@ipc/core/testing";

const SCALE = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);
const byte = (value: number): Bytes => new Uint8Array([value]);

/** A receiver that cannot say when a message is there: a foreign one, with nothing but the contract. */
function foreign(receiver: Receiver): Receiver {
  return {
    receive: (options) => receiver.receive(options),
    receiveBatch: (options) => receiver.receiveBatch(options),
    get ended() {
      return receiver.ended;
    },
    get readable() {
      return receiver.readable;
    },
    close: () => receiver.close(),
    [Symbol.asyncIterator]: () => receiver[Symbol.asyncIterator](),
    [Symbol.dispose]: () => receiver[Symbol.dispose](),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

for (const [kind, wrap] of [["ours", (r: Receiver) => r], ["foreign", foreign]] as const) {
  const open = (seed?: number) => {
    const { sender, receiver } = memoryChannel(seed === undefined ? { capacity: 1 << 16 } : { seed });
    return { sender, receiver: wrap(receiver) };
  };

  Deno.test(`select (${kind}): takes the message that is there, or the first that comes`, async () => {
    const a = open();
    const b = open();
    await b.sender.send(byte(1));
    assertEquals(await select({ a: a.receiver, b: b.receiver }), { from: "b", message: byte(1) });
    const pending = select({ a: a.receiver, b: b.receiver }, { timeout: 60_000 });
    await a.sender.send(byte(2));
    assertEquals(await pending, { from: "a", message: byte(2) });
    for (const end of [a.sender, a.receiver, b.sender, b.receiver]) end.close();
  });

  Deno.test(`select (${kind}): takes exactly one where both have one`, async () => {
    const a = open();
    const b = open();
    const pending = select({ a: a.receiver, b: b.receiver });
    await Promise.all([a.sender.send(byte(1)), b.sender.send(byte(2))]);
    const seen = [await pending, await select({ a: a.receiver, b: b.receiver })];
    assertEquals(seen.map(({ from }) => from).sort(), ["a", "b"]);
    assertEquals(seen.map(({ message }) => message?.[0]).sort(), [1, 2]);
    await assertRejects(() => select({ a: a.receiver, b: b.receiver }, { timeout: 0 }), TimeoutError);
    for (const end of [a.sender, a.receiver, b.sender, b.receiver]) end.close();
  });

  Deno.test(`select (${kind}): the end is selected as undefined`, async () => {
    const a = open();
    const b = open();
    const pending = select({ a: a.receiver, b: b.receiver });
    await a.sender.end();
    assertEquals(await pending, { from: "a", message: undefined });
    b.receiver.close();
    assertEquals(await b.receiver.receive().catch((error) => error.name), "ClosedError");
    await assertRejects(() => select({ b: b.receiver }), ClosedError);
    for (const end of [a.sender, a.receiver, b.sender]) end.close();
  });

  Deno.test(`select (${kind}): closing a channel meanwhile ends the wait`, async () => {
    const a = open();
    const pending = select({ a: a.receiver }, { timeout: 60_000 });
    a.receiver.close();
    const outcome = await pending.catch((error) => error);
    assert(outcome instanceof ClosedError || outcome.message === undefined);
    a.sender.close();
  });

  Deno.test(`select (${kind}): abort and timeout take nothing`, async () => {
    const a = open();
    const b = open();
    const channels = { a: a.receiver, b: b.receiver };
    const controller = new AbortController();
    const pending = select(channels, { signal: controller.signal });
    controller.abort("enough");
    assertEquals(await pending.catch((reason) => reason), "enough");
    assertEquals(await select(channels, { signal: controller.signal }).catch((reason) => reason), "enough");
    await assertRejects(() => select(channels, { timeout: 5 }), TimeoutError);
    await assertRejects(() => select(channels, { timeout: 0 }), TimeoutError);
    await assertRejects(() => select(channels, { timeout: -1 }), RangeError);
    await assertRejects(() => select({}), TypeError);
    await Promise.all([a.sender.send(byte(1)), b.sender.send(byte(2))]);
    // Nothing of ours stands in line before these.
    assertEquals(await a.receiver.receive(), byte(1));
    assertEquals(await b.receiver.receive(), byte(2));
    for (const end of [a.sender, a.receiver, b.sender, b.receiver]) end.close();
  });

  Deno.test(`select (${kind}): with aborts at any moment, each channel's messages come once and in order`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const ends = [open(seed), open(seed + 1), open(seed + 2)];
        const channels = { a: ends[0]!.receiver, b: ends[1]!.receiver, c: ends[2]!.receiver };
        const total = 40;
        const sending = Promise.all(ends.map(async ({ sender }) => {
          for (let value = 0; value < total; value++) await sender.send(byte(value));
        }));
        const seen: Record<string, number[]> = { a: [], b: [], c: [] };
        for (let count = 0, round = 0; count < 3 * total; round++) {
          const controller = new AbortController();
          if ((seed + round) % 3 === 0) setImmediate(() => controller.abort());
          try {
            const { from, message } = await select(channels, { signal: controller.signal });
            seen[from]!.push(message![0]!);
            count++;
          } catch (reason) {
            assertStrictEquals(reason, controller.signal.reason);
          }
        }
        await sending;
        const expected = Array.from({ length: total }, (_, index) => index);
        assertEquals(seen, { a: expected, b: expected, c: expected });
        for (const { sender, receiver } of ends) {
          sender.close();
          receiver.close();
        }
      }),
      { numRuns: Math.max(5, 30 * SCALE) },
    );
  });

  Deno.test(`select (${kind}): several at once over the same channels share the messages`, async () => {
    const a = open();
    const b = open();
    const selects = Array.from(
      { length: 20 },
      () => select({ a: a.receiver, b: b.receiver }, { timeout: 60_000 }),
    );
    for (let value = 0; value < 10; value++) {
      await a.sender.send(byte(value));
      await b.sender.send(byte(100 + value));
    }
    const seen = (await Promise.all(selects)).map(({ message }) => message![0]!);
    assertEquals(seen.sort((x, y) => x - y), [
      ...Array(10).keys(),
      ...[...Array(10).keys()].map((v) => 100 + v),
    ]);
    for (const end of [a.sender, a.receiver, b.sender, b.receiver]) end.close();
  });

  Deno.test(`merge (${kind}): everything from all, in each one's order, until all have ended`, async () => {
    const ends = { a: open(1), b: open(2), c: open(3) };
    const sending = Object.values(ends).map(async ({ sender }, index) => {
      for (let value = 0; value < 50 * index; value++) await sender.send(byte(value));
      await sender.end();
    });
    const seen: Record<string, number[]> = { a: [], b: [], c: [] };
    const channels = { a: ends.a.receiver, b: ends.b.receiver, c: ends.c.receiver };
    for await (const { from, message } of merge(channels)) seen[from]!.push(message[0]!);
    assertEquals(seen, { a: [], b: [...Array(50).keys()], c: [...Array(100).keys()] });
    await Promise.all(sending);
    for (const { sender, receiver } of Object.values(ends)) {
      sender.close();
      receiver.close();
    }
  });

  Deno.test(`merge (${kind}): leaving early loses nothing`, async () => {
    const a = open();
    const b = open();
    await a.sender.sendBatch([...Array(10).keys()].map(byte));
    await b.sender.sendBatch([...Array(10).keys()].map(byte));
    const seen: Record<string, number[]> = { a: [], b: [] };
    for (let round = 0; round < 20; round++) {
      for await (const { from, message } of merge({ a: a.receiver, b: b.receiver })) {
        seen[from]!.push(message[0]!);
        break;
      }
    }
    assertEquals(seen, { a: [...Array(10).keys()], b: [...Array(10).keys()] });
    for (const end of [a.sender, a.receiver, b.sender, b.receiver]) end.close();
  });

  Deno.test(`merge (${kind}): return ends a pending next, and leaves the channels to others`, async () => {
    const a = open();
    const iterator = merge({ a: a.receiver });
    const pending = [iterator.next(), iterator.next()];
    await Promise.resolve();
    assertEquals((await iterator.return!()).done, true);
    assertEquals((await Promise.all(pending)).map(({ done }) => done), [true, true]);
    assertEquals((await iterator.next()).done, true);
    const received = a.receiver.receive();
    await a.sender.send(byte(1));
    assertEquals(await received, byte(1));
    a.sender.close();
    a.receiver.close();
  });
}

Deno.test("merge: channels that have messages take turns", async () => {
  const ends = [1, 2, 3].map(() => memoryChannel({ capacity: 1 << 16 }));
  for (const { sender } of ends) await sender.sendBatch([...Array(100).keys()].map(byte));
  const channels = { a: ends[0]!.receiver, b: ends[1]!.receiver, c: ends[2]!.receiver };
  const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
  let taken = 0;
  for await (const { from } of merge(channels)) {
    counts[from]!++;
    if (++taken === 150) break;
  }
  // Perfect turns would be 50 each; the memory channel delays by turns of the event loop at random.
  for (const count of Object.values(counts)) assert(count >= 25, JSON.stringify(counts));
  for (const { sender, receiver } of ends) {
    sender.close();
    receiver.close();
  }
});

Deno.test("merge: an error ends the iteration, leaves nothing pending, and the next one goes on", async () => {
  const a = memoryChannel({ capacity: 1 << 16 });
  const b = memoryChannel({ capacity: 1 << 16 });
  const channels = { a: typed(a.receiver, text), b: typed(b.receiver, text) };
  await a.sender.sendBatch([byte(0xff), byte(65)]);
  await a.sender.end();
  await assertRejects(async () => {
    for await (const _ of merge(channels));
  }, DecodeError);
  assertEquals(channels.b.tryReceive(), undefined);
  await b.sender.end();
  const seen: unknown[] = [];
  for await (const each of merge(channels)) seen.push(each);
  assertEquals(seen, [{ from: "a", message: "A" }]);
  for (const end of [a.sender, a.receiver, b.sender, b.receiver]) end.close();
});

/** Gets its message in the same turn in which it is aborted, and delivers it, as promise 2 allows. */
function lateReceiver(): { receiver: Receiver; lost: () => number } {
  let next = 0;
  const { receiver } = memoryChannel();
  const late = foreign(receiver);
  late.receive = (options: WaitOptions = {}) => {
    if (options.timeout === 0) return Promise.reject(new TimeoutError("Cannot receive: nothing is there"));
    const { promise, resolve } = Promise.withResolvers<Bytes>();
    options.signal?.addEventListener("abort", () => resolve(byte(next++)));
    return promise;
  };
  return { receiver: late, lost: () => next };
}

Deno.test("select: the message of a loser that could not be aborted any more is kept", async () => {
  const late = lateReceiver();
  const sure = memoryChannel({ capacity: 1 << 16 });
  await sure.sender.sendBatch([byte(100), byte(101)]);
  assertEquals((await select({ late: late.receiver, sure: foreign(sure.receiver) })).message, byte(100));
  assertEquals(late.lost(), 1);
  assertEquals(await select({ sure: sure.receiver, late: late.receiver }), {
    from: "late",
    message: byte(0),
  });
  for await (const { from, message } of merge({ late: late.receiver, sure: sure.receiver })) {
    assertEquals({ from, message }, { from: "sure", message: byte(101) });
    break;
  }
  assertEquals(await select({ late: late.receiver }, { timeout: 0 }), { from: "late", message: byte(1) });
  for (const end of [sure.sender, sure.receiver, late.receiver]) end.close();
});

Deno.test("select: the types follow the channels", async () => {
  const a = memoryChannel({ capacity: 1 << 16 });
  const b = memoryChannel();
  await a.sender.send(byte(65));
  const selected = await select({ words: typed(a.receiver, text), bytes: b.receiver });
  if (selected.from === "words") {
    const word: string | undefined = selected.message;
    assertEquals(word, "A");
  } else {
    const message: Bytes | undefined = selected.message;
    assertEquals(message, undefined);
  }
  for (const end of [a.sender, a.receiver, b.sender, b.receiver]) end.close();
});
