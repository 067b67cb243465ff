/** What editors and their language servers speak, with the library they use, both ways. */

import { assertEquals, assertRejects } from "@std/assert";
import { contentLength } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { spawnWithChannel } from "@ipc/pipe";
import { client, type RpcContext, RpcError, RpcPeer, serve } from "./mod.ts";
import { install } from "./testdata/npm.ts";
import { forever } from "./testdata/waiting.ts";

leakCheck();

const installed = await install("vscode-jsonrpc@10.0.0");
const ignore = installed === undefined;

Deno.test.afterAll(async () => await installed?.[Symbol.asyncDispose]());

function start(role: string) {
  return spawnWithChannel("node", {
    args: [new URL("testdata/vscode.cjs", import.meta.url).pathname, role],
    env: { NODE_PATH: `${installed!.folder}/node_modules` },
    stdio: true,
    framing: contentLength(),
  });
}

interface Theirs {
  add(a: number, b: number): number;
  sum(params: { a: number; b: number }): number;
  heard(): string[];
  tell(word: string): void;
  fail(): void;
  hang(): void;
  back(word: string): string;
}

for (const extensions of [true, false]) {
  const name = `a server of vscode-jsonrpc over standard input and output${extensions ? "" : ", plainly"}`;
  Deno.test({
    name,
    ignore,
    async fn() {
      const { process, channel } = start("serve");
      const peer = new RpcPeer(channel, { extensions });
      serve<{ echo(word: string): string }>(peer, { echo: (word) => word });
      const api = client<Theirs>(peer);
      assertEquals(await api.add(1, 2), 3);
      assertEquals(await api.with({ byName: true }).sum({ a: 3, b: 4 }), 7);
      const many = Array.from({ length: 200 }, (_, index) => index);
      assertEquals(await Promise.all(many.map((index) => api.add(index, 1))), many.map((index) => index + 1));
      const error = await assertRejects(() => api.fail(), RpcError, "Out of cheese");
      assertEquals([error.code, error.data], [42, { left: 0 }]);
      assertEquals((await assertRejects(() => peer.call("no such method"), RpcError)).code, -32601);
      assertEquals(await api.back("ping"), "ping!");
      await api.with({ notify: true }).tell("word");
      const controller = new AbortController();
      const hanging = api.with({ signal: controller.signal }).hang();
      assertEquals(await api.heard(), ["word"]);
      controller.abort();
      await assertRejects(() => hanging, DOMException);
      while ((await api.heard()).length < 2);
      assertEquals(await api.heard(), ["word", "cancelled"]);
      peer.close();
      await process.status;
    },
  });
}

Deno.test({
  name: "a client of vscode-jsonrpc over standard input and output",
  ignore,
  async fn() {
    const { process, channel } = start("call");
    const told: unknown[] = [];
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    const peer = new RpcPeer(channel);
    peer.serve({
      add: (a: number, b: number) => a + b,
      sum: ({ a, b }: { a: number; b: number }) => a + b,
      fail() {
        throw new RpcError(42, "Out of cheese", { data: { left: 0 } });
      },
      hang(this: RpcContext) {
        return forever(this.signal);
      },
      back: async (word: string) => `${await peer.call("echo", [word])}!`,
      async *count(to: number) {
        for (let at = 1; at <= to; at++) yield at;
      },
      tell: (word: string) => void told.push(word),
      results: resolve,
    });
    const results = await promise;
    assertEquals(results, {
      add: 3,
      sum: 7,
      fail: { code: 42, message: "Out of cheese", data: { left: 0 } },
      missing: { code: -32601, message: "Method not found" },
      hang: { code: -32800, message: "Cancelled" },
      back: "ping!",
      values: [1, 2, 3],
    });
    assertEquals(told, ["word"]);
    peer.close();
    await process.status;
  },
});
