import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import * as fc from "fast-check";
import {
  type Bytes,
  type Channel,
  ClosedError,
  DecodeError,
  duplex,
  json,
  type Receiver,
  select,
  type Sender,
  type SyncChannel,
  type SyncReceiver,
  type SyncSender,
  text,
  TimeoutError,
  typed,
} from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { memoryChannel } from "@ipc/core/testing";

const SCALE = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);
const BAD: Bytes = new Uint8Array([0xff]);
const utf8 = (source: string): Bytes => new TextEncoder().encode(source);

const encode = (messages: string): Bytes[] => [...messages].map((each) => each === "!" ? BAD : utf8(each));

/** Messages of one letter each that are all there at once, and the end; `!` cannot be decoded. */
function open(messages: string): SyncReceiver<string> {
  const queue = encode(messages);
  const receiver = new BaseReceiver<Bytes>({
    take: () => queue.shift(),
    get ended() {
      return queue.length === 0;
    },
    park: () => () => {},
    close: () => {},
  });
  return typed(receiver, text);
}

/** What one call gives, a `!` for what cannot be decoded. */
async function told(call: Promise<string | string[] | undefined>): Promise<string | undefined> {
  try {
    const result = await call;
    return Array.isArray(result) ? result.join("") || undefined : result;
  } catch (error) {
    assertInstanceOf(error, DecodeError);
    assertEquals(error.data, BAD);
    return "!";
  }
}

Deno.test("typed: the types and the calls are those of the channel", () => {
  const { sender, receiver } = memoryChannel();
  const plain: Receiver = { ...unbound(receiver) };
  const source: SyncReceiver<string> = typed(receiver, text);
  const sink: SyncSender<string> = typed(sender, text);
  const both: SyncChannel<string, string> = typed(duplex(receiver, sender), text);
  const slow: Receiver<string> = typed(plain, text);
  const half: Channel<string, string> = typed(duplex(plain, sender), text);
  const out: Sender<string> = typed(sender as Sender, text);
  assert("tryReceive" in source && !("send" in source));
  assert("trySend" in sink && !("receive" in sink));
  assert("tryReceive" in both && "trySend" in both);
  assert(!("tryReceive" in slow));
  assert(!("tryReceive" in half) && !("trySend" in half));
  assertEquals(out.maxMessageSize, sender.maxMessageSize);
  assertThrows(() => typed({} as Receiver, text), TypeError);
  both.close();
});

function unbound(receiver: Receiver): Receiver {
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

Deno.test("typed: values go there and back, null among them", async () => {
  const { sender, receiver } = memoryChannel({ capacity: 1 << 16 });
  await using jobs = typed(sender, json());
  await using work = typed(receiver, json());
  await jobs.send(null);
  await jobs.sendBatch([{ a: [1] }, "x", 0]);
  assert(jobs.trySend(false));
  jobs.sendSync(null);
  await jobs.end();
  assertStrictEquals(await work.receive(), null);
  assertEquals(await work.receive(), { a: [1] });
  assertEquals(await work.receive(), "x");
  assertEquals(await work.receive(), 0);
  assertEquals(await work.receive(), false);
  assertEquals(await work.receive(), null);
  assertEquals(await work.receive(), undefined);
  assert(work.ended);
});

Deno.test("typed: what cannot be encoded sends nothing", async () => {
  const { sender, receiver } = memoryChannel({ capacity: 1 << 16 });
  using jobs = typed(sender, json());
  using _ = receiver;
  await assertRejects(() => jobs.send(undefined), TypeError);
  await assertRejects(() => jobs.sendBatch([1, undefined]), TypeError);
  assertThrows(() => jobs.trySend(undefined), TypeError);
  assertThrows(() => jobs.sendSync(undefined), TypeError);
  await jobs.send(7);
  assertEquals(await receiver.receive(), utf8("7"));
});

Deno.test("typed: a foreign error of a codec becomes a DecodeError with the cause", async () => {
  const { sender, receiver } = memoryChannel();
  const cause = new Error("no");
  using broken = typed(receiver, {
    name: "broken",
    encode: utf8,
    decode: () => {
      throw cause;
    },
  });
  await sender.send(BAD);
  const error = await assertRejects(() => broken.receive(), DecodeError);
  assertStrictEquals(error.cause, cause);
  assertEquals(error.data, BAD);
  await sender.end();
});

for (const messages of ["!", "a!b", "!a", "a!", "ab!!cd!", "!!!", "abc"]) {
  Deno.test(`typed: every form goes on behind what cannot be decoded: ${messages}`, async () => {
    const forms: Record<string, (channel: SyncReceiver<string>) => Promise<string | string[] | undefined>> = {
      receive: (channel) => channel.receive(),
      receiveBatch: (channel) => channel.receiveBatch(),
      "receiveBatch of 2": (channel) => channel.receiveBatch({ max: 2 }),
      tryReceive: async (channel) => await Promise.resolve().then(() => channel.tryReceive()),
      receiveSync: async (channel) => await Promise.resolve().then(() => channel.receiveSync({ timeout: 0 })),
      iteration: async (channel) => (await channel[Symbol.asyncIterator]().next()).value,
      readable: async (channel) => {
        const reader = channel.readable.getReader();
        try {
          return (await reader.read()).value;
        } finally {
          reader.releaseLock();
        }
      },
    };
    for (const [name, form] of Object.entries(forms)) {
      const channel = open(messages);
      let seen = "";
      while (!channel.ended && seen.length <= messages.length) seen += await told(form(channel)) ?? "";
      assertEquals(seen, messages, name);
      channel.close();
    }
  });
}

Deno.test("typed: a batch delivers what is before the error first, and loses nothing", async () => {
  const channel = open("ab!cd");
  assertEquals(await channel.receiveBatch(), ["a", "b"]);
  assertEquals(channel.ended, false);
  await assertRejects(() => channel.receiveBatch(), DecodeError);
  assertEquals(channel.tryReceive(), "c");
  assertEquals(await channel.receive(), "d");
  assertEquals(await channel.receiveBatch(), []);
  assertEquals(channel.ended, true);
  channel.close();
});

Deno.test("typed: select hears of what a batch has left behind", async () => {
  const { sender, receiver } = memoryChannel({ capacity: 1 << 16 });
  const work = typed(receiver, json<number>());
  const batch = work.receiveBatch();
  const selected = select({ work });
  await sender.sendBatch(["1", "{", "3"].map(utf8));
  assertEquals(await batch, [1]);
  await assertRejects(() => selected, DecodeError);
  assertEquals(await work.receive(), 3);
  work.close();
  sender.close();
});

Deno.test("typed: an iteration that was ended by an error goes on in the next one", async () => {
  const channel = open("a!b!!c");
  let seen = "";
  while (!channel.ended) {
    try {
      for await (const value of channel) seen += value;
    } catch (error) {
      assertInstanceOf(error, DecodeError);
      seen += "!";
    }
  }
  assertEquals(seen, "a!b!!c");
  channel.close();
});

Deno.test("typed: pending calls of all forms are served in the order of the calls", async () => {
  const letters = "abcdefghij!";
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 40 }),
      fc.array(fc.constantFrom("receive", "batch", "batch2", "iterator"), { minLength: 1, maxLength: 40 }),
      fc.nat(),
      async (messages, forms, seed) => {
        const { sender, receiver } = memoryChannel({ seed });
        const channel = typed(receiver, text);
        const sent = sender.sendBatch(encode(messages)).then(() => sender.end());
        const iterator = channel[Symbol.asyncIterator]();
        const calls = forms.map((form) => {
          if (form === "receive") return told(channel.receive());
          if (form === "iterator") return told(iterator.next().then(({ value }) => value));
          return told(channel.receiveBatch(form === "batch" ? {} : { max: 2 }));
        });
        let seen = "";
        for (const call of calls) seen += await call ?? "";
        while (!channel.ended) seen += await told(channel.receive()) ?? "";
        await sent;
        assertEquals(seen, messages);
        channel.close();
        sender.close();
      },
    ),
    { numRuns: Math.max(20, 300 * SCALE) },
  );
});

Deno.test("typed: waits behind a batch can be aborted and timed out, and lose nothing", async () => {
  const { sender, receiver } = memoryChannel({ capacity: 1 << 16 });
  using channel = typed(receiver, text);
  const batch = channel.receiveBatch();
  const controller = new AbortController();
  const aborted = channel.receive({ signal: controller.signal });
  const late = channel.receive({ timeout: 5 });
  const patient = channel.receive({ timeout: 60_000 });
  const other = channel.receiveBatch({ signal: new AbortController().signal });
  controller.abort("enough");
  assertEquals(await aborted.catch((reason) => reason), "enough");
  await assertRejects(() => late, TimeoutError);
  await assertRejects(() => channel.receive({ signal: AbortSignal.abort(new RangeError()) }), RangeError);
  await assertRejects(() => channel.receive({ timeout: -1 }), RangeError);
  assertThrows(() => channel.tryReceive());
  // One at a time: a batch takes what has arrived by then.
  await sender.send(utf8("a"));
  assertEquals(await batch, ["a"]);
  await sender.send(utf8("b"));
  assertEquals(await patient, "b");
  await sender.send(utf8("c"));
  assertEquals(await other, ["c"]);
  sender.close();
});

Deno.test("typed: close ends everything that pends, and later calls throw", async () => {
  const { sender, receiver } = memoryChannel();
  const channel = typed(receiver, text);
  const calls = [channel.receiveBatch(), channel.receive(), channel.receiveBatch(), channel.receive()];
  const next = channel[Symbol.asyncIterator]().next();
  channel.close();
  channel.close();
  assertEquals(await Promise.all(calls), [[], undefined, [], undefined]);
  assertEquals((await next).done, true);
  await assertRejects(() => channel.receive(), ClosedError);
  await assertRejects(() => channel.receiveBatch(), ClosedError);
  sender.close();
});

Deno.test("typed: leaving an iteration early loses nothing and ends its pending call", async () => {
  const channel = open("abc");
  for await (const value of channel) {
    assertEquals(value, "a");
    break;
  }
  assertEquals(await channel.receiveBatch(), ["b", "c"]);
  for (const behindBatch of [false, true]) {
    const { receiver, sender } = memoryChannel();
    const idle = typed(receiver, text);
    const batch = behindBatch ? idle.receiveBatch() : undefined;
    const iterator = idle[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return!();
    assertEquals((await pending).done, true);
    await sender.send(utf8("x"));
    assertEquals(await (batch ?? idle.receiveBatch()), ["x"]);
    idle.close();
    sender.close();
  }
  channel.close();
});

Deno.test("typed: streams carry values, and cancelling closes", async () => {
  const { sender, receiver } = memoryChannel({ capacity: 1 << 16 });
  const jobs = typed(sender, json());
  const work = typed(receiver, json());
  const writer = jobs.writable.getWriter();
  await writer.write([1]);
  await writer.write("two");
  await writer.close();
  const values: unknown[] = [];
  for await (const value of work.readable) values.push(value);
  assertEquals(values, [[1], "two"]);
  work.close();
  jobs.close();

  const other = typed(memoryChannel().receiver, text);
  await other.readable.cancel();
  await assertRejects(() => other.receive(), ClosedError);
});
