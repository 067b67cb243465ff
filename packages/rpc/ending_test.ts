/** How connections end: by a failure, by one side, in order. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { client, DisconnectedError, RpcError, RpcPeer, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

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
