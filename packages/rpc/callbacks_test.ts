import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ClosedError, LimitError } from "@ipc/core";
import { client, DisconnectedError, type RpcCallback, RpcError, RpcPeer, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

interface Api {
  each(words: string[], tell: (word: string) => number): number;
  subscribe(tell: (value: number) => void): () => void;
  same(first: () => void, second: () => void): boolean;
  deep(hooks: { before: () => string; after: () => string }): string[];
  keep(tell: () => void): void;
}

function start(maxReferences = 1024) {
  const [here, there] = link();
  const kept: RpcCallback[] = [];
  const subscribers = new Set<RpcCallback<[number], void>>();
  const server = serve<Api>(there, {
    async each(words, tell) {
      using _ = tell;
      let sum = 0;
      for (const word of words) sum += await tell(word);
      return sum;
    },
    subscribe(tell) {
      subscribers.add(tell);
      return () => {
        subscribers.delete(tell);
        tell.release();
      };
    },
    same: (first, second) => first === second,
    deep: async (hooks) => [await hooks.before(), await hooks.after()],
    keep: (tell) => void kept.push(tell),
  });
  const peer = new RpcPeer(here, { limits: { maxReferences } });
  const api = client<Api>(peer);
  return { api, peer, server, kept, subscribers, [Symbol.dispose]: () => (peer.close(), server.close()) };
}

Deno.test("a function that is passed runs on the side it comes from, until it is released", async () => {
  using both = start();
  const heard: string[] = [];
  assertEquals(await both.api.each(["a", "bb"], (word) => heard.push(word) && word.length), 3);
  assertEquals(heard, ["a", "bb"]);
  await until(() => both.peer.references === 0 && both.server.references === 0);
});

Deno.test("a function that is given back runs on the other side", async () => {
  using both = start();
  const heard: number[] = [];
  const stop = await both.api.subscribe((value) => void heard.push(value));
  for (const tell of both.subscribers) await tell(1);
  await stop();
  assertEquals([heard, both.subscribers.size], [[1], 0]);
  stop.release();
  await until(() => both.peer.references === 0 && both.server.references === 0);
  await assertRejects(() => stop(), ClosedError, "Cannot call the callback: it was released");
});

Deno.test("a function that is passed twice is one, and is let go when both are", async () => {
  using both = start();
  const once = () => {};
  assertEquals(await both.api.same(once, once), true);
  assertEquals(await both.api.same(once, () => {}), false);
  await both.api.keep(once);
  await both.api.keep(once);
  assertEquals(both.kept.length, 2);
  assertStrictEquals(both.kept[0], both.kept[1]);
  assertEquals(both.peer.references, 2);
  both.kept[0]!.release();
  both.kept[0]!.release();
  await until(() => both.peer.references === 1);
});

Deno.test("functions inside of objects, and their errors", async () => {
  using both = start();
  assertEquals(await both.api.deep({ before: () => "b", after: () => "a" }), ["b", "a"]);
  const error = await assertRejects(
    () =>
      both.api.each(["a"], () => {
        throw new RpcError(9, "Not this one");
      }),
    RpcError,
    "Not this one",
  );
  assertEquals(error.code, 9);
});

Deno.test("only what was passed can be called, and no more functions than allowed", async () => {
  using both = start(2);
  const error = await assertRejects(() => both.peer.call("$/callback", [5, []]), RpcError);
  assertEquals(error.code, -32601);
  await both.api.keep(() => {});
  await both.api.keep(() => {});
  await assertRejects(() => both.api.keep(() => {}), LimitError);
  assertEquals(both.peer.references, 2);
});

Deno.test("what was passed with a call that cannot be sent is taken back", async () => {
  using both = start();
  const stream = (async function* () {})();
  await assertRejects(() => both.peer.call("keep", [() => {}, stream, 10n]), TypeError);
  await until(() => both.peer.references === 0);
});

Deno.test("a function of a peer that is gone rejects", async () => {
  using both = start();
  await both.api.keep(() => {});
  both.peer.close();
  await until(() => both.server.references === 0);
  await assertRejects(() => both.kept[0]!(), DisconnectedError);
  assert(both.server.calls === 0);
});
