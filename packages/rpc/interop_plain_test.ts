/** Programs without any library for it: Python with plain sockets and HTTP, curl. */

import { assertEquals, assertRejects } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { connect } from "@ipc/socket";
import { has } from "../core/testdata/child.ts";
import { HttpCaller, httpHandler } from "./http.ts";
import { serveLocal } from "./local.ts";
import { type Caller, client, RpcError, RpcPeer } from "./mod.ts";
import { firstLine } from "./testdata/npm.ts";
import { words } from "./testdata/words.ts";
import { folder, socketTest } from "./testdata/sockets.ts";

leakCheck();

const python = { ignore: !has("python3") };
const curl = { ignore: !has("curl") };

interface Api {
  add(a: number, b: number): number;
  total(params: { a: number; b: number }): number;
  echo(text: string): string;
  count(to: number): AsyncIterable<number>;
  fail(): void;
  tell(word: string): void;
  heard(): string[];
}

function service() {
  const heard: string[] = [];
  return {
    add: words.add,
    total: ({ a, b }: { a: number; b: number }) => a + b,
    echo: (text: string) => text,
    count: words.count,
    fail: words.fail,
    tell: (word: string) => void heard.push(word),
    heard: () => heard,
  };
}

function run(program: string, ...args: string[]): Deno.ChildProcess {
  return new Deno.Command(program, { args, stdin: "null", stdout: "piped" }).spawn();
}

const script = new URL("testdata/plain.py", import.meta.url).pathname;

async function suite(caller: Caller, batch: <T>(make: () => T) => T): Promise<void> {
  const api = client<Api>(caller);
  assertEquals(await api.add(1, 2), 3);
  assertEquals(await api.with({ byName: true }).total({ a: 3, b: 4 }), 7);
  const text = "Grüße\n" + "x".repeat(100_000);
  assertEquals(await api.echo(text), text);
  const error = await assertRejects(() => api.fail(), RpcError, "Out of cheese");
  assertEquals([error.code, error.data], [42, [1]]);
  assertEquals((await assertRejects(() => caller.call("missing"), RpcError)).code, -32601);
  await api.with({ notify: true }).tell("word");
  const calls = batch(() => [api.add(1, 1), api.fail().then(() => 0, ({ code }: RpcError) => code)]);
  assertEquals(await Promise.all(calls), [2, 42]);
  assertEquals(await api.heard(), ["word"]);
}

socketTest("a server in Python at a unix socket, one message a line", python, async () => {
  using dir = folder();
  const process = run("python3", script, "serve-unix", `${dir.path}/server`);
  assertEquals(await firstLine(process), "ready");
  const channel = await connect(`unix:${dir.path}/server`, { framing: "lines" });
  const peer = new RpcPeer(channel, { extensions: false });
  await suite(peer, (make) => peer.batch(make));
  await peer.end();
  assertEquals((await process.status).code, 0);
});

socketTest("a server in Python over HTTP", python, async () => {
  const process = run("python3", script, "serve-http");
  using caller = new HttpCaller(`http://127.0.0.1:${await firstLine(process)}/`);
  await suite(caller, (make) => caller.batch(make));
  process.kill();
  await process.status;
});

const error = { code: 42, message: "Out of cheese", data: [1] };
const ANSWERS = [
  { jsonrpc: "2.0", id: 1, result: 3 },
  { jsonrpc: "2.0", id: "zwei", result: 7 },
  { jsonrpc: "2.0", id: 3, result: [1, 2, 3] },
  { jsonrpc: "2.0", id: 4, error },
  { jsonrpc: "2.0", id: null, error: { code: -32601, message: "Method not found" } },
  [
    { jsonrpc: "2.0", id: 5, result: 2 },
    { jsonrpc: "2.0", id: null, error: { code: -32600, message: "Invalid Request" } },
  ],
  { jsonrpc: "2.0", id: 6, result: ["Grüße", "batch"] },
];

async function printed(process: Deno.ChildProcess): Promise<unknown> {
  const { stdout, code } = await process.output();
  assertEquals(code, 0);
  return JSON.parse(new TextDecoder().decode(stdout));
}

socketTest("a client in Python at a unix socket, one message a line", python, async () => {
  using dir = folder();
  await using _ = await serveLocal<Api>(`unix:${dir.path}/server`, service(), { framing: "lines" });
  assertEquals(await printed(run("python3", script, "call-unix", `${dir.path}/server`)), ANSWERS);
});

socketTest("a client in Python over HTTP", python, async () => {
  const handler = httpHandler<Api>(service());
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  const url = `http://127.0.0.1:${server.addr.port}/`;
  assertEquals(await printed(run("python3", script, "call-http", url)), ANSWERS);
});

socketTest("curl, over TCP and a unix socket, plain and compressed", curl, async () => {
  using dir = folder();
  const path = `${dir.path}/http`;
  const handler = httpHandler<Api>(service());
  await using tcp = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  await using unix = Deno.serve({ path, onListen: () => {} }, handler);
  void unix;
  const url = `http://127.0.0.1:${tcp.addr.port}/`;
  const post = async (body: string, ...args: string[]) => {
    const head = ["--silent", "--show-error", "--write-out", "\n%{http_code}", "--data-binary", body];
    const json = ["--header", "content-type: application/json"];
    const { stdout } = await run("curl", ...head, ...json, ...args).output();
    const [text, status] = new TextDecoder().decode(stdout).split("\n");
    return [Number(status), text];
  };
  const add = '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}';
  const tell = '{"jsonrpc":"2.0","method":"tell","params":["word"]}';
  const three = '{"jsonrpc":"2.0","id":1,"result":3}';
  assertEquals(await post(add, url), [200, three]);
  assertEquals(await post(add, "--unix-socket", path, "http://service/"), [200, three]);
  assertEquals(await post(add, url, "--http2-prior-knowledge"), [200, three]);
  assertEquals(await post(`[${add},${tell}]`, url), [200, `[${three}]`]);
  assertEquals(await post(tell, url), [204, ""]);
  const long = "x".repeat(10_000);
  const echo = `{"jsonrpc":"2.0","id":1,"method":"echo","params":["${long}"]}`;
  assertEquals(await post(echo, url, "--compressed"), [200, `{"jsonrpc":"2.0","id":1,"result":"${long}"}`]);
  // What curl says of the content unless told: a form.
  const { stdout } = await run("curl", "--silent", "--data", add, url).output();
  assertEquals(new TextDecoder().decode(stdout), "The content is application/json\n");
});
