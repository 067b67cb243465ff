/** JSON-RPC over HTTP: what is answered to whom, and how calls go. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  ClosedError,
  IpcError,
  LimitError,
  MessageTooLongError,
  PermissionError,
  TimeoutError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { HttpCaller, httpHandler, type HttpHandlerOptions } from "./http.ts";
import { type Client, client, DisconnectedError, type RpcContext, RpcError } from "./mod.ts";
import { forever, until } from "./testdata/waiting.ts";
import { words } from "./testdata/words.ts";

leakCheck();

interface Api {
  add(a: number, b: number): number;
  total(params: { a: number; b: number }): number;
  reverse(text: string): string;
  count(to: number): AsyncIterable<number>;
  digest(data: Uint8Array): string;
  fail(): void;
  hang(): void;
  left(): number | undefined;
  back(): string;
  heard(): string[];
  tell(word: string): void;
}

function service() {
  const started: string[] = [];
  const aborted: unknown[] = [];
  const told: string[] = [];
  const api = {
    add: (a: number, b: number) => a + b,
    total: ({ a, b }: { a: number; b: number }) => a + b,
    reverse: words.reverse,
    count: words.count,
    digest: (data: Uint8Array) => JSON.stringify(data),
    fail: words.fail,
    hang(this: RpcContext) {
      started.push(this.method);
      return forever(this.signal, aborted);
    },
    left(this: RpcContext) {
      return this.timeout;
    },
    async back(this: RpcContext) {
      await this.peer.notify("news", ["nobody hears it"]);
      return await this.peer.call("name").then(String, (error) => error.name);
    },
    heard: () => told,
    tell: (word: string) => void told.push(word),
  };
  return { api, started, aborted, told };
}

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly started: string[];
  readonly aborted: unknown[];
  readonly told: string[];
}

function listen(options: HttpHandlerOptions = {}): Served {
  const { api, started, aborted, told } = service();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    httpHandler<Api>(api, options),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    started,
    aborted,
    told,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const JSON_TYPE = { "content-type": "application/json" };

/** A response as far as tests look at it. */
async function post(
  url: string,
  body: BodyInit | null,
  headers: Record<string, string> = JSON_TYPE,
  method = "POST",
) {
  const response = await fetch(url, { method, headers, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

const request = (id: unknown, method: string, ...params: unknown[]) => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});

async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("a request, a batch and notifications have their answers, an array of them, and status 204", async () => {
  await using served = listen();
  const one = await post(served.url, JSON.stringify(request("a", "add", 1, 2)));
  assertEquals([one.status, one.headers.get("content-type")], [200, "application/json"]);
  assertEquals(JSON.parse(one.text), { jsonrpc: "2.0", id: "a", result: 3 });
  const tell = { jsonrpc: "2.0", method: "tell", params: ["word"] };
  const mixed = await post(served.url, JSON.stringify([request(1, "add", 1, 1), tell, 7]));
  assertEquals(JSON.parse(mixed.text), [
    { jsonrpc: "2.0", id: 1, result: 2 },
    { jsonrpc: "2.0", id: null, error: { code: -32600, message: "Invalid Request" } },
  ]);
  for (const body of [tell, [tell, tell], { ...tell, method: "no such method" }]) {
    const none = await post(served.url, JSON.stringify(body));
    assertEquals([none.status, none.text], [204, ""]);
  }
  assertEquals(served.told, ["word", "word", "word", "word"]);
});

Deno.test("errors of JSON-RPC have status 200 and their codes", async () => {
  await using served = listen({ limits: { maxDepth: 10, maxBatch: 2 } });
  const code = async (body: string) => {
    const { status, text } = await post(served.url, body);
    assertEquals(status, 200);
    return JSON.parse(text).error.code;
  };
  assertEquals(await code(""), -32700);
  assertEquals(await code("{"), -32700);
  assertEquals(await code("[".repeat(20) + "]".repeat(20)), -32700);
  assertEquals(await code("[]"), -32600);
  assertEquals(await code("[1,2,3]"), -32600);
  assertEquals(await code(JSON.stringify(request(1, "toString"))), -32601);
  assertEquals(await code(JSON.stringify(request(1, "fail"))), 42);
  assertEquals(await code(JSON.stringify({ ...request(1, "hang"), "$/timeout": 20 })), -32001);
});

Deno.test("what is no JSON-RPC over HTTP is refused with the status that says why", async () => {
  await using served = listen({ limits: { maxMessageSize: 1000 } });
  const { url } = served;
  const body = JSON.stringify(request(1, "add", 1, 2));
  const get = await post(url, null, {}, "GET");
  assertEquals([get.status, get.headers.get("allow")], [405, "POST"]);
  for (const type of ["text/plain", "application/json; charset=utf-16", "application/jsonx", ""]) {
    assertEquals((await post(url, body, { "content-type": type })).status, 415, type);
  }
  for (const type of ["application/json; charset=UTF-8", "application/json-rpc", "application/jsonrequest"]) {
    assertEquals((await post(url, body, { "content-type": type })).status, 200, type);
  }
  assertEquals((await post(url, body, { ...JSON_TYPE, "content-encoding": "br" })).status, 415);
  assertEquals((await post(url, "no gzip", { ...JSON_TYPE, "content-encoding": "gzip" })).status, 400);
  for (
    const [accept, status] of [
      ["text/html", 406],
      ["text/html, */*;q=0.1", 200],
      ["application/json;q=0, */*", 406],
      ["application/*", 200],
    ] as const
  ) assertEquals((await post(url, body, { ...JSON_TYPE, accept })).status, status, accept);
  const long = JSON.stringify(request(1, "reverse", "x".repeat(1000)));
  assertEquals((await post(url, long)).status, 413);
  const chunks = new Blob([long]).stream();
  const response = await fetch(url, { method: "POST", headers: JSON_TYPE, body: chunks });
  await response.body?.cancel();
  assertEquals(response.status, 413);
  const bomb = await gzip(" ".repeat(100_000));
  assert(bomb.length < 1000);
  assertEquals((await post(url, bomb, { ...JSON_TYPE, "content-encoding": "gzip" })).status, 413);
});

Deno.test("pages of the web may call where their origin is named, and no others", async () => {
  await using served = listen({ origins: ["https://example.org"] });
  const body = JSON.stringify(request(1, "add", 1, 2));
  const page = { ...JSON_TYPE, origin: "https://example.org" };
  const asked = await post(served.url, null, page, "OPTIONS");
  assertEquals([asked.status, asked.headers.get("access-control-allow-origin")], [
    204,
    "https://example.org",
  ]);
  const called = await post(served.url, body, page);
  assertEquals(JSON.parse(called.text).result, 3);
  assertEquals(called.headers.get("access-control-allow-origin"), "https://example.org");
  for (const method of ["OPTIONS", "POST"]) {
    const other = await post(served.url, method === "POST" ? body : null, {
      ...page,
      origin: "https://example.com",
    }, method);
    assertEquals([other.status, other.headers.get("access-control-allow-origin")], [403, null]);
  }
});

Deno.test("bodies are compressed where the other side says that it understands it", async () => {
  await using served = listen();
  const text = "word ".repeat(2000);
  const plain = JSON.stringify(request(1, "reverse", text));
  const compressed = await gzip(plain);
  const answer = await post(served.url, compressed, { ...JSON_TYPE, "content-encoding": "gzip" });
  assertEquals(JSON.parse(answer.text).result, words.reverse(text));
  for (const [accept, encoding] of [["gzip", "gzip"], ["gzip;q=0, *", null], ["identity", null]] as const) {
    const length = await rawLength(served.url, plain, accept);
    assertEquals(length.encoding, encoding, accept);
    assert(encoding === null ? length.bytes > 10_000 : length.bytes < 1000, `${accept}: ${length.bytes}`);
  }
  using caller = new HttpCaller(served.url, { gzip: true });
  assertEquals(await client<Api>(caller).reverse(text), words.reverse(text));
});

/** What lies on the wire, which `fetch` does not show. */
async function rawLength(url: string, body: string, encoding: string) {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head =
    `POST / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
    `Accept-Encoding: ${encoding}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(head + body));
  const bytes = new Uint8Array(await new Response(connection.readable).arrayBuffer());
  const headers = new TextDecoder("latin1").decode(bytes).split("\r\n\r\n")[0]!;
  return { bytes: bytes.length, encoding: /content-encoding: (\S+)/i.exec(headers)?.[1] ?? null };
}

async function suite(api: Client<Api>, caller: HttpCaller): Promise<void> {
  assertEquals(await api.add(1, 2), 3);
  assertEquals(await api.with({ byName: true }).total({ a: 3, b: 4 }), 7);
  const many = Array.from({ length: 100 }, (_, index) => index);
  assertEquals(await Promise.all(many.map((index) => api.add(index, 1))), many.map((index) => index + 1));
  assertEquals(await api.reverse("Grüße\n\0"), "\0\neßürG");
  assertEquals(await Array.fromAsync(api.count(300)), many.concat(many, many).map((_, index) => index + 1));
  assertEquals(await api.digest(new Uint8Array([1, 2, 3])), '"AQID"');
  const error = await assertRejects(() => api.fail(), RpcError, "Out of cheese");
  assertEquals([error.code, error.data], [42, [1]]);
  assertEquals((await assertRejects(() => caller.call("no such method"), RpcError)).code, -32601);
  await api.with({ notify: true }).tell("once");
  assertEquals(await api.heard(), ["once"]);
  assertEquals(await api.back(), "DisconnectedError");
  const both = caller.batch(() => {
    void api.with({ notify: true }).tell("twice");
    return [api.add(1, 1), api.fail().then(() => 0, ({ code }: RpcError) => code), api.reverse("ab")];
  });
  assertEquals(await Promise.all(both), [2, 42, "ba"]);
  assertEquals(await api.heard(), ["once", "twice"]);
  await caller.batch(() => api.with({ notify: true }).tell("thrice"));
  await until(() => caller.requests === 0);
  assertEquals(await api.heard(), ["once", "twice", "thrice"]);
}

Deno.test("calls over HTTP: values, errors, batches, notifications, streams as arrays", async () => {
  await using served = listen();
  using caller = new HttpCaller(served.url);
  await suite(client<Api>(caller), caller);
});

Deno.test("a handler answers what is no server at all", async () => {
  const handler = httpHandler<Api>(service().api);
  using caller = new HttpCaller("https://nowhere.invalid/", {
    fetch: (url, init) => handler(new Request(url, init)),
  });
  await suite(client<Api>(caller), caller);
});

Deno.test("a call that is given up, or whose time is over, is cancelled on the other side", async () => {
  await using served = listen();
  using caller = new HttpCaller(served.url);
  const api = client<Api>(caller);
  const controller = new AbortController();
  const hanging = api.with({ signal: controller.signal }).hang();
  void until(() => served.started.length === 1).then(() => controller.abort(new Error("enough")));
  await assertRejects(() => hanging, Error, "enough");
  await until(() => served.aborted.length === 1);
  await assertRejects(() => api.with({ timeout: 50 }).hang(), TimeoutError, "no answer within 50 ms");
  await until(() => served.aborted.length === served.started.length);
  const left = await api.with({ timeout: 60_000 }).left();
  assert(left !== undefined && left > 0 && left <= 60_000);
  assertEquals(await api.left(), null);
  using plain = new HttpCaller(served.url, { extensions: false });
  assertEquals(await client<Api>(plain).with({ timeout: 60_000 }).left(), null);
  const last = api.hang();
  await until(() => served.aborted.length < served.started.length);
  caller.close();
  await assertRejects(() => last, ClosedError);
  await assertRejects(() => api.add(1, 2), ClosedError);
  await until(() => served.aborted.length === served.started.length);
});

Deno.test("one call of a batch may be given up, and the others are answered", async () => {
  await using served = listen();
  using caller = new HttpCaller(served.url);
  const api = client<Api>(caller);
  const calls = caller.batch(() => [api.with({ timeout: 50 }).hang(), api.add(1, 2)] as const);
  await assertRejects(() => calls[0], TimeoutError);
  const other = caller.batch(() =>
    [api.with({ signal: AbortSignal.abort() }).hang(), api.add(1, 2)] as const
  );
  await assertRejects(() => other[0], DOMException);
  assertEquals(await other[1], 3);
  caller.close();
  await assertRejects(() => calls[1], ClosedError);
});

Deno.test("a batch may be empty, fail, or be too long for one message", async () => {
  await using served = listen();
  using caller = new HttpCaller(served.url, { limits: { maxMessageSize: 1000 } });
  const api = client<Api>(caller);
  assertEquals(caller.batch(() => 7), 7);
  await until(() => caller.requests === 0);
  const made: Promise<unknown>[] = [];
  assertThrows(
    () =>
      caller.batch(() => {
        made.push(api.add(1, 2));
        throw new Error("no more");
      }),
    Error,
    "no more",
  );
  assertEquals(await made[0], 3);
  const texts = ["a", "b", "c"].map((letter) => letter.repeat(600));
  assertEquals(await Promise.all(caller.batch(() => texts.map((text) => api.reverse(text)))), texts);
  const calls = caller.batch(() => [api.reverse("x".repeat(2000)), api.add(1, 1)] as const);
  await assertRejects(() => calls[0], MessageTooLongError);
  assertEquals(await calls[1], 2);
  const bare = await caller.batch(() => [api.reverse("x".repeat(2000))])[0]!.catch((error) => error);
  assert(bare instanceof MessageTooLongError);
  await until(() => caller.requests === 0);
});

Deno.test("a batch that leaves in parts leaves with its notifications", async () => {
  await using served = listen();
  using caller = new HttpCaller(served.url, { limits: { maxMessageSize: 400 } });
  const api = client<Api>(caller);
  const words = ["b", "c"].map((letter) => letter.repeat(250));
  const [call, ...told] = caller.batch(() =>
    [
      api.reverse("a".repeat(250)),
      ...words.map((word) => api.with({ notify: true }).tell(word)),
      api.with({ notify: true }).tell("d".repeat(500)),
    ] as const
  );
  const states = Promise.allSettled(told);
  assertEquals(await call, "a".repeat(250));
  assertEquals((await states).map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
  await until(() => caller.requests === 0);
  assertEquals(served.told.toSorted(), words);
});

Deno.test("of a batch that leaves in parts, what befalls one is told of that one alone", async () => {
  const handler = httpHandler<Api>(service().api);
  const gate = Promise.withResolvers<void>();
  let posts = 0;
  using caller = new HttpCaller("http://localhost/", {
    limits: { maxMessageSize: 400 },
    fetch: async (url, init) => {
      const post = ++posts;
      if (post === 1) return new Response(null, { status: 503 });
      // The others come when the first has failed.
      await gate.promise;
      init.signal?.throwIfAborted();
      if (post === 2) throw new Error("the cable");
      return await handler(new Request(url, init));
    },
  });
  const api = client<Api>(caller);
  const calls = Promise.allSettled(
    caller.batch(() => ["a", "b", "c"].map((letter) => api.reverse(letter.repeat(250)))),
  );
  await until(() => posts === 3);
  await new Promise((resolve) => setTimeout(resolve));
  gate.resolve();
  const [busy, broken, answered] = await calls;
  assertInstanceOf((busy as PromiseRejectedResult).reason, LimitError);
  assertInstanceOf((broken as PromiseRejectedResult).reason, DisconnectedError);
  assertEquals(answered, { status: "fulfilled", value: "c".repeat(250) });
  await until(() => caller.requests === 0);
});

Deno.test("what goes wrong below JSON-RPC is told as what it is", async () => {
  let respond: () => Response | Promise<Response> = () => new Response();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => respond(),
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  using caller = new HttpCaller(url, { limits: { maxMessageSize: 1000 } });
  const fails = async (response: () => Response) => {
    respond = response;
    return await assertRejects(() => caller.call("add", [1, 2]), Error);
  };
  const status = (status: number) => () => new Response("<html>", { status });
  assert(await fails(status(401)) instanceof PermissionError);
  assert(await fails(status(503)) instanceof LimitError);
  assert(await fails(status(413)) instanceof MessageTooLongError);
  for (const code of [200, 404, 500]) {
    const error = await fails(status(code));
    assert(error instanceof IpcError && error.code === "EPROTO", error.message);
    assert(error.message.includes(String(code)), error.message);
  }
  const json = (value: unknown, status = 200) => () => Response.json(value, { status });
  const none = await fails(() => new Response(null, { status: 204 }));
  assertEquals((none as IpcError).code, "EPROTO");
  assert(await fails(json(["x".repeat(2000)])) instanceof MessageTooLongError);
  assert(await fails(() => Response.redirect(url)) instanceof DisconnectedError);
  const unread = await fails(
    json({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } }, 400),
  );
  assert(unread instanceof RpcError && unread.code === -32700);
  respond = status(500);
  await assertRejects(() => caller.notify("tell"), IpcError, "500");
  respond = status(200);
  await caller.notify("tell");
  using nobody = new HttpCaller("http://127.0.0.1:1/");
  await assertRejects(() => nobody.call("add"), DisconnectedError, "Cannot post to http://127.0.0.1:1/");
  assertThrows(() => new HttpCaller("ws://127.0.0.1/"), TypeError);
  assertThrows(() => httpHandler<{ add(): void }>({ add: 7 as never }), TypeError, "Cannot serve add");
});

Deno.test("no more requests run than are allowed, and callers are who the service says", async () => {
  const hang = Promise.withResolvers<string>();
  const handler = httpHandler<{ who(): string; wait(): string }, string>({
    who(this: RpcContext<string>) {
      return this.caller;
    },
    wait: () => hang.promise,
  }, {
    maxRequests: 2,
    caller: ({ headers }) => headers.get("x-user") ?? new Response(null, { status: 401 }),
  });
  const ask = (method: string, headers: Record<string, string> = { "x-user": "ada" }) =>
    handler(
      new Request("http://localhost/", {
        method: "POST",
        headers: { ...JSON_TYPE, ...headers },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method }),
      }),
    );
  assertEquals((await (await ask("who")).json()).result, "ada");
  assertEquals((await ask("who", {})).status, 401);
  const waiting = [ask("wait"), ask("wait")];
  assertEquals((await ask("wait")).status, 503);
  hang.resolve("done");
  for (const response of await Promise.all(waiting)) assertEquals((await response.json()).result, "done");
  assertEquals((await ask("who")).status, 200);
});
