/** JSON-RPC over WebSockets: the standard ones on either side, and those of the package of sockets. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { IpcError, LimitError, MessageTooLongError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { connectWebSocket, listenWebSocket } from "@ipc/socket";
import { client, DisconnectedError, RpcPeer, serve } from "./mod.ts";
import { webSocketChannel, type WebSocketChannelOptions } from "./websocket.ts";
import { until } from "./testdata/waiting.ts";
import { type Words, words } from "./testdata/words.ts";

leakCheck();

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly peers: RpcPeer[];
}

/** A service behind the runtime's own server; `accept` may do something else with the socket. */
function listen(accept?: (socket: WebSocket) => void): Served {
  const peers: RpcPeer[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    if (accept !== undefined) accept(socket);
    else peers.push(serve<Words>(webSocketChannel(socket), words, { binary: true }));
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/`,
    peers,
    [Symbol.asyncDispose]: async () => {
      for (const peer of peers) peer.close();
      await server.shutdown();
    },
  };
}

function open(url: string, options?: WebSocketChannelOptions) {
  const socket = new WebSocket(url);
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve, { once: true }));
  return { channel: webSocketChannel(socket, options), closed };
}

Deno.test("the whole service over WebSockets, called before they are open", async () => {
  await using served = listen();
  for (const binary of [true, false]) {
    const peer = new RpcPeer(open(served.url).channel, { binary });
    const api = client<Words>(peer);
    assertEquals(await api.add(1, 2), 3);
    assertEquals(await api.reverse("Grüße\n\0"), "\0\neßürG");
    const counted = await Array.fromAsync(api.count(300));
    assertEquals(counted, Array.from({ length: 300 }, (_, index) => index + 1));
    assertEquals(await api.each(["a", "bb"], (word) => word.length), 3);
    const data = crypto.getRandomValues(new Uint8Array(50_000));
    assertEquals(await api.digest(data), new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
    assertEquals(await Promise.all(peer.batch(() => [api.add(1, 1), api.reverse("ab")])), [2, "ba"]);
    await peer.end();
  }
  await until(() => served.peers.every((peer) => peer.over));
});

Deno.test("messages are text, and bytes beside the JSON binary ones", async () => {
  const kinds: string[] = [];
  await using served = listen((socket) => {
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      kinds.push(typeof data === "string" ? JSON.parse(data).method : "bytes");
      if (kinds.length === 1) {
        socket.send('{"jsonrpc":"2.0","method":"$/hello","params":{"binary":true,"credit":1}}');
        socket.send('{"jsonrpc":"2.0","id":1,"result":3}');
      }
    };
  });
  const { channel, closed } = open(served.url);
  const peer = new RpcPeer(channel, { binary: true });
  assertEquals(await peer.call("add", [1, 2]), 3);
  await peer.notify("take", [new Uint8Array(10)]);
  await until(() => kinds.length === 3);
  assertEquals(kinds, ["$/hello", "add", "bytes"]);
  peer.close();
  await closed;
});

Deno.test("a channel of the package of sockets is the other side of either", async () => {
  await using served = listen();
  const channel = await connectWebSocket(served.url);
  const api = client<Words>(channel, { binary: true });
  assertEquals(await api.reverse("abc"), "cba");
  await api[Symbol.asyncDispose]();

  await using listener = await listenWebSocket("ws://127.0.0.1:0/calls");
  const opened = open(listener.address);
  const server = serve<Words>((await listener.accept())!, words);
  const other = client<Words>(opened.channel);
  assertEquals(await other.add(1, 2), 3);
  assertEquals(await Array.fromAsync(other.count(3)), [1, 2, 3]);
  other[Symbol.dispose]();
  assertEquals(await server.closed, undefined);
  await opened.closed;
});

Deno.test("streams of text go on, whether the two ends have it as text or as bytes", async () => {
  const text = "語".repeat(4000);
  async function* many() {
    for (let at = 0; at < 500; at++) yield text;
  }
  for (const asText of [true, false]) {
    await using listener = await listenWebSocket("ws://127.0.0.1:0/calls", { text: asText });
    const opened = open(listener.address);
    using server = new RpcPeer((await listener.accept())!);
    using peer = new RpcPeer(opened.channel);
    for (const [from, to] of [[server, peer], [peer, server]] as const) {
      from.serve({ many });
      let count = 0;
      for await (const value of to.call("many")) if (value === text) count++;
      assertEquals(count, 500);
    }
    peer.close();
    await opened.closed;
  }
});

Deno.test("a server that is not there, or breaks off, fails the calls", async () => {
  const api = client<Words>(open("ws://127.0.0.1:1/").channel);
  const error = await assertRejects(() => api.add(1, 2), DisconnectedError);
  assert(error.cause instanceof IpcError && error.cause.code === "ECONNREFUSED", String(error.cause));

  await using served = listen((socket) => {
    socket.onmessage = () => socket.close();
  });
  const { channel, closed } = open(served.url);
  const peer = new RpcPeer(channel);
  await assertRejects(() => peer.call("add", [1, 2]), DisconnectedError, "the other side is gone");
  assertEquals(await peer.closed, undefined);
  await closed;
});

Deno.test("what is too long, or comes faster than it is read, ends the connection", async () => {
  await using served = listen((socket) => {
    socket.onopen = () => {
      for (let at = 0; at < 100; at++) socket.send("x".repeat(100));
      socket.send("y".repeat(1000));
    };
  });
  const long = open(served.url, { maxMessageSize: 500 });
  await assertRejects(
    async () => {
      while (await long.channel.receive() !== undefined);
    },
    MessageTooLongError,
    "it has 1000 bytes, the limit is 500",
  );
  await long.closed;

  const fast = open(served.url, { maxBufferedBytes: 20 * (256 + 200) });
  await fast.closed;
  const received: unknown[] = [];
  await assertRejects(async () => {
    for (let message; (message = await fast.channel.receive()) !== undefined;) received.push(message);
  }, LimitError);
  assertEquals(received.length, 20);

  await using small = listen((socket) => {
    socket.onopen = () => {
      for (let at = 0; at < 100; at++) socket.send(new Uint8Array(0));
      socket.send("€".repeat(100));
    };
  });
  const empty = open(small.url, { maxBufferedBytes: 5000 });
  await empty.closed;
  await assertRejects(async () => {
    while (await empty.channel.receive() !== undefined);
  }, LimitError);
  const wide = open(small.url, { maxMessageSize: 200 });
  await assertRejects(
    async () => {
      while (await wide.channel.receive() !== undefined);
    },
    MessageTooLongError,
    "it has 300 bytes, the limit is 200",
  );
  await wide.closed;
  assertThrows(
    () => webSocketChannel(new WebSocket("ws://127.0.0.1:1/"), { maxMessageSize: 0 }),
    RangeError,
    "Cannot set maxMessageSize to 0",
  );
});

Deno.test("senders wait for a WebSocket that has much to send, and nothing is lost", async () => {
  const received: number[] = [];
  await using served = listen((socket) => {
    socket.onmessage = ({ data }) => received.push(data.length);
  });
  const { channel, closed } = open(served.url);
  const text = "x".repeat(100_000);
  for (let at = 0; at < 100; at++) await channel.sendText!(text);
  await channel.end!();
  await until(() => received.length === 100);
  assertEquals(new Set(received), new Set([100_000]));
  assertEquals(await channel.receive(), undefined);
  await closed;
  assertInstanceOf(await channel.sendText!("more").catch((error) => error), IpcError);
});
