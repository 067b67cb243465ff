import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesAt, toBase64 } from "./_base64.ts";
import { client, RpcPeer, serve } from "./mod.ts";
import { link, type LinkEnd, Raw } from "./testdata/link.ts";

interface Api {
  echo(value: unknown): unknown;
  size(data: Uint8Array): number;
}

function start(binary: [boolean, boolean]) {
  const [here, there] = link();
  const sent: number[] = [];
  const watch = (end: LinkEnd) => {
    const { sendBatch } = end;
    end.sendBatch = (messages) => {
      const all = [...messages];
      sent.push(...all.map((message) => message.length));
      return sendBatch.call(end, all);
    };
  };
  watch(here);
  watch(there);
  const server = serve<Api>(there, { echo: (value) => value, size: (data) => data.length }, {
    binary: binary[1],
  });
  const peer = new RpcPeer(here, { binary: binary[0] });
  return { api: client<Api>(peer), peer, sent, [Symbol.dispose]: () => (peer.close(), server.close()) };
}

const data = crypto.getRandomValues(new Uint8Array(60_000));

Deno.test("bytes cross in any place, beside the JSON where both sides say so and as base64 where not", async () => {
  for (const binary of [[true, true], [true, false], [false, true], [false, false]] as [boolean, boolean][]) {
    using both = start(binary);
    assertEquals(await both.api.size(data), data.length);
    const value = { a: data, list: [new Uint8Array([0]), new Uint8Array()], text: "x" };
    both.sent.length = 0;
    assertEquals(await both.api.echo(value), value);
    const beside = binary[0] && binary[1];
    const bytes = both.sent.reduce((sum, length) => sum + length, 0);
    assert(beside ? bytes < 2 * data.length + 1000 : bytes > 2 * data.length * 4 / 3, `${binary} ${bytes}`);
  }
});

Deno.test("base64 is the same where the runtime has none of its own", () => {
  for (const length of [0, 1, 2, 3, 0x6000, 0x6001, 60_000]) {
    const bytes = data.slice(0, length);
    const expected = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    assertEquals(toBase64(bytes), expected);
    Object.defineProperty(bytes, "toBase64", { value: undefined });
    assertEquals(toBase64(bytes), expected);
    assertEquals(bytesAt(expected, undefined), bytes.slice());
  }
});

Deno.test("other views and buffers become bytes", async () => {
  for (const binary of [true, false]) {
    using both = start([binary, binary]);
    await both.api.echo(0);
    assertEquals(await both.api.echo(new Uint16Array([1, 2]).subarray(1)), new Uint8Array([2, 0]));
    assertEquals(await both.api.echo(new Uint8Array([1, 2]).buffer), new Uint8Array([1, 2]));
  }
});

Deno.test("names that look like a marker stay as they are", async () => {
  using both = start([true, true]);
  await both.api.echo(0);
  for (
    const value of [{ "$/bytes": 0 }, { "$/callback": 1 }, { "$/stream": 1 }, {
      "$/$/bytes": 1,
      a: [{ "$/": 2 }],
    }, [
      "$/bytes",
      '"$/stream',
    ]]
  ) {
    assertEquals(await both.api.echo(value), value);
  }
});

Deno.test("bytes of a call that cannot be sent do not leave with the next", async () => {
  using both = start([true, true]);
  await both.api.echo(0);
  await assertRejects(() => both.api.echo([data, 10n]), TypeError);
  both.sent.length = 0;
  await both.api.echo(1);
  assert(both.sent.every((length) => length < 100), `${both.sent}`);
});

Deno.test("batches carry bytes as base64", async () => {
  using both = start([true, true]);
  await both.api.echo(0);
  const small = new Uint8Array([1, 2, 3]);
  assertEquals(await Promise.all(both.peer.batch(() => [both.api.echo(small), both.api.size(small)])), [
    small,
    3,
  ]);
});

Deno.test("a message whose lengths do not add up is a parse error", async () => {
  const [here, there] = link();
  using _ = serve<Api>(there, { echo: (value) => value, size: () => 0 }, { binary: true });
  const raw = new Raw(here);
  const json = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"echo","params":[{"$/bytes":0}]}');
  const whole = new Uint8Array(12 + json.length + 3);
  const view = new DataView(whole.buffer);
  view.setUint16(2, 1, true);
  view.setUint32(4, json.length, true);
  view.setUint32(8, 3, true);
  whole.set(json, 12);
  const parseError = { jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } };
  for (let length = 1; length < whole.length; length++) {
    assertEquals(await raw.ask(whole.subarray(0, length)), parseError);
  }
  for (const at of [1, 2, 4, 8]) {
    const wrong = whole.slice();
    wrong[at] = 0xff;
    assertEquals(await raw.ask(wrong), parseError);
  }
  // Whoever has not said that it knows them gets the marker itself.
  assertEquals(await raw.ask(whole), { jsonrpc: "2.0", id: 1, result: { "$/bytes": 0 } });
  await raw.send({ jsonrpc: "2.0", method: "$/hello", params: { binary: true, credit: 1 } });
  await raw.next();
  await raw.send(whole);
  assertEquals((await raw.bytes())![0], 0);
  for (const place of [1, -1, 0.5, "€", "__proto__", null, {}]) {
    const params = [{ "$/bytes": place }];
    assertEquals(await raw.ask({ jsonrpc: "2.0", id: 1, method: "echo", params }), {
      jsonrpc: "2.0",
      id: 1,
      error: { code: -32600, message: "Invalid bytes" },
    });
  }
});
