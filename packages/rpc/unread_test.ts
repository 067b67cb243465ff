/** Messages that one side sends and the other cannot read: whoever waits for an answer hears of it. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { DecodeError, MessageTooLongError } from "@ipc/core";
import { client, type PeerOptions, RpcError, RpcPeer, serve } from "./mod.ts";
import { headOf } from "./_head.ts";
import { link, Raw } from "./testdata/link.ts";

interface Api {
  echo(value: unknown): unknown;
  deep(levels: number): unknown;
  long(length: number): string;
  values(levels: number): AsyncIterable<unknown>;
}

/** An array in arrays; 1 is `[]`. */
function nested(levels: number): unknown {
  return JSON.parse("[".repeat(levels) + "]".repeat(levels));
}

function start(ours: PeerOptions = {}, theirs: PeerOptions = {}) {
  const [here, there] = link();
  const heard: unknown[] = [];
  const told: unknown[] = [];
  const server = serve<Api>(there, {
    echo: (value) => value,
    deep: nested,
    long: (length) => "x".repeat(length),
    async *values(levels) {
      yield nested(levels);
    },
  }, { onError: (error) => told.push(error), ...theirs });
  const peer = new RpcPeer(here, { onError: (error) => heard.push(error), ...ours });
  return {
    peer,
    api: client<Api>(peer),
    heard,
    told,
    [Symbol.dispose]: () => (peer.close(), server.close()),
  };
}

Deno.test("what is nested as deeply as allowed arrives, and one level more is not sent", async () => {
  for (const maxDepth of [64, 6]) {
    const limits = { maxDepth };
    using both = start({ limits }, { limits });
    const { api, peer, told } = both;
    assertEquals(await api.echo(nested(maxDepth - 2)), nested(maxDepth - 2));
    await assertRejects(() => api.echo(nested(maxDepth - 1)), TypeError, "nested too deeply, or in itself");
    assertEquals(await api.deep(maxDepth - 1), nested(maxDepth - 1));
    await assertRejects(() => api.deep(maxDepth), RpcError, "Internal error");
    assertInstanceOf(told.pop(), TypeError);
    assertEquals(await Array.fromAsync(api.values(maxDepth - 3)), [nested(maxDepth - 3)]);
    await assertRejects(() => Array.fromAsync(api.values(maxDepth - 2)), RpcError, "Internal error");
    const [fits] = peer.batch(() => [api.echo(nested(maxDepth - 3)), api.echo(1)]);
    assertEquals(await fits, nested(maxDepth - 3));
    const [sent, answered] = peer.batch(() => [api.echo(nested(maxDepth - 2)), api.deep(maxDepth - 1)]);
    await assertRejects(() => sent!, TypeError);
    await assertRejects(() => answered!, RpcError, "Internal error");
    assertEquals([peer.calls, peer.references, peer.over], [0, 0, false]);
  }
});

Deno.test("a request that the other side cannot read is refused, and an answer that this side cannot", async () => {
  using strict = start({}, { limits: { maxDepth: 6, maxMessageSize: 1000 } });
  const deep = await assertRejects(() => strict.api.echo(nested(7)), RpcError, "nested deeper than 6");
  assertEquals(deep.code, -32700);
  await assertRejects(() => strict.api.echo("x".repeat(1000)), RpcError, "The message has 1054 bytes");
  using wary = start({ limits: { maxDepth: 6, maxMessageSize: 1000 } });
  await assertRejects(() => wary.api.deep(7), DecodeError, "Cannot read the answer of deep: Parse error");
  await assertRejects(() => wary.api.long(1000), MessageTooLongError, "Cannot read the answer of long");
  assertEquals([wary.peer.calls, wary.heard, wary.told], [0, [], []], "nothing is answered to an answer");
  assertEquals(await wary.api.echo(1), 1);
});

Deno.test("nothing is answered to an answer that cannot be read, whoever wrote it", async () => {
  const [here, there] = link();
  const heard: unknown[] = [];
  using peer = new RpcPeer(here, {
    limits: { maxDepth: 3 },
    extensions: false,
    onError: (error) => heard.push(error),
  });
  const raw = new Raw(there);
  const text = (id: number) => `{"jsonrpc": "2.0", "result": [[[]]], "id": ${id}}`;
  const call = peer.call("deep");
  await raw.next();
  await raw.send(text(1));
  await assertRejects(() => call, DecodeError);
  await raw.send(text(2));
  await raw.send(`[${text(1)}]`);
  assert(await raw.silent());
  assertEquals(heard.length, 2);
});

Deno.test("a time limit that never ends is none", async () => {
  const [here, there] = link();
  using peer = new RpcPeer(here);
  const call = peer.call("wait", [], { timeout: Infinity });
  const raw = new Raw(there);
  await raw.next();
  assertEquals(await raw.next(), { jsonrpc: "2.0", id: 1, method: "wait" });
  await raw.send({ jsonrpc: "2.0", id: 1, result: 2 });
  assertEquals(await call, 2);
});

Deno.test("both ends of a message tell what it is", () => {
  const long = `"${"x".repeat(5000)}"`;
  const table: [message: string, kind: "request" | "answer" | undefined, id: number | string | undefined][] =
    [
      [`{"jsonrpc":"2.0","id":7,"method":"a","params":[${long}]}`, "request", 7],
      [`{"jsonrpc":"2.0","method":"a","params":[${long}]}`, "request", undefined],
      [`{ "jsonrpc" : "2.0", "params" : [${long}], "id" : "a b" }\n`, "request", "a b"],
      [`{"jsonrpc":"2.0","id":-3,"result":${long}}`, "answer", -3],
      [`{"id":1,"error":{"code":1,"message":${long}}}`, "answer", 1],
      [`{"result":${long},"id":4}`, "answer", 4],
      [`{"result":{"a":${long},"id":4}}`, "answer", undefined],
      [`[{"jsonrpc":"2.0","id":7,"result":${long}}]`, "answer", undefined],
      [`[{"jsonrpc":"2.0","id":7,"method":${long}}]`, "request", undefined],
      [`{"jsonrpc":"2.0","id":012,"method":"a"}`, undefined, undefined],
      [`{"jsonrpc":"2.0","id":"a\\"","method":"a"}`, undefined, undefined],
      [`{"other":${long},"id":4}`, undefined, undefined],
      ["[[[[", undefined, undefined],
      ["", undefined, undefined],
    ];
  for (const [message, kind, id] of table) {
    assertEquals(headOf(message), { kind, id }, message.slice(0, 100));
    assertEquals(headOf(new TextEncoder().encode(message)), { kind, id }, message.slice(0, 100));
  }
  const cut = new Uint8Array([0, 0, 255, 255, 1, 0, 0, 0]);
  assertEquals(headOf(cut), { kind: undefined, id: undefined });
});
