import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { MessageTooLongError, RemovedError, TimeoutError } from "@ipc/core";
import { hasReadiness, READY } from "@ipc/core/base";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { within } from "./_waiting/testdata/objects.ts";
import { MessageQueue } from "./mod.ts";
import { withQueue } from "./testdata/queue_pair.ts";

await warmUpWaiting();
leakCheck();

const CEILING = { timeout: 20_000 };
const NOTHING = new Uint8Array(0);

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

Deno.test("MessageQueue: those who want different types do not stand in each other's way", () =>
  withQueue(async (queue) => {
    const order: string[] = [];
    const wait = (name: string, options: Parameters<typeof queue.receiveMessage>[0]) =>
      queue.receiveMessage({ ...options, ...CEILING }).then((message) =>
        order.push(`${name} ${message?.type}`)
      );
    const waits = [
      wait("seven", { type: 7 }),
      wait("seven again", { type: 7 }),
      wait("low", { atMost: 3 }),
      wait("not seven", { except: 7 }),
    ];
    await pause(20);
    for (const type of [7, 2]) {
      queue.sendSync(NOTHING, { type });
      const [count, deadline] = [order.length, performance.now() + CEILING.timeout];
      while (order.length === count && performance.now() < deadline) await turn();
    }
    // One of type 2 suits both of those who do not want 7.
    assertEquals(order[0], "seven 7");
    assert(["low 2", "not seven 2"].includes(order[1]!), order[1]);
    queue.sendSync(NOTHING, { type: order[1] === "low 2" ? 100 : 3 });
    await waits[order[1] === "low 2" ? 3 : 2];
    queue.sendSync(NOTHING, { type: 7 });
    await Promise.all(waits);
    assertEquals(order[3], "seven again 7");
  }));

Deno.test("MessageQueue: 1,000 waits for 1,000 types each get their own message", () =>
  withQueue(async (queue) => {
    const types = Array.from({ length: 1000 }, (_, index) => index + 1);
    const waits = types.map((type) => queue.receiveMessage({ type, ...CEILING }));
    await pause(20);
    for (const type of [...types].reverse()) {
      await queue.send(type % 3 === 0 ? NOTHING : new Uint8Array([type]), { type, ...CEILING });
    }
    const messages = await Promise.all(waits);
    assertEquals(messages.map((message) => message?.type), types);
    assertEquals(
      messages.map((message) => message?.data.length),
      types.map((type) => type % 3 === 0 ? 0 : 1),
    );
  }));

/** Waits until all of them have been parked, removes the queue, and expects each to be told. */
async function removedUnder(queue: MessageQueue, waits: Promise<unknown>[]): Promise<void> {
  const outcomes = Promise.allSettled(waits);
  await pause(30);
  queue.remove();
  for (const outcome of await outcomes) {
    assert(outcome.status === "rejected", "a wait gives something");
    assertInstanceOf(outcome.reason, RemovedError);
  }
}

Deno.test("MessageQueue: removal ends every receive at once", () =>
  withQueue(async (queue) => {
    using other = MessageQueue.open({ id: queue.id });
    using view = queue.duplex({ send: 1, receive: 77 });
    await removedUnder(queue, [
      ...Array.from({ length: 500 }, () => queue.receiveMessage({ type: 1, ...CEILING })),
      ...Array.from({ length: 500 }, (_, index) => queue.receiveMessage({ type: 10 + index, ...CEILING })),
      other.receive(),
      other.receiveBatch(CEILING),
      other[Symbol.asyncIterator]().next(),
      other.readable.getReader().read(),
      queue[READY]().then(() => queue.receiveMessage({ except: 9 })),
      view.receive(),
    ]);
  }));

Deno.test("MessageQueue: removal ends every send at once", () =>
  withQueue(async (queue) => {
    using other = MessageQueue.open({ id: queue.id });
    queue.sendSync(new Uint8Array(10));
    await removedUnder(queue, [
      ...Array.from({ length: 100 }, () => queue.send(new Uint8Array(1), CEILING)),
      other.send(new Uint8Array(10)),
      other.sendBatch([new Uint8Array(1), new Uint8Array(2)]),
      other.duplex({ send: 2, receive: 1 }).send(new Uint8Array(3)),
    ]);
  }, { maxBytes: 10 }));

Deno.test("MessageQueue: a send that waits learns that its message can never fit any more", () =>
  withQueue(async (queue) => {
    queue.sendSync(new Uint8Array(60));
    const waiting = queue.send(new Uint8Array(90), CEILING);
    await pause(20);
    queue.set({ maxBytes: 80 });
    await assertRejects(() => waiting, MessageTooLongError);
  }, { maxBytes: 100 }));

Deno.test("MessageQueue: when the first send gives up, a shorter one behind it goes at once", () =>
  withQueue(async (queue) => {
    queue.sendSync(new Uint8Array(60));
    const abort = new AbortController();
    const long = queue.send(new Uint8Array(90), { signal: abort.signal });
    const short = queue.send(new Uint8Array(10), CEILING);
    await pause(20);
    abort.abort(new Error("Enough"));
    await assertRejects(() => long, Error, "Enough");
    await short;
    assertEquals(queue.stat().messages, 2);
  }, { maxBytes: 100 }));

Deno.test("MessageQueue: a sync wait for a type ends in time and leaves other types", () =>
  withQueue((queue) => {
    queue.sendSync(new Uint8Array(1), { type: 2 });
    assertThrows(() => queue.receiveMessageSync({ type: 1, timeout: 0 }), TimeoutError);
    assertThrows(() => queue.receiveMessageSync({ type: 1, timeout: 20 }), TimeoutError);
    assertThrows(() => queue.receiveMessageSync({ except: 2, timeout: 20 }), TimeoutError);
    assertEquals(queue.receiveMessageSync({ atMost: 2, timeout: 20 }).type, 2);
  }));

/** Lets a wait take an empty message out of the queue, and nobody receive it. */
async function keep(queue: MessageQueue, type: number): Promise<void> {
  assertEquals(queue.stat().messages, 0);
  queue.sendSync(NOTHING, { type });
  await queue[READY](CEILING);
  assertEquals(queue.stat().messages, 0);
}

Deno.test("MessageQueue: an empty message that looking had to take goes to who waits for its type", () =>
  withQueue(async (queue) => {
    const ready = queue[READY](CEILING);
    await pause(20);
    // Without a timeout: when its time is over, a wait finds what it was not told of.
    const five = queue.receiveMessage({ type: 5 });
    await pause(20);
    queue.sendSync(NOTHING, { type: 5 });
    await ready;
    assertEquals((await within(five, "the message of type 5"))?.type, 5);
  }));

Deno.test("MessageQueue: an empty message that a wait took, and did not want yet, goes to who waits for its type", () =>
  withQueue(async (queue) => {
    const low = queue.receiveMessage({ atMost: 10, ...CEILING });
    await pause(20);
    const seven = queue.receiveMessage({ type: 7 });
    await pause(20);
    queue.sendSync(NOTHING, { type: 7 });
    queue.sendSync(new Uint8Array(1), { type: 3 });
    assertEquals((await low)?.type, 3);
    assertEquals((await within(seven, "the message of type 7"))?.type, 7);
  }));

Deno.test("MessageQueue: an empty message that waiting had to take is received first, with its type", () =>
  withQueue(async (queue) => {
    await keep(queue, 5);
    queue.sendSync(NOTHING, { type: 5 });
    queue.sendSync(new Uint8Array(1), { type: 5 });
    queue.sendSync(new Uint8Array(1), { type: 3 });
    queue.sendSync(new Uint8Array(1), { type: 6 });
    assertEquals(queue.tryReceiveMessage({ type: 4 }), undefined);
    assertEquals(queue.tryReceiveMessage({ except: 5 })?.type, 3);
    assertEquals(queue.tryReceiveMessage({ type: 6 })?.type, 6);
    await queue[READY](CEILING);
    assertEquals([1, 2, 3].map(() => queue.tryReceiveMessage({ type: 5 })?.data.length), [0, 0, 1]);
    await keep(queue, 2);
    assertEquals(await queue.receive(), NOTHING);
    await keep(queue, 2);
    assertEquals(await queue.receiveBatch(), [NOTHING]);
    await keep(queue, 2);
    assertEquals(queue.receiveMessageSync(), { type: 2, data: NOTHING });
    assertEquals(queue.tryReceive(), undefined);
  }));

Deno.test("MessageQueue: the lowest type comes first, also beside a message that waiting had to take", () =>
  withQueue(async (queue) => {
    await keep(queue, 5);
    for (const type of [6, 4, 5]) queue.sendSync(new Uint8Array(1), { type });
    const next = () => queue.tryReceiveMessage({ atMost: 9 });
    assertEquals([next(), next(), next(), next()].map((message) => [message?.type, message?.data.length]), [
      [4, 1],
      [5, 0],
      [5, 1],
      [6, 1],
    ]);
  }));

Deno.test("MessageQueue: what waiting had to take is back in the queue after close", () =>
  withQueue(async (queue) => {
    const other = MessageQueue.open({ id: queue.id });
    await keep(other, 2 ** 40);
    other.close();
    assertEquals(queue.tryReceiveMessage(), { type: 2 ** 40, data: NOTHING });
    const view = queue.duplex({ send: 1, receive: 8 });
    queue.sendSync(NOTHING, { type: 8 });
    assert(hasReadiness(view));
    await view[READY](CEILING);
    assertEquals(queue.tryReceive(), undefined);
    view.close();
    assertEquals(queue.tryReceiveMessage(), { type: 8, data: NOTHING });
  }));

Deno.test("MessageQueue: where there is no room for it at close, it is back as soon as there is", () =>
  withQueue(async (queue) => {
    const other = MessageQueue.open({ id: queue.id });
    await keep(other, 4);
    for (const type of [1, 1]) queue.sendSync(NOTHING, { type });
    other.close();
    assertEquals(queue.stat().messages, 2);
    assertEquals(queue.tryReceiveMessage(), { type: 1, data: NOTHING });
    assertEquals((await queue.receiveMessage({ type: 4, ...CEILING }))?.data, NOTHING);
    assertEquals(queue.stat().messages, 1);
  }, { maxBytes: 2 }));

Deno.test("MessageQueue: what an aborted wait had to take goes to another who wants it", () =>
  withQueue(async (queue) => {
    for (let round = 0; round < scaled(300); round++) {
      const controller = new AbortController();
      const aborted = queue.receiveMessage({ type: 7, signal: controller.signal }).catch(() => undefined);
      const other = queue.receiveMessage({ atMost: 9, ...CEILING });
      if (round % 2 === 0) await pause(Math.random() * 2);
      queue.sendSync(NOTHING, { type: 7 });
      for (let turns = Math.random() * 60; turns > 0; turns--) await turn();
      controller.abort();
      const got = await aborted;
      if (got !== undefined) queue.sendSync(NOTHING, { type: 7 });
      assertEquals(await other, { type: 7, data: NOTHING });
    }
    assertEquals(queue.tryReceive(), undefined);
  }));

/** Empty, or bytes that follow from its number. */
function numbered(number: number): Uint8Array {
  return number % 3 === 0 ? NOTHING : new Uint8Array(new Uint32Array([number]).buffer);
}

/** Sends so many messages of each type, at all kinds of moments. */
async function sendAll(queue: MessageQueue, types: number[], count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    for (const type of types) {
      await queue.send(numbered(number), { type, ...CEILING });
      if (Math.random() < 0.5) await pause(Math.random());
    }
  }
}

/** Receives a message of a type in a wait that ends early, as often as not. */
async function receiveBriefly(queue: MessageQueue, type: number): Promise<Uint8Array | undefined> {
  const controller = new AbortController();
  const options = Math.random() < 0.5 ? { timeout: Math.random() } : { signal: controller.signal };
  const receiving = queue.receiveMessage({ type, ...options }).catch((error) => {
    if (!(error instanceof TimeoutError) && error !== controller.signal.reason) throw error;
  });
  for (let turns = Math.random() * 80; turns > 0; turns--) await turn();
  controller.abort();
  return (await receiving)?.data;
}

Deno.test("MessageQueue: sends against aborts: nothing is lost, twice, or out of order", () =>
  withQueue(async (queue) => {
    using other = MessageQueue.open({ id: queue.id });
    const [types, count] = [[1, 2, 3], scaled(1000)];
    const receiving = types.map(async (type) => {
      for (let number = 0; number < count;) {
        const got = await receiveBriefly(queue, type);
        if (got !== undefined) assertEquals(got, numbered(number++), `message ${number - 1} of type ${type}`);
      }
    });
    await Promise.all([sendAll(other, types, count), ...receiving]);
    assertEquals(queue.tryReceive(), undefined);
  }));

Deno.test("MessageQueue: sends against closes: nothing is lost or twice", () =>
  withQueue(async (queue) => {
    const [types, count] = [[1, 2, 3], scaled(300)];
    const sending = sendAll(queue, types, count);
    const got = new Map(types.map((type) => [type, [] as Uint8Array[]]));
    const missing = () => types.some((type) => got.get(type)!.length < count);
    for (let rounds = 0; missing(); rounds++) {
      using receiver = MessageQueue.open({ id: queue.id });
      const receiving = types.map((type) => receiver.receiveMessage({ type }));
      for (let turns = Math.random() * 80; turns > 0; turns--) await turn();
      receiver.close();
      for (const message of await Promise.all(receiving)) {
        if (message !== undefined) got.get(message.type)!.push(message.data);
      }
    }
    await sending;
    // An empty one that was given back stands behind those that were sent meanwhile.
    const sorted = (messages: Uint8Array[]) => messages.map((message) => message.join()).sort();
    const expected = sorted(Array.from({ length: count }, (_, number) => numbered(number)));
    for (const messages of got.values()) assertEquals(sorted(messages), expected);
    assertEquals(queue.tryReceive(), undefined);
  }));
