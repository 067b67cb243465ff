/** What a peer can be made to keep. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { duplex, LimitError } from "@ipc/core";
import { createPipe } from "@ipc/pipe";
import { leakCheck } from "@ipc/core/testing";
import { client, DisconnectedError, RpcPeer, serve, type ServeOptions } from "./mod.ts";
import { httpHandler } from "./http.ts";
import { link, Raw } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

leakCheck();

const encoder = new TextEncoder();

interface Api {
  big(length: number): string;
  wait(text?: string): void;
}

function start(options: ServeOptions) {
  const [here, there] = link();
  const gates: (() => void)[] = [];
  const server = serve<Api>(there, {
    big: (length) => "x".repeat(length),
    wait: () => new Promise<void>((resolve) => gates.push(resolve)),
  }, options);
  return { raw: new Raw(here), server, gates, [Symbol.dispose]: () => server.close() };
}

const request = (id: unknown, method: string, ...params: unknown[]) => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});
const busy = (id: unknown) => ({ jsonrpc: "2.0", id, error: { code: -32010, message: "Too many calls" } });
const done = (id: unknown) => ({ jsonrpc: "2.0", id, result: null });

Deno.test("answers of a batch that are too much to keep do not wait for the others", async () => {
  using service = start({ limits: { maxQueuedBytes: 100_000 } });
  const { raw, gates } = service;
  const ids = [1, 2, 3, 4];
  await raw.send([request("w", "wait"), ...ids.map((id) => request(id, "big", 30_000))]);
  for (const id of ids) assertEquals((await raw.next() as { id: unknown }).id, id);
  gates[0]!();
  assertEquals(await raw.next(), done("w"));

  // Two batches that together have too much: the one that has it last does not keep it.
  await raw.send([request("v", "wait"), request(1, "big", 60_000)]);
  await raw.send([request("w", "wait"), request(2, "big", 60_000)]);
  assertEquals((await raw.next() as { id: unknown }).id, 2);
  gates[2]!();
  assertEquals(await raw.next(), done("w"));
  gates[1]!();
  assertEquals((await raw.next() as { id: unknown }[]).map(({ id }) => id), [1, "v"]);

  // What is gathered again is counted from the beginning.
  await raw.send([request(1, "big", 40_000), request(2, "big", 40_000)]);
  assertEquals((await raw.next() as unknown[]).length, 2);
});

Deno.test("answers of a batch that is longer than a message do not wait for the others", async () => {
  using service = start({ limits: { maxMessageSize: 50_000 } });
  const { raw, gates } = service;
  await raw.send([request("w", "wait"), request(1, "big", 30_000), request(2, "big", 30_000)]);
  for (const id of [1, 2]) assertEquals((await raw.next() as { id: unknown }).id, id);
  gates[0]!();
  assertEquals(await raw.next(), done("w"));
});

Deno.test("over HTTP, answers that are too much together are refused one by one", async () => {
  const handler = httpHandler<Pick<Api, "big">>({ big: (length) => "x".repeat(length) }, {
    limits: { maxQueuedBytes: 100_000, maxMessageSize: 70_000 },
  });
  const batch = [1, 2, "three", 4].map((id) => request(id, "big", 40_000));
  const response = await handler(
    new Request("http://localhost/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(batch),
    }),
  );
  const answers: { id: unknown; result?: string; error?: { code: number } }[] = await response.json();
  assertEquals(
    answers.map(({ id, result, error }) => [id, result?.length ?? error?.code]),
    [[1, 40_000], [2, 40_000], ["three", -32011], [4, -32011]],
  );
});

Deno.test("over HTTP, all that is posted and not answered has so many bytes, or is one message", async () => {
  const gates: (() => void)[] = [];
  const handler = httpHandler<Pick<Api, "wait">>({
    wait: () => new Promise<void>((resolve) => gates.push(resolve)),
  }, { limits: { maxRequestBytes: 10_000 } });
  const post = (text: string) =>
    handler(
      new Request("http://localhost/", {
        method: "POST",
        headers: { "content-type": "application/json", "content-encoding": "gzip" },
        body: new Blob([JSON.stringify(request(1, "wait", text))]).stream()
          .pipeThrough(new CompressionStream("gzip")),
      }),
    );
  // Compressed they are short.
  const first = post("x".repeat(20_000));
  await until(() => gates.length === 1);
  assertEquals((await post("x")).status, 503);
  gates[0]!();
  assertEquals(await (await first).json(), done(1));
  const more = [post("x".repeat(4000)), post("x".repeat(4000))];
  await until(() => gates.length === 3);
  assertEquals((await post("x".repeat(4000))).status, 503);
  gates[1]!();
  gates[2]!();
  for (const response of more) assertEquals(await (await response).json(), done(1));
});

Deno.test("requests that run and wait have so many bytes, or are one", async () => {
  using service = start({ limits: { maxRunning: 2, maxRequestBytes: 10_000 } });
  const { raw, server, gates } = service;
  const text = "x".repeat(3000);
  // One runs, one runs, one waits.
  for (const id of [1, 2, 3]) await raw.send(request(id, "wait", text));
  assertEquals(await raw.ask(request(4, "wait", text)), busy(4));
  assertEquals(server.running, 2);
  gates[0]!();
  assertEquals(await raw.next(), done(1));
  await until(() => gates.length === 3);
  await raw.send(request(4, "wait", text));
  gates[1]!();
  gates[2]!();
  assertEquals([await raw.next(), await raw.next()], [done(2), done(3)]);
  await until(() => gates.length === 4);
  gates[3]!();
  assertEquals(await raw.next(), done(4));

  // Members of a batch came in one message.
  await raw.send([request(1, "wait", text), request(2, "wait", text)]);
  assertEquals(await raw.ask(request(3, "wait", "x".repeat(5000))), busy(3));
  await raw.send(request("more", "wait", text));
  gates[4]!();
  gates[5]!();
  assertEquals(await raw.next(), [done(1), done(2)]);
  await until(() => gates.length === 7);
  gates[6]!();
  assertEquals(await raw.next(), done("more"));

  // What is alone may be longer, and what was cancelled counts as long as it runs.
  await raw.send(request(1, "wait", "x".repeat(20_000)));
  await raw.ask({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 1 } });
  assertEquals(await raw.ask(request(2, "big", 1)), busy(2));
  gates[7]!();
  await until(() => server.running === 0);
  assertEquals(await raw.ask(request(2, "big", 1)), { jsonrpc: "2.0", id: 2, result: "x" });
});

Deno.test("what waited is let go when it begins, though others wait always", async () => {
  const heap = new URL("testdata/heap.ts", import.meta.url).pathname;
  const child = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "--v8-flags=--expose-gc", heap],
    signal: AbortSignal.timeout(120_000),
    stderr: "inherit",
  }).output();
  // Kept, 3,800 texts of 8 kB would be 29 MiB.
  const grown = Number(new TextDecoder().decode(child.stdout));
  assert(child.success && grown < 8, `${grown} MiB`);
});

/** Two peers over pipes, in which little has room. */
function pair(options: ServeOptions = {}) {
  const [up, down] = [createPipe(), createPipe()];
  return [
    new RpcPeer(duplex(up.reader, down.writer), options),
    new RpcPeer(duplex(down.reader, up.writer), options),
  ] as const;
}

Deno.test("two peers that notify each other and wait for nothing go on, within what may wait", async () => {
  const peers = pair({ limits: { maxQueuedBytes: 1_000_000 } });
  const text = "x".repeat(100_000);
  const sent = [0, 0];
  const heard = [0, 0];
  let refused = 0;
  peers.forEach((peer, side) => {
    peer.serve({ note: () => void heard[side]!++ });
    for (let count = 0; count < 40; count++) {
      peer.notify("note", [text]).then(() => void sent[side]!++, (error) => {
        assertInstanceOf(error, LimitError);
        refused++;
      });
    }
  });
  await until(() => sent[0]! + sent[1]! + refused === 80);
  await until(() => heard[0] === sent[1] && heard[1] === sent[0]);
  assert(refused > 0 && sent[0]! > 5 && sent[1]! > 5, `${refused} refused, ${sent} sent`);
  for (const peer of peers) peer.close();
});

Deno.test("one who takes no answers and goes on asking is left, even where an answer of his is awaited", async () => {
  const [up, down] = [createPipe(), createPipe()];
  using server = serve<{ ask(callback: () => number): number }>(duplex(up.reader, down.writer), {
    ask: async (callback) => await callback(),
  }, { limits: { maxQueuedBytes: 20_000 } });
  const hello = { jsonrpc: "2.0", method: "$/hello", params: { credit: 64 } };
  for (const message of [hello, request(1, "ask", { "$/callback": 1 })]) {
    await up.writer.send(encoder.encode(JSON.stringify(message)));
  }
  await until(() => server.calls === 1);
  const junk = Array.from({ length: 500 }, () => encoder.encode("{"));
  let sent = 0;
  try {
    for (; !server.over && sent < 100_000; sent += junk.length) await up.writer.sendBatch(junk);
  } catch {
    // Nobody reads any more.
  }
  assert(server.over, `${sent} were read`);
  assertInstanceOf(await server.closed, LimitError);
  up.writer.close();
  down.reader.close();
});

Deno.test("the end tells of notifications that were not sent", async () => {
  const [here] = link();
  const broken = new Error("no");
  const channel = {
    send: () => new Promise<void>((_, reject) => setTimeout(() => reject(broken), 1)),
    receive: () => here.receive(),
    close: () => here.close(),
  };
  const peer = new RpcPeer(channel, { extensions: false });
  await peer.notify("note");
  const error = await assertRejects(() => peer.end(), DisconnectedError, "Cannot send what was notified");
  assertEquals(error.cause, broken);

  // What was called has told of it already.
  const [there] = link();
  const caller = new RpcPeer({ ...channel, receive: () => there.receive(), close: () => there.close() }, {
    extensions: false,
  });
  await assertRejects(() => client<Api>(caller).wait(), DisconnectedError);
  await caller.end();
});

Deno.test("a notification that waits for room hears that it was not sent", async () => {
  const [here] = link();
  const sends: PromiseWithResolvers<void>[] = [];
  const peer = new RpcPeer({
    send: () => {
      sends.push(Promise.withResolvers());
      return sends.at(-1)!.promise;
    },
    receive: () => here.receive(),
    close: () => here.close(),
  }, { extensions: false, limits: { maxQueuedBytes: 1000 } });
  const first = peer.notify("note", ["x".repeat(700)]);
  await until(() => sends.length === 1);
  const second = peer.notify("note", ["x".repeat(700)]);
  const refused = assertRejects(() => second, DisconnectedError, "Cannot notify note");
  sends[0]!.resolve();
  await until(() => sends.length === 2);
  const broken = new Error("no");
  sends[1]!.reject(broken);
  assertEquals(await peer.closed, broken);
  await refused;
  // The channel has taken the other one.
  await first;
});
