/** The examples of the specification of JSON-RPC 2.0, section 7, and what its other sections demand. */

import { assert, assertEquals } from "@std/assert";
import { RPC_CODE, serve } from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";

interface Api {
  subtract(...params: number[]): number;
  update(...params: unknown[]): void;
  notify_sum(...params: number[]): void;
  notify_hello(...params: number[]): void;
  sum(...params: number[]): number;
  get_data(): unknown[];
  wait(): Promise<void>;
}

interface ByName {
  subtrahend: number;
  minuend: number;
}

function start(heard: string[] = []) {
  const [here, there] = link();
  const server = serve<Api>(there, {
    subtract: (...params) => {
      const [first, second] = params;
      if (typeof first === "number") return first - second!;
      const { minuend, subtrahend } = first as unknown as ByName;
      return minuend - subtrahend;
    },
    update: () => void heard.push("update"),
    notify_sum: () => void heard.push("notify_sum"),
    notify_hello: () => void heard.push("notify_hello"),
    sum: (...numbers) => numbers.reduce((sum, number) => sum + number, 0),
    get_data: () => ["hello", 5],
    wait: () => Promise.resolve(),
  });
  return { server, raw: new Raw(here), [Symbol.dispose]: () => server.close() };
}

const INVALID = { jsonrpc: "2.0", error: { code: -32600, message: "Invalid Request" }, id: null };

const EXAMPLES: [name: string, sent: string, answered: unknown][] = [
  [
    "by position",
    '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
    { jsonrpc: "2.0", result: 19, id: 1 },
  ],
  [
    "by position, the other way round",
    '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
    { jsonrpc: "2.0", result: -19, id: 2 },
  ],
  [
    "by name",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
    { jsonrpc: "2.0", result: 19, id: 3 },
  ],
  [
    "by name, in another order",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
    { jsonrpc: "2.0", result: 19, id: 4 },
  ],
  ["a notification", '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', undefined],
  ["a notification for no method", '{"jsonrpc": "2.0", "method": "foobar"}', undefined],
  [
    "no such method",
    '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
    { jsonrpc: "2.0", error: { code: -32601, message: "Method not found" }, id: "1" },
  ],
  [
    "invalid JSON",
    '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
    { jsonrpc: "2.0", error: { code: -32700, message: "Parse error" }, id: null },
  ],
  ["an invalid request", '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', INVALID],
  [
    "a batch of invalid JSON",
    '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]',
    { jsonrpc: "2.0", error: { code: -32700, message: "Parse error" }, id: null },
  ],
  ["an empty batch", "[]", INVALID],
  ["an invalid batch that is not empty", "[1]", [INVALID]],
  ["an invalid batch", "[1,2,3]", [INVALID, INVALID, INVALID]],
  [
    "a batch",
    `[
      {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
      {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
      {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
      {"foo": "boo"},
      {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
      {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ]`,
    [
      { jsonrpc: "2.0", result: 7, id: "1" },
      { jsonrpc: "2.0", result: 19, id: "2" },
      INVALID,
      { jsonrpc: "2.0", error: { code: -32601, message: "Method not found" }, id: "5" },
      { jsonrpc: "2.0", result: ["hello", 5], id: "9" },
    ],
  ],
  [
    "a batch of notifications",
    `[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
      {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]`,
    undefined,
  ],
];

for (const [name, sent, answered] of EXAMPLES) {
  Deno.test(`the specification's example: ${name}`, async () => {
    using service = start();
    if (answered !== undefined) assertEquals(await service.raw.ask(sent), answered);
    else await service.raw.send(sent);
    assert(await service.raw.silent(), "nothing else is answered");
  });
}

Deno.test("ids of every allowed kind come back as they were", async () => {
  using service = start();
  for (const id of [0, 1, -5, 2.5, 9007199254740991, "", "a", "ü\u2028", "1", null]) {
    const answer = await service.raw.ask({ jsonrpc: "2.0", method: "sum", params: [1], id });
    assertEquals(answer, { jsonrpc: "2.0", result: 1, id });
  }
  for (const id of [true, {}, [1]]) {
    assertEquals(await service.raw.ask({ jsonrpc: "2.0", method: "sum", id }), INVALID);
  }
  assertEquals(await service.raw.ask('{"jsonrpc":"2.0","method":"sum","id":1e999}'), INVALID);
});

Deno.test("what is no request of version 2.0 is invalid, and its id comes back where it has one", async () => {
  using service = start();
  for (
    const request of [
      { method: "sum", id: 7 },
      { jsonrpc: "1.0", method: "sum", id: 7 },
      { jsonrpc: 2, method: "sum", id: 7 },
      { jsonrpc: "2.0", method: "sum", params: 1, id: 7 },
      { jsonrpc: "2.0", method: "sum", params: "1", id: 7 },
      { jsonrpc: "2.0", method: "sum", params: null, id: 7 },
      { jsonrpc: "2.0", id: 7 },
    ]
  ) {
    assertEquals(await service.raw.ask(request), { ...INVALID, id: 7 });
  }
});

Deno.test("a notification runs, and nothing is answered even if it fails", async () => {
  const heard: string[] = [];
  using service = start(heard);
  await service.raw.send({ jsonrpc: "2.0", method: "update" });
  await service.raw.send({ jsonrpc: "2.0", method: "subtract" });
  assert(await service.raw.silent());
  assertEquals(heard, ["update"]);
});

Deno.test("a batch is answered when the last member is, in any order, and together", async () => {
  using service = start();
  const answer = await service.raw.ask([
    { jsonrpc: "2.0", method: "wait", id: 1 },
    { jsonrpc: "2.0", method: "sum", id: 2 },
  ]);
  assertEquals(answer, [
    { jsonrpc: "2.0", result: 0, id: 2 },
    { jsonrpc: "2.0", result: null, id: 1 },
  ]);
});

Deno.test("the codes are those of the specification and of editors", () => {
  const { PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR, CANCELLED } =
    RPC_CODE;
  assertEquals(
    [PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR, CANCELLED],
    [-32700, -32600, -32601, -32602, -32603, -32800],
  );
});

Deno.test("an error that is no RpcError is an internal error that tells nothing", async () => {
  using service = start();
  const answer = await service.raw.ask({ jsonrpc: "2.0", method: "subtract", id: 1 });
  assertEquals(answer, { jsonrpc: "2.0", error: { code: -32603, message: "Internal error" }, id: 1 });
});
