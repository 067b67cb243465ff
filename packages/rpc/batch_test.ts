/** Batches of calls between two peers of this package: streams in them, and many at once. */

import { assertEquals, assertRejects } from "@std/assert";
import { MessageTooLongError } from "@ipc/core";
import { client, RpcPeer, serve } from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

interface Api {
  count(to: number): AsyncIterable<number>;
  lines(): { name: string; lines: AsyncIterable<string> };
  total(values: AsyncIterable<number>): number;
  slow(): string;
  echo(value: number): number;
}

function start() {
  const [here, there] = link();
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = serve<Api>(there, {
    async *count(to) {
      for (let at = 1; at <= to; at++) yield at;
    },
    lines: () => ({
      name: "log",
      lines: (async function* () {
        yield* ["a", "b"];
      })(),
    }),
    async total(values) {
      let sum = 0;
      for await (const value of values) sum += value;
      return sum;
    },
    slow: () => promise,
    echo: (value) => value,
  });
  const peer = new RpcPeer(here);
  return { peer, api: client<Api>(peer), server, go: resolve, [Symbol.dispose]: () => server.close() };
}

Deno.test("streams in a batch come whole, and before an answer that takes its time", async () => {
  using both = start();
  const { api, peer, go } = both;
  const [count, lines, total, slow] = peer.batch(() =>
    [
      api.count(100),
      api.lines(),
      api.total((async function* () {
        yield* [1, 2, 3];
      })()),
      api.slow(),
    ] as const
  );
  const values: number[] = [];
  for await (const value of count) values.push(value);
  assertEquals(values, Array.from({ length: 100 }, (_, index) => index + 1));
  const answer = await lines;
  assertEquals([answer.name, await Array.fromAsync(answer.lines)], ["log", ["a", "b"]]);
  go("done");
  assertEquals([await total, await slow], [6, "done"]);
  await until(() => peer.references === 0 && both.server.references === 0 && both.server.running === 0);
});

Deno.test("streams alone in a batch leave nothing to answer", async () => {
  using both = start();
  const streams = both.peer.batch(() => [both.api.count(3), both.api.count(2)]);
  assertEquals(await Promise.all(streams.map((stream) => Array.fromAsync(stream))), [[1, 2, 3], [1, 2]]);
  await until(() => both.server.references === 0);
});

Deno.test("as many calls as in several batches leave as several", async () => {
  using both = start();
  const values = Array.from({ length: 2500 }, (_, index) => index);
  assertEquals(await Promise.all(both.peer.batch(() => values.map((value) => both.api.echo(value)))), values);

  const [here, there] = link();
  using peer = new RpcPeer(here, { extensions: false, limits: { maxBatch: 2 } });
  peer.batch(() => {
    for (let at = 0; at < 3; at++) void peer.notify("word");
  });
  const raw = new Raw(there);
  const word = { jsonrpc: "2.0", method: "word" };
  assertEquals([await raw.next(), await raw.next()], [[word, word], [word]]);
});

Deno.test("a notification of a batch that is too long is refused, and the others leave", async () => {
  const [here, there] = link();
  using peer = new RpcPeer(here, { extensions: false, limits: { maxMessageSize: 200 } });
  const [long, short] = peer.batch(() => [peer.notify("word", ["x".repeat(200)]), peer.notify("word")]);
  await assertRejects(() => long!, MessageTooLongError);
  await short;
  assertEquals(await new Raw(there).next(), { jsonrpc: "2.0", method: "word" });
});

Deno.test("what is refused of a batch takes its functions and streams back, and no others", async () => {
  const [here, there] = link();
  using server = serve<{ take(...values: unknown[]): void }>(there, { take: () => new Promise(() => {}) });
  using peer = new RpcPeer(here, { limits: { maxMessageSize: 500 } });
  const things = () => [() => 1, (async function* () {})()];
  const long = "x".repeat(500);
  const [call, told, kept] = peer.batch(() =>
    [
      peer.call("take", [...things(), long]),
      peer.notify("take", [...things(), long]),
      peer.call("take", [() => 2]),
    ] as const
  );
  kept.catch(() => {});
  await assertRejects(() => call, MessageTooLongError);
  await assertRejects(() => told, MessageTooLongError);
  await until(() => server.running === 1);
  assertEquals([peer.references, server.references], [1, 1]);
});
