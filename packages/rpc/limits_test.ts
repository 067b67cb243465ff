/** What a hostile peer can send, and what it may use. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { duplex, MessageTooLongError } from "@ipc/core";
import { createPipe } from "@ipc/pipe";
import { leakCheck } from "@ipc/core/testing";
import { Random } from "../core/testing/_random.ts";
import { Cases } from "../core/testdata/cases.ts";
import { client, DisconnectedError, RpcPeer, serve, type ServeOptions } from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";
import { CEILING, until } from "./testdata/waiting.ts";

leakCheck();

const cases = new Cases("rpc", new URL("testdata/conformance.json", import.meta.url));

function start(options: ServeOptions = {}) {
  const [here, there] = link();
  const gates: (() => void)[] = [];
  const server = serve<{ echo(value: unknown): unknown; merge(value: object): unknown; wait(): void }>(
    there,
    {
      echo: (value) => value,
      merge: (value) => Object.assign({ a: 1 }, value),
      wait: () => new Promise<void>((resolve) => gates.push(resolve)),
    },
    options,
  );
  return { raw: new Raw(here), server, gates, [Symbol.dispose]: () => server.close() };
}

const error = (id: unknown, code: number, message: string) => ({
  jsonrpc: "2.0",
  id,
  error: { code, message },
});

cases.test("RPC-001", async () => {
  const [up, down] = [createPipe(), createPipe()];
  using server = serve(duplex(up.reader, down.writer), { echo: (value: unknown) => value });
  up.writer.writeSync(new Uint8Array([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  assert(await server.closed instanceof MessageTooLongError);
  assertEquals(await down.reader.receive(), undefined, "the connection is closed");
  up.writer.close();
  down.reader.close();
});

cases.test("RPC-002", async () => {
  for (const extensions of [true, false]) {
    using service = start({ extensions });
    await service.raw.send({ jsonrpc: "2.0", method: "$/hello", params: { credit: 1 } });
    if (extensions) await service.raw.next();
    const attack =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"x":{"$/$/":1,"__proto__":2}}';
    for (const method of ["echo", "merge"]) {
      await service.raw.send(`{"jsonrpc":"2.0","id":1,"method":"${method}","params":[${attack}]}`);
      const text = new TextDecoder().decode(await service.raw.bytes());
      assertEquals(({} as { polluted?: number }).polluted, undefined);
      if (method === "echo") assert(text.includes('"__proto__":{"polluted":1}'), text);
    }
    await service.raw.ask(`{"jsonrpc":"2.0","id":1,"__proto__":{"x":1},"method":"merge","params":${attack}}`);
    assertEquals(Object.keys(Object.prototype), []);
  }
});

cases.test("RPC-003", async () => {
  using service = start({ info: { title: "test", version: "1" } });
  const names = [
    "toString",
    "constructor",
    "__proto__",
    "hasOwnProperty",
    "valueOf",
    "then",
    "",
    "$/hello2",
    "rpc.x",
  ];
  for (const method of names) {
    const answer = await service.raw.ask({ jsonrpc: "2.0", id: 1, method });
    assertEquals(answer, error(1, -32601, "Method not found"));
  }
});

cases.test("RPC-005", async () => {
  const [up, down] = [createPipe(), createPipe()];
  const api = client<{ wait(): void }>(duplex(down.reader, up.writer));
  const calls = Array.from(
    { length: 100 },
    (_, index) => index % 2 ? api.wait() : api.with({ timeout: 1_000_000 }).wait(),
  );
  await up.reader.receive();
  down.writer.close();
  up.reader.close();
  let failed = 0;
  for (const call of calls) call.catch((error) => failed += error instanceof DisconnectedError ? 1 : 0);
  await assertRejects(() => calls[0]!, DisconnectedError);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(failed, calls.length, "all fail in one turn");
});

cases.test("RPC-007", async () => {
  using service = start();
  const invalid = error(null, -32600, "Invalid Request");
  assertEquals(await service.raw.ask("[]"), invalid);
  assertEquals(await service.raw.ask("[1]"), [invalid]);
  assertEquals(await service.raw.ask('[[], null, "a"]'), [invalid, invalid, invalid]);
  for (const other of ["1", '"text"', "null", "true", "{}"]) {
    assertEquals(await service.raw.ask(other), invalid);
  }
});

cases.complete();

Deno.test("what is nested too deeply is refused before it is parsed, as bytes and as text", async () => {
  using service = start({ limits: { maxDepth: 10 } });
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const request = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"echo","params":[${params}]}`;
  assertEquals(await service.raw.ask(request(nested(8))), {
    jsonrpc: "2.0",
    id: 1,
    result: JSON.parse(nested(8)),
  });
  const tooDeep = error(null, -32700, "Parse error: nested deeper than 10");
  assertEquals(await service.raw.ask(request(nested(9))), { ...tooDeep, id: 1 });
  // Brackets inside of strings are none.
  const text = `${"[".repeat(100)}\\"{{`;
  assertEquals(await service.raw.ask(request(`"${text}"`)), {
    jsonrpc: "2.0",
    id: 1,
    result: JSON.parse(`"${text}"`),
  });
  const began = performance.now();
  assertEquals(await service.raw.ask("[".repeat(10_000_000)), tooDeep);
  assert(performance.now() - began < CEILING);

  const sent: string[] = [];
  const inbox = [request(nested(9)), request(nested(8))];
  await serve(
    {
      send: () => Promise.reject(new Error("text is wanted")),
      sendText: (message) => Promise.resolve(void sent.push(message)),
      receive: () => Promise.resolve(inbox.shift()),
      close: () => {},
    },
    { echo: (value: unknown) => value },
    { limits: { maxDepth: 10 } },
  ).closed;
  assertEquals(sent.map((message) => JSON.parse(message).error?.code), [-32700, undefined]);
});

Deno.test("what is too long, and what is no UTF-8, is refused", async () => {
  using service = start({ limits: { maxMessageSize: 1000 } });
  const answer = await service.raw.ask(`"${"x".repeat(1000)}"`);
  assertEquals(answer, error(null, -32600, "The message has 1002 bytes, the limit is 1000"));
  assertEquals(await service.raw.ask(new Uint8Array([0x22, 0xff, 0x22])), error(null, -32700, "Parse error"));
  assertEquals(await service.raw.ask(new Uint8Array()), error(null, -32700, "Parse error"));
});

Deno.test("an id that makes the answer too long is not repeated, and costs the caller alone", async () => {
  const limits = { maxMessageSize: 1024 };
  using service = start({ limits });
  for (const method of ["no such method", "constructor"]) {
    const answer = await service.raw.ask({ jsonrpc: "2.0", id: "x".repeat(960), method });
    assertEquals(answer, error(null, -32011, "Too long"));
  }
  assertEquals(await service.raw.ask({ jsonrpc: "2.0", id: 1, method: "echo", params: [2] }), {
    jsonrpc: "2.0",
    id: 1,
    result: 2,
  });
  using tiny = start({ limits: { maxMessageSize: 60 } });
  await tiny.raw.send({ jsonrpc: "2.0", id: "a long name", method: "none" });
  assertInstanceOf(await tiny.server.closed, MessageTooLongError);
});

Deno.test("an id that would come back as another is refused", async () => {
  using service = start();
  const invalid = error(null, -32600, "Invalid Request");
  for (const id of ["9007199254740993", "-9007199254740992", "1e300", "1e999"]) {
    assertEquals(await service.raw.ask(`{"jsonrpc":"2.0","id":${id},"method":"echo"}`), invalid);
  }
  for (const id of [9007199254740991, 0.5, -1.25, 0]) {
    assertEquals(await service.raw.ask({ jsonrpc: "2.0", id, method: "echo", params: [1] }), {
      jsonrpc: "2.0",
      id,
      result: 1,
    });
  }
});

Deno.test("a batch has a limit", async () => {
  using service = start({ limits: { maxBatch: 2 } });
  const request = { jsonrpc: "2.0", id: 1, method: "echo", params: [1] };
  assertEquals((await service.raw.ask([request, request]) as unknown[]).length, 2);
  assertEquals(await service.raw.ask([request, request, request]), error(null, -32600, "Invalid Request"));
});

Deno.test("so many calls run at once, so many wait, and more are refused as busy", async () => {
  using service = start({ limits: { maxRunning: 2, maxWaiting: 2 } });
  const { raw, server, gates } = service;
  for (let id = 1; id <= 4; id++) await raw.send({ jsonrpc: "2.0", id, method: "wait" });
  assertEquals(await raw.ask({ jsonrpc: "2.0", id: 5, method: "wait" }), error(5, -32010, "Too many calls"));
  assertEquals([server.running, gates.length], [2, 2]);
  // One that waits can be cancelled, and never runs.
  const cancelled = await raw.ask({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 3 } });
  assertEquals(cancelled, error(3, -32800, "Cancelled"));
  gates[0]!();
  assertEquals(await raw.next(), { jsonrpc: "2.0", id: 1, result: null });
  await until(() => gates.length === 3);
  gates[1]!();
  gates[2]!();
  assertEquals(await raw.next(), { jsonrpc: "2.0", id: 2, result: null });
  assertEquals(await raw.next(), { jsonrpc: "2.0", id: 4, result: null });
  assertEquals(server.running, 0);
});

Deno.test("a call that was cancelled counts as long as it runs", async () => {
  using service = start({ limits: { maxRunning: 1, maxWaiting: 1 } });
  const { raw, server, gates } = service;
  await raw.send({ jsonrpc: "2.0", id: 1, method: "wait" });
  await raw.ask({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 1 } });
  await raw.send({ jsonrpc: "2.0", id: 2, method: "wait" });
  await raw.send({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 99 } });
  assertEquals([server.running, gates.length], [1, 1]);
  gates[0]!();
  await until(() => gates.length === 2);
});

Deno.test("an id in use is refused", async () => {
  using service = start();
  await service.raw.send({ jsonrpc: "2.0", id: 1, method: "wait" });
  const answer = await service.raw.ask({ jsonrpc: "2.0", id: 1, method: "wait" });
  assertEquals(answer, error(1, -32600, "Invalid Request: the id is in use"));
});

Deno.test("one who takes no answers is not listened to: memory stays flat", async () => {
  const [up, down] = [createPipe(), createPipe()];
  let ran = 0;
  using server = serve(duplex(up.reader, down.writer), {
    big: () => {
      ran++;
      return "x".repeat(100_000);
    },
  }, { limits: { maxQueuedBytes: 1_000_000 } });
  const request = (id: number) =>
    new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, method: "big" }));
  let sent = 0;
  const total = 5000;
  const sending = (async () => {
    for (; sent < total; sent++) await up.writer.send(request(sent));
  })();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert(ran < 200 && sent < total, `${ran} ran, ${sent} were sent`);
  // Once the answers are taken, all of it goes on.
  for (let answers = 0; answers < total; answers++) assert(await down.reader.receive() !== undefined);
  await sending;
  assertEquals(ran, total);
  server.close();
  up.writer.close();
  down.reader.close();
});

Deno.test("markers and notifications of no sense are refused or not heard", async () => {
  using service = start({ limits: { maxReferences: 2 } });
  const { raw, server } = service;
  await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { binary: 1, credit: "x" } });
  await raw.next();
  for (
    const marker of [{ "$/stream": "1" }, { "$/stream": 1.5 }, { "$/callback": null }, { "$/bytes": [] }]
  ) {
    const answer = await raw.ask({ jsonrpc: "2.0", id: 1, method: "echo", params: [marker] });
    assertEquals((answer as { error: { code: number } }).error.code, -32600);
  }
  const many = [1, 2, 3].map((id) => ({ "$/callback": id }));
  await raw.send({ jsonrpc: "2.0", id: 1, method: "echo", params: many });
  // None of them is kept.
  for (const id of [3, 1, 2]) {
    assertEquals(await raw.next(), { jsonrpc: "2.0", method: "$/release", params: { id, count: 1 } });
  }
  assertEquals(await raw.next(), error(1, -32010, "Too many callbacks"));
  assertEquals(server.references, 0);
  for (
    const method of [
      "$/stream/next",
      "$/stream/credit",
      "$/stream/",
      "$/release",
      "$/cancelRequest",
      "$/other",
    ]
  ) {
    for (const params of [undefined, {}, [], { id: {} }, { id: 1, count: -1, values: {} }]) {
      await raw.send({ jsonrpc: "2.0", method, params });
    }
  }
  assert(await raw.silent());
  assert(server.references <= 2);
});

Deno.test("messages that were damaged harm nobody: each is answered or not heard", async () => {
  const valid = [
    '{"jsonrpc":"2.0","id":1,"method":"echo","params":[1,{"a":[2]}]}',
    '{"jsonrpc":"2.0","id":"x","method":"echo","params":{"b":null},"$/timeout":5}',
    '[{"jsonrpc":"2.0","id":2,"method":"echo","params":[]},{"jsonrpc":"2.0","method":"merge","params":[{}]}]',
    '{"jsonrpc":"2.0","id":3,"method":"echo","params":[{"$/callback":1},{"$/stream":1},{"$/bytes":"AQID"}]}',
    '{"jsonrpc":"2.0","id":4,"method":"$/callback","params":[1,[]]}',
    '{"jsonrpc":"2.0","method":"$/stream/next","params":{"id":1,"values":[1,{"$/callback":2}]}}',
    '{"jsonrpc":"2.0","method":"$/stream/credit","params":{"id":1,"count":7}}',
    '{"jsonrpc":"2.0","method":"$/release","params":{"id":1,"count":1}}',
    '{"jsonrpc":"2.0","id":1,"result":{"$/stream":9}}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}',
  ].map((text) => new TextEncoder().encode(text));
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed);
    using service = start();
    const { raw, server } = service;
    await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { binary: true, credit: 2 } });
    const calls = random.oneIn(2) ? [server.call("any", [() => {}, (async function* () {})()])] : [];
    for (const call of calls) call.catch(() => {});
    for (let count = 0; count < 30; count++) {
      const message = random.pick(valid).slice();
      for (let flips = random.between(0, 3); flips > 0; flips--) {
        const at = random.between(0, message.length - 1);
        message[at] = random.oneIn(2)
          ? random.between(0, 255)
          : message[random.between(0, message.length - 1)]!;
      }
      await raw.send(random.oneIn(5) ? message.subarray(0, random.between(0, message.length)) : message);
    }
    await raw.send({ jsonrpc: "2.0", id: "last", method: "echo", params: [seed] });
    let answer: unknown;
    do answer = await raw.next(); while ((answer as { id?: unknown }).id !== "last");
    assertEquals(answer, { jsonrpc: "2.0", id: "last", result: seed });
  }
});

Deno.test("a peer that floods both ways hangs neither side", async () => {
  const [up, down] = [createPipe({ capacity: 4096 }), createPipe({ capacity: 4096 })];
  const limits = { maxQueuedBytes: 100_000 };
  const methods = { echo: (value: string) => value };
  const [here, there] = [
    new RpcPeer(duplex(down.reader, up.writer), { limits }),
    new RpcPeer(duplex(up.reader, down.writer), { limits }),
  ];
  here.serve(methods);
  there.serve(methods);
  const text = "x".repeat(1000);
  const calls = [here, there].flatMap((peer) => Array.from({ length: 500 }, () => peer.call("echo", [text])));
  const results = await Promise.allSettled(calls);
  assertEquals(results.length, 1000);
  assert(results.some(({ status }) => status === "fulfilled"));
  here.close();
  there.close();
});
