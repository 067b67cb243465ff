/** How many bytes of a stream may come unread. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { LimitError } from "@ipc/core";
import { client, RpcPeer, serve } from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

interface Api {
  words(): AsyncIterable<string>;
  made(): number;
}

Deno.test("large values: the bytes that may come unread are bounded, and each is asked for as others are taken", async () => {
  const MB = 1024 * 1024;
  const [here, there] = link();
  let made = 0;
  using _ = serve<Api>(there, {
    async *words() {
      while (made < 20) {
        made++;
        yield "x".repeat(MB);
      }
    },
    made: () => made,
  });
  using api = client<Api>(here, { limits: { streamBytes: 3 * MB } });
  const words = await api.words();
  await until(() => made >= 3);
  assertEquals(await api.made(), 3, "64 values would be allowed, and 3 MiB are");
  let taken = 0;
  for await (const word of words) {
    assertEquals(word.length, MB);
    assert(made <= ++taken + 3, `${made} were made when ${taken} were taken`);
  }
  assertEquals(taken, 20);
});

Deno.test("a value that is longer than all that may come goes alone", async () => {
  const [here, there] = link();
  using _ = serve<Api>(there, {
    async *words() {
      for (let at = 1; at < 50; at++) yield "x".repeat(at * 100);
    },
    made: () => 0,
  });
  using api = client<Api>(here, { limits: { streamBytes: 1 } });
  let length = 0;
  for await (const word of api.words()) assertEquals(word.length, length += 100);
  assertEquals(length, 4900);
});

Deno.test("bytes are counted for those who count them, and a peer that sends too many is stopped", async () => {
  for (const [bytes, stopped] of [[1000, true], [undefined, false]] as const) {
    const [here, there] = link();
    using peer = new RpcPeer(here, { limits: { streamBytes: 300 } });
    const raw = new Raw(there);
    const call = peer.call("words");
    for (let at = 0; at < 2; at++) await raw.next();
    await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { credit: 4, bytes } });
    await raw.send({ jsonrpc: "2.0", id: 1, result: { "$/stream": 5 } });
    // The stream is not read meanwhile.
    const stream = await call as AsyncIterable<string>;
    const word = "x".repeat(200);
    const next = { jsonrpc: "2.0", method: "$/stream/next", params: { id: 5, values: [word] } };
    for (let at = 0; at < 3; at++) await raw.send(next);
    await raw.send({ jsonrpc: "2.0", method: "$/stream/end", params: { id: 5 } });
    if (stopped) await assertRejects(() => Array.fromAsync(stream), LimitError, "more than it was asked for");
    else assertEquals(await Array.fromAsync(stream), [word, word, word]);
  }
});

Deno.test("a peer that says nothing of bytes gets as many values as it asks for", async () => {
  const [here, there] = link();
  const big = "x".repeat(100_000);
  using _ = serve<Api>(there, {
    async *words() {
      for (;;) yield big;
    },
    made: () => 0,
  });
  const raw = new Raw(here);
  await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { binary: false, credit: 30 } });
  await raw.next();
  await raw.send({ jsonrpc: "2.0", id: 1, method: "words" });
  assertEquals(await raw.next(), { jsonrpc: "2.0", id: 1, result: { "$/stream": 1 } });
  let values = 0;
  const take = async (wanted: number) => {
    while (values < wanted) {
      values += (await raw.next() as { params: { values: unknown[] } }).params.values.length;
    }
    assert(await raw.silent());
    assertEquals(values, wanted);
  };
  await take(30);
  await raw.send({ jsonrpc: "2.0", method: "$/stream/credit", params: { id: 1, count: 5 } });
  await take(35);
});

Deno.test("values leave in messages that fit, and in no more bytes than were asked for", async () => {
  const limits = { streamBytes: 4200 };
  const sent: number[] = [];
  for (const letter of ["y", "é", "語"]) {
    const [here, there] = link({ maxMessageSize: 8192 });
    const values = Array.from({ length: 50 }, () => "x".repeat(76));
    values.push(letter.repeat(2500), letter, "z".repeat(7000), "end");
    using _ = serve<Api>(there, {
      async *words() {
        yield* values;
      },
      made: () => 0,
    }, { limits });
    const arrive = here.arrive.bind(here);
    here.arrive = (messages) => (sent.push(...messages.map(({ length }) => length)), arrive(messages));
    using api = client<Api>(here, { limits });
    assertEquals(await Array.fromAsync(api.words()), values);
  }
  assert(sent.every((length) => length <= 8192) && sent.length < 60, `${sent}`);
});
