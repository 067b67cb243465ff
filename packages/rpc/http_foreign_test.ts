/** Over HTTP: servers and gateways that answer something else, and clients that ask for the unusual or send nothing. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { IpcError, LimitError, PermissionError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { HttpCaller, httpHandler } from "./http.ts";

leakCheck();

const JSON_TYPE = { "content-type": "application/json" };

Deno.test("JSON that is no answer is not answered, and its status is told", async () => {
  let posts = 0;
  let respond = () => new Response();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    posts++;
    await request.text();
    return respond();
  });
  using caller = new HttpCaller(`http://127.0.0.1:${server.addr.port}/`);
  const fails = async (body: unknown, status: number) => {
    posts = 0;
    respond = () => Response.json(body, { status });
    const error = await assertRejects(() => caller.call("add", [1, 2]), IpcError);
    assertEquals(posts, 1, JSON.stringify(body));
    return error;
  };
  for (
    const body of [
      { message: "Unauthorized" },
      { error: "no" },
      { jsonrpc: "2.0", method: "x", id: 1 },
      [],
      7,
    ]
  ) {
    assert(await fails(body, 401) instanceof PermissionError, JSON.stringify(body));
    assert(await fails(body, 503) instanceof LimitError);
    const { code, message } = await fails(body, 200);
    assertEquals(code, "EPROTO");
    assert(message.startsWith("Cannot call add: the response of http://127.0.0.1:"), message);
  }
  assertEquals((await fails({ jsonrpc: "2.0", id: 99, result: 1 }, 200)).code, "EPROTO");
  respond = () =>
    Response.json([{ jsonrpc: "2.0", id: 1, error: { code: 7, message: "no" } }], { status: 500 });
  await assertRejects(() => caller.call("add"), Error, "no");
  posts = 0;
  respond = () => Response.json({ accepted: true });
  await caller.notify("tell");
  assertEquals(posts, 1);
});

Deno.test("an answer is an answer, however long its id", async () => {
  const handler = httpHandler<{ add(a: number, b: number): number }>({ add: (a, b) => a + b });
  const id = 'é\\"'.repeat(2_000_000);
  const response = await handler(
    new Request("http://localhost/", {
      method: "POST",
      headers: JSON_TYPE,
      body: JSON.stringify({ jsonrpc: "2.0", id, method: "add", params: [1, 2] }),
    }),
  );
  assertEquals(response.status, 200);
  assert((await response.text()).endsWith('","result":3}'));
});

Deno.test("one that sends no request makes room for others", async () => {
  const handler = httpHandler<{ add(a: number, b: number): number }>({ add: (a, b) => a + b }, {
    maxRequests: 1,
    patience: 20,
  });
  const ask = (body: BodyInit) =>
    handler(new Request("http://localhost/", { method: "POST", headers: JSON_TYPE, body }));
  let cancelled = false;
  const slow = ask(new ReadableStream({ cancel: () => void (cancelled = true) }));
  const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "add", params: [1, 2] });
  assertEquals((await ask(text)).status, 503);
  assertEquals([(await slow).status, cancelled], [408, true]);
  assertEquals((await (await ask(text)).json()).result, 3);
});
