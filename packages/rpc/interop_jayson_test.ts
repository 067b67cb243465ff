/** jayson, of Node: both directions, over HTTP and TCP. */

import { assertEquals, assertRejects } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { connect, listen } from "@ipc/socket";
import { HttpCaller, httpHandler } from "./http.ts";
import { serveListener } from "./local.ts";
import { type Caller, type Client, client, RpcError, RpcPeer } from "./mod.ts";
import { firstLine, install, result } from "./testdata/npm.ts";
import { words } from "./testdata/words.ts";
import { socketTest } from "./testdata/sockets.ts";

leakCheck();

const installed = await install("jayson@5.0.0");
const ignore = installed === undefined;

Deno.test.afterAll(async () => await installed?.[Symbol.asyncDispose]());

interface Theirs {
  add(a: number, b: number): number;
  total(params: { a: number; b: number }): number;
  echo(text: string): string;
  fail(): void;
  tell(word: string): void;
  heard(): string[];
}

async function suite(caller: Caller, batch: <T>(make: () => T) => T): Promise<void> {
  const api: Client<Theirs> = client<Theirs>(caller);
  assertEquals(await api.add(1, 2), 3);
  assertEquals(await api.with({ byName: true }).total({ a: 3, b: 4 }), 7);
  const text = "x".repeat(100_000) + "ü";
  assertEquals(await api.echo(text), text);
  const many = Array.from({ length: 100 }, (_, index) => index);
  assertEquals(await Promise.all(many.map((index) => api.add(index, 1))), many.map((index) => index + 1));
  const error = await assertRejects(() => api.fail(), RpcError, "Out of cheese");
  assertEquals([error.code, error.data], [42, [1]]);
  assertEquals((await assertRejects(() => caller.call("missing"), RpcError)).code, -32601);
  await api.with({ notify: true }).tell("word");
  while ((await api.heard()).length === 0);
  const calls = batch(() => {
    void api.with({ notify: true }).tell("batch");
    return [api.add(1, 1), api.fail().then(() => 0, ({ code }: RpcError) => code)];
  });
  assertEquals(await Promise.all(calls), [2, 42]);
  assertEquals(await api.heard(), ["word", "batch"]);
}

socketTest("a server of jayson over HTTP", { ignore }, async () => {
  const process = installed!.node("jayson.cjs", "serve", "http");
  using caller = new HttpCaller(`http://127.0.0.1:${await firstLine(process)}/`);
  await suite(caller, (make) => caller.batch(make));
  caller.close();
  await process.stdin.close();
  await process.status;
});

socketTest("a server of jayson over TCP, one message a line", { ignore }, async () => {
  const process = installed!.node("jayson.cjs", "serve", "tcp");
  const channel = await connect(`tcp:127.0.0.1:${await firstLine(process)}`, { framing: "lines" });
  await using peer = new RpcPeer(channel, { extensions: false });
  await suite(peer, (make) => peer.batch(make));
  await process.stdin.close();
  await process.status;
});

function service() {
  const heard: string[] = [];
  return {
    add: words.add,
    total: ({ a, b }: { a: number; b: number }) => a + b,
    echo: (text: string) => text,
    count: words.count,
    fail: words.fail,
    tell: (word: string) => void heard.push(word),
    heard: () => heard,
  };
}

interface Ours extends Theirs {
  count(to: number): AsyncIterable<number>;
}

const error = { code: 42, message: "Out of cheese", data: [1] };
const EXPECTED = {
  add: { jsonrpc: "2.0", id: "one", result: 3 },
  total: { jsonrpc: "2.0", id: 2, result: 7 },
  echo: 100_001,
  count: { jsonrpc: "2.0", id: 4, result: [1, 2, 3] },
  fail: { jsonrpc: "2.0", id: 5, error },
  missing: { jsonrpc: "2.0", id: 6, error: { code: -32601, message: "Method not found" } },
  batch: [{ jsonrpc: "2.0", id: 7, result: 2 }, { jsonrpc: "2.0", id: 8, error }],
  heard: { jsonrpc: "2.0", id: 9, result: ["word", "batch"] },
};

socketTest("a client of jayson over HTTP", { ignore }, async () => {
  const handler = httpHandler<Ours>(service());
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  const process = installed!.node("jayson.cjs", "call", "http", String(server.addr.port));
  assertEquals(await result(process), EXPECTED);
});

socketTest("a client of jayson over TCP, one message a line", { ignore }, async () => {
  await using server = serveListener<Ours>(await listen("tcp:127.0.0.1:0", { framing: "lines" }), service());
  const port = server.address.split(":").at(-1)!;
  const found = await result(installed!.node("jayson.cjs", "call", "tcp", port)) as typeof EXPECTED;
  // Each notification has a connection of its own, and nobody says which is read first.
  found.heard.result.sort().reverse();
  assertEquals(found, EXPECTED);
});
