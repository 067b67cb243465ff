/** What a client is besides the methods of the other side. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Caller, client, type ClientCallOptions, RpcPeer, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";

interface Api {
  add(a: number, b: number): number;
}

/** A caller that remembers what it was asked. */
function recorder() {
  const asked: { name: string; params: unknown; options: ClientCallOptions | undefined }[] = [];
  const caller: Caller = {
    call(name, params, options) {
      asked.push({ name, params, options });
      return Promise.resolve(0) as Promise<unknown> & AsyncIterable<unknown>;
    },
    notify(name, params) {
      asked.push({ name, params, options: undefined });
      return Promise.resolve();
    },
    [Symbol.dispose]() {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { asked, api: client<Api>(caller) };
}

Deno.test("with() adds to what the client had", async () => {
  const { asked, api } = recorder();
  const [outer, inner] = [new AbortController(), new AbortController()];
  let left = 300;
  const context = {
    get timeout() {
      return left;
    },
    signal: outer.signal,
  };
  const nested = api.with(context).with({ timeout: 200 }).with({ signal: inner.signal }).with({});
  await nested.add(1, 2);
  left = 100;
  await nested.add(1, 2);
  assertEquals(asked.map(({ options }) => options!.timeout), [100, 100], "what is left is asked for late");
  const signal = asked[0]!.options!.signal!;
  assert(!signal.aborted);
  inner.abort("enough");
  assertEquals([signal.aborted, signal.reason], [true, "enough"]);
  await api.with({ timeout: 200 }).with(context).add(1, 2);
  assertEquals(asked[2]!.options, {
    notify: undefined,
    byName: undefined,
    signal: outer.signal,
    timeout: 100,
  });
  await api.with({ byName: true }).with({ timeout: 1 }).add({ a: 1 } as never, 2);
  assertEquals([asked[3]!.params, asked[3]!.options!.timeout], [{ a: 1 }, 1]);
  await api.with({ notify: true } as ClientCallOptions).with({ timeout: 1 }).add(1, 2);
  assertEquals(asked[4]!.options, undefined);
});

Deno.test("a signal that has aborted stays with the client", async () => {
  const [here, there] = link();
  let ran = 0;
  using _ = serve<Api>(there, { add: (a, b) => (ran++, a + b) });
  using api = client<Api>(here);
  const aborted = api.with({ signal: AbortSignal.abort(new Error("enough")) }).with({ timeout: 60_000 });
  await assertRejects(() => aborted.add(1, 2), Error, "enough");
  assertEquals([ran, await api.add(1, 2), ran], [0, 3, 1]);
});

Deno.test("a client that is turned into text, JSON or anything else calls nobody", async () => {
  const { asked, api } = recorder();
  assertEquals([`${api}`, "a " + api, JSON.stringify({ api })], [
    "[object Client]",
    "a [object Client]",
    "{}",
  ]);
  assertEquals(Deno.inspect(api).length > 0, true);
  assertEquals(await api, api);
  assertEquals([api].concat([]).length, 1);
  assertEquals(asked, []);
});

Deno.test("a table with an entry that is no method takes no channel", async () => {
  const [here, there] = link();
  assertThrows(
    () => serve<Api>(there, { add: 5 as never }),
    TypeError,
    "Cannot serve add: it is no function",
  );
  for (const name of ["$/callback", "rpc.discover"]) {
    assertThrows(() => new RpcPeer(link()[0]).serve({ [name]: () => 1 }), TypeError, "reserved");
  }
  using _ = serve<Api>(there, { add: (a, b) => a + b });
  using api = client<Api>(here);
  assertEquals(await api.add(1, 2), 3);
});
