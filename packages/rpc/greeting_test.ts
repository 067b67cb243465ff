/** Who greets whom, and when. */

import { assert, assertEquals } from "@std/assert";
import { RpcPeer, serve } from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";

const hello = {
  jsonrpc: "2.0",
  method: "$/hello",
  params: { binary: false, credit: 64, bytes: 1024 * 1024 },
};

Deno.test("a side that was greeted greets back, and again when another takes the other end", async () => {
  const [here, there] = link();
  using _ = serve<{ count(): AsyncIterable<number> }>(there, {
    async *count() {
      yield 1;
    },
  });
  const raw = new Raw(here);
  for (let caller = 1; caller < 4; caller++) {
    assertEquals(await raw.ask(hello), hello);
    const answer = { jsonrpc: "2.0", id: 1, result: { "$/stream": caller } };
    assertEquals(await raw.ask({ jsonrpc: "2.0", id: 1, method: "count" }), answer);
    for (const method of ["$/stream/next", "$/stream/end"]) {
      assertEquals((await raw.next() as { method: string }).method, method);
    }
  }
});

Deno.test("a side that greeted first does not do it again, or two would for ever", async () => {
  const [here, there] = link();
  using peer = new RpcPeer(here);
  const raw = new Raw(there);
  void peer.notify("word");
  assertEquals(await raw.next(), hello);
  assertEquals(await raw.next(), { jsonrpc: "2.0", method: "word" });
  for (let time = 0; time < 3; time++) await raw.send(hello);
  assert(await raw.silent());
});

Deno.test("ids begin where they were told to", async () => {
  const [here, there] = link();
  using peer = new RpcPeer(here, { firstId: 2 ** 40, extensions: false });
  const raw = new Raw(there);
  for (const id of [2 ** 40, 2 ** 40 + 1]) {
    const call = peer.call("word");
    assertEquals(await raw.next(), { jsonrpc: "2.0", id, method: "word" });
    await raw.send({ jsonrpc: "2.0", id, result: id });
    assertEquals(await call, id);
  }
});
