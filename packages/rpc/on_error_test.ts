/** What a service hears of its own failures. */

import { assertEquals, assertRejects } from "@std/assert";
import { client, RpcError, RpcPeer, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";

interface Api {
  add(a: number, b: number): number;
  broken(): AsyncIterable<number>;
  told(): AsyncIterable<number>;
  text(): void;
  later(): void;
  note(): void;
}

function start(onError: (error: unknown) => void) {
  const [here, there] = link();
  const server = serve<Api>(there, {
    add: (a, b) => a + b,
    async *broken() {
      yield 1;
      throw new TypeError("for this side");
    },
    // deno-lint-ignore require-yield
    async *told() {
      throw new RpcError(5, "for the other side");
    },
    text() {
      throw "no error";
    },
    later: () => Promise.reject(Object.create(null)),
    note() {
      throw new RangeError("of a notification");
    },
  }, { onError });
  const peer = new RpcPeer(here);
  return { api: client<Api>(peer), peer, [Symbol.dispose]: () => (peer.close(), server.close()) };
}

Deno.test("onError hears whatever fails that was not made for the other side, streams too", async () => {
  const heard: unknown[] = [];
  using both = start((error) => heard.push(error));
  const { api, peer } = both;
  await assertRejects(() => Array.fromAsync(api.broken()), RpcError, "Internal error");
  assertEquals(heard.splice(0).map(String), ["TypeError: for this side"]);
  await assertRejects(() => Array.fromAsync(api.told()), RpcError, "for the other side");
  assertEquals(heard, []);
  await assertRejects(() => api.text(), RpcError, "Internal error");
  assertEquals(heard.splice(0), ["no error"]);
  await assertRejects(() => api.later(), RpcError, "Internal error");
  assertEquals(heard.splice(0).length, 1);
  await peer.notify("note");
  assertEquals(await api.add(1, 2), 3);
  assertEquals(heard.map(String), ["RangeError: of a notification"]);
});

Deno.test("an onError that throws harms neither the answer nor the process", async () => {
  let heard = 0;
  using both = start(() => {
    heard++;
    throw new Error("the log is full");
  });
  const { api, peer } = both;
  await assertRejects(() => Array.fromAsync(api.broken()), RpcError, "Internal error");
  await assertRejects(() => api.text(), RpcError, "Internal error");
  await assertRejects(() => api.later(), RpcError, "Internal error");
  await peer.notify("note");
  assertEquals([await api.add(1, 2), heard], [3, 4]);
});
