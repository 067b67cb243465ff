import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { LimitError, MessageTooLongError, TimeoutError } from "@ipc/core";
import {
  client,
  DisconnectedError,
  type PeerOptions,
  type RpcContext,
  RpcError,
  RpcPeer,
  serve,
} from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";
import { forever, until } from "./testdata/waiting.ts";

interface Api {
  count(to: number): AsyncIterable<number>;
  broken(after: number): AsyncIterable<number>;
  quiet(): AsyncIterable<number>;
  total(values: AsyncIterable<number>): number;
  nested(): { lines: AsyncIterable<string>; name: string };
  chunks(): AsyncIterable<Uint8Array>;
}

let made = 0;
let left = 0;

function start(options: PeerOptions = {}) {
  made = left = 0;
  const [here, there] = link();
  const server = serve<Api>(there, {
    async *count(to) {
      try {
        for (let at = 1; at <= to; at++) {
          made = at;
          yield at;
        }
      } finally {
        left++;
      }
    },
    async *broken(after) {
      for (let at = 1; at <= after; at++) yield at;
      throw new RpcError(7, "The disk is full", { data: after });
    },
    async *quiet(this: RpcContext) {
      try {
        yield 1;
        await forever(this.signal);
      } finally {
        left++;
      }
    },
    async total(values) {
      let sum = 0;
      for await (const value of values) sum += value;
      return sum;
    },
    nested: () => ({
      lines: (async function* () {
        yield* ["a", "b"];
      })(),
      name: "both",
    }),
    async *chunks() {
      for (let at = 0; at < 3; at++) yield new Uint8Array(1000).fill(at);
    },
  }, options);
  const peer = new RpcPeer(here, options);
  return {
    api: client<Api>(peer),
    peer,
    server,
    [Symbol.dispose]: () => {
      peer.close();
      server.close();
    },
  };
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

const upTo = (to: number) => Array.from({ length: to }, (_, index) => index + 1);

Deno.test("a stream gives all its values in order and ends, however long", async () => {
  using both = start();
  for (const length of [0, 1, 63, 64, 65, 1000, 10_000]) {
    assertEquals(await all(both.api.count(length)), upTo(length));
  }
  assertEquals(await all(await both.api.count(3)), [1, 2, 3]);
  const many = await Promise.all(upTo(20).map((length) => all(both.api.count(length * 10))));
  assertEquals(many, upTo(20).map((length) => upTo(length * 10)));
  assertEquals([both.peer.references, both.server.references, both.server.running], [0, 0, 0]);
});

Deno.test("no more is made than was asked for, and memory stays flat", async () => {
  using both = start({ limits: { streamCredit: 8 } });
  const stream = await both.api.count(1000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(made, 8);
  assertEquals((await stream.next()).value, 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(made, 8, "half of it is taken before more is asked for");
  for (let at = 2; at <= 4; at++) assertEquals((await stream.next()).value, at);
  await until(() => made === 12);
  assertEquals(await all(stream), upTo(1000).slice(4));
});

Deno.test("a stream that fails gives what came before, then the error", async () => {
  using both = start();
  const got: number[] = [];
  const error = await assertRejects(
    async () => {
      for await (const value of both.api.broken(5)) got.push(value);
    },
    RpcError,
    "The disk is full",
  );
  assertEquals([got, error.code, error.data], [[1, 2, 3, 4, 5], 7, 5]);
  assertEquals([both.peer.references, both.server.running], [0, 0]);
});

Deno.test("leaving a stream ends it on the other side", async () => {
  using both = start();
  for await (const value of both.api.count(1_000_000)) if (value === 3) break;
  await until(() => left === 1 && both.server.running === 0);
  assert(made < 1000, `${made}`);
  const stream = await both.api.count(1_000_000);
  const pending = [stream.next(), stream.next()];
  await stream.return!();
  assertEquals((await Promise.all(pending)).length, 2);
  assertEquals(await stream.next(), { done: true, value: undefined });
  await until(() => both.server.references === 0 && left === 2);
});

Deno.test("return() does not wait for a value that never comes", async () => {
  using both = start();
  const stream = await both.api.quiet();
  assertEquals(await stream.next(), { done: false, value: 1 });
  const pending = stream.next();
  await stream.return!();
  assertEquals(await pending, { done: true, value: undefined });
  await until(() => left === 1 && both.server.running === 0);
});

Deno.test("an abort and a time limit reach into a stream, on both sides", async () => {
  using both = start();
  const controller = new AbortController();
  const stream = await both.api.with({ signal: controller.signal }).quiet();
  assertEquals((await stream.next()).value, 1);
  const pending = stream.next();
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => pending), reason);
  await until(() => left === 1 && both.server.running === 0);
  await assertRejects(() => all(both.api.with({ timeout: 20 }).quiet()), TimeoutError);
  await until(() => left === 2 && both.server.running === 0);
});

Deno.test("a stream can be a parameter, from the first call on, and leaves with the call", async () => {
  using both = start({ limits: { streamCredit: 4 } });
  async function* numbers() {
    yield* upTo(100);
  }
  assertEquals(await both.api.total(numbers()), 5050);
  assertEquals(
    await both.api.total(
      new ReadableStream<number>({
        start: (controller) => {
          controller.enqueue(1);
          controller.close();
        },
      }),
    ),
    1,
  );
  const { lines, name } = await both.api.nested();
  assertEquals([await all(lines), name], [["a", "b"], "both"]);
  await until(() => both.peer.references === 0 && both.server.references === 0);
});

Deno.test("a stream that a method does not take ends with its call", async () => {
  using both = start();
  both.server.serve({ ignore: () => "done" });
  // Only what has begun has something to end.
  await both.peer.call("count", [0]);
  let over = false;
  async function* endless() {
    try {
      for (;;) yield 1;
    } finally {
      over = true;
    }
  }
  assertEquals(await both.peer.call("ignore", [endless()]), "done");
  await until(() => over && both.peer.references === 0 && both.server.references === 0);
});

Deno.test("a stream that a method gives when nobody wants it any more is let go", async () => {
  using both = start();
  const { promise, resolve } = Promise.withResolvers<void>();
  const controller = new AbortController();
  both.server.serve({
    async late() {
      await promise;
      const iterator = {
        next: () => Promise.resolve({ done: false, value: 1 }),
        return: () => Promise.resolve({ done: true, value: left++ }),
      };
      return { [Symbol.asyncIterator]: () => iterator };
    },
  });
  const call = both.peer.call("late", [], { signal: controller.signal });
  await until(() => both.server.running === 1);
  controller.abort();
  await assertRejects(() => call, DOMException);
  await both.peer.call("count", [0]);
  resolve();
  await until(() => left === 2 && both.server.running === 0);
});

Deno.test("values that are too long together leave alone, and one that is too long alone fails the stream", async () => {
  const [here, there] = link({ maxMessageSize: 300 });
  using server = serve<{ words(sizes: number[]): AsyncIterable<string> }>(there, {
    async *words(sizes) {
      for (const size of sizes) yield "ü".repeat(size / 2);
    },
  });
  using peer = new RpcPeer(here);
  const words = (sizes: number[]) => all(peer.call("words", [sizes])) as Promise<string[]>;
  const sizes = Array.from({ length: 30 }, (_, index) => 10 + 6 * index);
  assertEquals((await words(sizes)).map((word) => word.length * 2), sizes);
  const got: unknown[] = [];
  const error = await assertRejects(async () => {
    for await (const word of peer.call("words", [[10, 20, 400, 30]])) got.push(word);
  }, RpcError);
  assertEquals([got.length, (error.data as { code: string }).code], [2, "EMSGSIZE"]);
  server.serve({
    async *shouts() {
      yield 1;
      throw new RpcError(7, "x".repeat(400));
    },
    async *chunks() {
      yield 1;
      yield new Uint8Array(400);
    },
  });
  for (const method of ["shouts", "chunks"]) {
    const before: unknown[] = [];
    await assertRejects(async () => {
      for await (const value of peer.call(method)) before.push(value);
    }, RpcError);
    assertEquals(before, [1]);
  }
  const stream = (async function* () {})();
  await assertRejects(() => peer.call("words", ["x".repeat(300), stream, () => {}]), MessageTooLongError);
  await until(() => peer.references === 0 && server.references === 0 && server.running === 0);
});

Deno.test("streams of bytes", async () => {
  for (const binary of [false, true]) {
    using both = start({ binary });
    const chunks = await all(both.api.chunks());
    assertEquals(chunks, [0, 1, 2].map((fill) => new Uint8Array(1000).fill(fill)));
  }
});

Deno.test("the end of a peer fails the streams from it and stops those to it", async () => {
  using both = start();
  const stream = await both.api.quiet();
  await stream.next();
  const pending = stream.next();
  both.server.close();
  await assertRejects(() => pending, DisconnectedError, "Cannot receive the stream: the other side is gone");
  await until(() => left === 1);
  assertEquals([both.peer.references, both.server.references], [0, 0]);
});

Deno.test("a caller that knows no streams gets an array, up to a limit", async () => {
  const [here, there] = link();
  using _ = serve<Pick<Api, "count" | "broken">>(there, {
    count: async function* (to) {
      for (let at = 1; at <= to; at++) yield at;
    },
    broken: async function* () {
      yield 1;
      throw new RpcError(7, "The disk is full");
    },
  }, { limits: { maxGathered: 10 } });
  const raw = new Raw(here);
  const count = (id: number, to: number) => raw.ask({ jsonrpc: "2.0", id, method: "count", params: [to] });
  assertEquals(await count(1, 10), { jsonrpc: "2.0", id: 1, result: upTo(10) });
  assertEquals(await count(2, 11), {
    jsonrpc: "2.0",
    id: 2,
    error: { code: -32011, message: "The stream has more than 10 values" },
  });
  assertEquals(await raw.ask({ jsonrpc: "2.0", id: 3, method: "broken" }), {
    jsonrpc: "2.0",
    id: 3,
    error: { code: 7, message: "The disk is full" },
  });
  using api = client<Api>(here, { extensions: false });
  assertEquals(await all(api.count(4)), upTo(4), "an array can be iterated as well");
});

Deno.test("a peer that sends more than was asked for is stopped", async () => {
  const [here, there] = link();
  using peer = new RpcPeer(here, { limits: { streamCredit: 4 } });
  const raw = new Raw(there);
  const call = peer.call("count", [10]);
  assertEquals(await raw.next(), {
    jsonrpc: "2.0",
    method: "$/hello",
    params: { binary: false, credit: 4, bytes: 1024 * 1024 },
  });
  assertEquals(await raw.next(), { jsonrpc: "2.0", id: 1, method: "count", params: [10] });
  await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { binary: false, credit: 4 } });
  await raw.send({ jsonrpc: "2.0", id: 1, result: { "$/stream": 5 } });
  await raw.send({ jsonrpc: "2.0", method: "$/stream/next", params: { id: 5, values: [1, 2, 3, 4, 5] } });
  await assertRejects(() => all(call), LimitError, "more than it was asked for");
  assertEquals(await raw.next(), { jsonrpc: "2.0", method: "$/stream/cancel", params: { id: 5 } });
});

Deno.test("a stream that comes too late for its call is cancelled", async () => {
  const [here, there] = link();
  using peer = new RpcPeer(here);
  const raw = new Raw(there);
  await assertRejects(() => peer.call("count", [10], { timeout: 1 }), TimeoutError);
  await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { credit: 4 } });
  await raw.send({ jsonrpc: "2.0", id: 1, result: { "$/stream": 5, more: 1 } });
  await raw.send({ jsonrpc: "2.0", id: 1, result: [{ "$/stream": 6 }, { "$/callback": 7 }] });
  const seen: unknown[] = [];
  for (let at = 0; at < 5; at++) seen.push(await raw.next());
  assertEquals(seen.slice(2), [
    { jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 1 } },
    { jsonrpc: "2.0", method: "$/stream/cancel", params: { id: 6 } },
    { jsonrpc: "2.0", method: "$/release", params: { id: 7, count: 1 } },
  ]);
});
