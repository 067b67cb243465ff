/** What leaves at once, and what waits for room, in one order. */

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { BrokenPipeError } from "@ipc/core";
import { client, DisconnectedError, type RpcChannel, RpcPeer, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";

interface Api {
  echo(value: unknown): unknown;
}

/** A channel that takes some messages at once, and others later. */
function fickle(
  inner: RpcChannel,
  takes: (count: number) => boolean,
): RpcChannel & { now: number; later: number } {
  return {
    now: 0,
    later: 0,
    trySend(message) {
      if (!takes(this.now + this.later)) return false;
      this.now++;
      void inner.send(message);
      return true;
    },
    send(message) {
      this.later++;
      return inner.send(message);
    },
    sendBatch(messages) {
      this.later++;
      return inner.sendBatch!(messages);
    },
    receive: () => inner.receive(),
    receiveBatch: () => inner.receiveBatch!(),
    close: () => inner.close(),
  };
}

Deno.test("messages keep their order, whether they leave at once or have to wait for room", async () => {
  const [here, there] = link();
  const heard: unknown[] = [];
  const channel = fickle(here, (count) => count % 3 !== 1);
  using _ = serve<Api>(there, { echo: (value) => heard.push(value) && value });
  using api = client<Api>(channel);
  const calls: Promise<unknown>[] = [];
  for (let at = 0; at < 100; at++) {
    calls.push(api.echo(at % 7 === 0 ? { text: "Grüße", at } : at));
    if (at % 5 !== 0) await Promise.resolve();
    if (at % 11 === 0) await calls.at(-1);
  }
  assertEquals(heard, await Promise.all(calls));
  assertEquals([channel.now > 0, channel.later > 0], [true, true]);
});

Deno.test("a channel that breaks while a message leaves at once ends the connection", async () => {
  const [here] = link();
  const broken = new BrokenPipeError("Cannot send: nobody receives", { code: "EPIPE" });
  const channel = fickle(here, () => {
    throw broken;
  });
  const peer = new RpcPeer(channel, { extensions: false });
  const error = await assertRejects(() => peer.call("echo", [1]), DisconnectedError);
  assertInstanceOf(error.cause, BrokenPipeError);
  assertEquals(await peer.closed, broken);
});
