/** Functions and streams of calls that come to nothing are given back. */

import { assertEquals, assertRejects } from "@std/assert";
import { client, method, RpcError, type RpcLimits, RpcPeer, type Schema, serve } from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

type Tell = () => number;

interface Api {
  add(a: number, b: number): number;
  call(tell: Tell): number;
  hang(tell: Tell): void;
  strict(tell: Tell, count: number): void;
  functions(): AsyncIterable<{ tell: Tell }>;
  streams(): AsyncIterable<AsyncIterable<number>>;
  mixed(turns: number): unknown;
}

/** What accepts values for which `check` is true. */
function schema<T>(check: (value: unknown) => boolean): Schema<T> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) =>
        check(value) ? { value: value as T } : Promise.resolve({ issues: [{ message: "No" }] }),
    },
  };
}

let ended = 0;

async function* numbers(): AsyncGenerator<number> {
  try {
    for (let at = 0;; at++) yield at;
  } finally {
    ended++;
  }
}

function start(limits: RpcLimits = {}) {
  const [here, there] = link();
  const server = serve<Api>(there, {
    add: (a, b) => a + b,
    call: async (tell) => await tell(),
    hang: () => new Promise<never>(() => {}),
    strict: method((_tell, _count) => {}, {
      params: { tell: schema<Tell>(() => true), count: schema<number>((value) => value === 1) },
    }),
    async *functions() {
      for (let at = 0; at < 64; at++) yield { tell: () => at };
    },
    async *streams() {
      for (;;) yield numbers();
    },
    async mixed(turns) {
      for (let turn = 0; turn < turns; turn++) await undefined;
      return { bytes: new Uint8Array(1), wrong: 1n };
    },
  }, { limits });
  const peer = new RpcPeer(here);
  const api = client<Api>(peer);
  return { api, peer, server, [Symbol.dispose]: () => (peer.close(), server.close()) };
}

Deno.test("a call that is refused keeps nothing of what came with it", async () => {
  using both = start({ maxWaiting: 1, maxRunning: 1, maxReferences: 20 });
  const { api, peer, server } = both;
  const things = () => [numbers(), () => 1] as const;
  const nothing = () => until(() => peer.references === 0 && server.references === 0);
  const begun = ended;
  assertEquals(await api.add(1, 2), 3);

  for (let count = 0; count < 30; count++) {
    await assertRejects(() => peer.call("none", [...things()]), RpcError, "Method not found");
  }
  await peer.notify("none", [...things()]);
  await nothing();
  await until(() => ended === begun + 31);

  for (let count = 0; count < 30; count++) {
    await assertRejects(() => peer.call("strict", [() => 1, numbers()]), RpcError, "Invalid params");
  }
  await nothing();

  const kept = new AbortController();
  const hanging = api.with({ signal: kept.signal }).hang(() => 1);
  const waiting = api.with({ signal: kept.signal }).hang(() => 1);
  await assertRejects(() => peer.call("call", [...things()]), RpcError, "Too many calls");
  await until(() => peer.references === 2);
  kept.abort();
  for (const call of [hanging, waiting]) await assertRejects(() => call, DOMException);
  void server.end();
  await assertRejects(() => peer.call("call", [...things()]), RpcError, "Closing");
  await until(() => peer.references === 2);
});

Deno.test("a call whose parts cannot all be had keeps none of them", async () => {
  using both = start({ maxReferences: 3 });
  const { api, peer, server } = both;
  const same = () => 5;
  const first = api.hang(same);
  first.catch(() => {});
  await until(() => server.references === 1);
  const functions = [same, ...Array.from({ length: 5 }, (_, at) => () => at)];
  await assertRejects(() => peer.call("call", functions), RpcError, "Too many callbacks");
  // The one of the call that runs is kept.
  await until(() => peer.references === 1 && server.references === 1);
  assertEquals(await api.call(same), 5);
});

Deno.test("an id in use brings nothing", async () => {
  const [here, there] = link();
  using server = serve<Api>(there, {
    hang: () => new Promise<never>(() => {}),
  } as never);
  const raw = new Raw(here);
  await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { credit: 64 } });
  await raw.next();
  const ask = (callback: number) => ({
    jsonrpc: "2.0",
    id: 1,
    method: "hang",
    params: [{ "$/callback": callback }],
  });
  await raw.send(ask(1));
  assertEquals(await raw.ask(ask(2)), { jsonrpc: "2.0", method: "$/release", params: { id: 2, count: 1 } });
  assertEquals((await raw.next() as { error: { code: number } }).error.code, -32600);
  assertEquals(server.references, 1);
});

Deno.test("a stream that is left gives back what nobody took of it", async () => {
  using both = start();
  const { api, peer, server } = both;
  for (let count = 0; count < 5; count++) {
    for await (const { tell } of api.functions()) {
      (tell as unknown as Disposable)[Symbol.dispose]();
      break;
    }
  }
  await until(() => peer.references === 0 && server.references === 0);
  for await (const values of api.streams()) {
    for await (const value of values) if (value === 100) break;
    break;
  }
  await until(() => peer.references === 0 && server.references === 0);
});

Deno.test("functions of a stream outlive another answer that cannot be sent", async () => {
  // However far apart they are made.
  for (let turns = 0; turns < 30; turns++) {
    using both = start();
    const { api } = both;
    await api.add(1, 2);
    const values = api.functions()[Symbol.asyncIterator]();
    const failing = api.mixed(turns).catch((error: Error) => error.message);
    const { value } = await values.next();
    assertEquals(await value.tell(), 0);
    assertEquals(await failing, "Internal error");
    await values.return?.();
  }
});

Deno.test("a value that is too long takes its functions back, though what came before it leaves first", async () => {
  const [here, there] = link();
  using server = serve<{ values(): AsyncIterable<unknown> }>(there, {
    async *values() {
      yield "x";
      yield [() => 1, "y".repeat(3000)];
    },
  }, { limits: { maxMessageSize: 2000 } });
  using peer = new RpcPeer(here);
  const taken: unknown[] = [];
  await assertRejects(async () => {
    for await (const value of peer.call("values")) taken.push(value);
  }, RpcError);
  assertEquals([taken, server.references, peer.references], [["x"], 0, 0]);
});
