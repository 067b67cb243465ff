/** How connections end: by a failure, by one side, in order. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { duplex } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { createPipe } from "@ipc/pipe";
import { client, DisconnectedError, type RpcContext, RpcError, RpcPeer, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

leakCheck();

Deno.test("a channel that fails is the cause of the error", async () => {
  const failure = new Error("the cable");
  const { promise, reject } = Promise.withResolvers<undefined>();
  const peer = new RpcPeer({ send: () => Promise.resolve(), receive: () => promise, close: () => {} });
  const call = peer.call("add", [1, 2]);
  reject(failure);
  const error = await assertRejects(() => call, DisconnectedError);
  assertStrictEquals(error.cause, failure);
  assertStrictEquals(await peer.closed, failure);
});

Deno.test("nothing can be asked of one who has ended his direction, even while he is still sent to", async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const peer = new RpcPeer({ send: () => new Promise(() => {}), receive: () => promise, close: () => {} });
  const call = peer.call("first");
  // What is under way to him stays so: the connection is not over.
  await Promise.resolve();
  resolve(undefined);
  await assertRejects(() => call, DisconnectedError);
  await assertRejects(() => peer.call("second"), DisconnectedError);
  assert(peer.over);
  peer.close();
});

Deno.test("a send that fails ends the connection", async () => {
  const failure = new Error("the pipe");
  const peer = new RpcPeer({
    send: () => Promise.reject(failure),
    receive: () => new Promise(() => {}),
    close: () => {},
  });
  const error = await assertRejects(() => peer.call("add", [1, 2]), DisconnectedError);
  assertStrictEquals(error.cause, failure);
});

Deno.test("end() lets what runs finish; halfOpen answers one who has ended his direction", async () => {
  const [here, there] = link();
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = serve<{ slow(): string }>(there, { slow: () => promise });
  const api = client<{ slow(): string }>(here);
  const call = api.slow();
  await until(() => server.running === 1);
  const ended = server.end();
  resolve("done");
  assertEquals(await call, "done");
  await ended;
  api[Symbol.dispose]();

  const sent: string[] = [];
  const inbox = [JSON.stringify({ jsonrpc: "2.0", id: 1, method: "slow" })];
  const half = serve<{ slow(): Promise<string> }>(
    {
      send: (message) => Promise.resolve(void sent.push(new TextDecoder().decode(message))),
      receive: () => Promise.resolve(inbox.shift()),
      close: () => {},
    },
    { slow: () => new Promise((resolve) => setTimeout(() => resolve("late"), 5)) },
    { halfOpen: true },
  );
  assertEquals(await half.closed, undefined);
  assertEquals(sent, ['{"jsonrpc":"2.0","id":1,"result":"late"}']);
});

Deno.test("one that ends begins nothing more", async () => {
  const [here, there] = link();
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = serve<{ slow(): string }>(there, { slow: () => promise });
  using api = client<{ slow(): string }>(here);
  const call = api.slow();
  await until(() => server.running === 1);
  const ended = server.end();
  const error = await assertRejects(() => api.slow(), RpcError, "Closing");
  assertEquals(error.code, -32010);
  resolve("done");
  assertEquals(await call, "done");
  await ended;
});

Deno.test("end() does not wait for what runs on when nobody can be answered any more", async () => {
  for (const how of ["closed", "gone"] as const) {
    const [here, there] = link();
    let signal: AbortSignal | undefined;
    const server = serve<{ deaf(): void }>(there, {
      deaf(this: RpcContext) {
        signal = this.signal;
        return new Promise<void>(() => {});
      },
    });
    const call = client<{ deaf(): void }>(here).deaf();
    await until(() => server.running === 1);
    const ended = server.end();
    if (how === "closed") server.close();
    else here.die();
    await ended;
    assert(signal!.aborted);
    await assertRejects(() => call);
  }
});

Deno.test("the last answer arrives whole, however long it is and slowly taken", async () => {
  for (const halfOpen of [true, false]) {
    const [up, down] = [createPipe(), createPipe()];
    const server = serve<{ big(): string }>(duplex(up.reader, down.writer), {
      big: () => "x".repeat(1_000_000),
    }, { halfOpen });
    await up.writer.send(new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"big"}'));
    up.writer.close();
    // Time to hang up too early.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const answer = await down.reader.receive();
    assertEquals(JSON.parse(new TextDecoder().decode(answer)).result.length, 1_000_000);
    assertEquals(await down.reader.receive(), undefined);
    assertEquals(await server.closed, undefined);
    down.reader.close();
  }
});

Deno.test("halfOpen: a method that reads a stream hears that the one who sends it is gone", async () => {
  const [here, there] = link();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  let reads = false;
  const server = serve<{ total(values: AsyncIterable<number>): number }>(there, {
    async total(values) {
      let sum = 0;
      try {
        for await (const value of values) {
          sum += value;
          reads = true;
        }
      } catch (error) {
        resolve(error);
        throw error;
      }
      return sum;
    },
  }, { halfOpen: true });
  const caller = new RpcPeer(here);
  const call = caller.call("total", [(async function* () {
    yield 1;
    await new Promise(() => {});
  })()]);
  await until(() => reads);
  caller.close();
  await assertRejects(() => call);
  assertInstanceOf(await promise, DisconnectedError);
  await server.closed;
  await server.end();
  assertEquals([server.running, server.references, there.closed], [0, 0, true]);
});

Deno.test("a stream fails when the one who sends it sends nothing more, even while he is still sent to", async () => {
  const inbox = [
    { jsonrpc: "2.0", method: "$/hello", params: { credit: 64 } },
    { jsonrpc: "2.0", id: 1, result: { "$/stream": 1 } },
    { jsonrpc: "2.0", method: "$/stream/next", params: { id: 1, values: [1, 2] } },
  ].map((message) => new TextEncoder().encode(JSON.stringify(message)));
  // He takes nothing, so that this side cannot end its direction.
  using peer = new RpcPeer({
    send: () => new Promise(() => {}),
    receive: () => Promise.resolve(inbox.shift()),
    close: () => {},
  });
  const taken: unknown[] = [];
  await assertRejects(
    async () => {
      for await (const value of peer.call("values")) taken.push(value);
    },
    DisconnectedError,
    "Cannot receive the stream",
  );
  assertEquals([taken, peer.references], [[1, 2], 0]);
});

Deno.test("end() closes a channel whose direction cannot be ended", async () => {
  let closed = 0;
  const peer = new RpcPeer({
    send: () => Promise.resolve(),
    receive: () => new Promise(() => {}),
    end: () => Promise.reject(new Error("the socket")),
    close: () => void closed++,
  });
  await assertRejects(() => peer.end(), Error, "the socket");
  assertEquals([closed, peer.over], [1, true]);
});
