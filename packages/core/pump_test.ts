import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import * as fc from "fast-check";
import {
  type Bytes,
  ClosedError,
  DecodeError,
  pump,
  type PumpCounts,
  text,
  TruncatedError,
  typed,
} from "@ipc/core";
import { memoryChannel } from "@ipc/core/testing";

const SCALE = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);

const numbered = (count: number): Bytes[] =>
  Array.from({ length: count }, (_, index) => {
    const message = new Uint8Array(4 + index % 50);
    new DataView(message.buffer).setUint32(0, index);
    return message;
  });

const numberOf = (message: Bytes): number => new DataView(message.buffer, message.byteOffset).getUint32(0);

Deno.test("pump: moves everything, counts it and ends the other side", async () => {
  const first = memoryChannel({ seed: 1 });
  const second = memoryChannel({ seed: 2 });
  const messages = numbered(500);
  const sending = first.sender.sendBatch(messages).then(() => first.sender.end());
  const progress: PumpCounts[] = [];
  const pumping = pump(first.receiver, second.sender, { onProgress: (counts) => progress.push(counts) });
  const seen: Bytes[] = [];
  for await (const message of second.receiver) seen.push(message);
  await sending;
  const counts = await pumping;
  assertEquals(seen, messages);
  assertEquals(counts, { messages: 500, bytes: messages.reduce((sum, { length }) => sum + length, 0) });
  assertEquals(progress.at(-1), counts);
  for (const end of [first.sender, first.receiver, second.sender, second.receiver]) end.close();
});

Deno.test("pump: can leave the other side open", async () => {
  const first = memoryChannel();
  const second = memoryChannel({ capacity: 1 << 16 });
  await first.sender.send(new Uint8Array(3));
  await first.sender.end();
  assertEquals(await pump(first.receiver, second.sender, { end: false }), { messages: 1, bytes: 3 });
  await second.sender.send(new Uint8Array(4));
  await second.sender.end();
  assertEquals((await second.receiver.receive())?.length, 3);
  assertEquals((await second.receiver.receive())?.length, 4);
  for (const end of [first.receiver, second.receiver, first.sender, second.sender]) end.close();
});

Deno.test("pump: an abort at any moment loses, doubles and reorders nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(fc.nat(30), { maxLength: 20 }), async (seed, delays) => {
      const first = memoryChannel({ seed });
      const second = memoryChannel({ seed: seed + 1 });
      const total = 200;
      const sending = first.sender.sendBatch(numbered(total)).then(() => first.sender.end());
      const reading = (async () => {
        const seen: number[] = [];
        for await (const message of second.receiver) seen.push(numberOf(message));
        return seen;
      })();
      for (const delay of delays) {
        const controller = new AbortController();
        const pumping = pump(first.receiver, second.sender, {
          signal: controller.signal,
          end: false,
          max: 7,
        });
        for (let turn = 0; turn < delay; turn++) await new Promise((resolve) => setImmediate(resolve));
        const reason = new Error("enough");
        controller.abort(reason);
        const outcome = await pumping.catch((error) => error);
        if (outcome instanceof Error) assertStrictEquals(outcome, reason);
      }
      await pump(first.receiver, second.sender);
      assertEquals(await reading, Array.from({ length: total }, (_, index) => index));
      await sending;
      for (const end of [first.sender, first.receiver, second.sender, second.receiver]) end.close();
    }),
    { numRuns: Math.max(5, 50 * SCALE) },
  );
});

Deno.test("pump: an abort while nothing comes rejects with the reason, and takes nothing", async () => {
  const first = memoryChannel();
  const second = memoryChannel();
  const controller = new AbortController();
  const pumping = pump(first.receiver, second.sender, { signal: controller.signal });
  controller.abort("enough");
  assertEquals(await pumping.catch((reason) => reason), "enough");
  await first.sender.send(new Uint8Array(5));
  assertEquals((await first.receiver.receive())?.length, 5);
  for (const end of [first.sender, first.receiver, second.sender, second.receiver]) end.close();
});

Deno.test("pump: what could not be sent is handed back", async () => {
  const first = memoryChannel({ seed: 4, capacity: 1 << 16 });
  const second = memoryChannel({ seed: 5, capacity: 256 });
  const messages = numbered(300);
  const sending = first.sender.sendBatch(messages).then(() => first.sender.end());
  let unsent: Bytes[] | undefined;
  const pumping = pump(first.receiver, second.sender, { onUnsent: (rest) => unsent = rest });
  const seen: number[] = [];
  for (let count = 0; count < 20; count++) seen.push(numberOf((await second.receiver.receive())!));
  second.sender.close();
  await assertRejects(() => pumping, ClosedError);
  assert(unsent !== undefined && unsent.length > 0);
  try {
    for await (const message of second.receiver) seen.push(numberOf(message));
  } catch (error) {
    // The message that was under way when its sender closed.
    assertInstanceOf(error, TruncatedError);
    seen.push(seen.length);
  }
  const rest: number[] = unsent.map(numberOf);
  for await (const message of first.receiver) rest.push(numberOf(message));
  assertEquals([...seen, ...rest], messages.map(numberOf));
  await sending;
  for (const end of [first.sender, first.receiver, second.receiver]) end.close();
});

Deno.test("pump: an error of the source leaves both sides usable, and pumping again goes on behind it", async () => {
  const first = memoryChannel({ capacity: 1 << 16 });
  const second = memoryChannel({ capacity: 1 << 16 });
  const utf8 = new TextEncoder();
  await first.sender.sendBatch([utf8.encode("a"), new Uint8Array([0xff]), utf8.encode("b")]);
  await first.sender.end();
  const from = typed(first.receiver, text);
  const to = typed(second.sender, text);
  await assertRejects(() => pump(from, to), DecodeError);
  assertEquals(await pump(from, to), { messages: 1, bytes: 0 });
  const seen: string[] = [];
  for await (const value of typed(second.receiver, text)) seen.push(value);
  assertEquals(seen, ["a", "b"]);
  for (const end of [from, to, second.receiver, first.sender]) end.close();
});
