/** vscode-jsonrpc, of Node, over a unix socket: both directions. */

import { assertEquals, assertRejects } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { connect } from "@ipc/socket";
import { serveLocal } from "./local.ts";
import { client, type RpcContext, RpcError, RpcPeer } from "./mod.ts";
import { firstLine, install } from "./testdata/npm.ts";
import { forever } from "./testdata/waiting.ts";
import { folder, socketTest } from "./testdata/sockets.ts";

leakCheck();

const installed = await install("vscode-jsonrpc@10.0.0");
const ignore = installed === undefined;

Deno.test.afterAll(async () => await installed?.[Symbol.asyncDispose]());

interface Theirs {
  add(a: number, b: number): number;
  sum(params: { a: number; b: number }): number;
  heard(): string[];
  tell(word: string): void;
  fail(): void;
  hang(): void;
  back(word: string): string;
}

socketTest("a server of vscode-jsonrpc at a unix socket", { ignore }, async () => {
  using dir = folder();
  const process = installed!.node("vscode.cjs", "serve", `${dir.path}/server`);
  assertEquals(await firstLine(process), "ready");
  const channel = await connect(`unix:${dir.path}/server`, { framing: "content-length" });
  const peer = new RpcPeer(channel);
  peer.serve({ echo: (word: string) => word });
  const api = client<Theirs>(peer);
  assertEquals(await api.add(1, 2), 3);
  assertEquals(await api.with({ byName: true }).sum({ a: 3, b: 4 }), 7);
  const many = Array.from({ length: 200 }, (_, index) => index);
  assertEquals(await Promise.all(many.map((index) => api.add(index, 1))), many.map((index) => index + 1));
  const error = await assertRejects(() => api.fail(), RpcError, "Out of cheese");
  assertEquals([error.code, error.data], [42, { left: 0 }]);
  assertEquals((await assertRejects(() => peer.call("missing"), RpcError)).code, -32601);
  assertEquals(await api.back("ping"), "ping!");
  await api.with({ notify: true }).tell("word");
  const controller = new AbortController();
  const hanging = api.with({ signal: controller.signal }).hang();
  assertEquals(await api.heard(), ["word"]);
  controller.abort();
  await assertRejects(() => hanging, DOMException);
  while ((await api.heard()).length < 2);
  assertEquals(await api.heard(), ["word", "cancelled"]);
  await peer.end();
  await process.stdin.close();
  await process.status;
});

socketTest("a client of vscode-jsonrpc at a unix socket", { ignore }, async () => {
  using dir = folder();
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<unknown>();
  interface Ours extends Omit<Theirs, "heard"> {
    count(to: number): AsyncIterable<number>;
    results(all: unknown): void;
  }
  await using _ = await serveLocal<Ours>(`unix:${dir.path}/server`, {
    add: (a, b) => a + b,
    sum: ({ a, b }) => a + b,
    fail() {
      throw new RpcError(42, "Out of cheese", { data: { left: 0 } });
    },
    hang(this: RpcContext) {
      return forever(this.signal);
    },
    async back(this: RpcContext, word: string) {
      return `${await this.peer.call("echo", [word])}!`;
    },
    async *count(to) {
      for (let at = 1; at <= to; at++) yield at;
    },
    tell: (word) => void told.push(word),
    results: resolve,
  }, { framing: "content-length" });
  const process = installed!.node("vscode.cjs", "call", `${dir.path}/server`);
  assertEquals(await promise, {
    add: 3,
    sum: 7,
    fail: { code: 42, message: "Out of cheese", data: { left: 0 } },
    missing: { code: -32601, message: "Method not found" },
    hang: { code: -32800, message: "Cancelled" },
    back: "ping!",
    values: [1, 2, 3],
  });
  assertEquals(told, ["word"]);
  await process.stdin.close();
  await process.stdout.cancel();
  await process.status;
});
