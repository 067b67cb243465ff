import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  BrokenPipeError,
  type Bytes,
  ClosedError,
  ERRNO,
  IpcError,
  LimitError,
  TimeoutError,
  TruncatedError,
} from "@ipc/core";
import { interceptCalls, setErrno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { startChild } from "./testdata/program.ts";
import { Backoff } from "./_backoff.ts";
import { reconnecting, type ReconnectOptions } from "./reconnect.ts";
import { listenTcp } from "./tcp_listener.ts";
import { connectTcp, type TcpStream } from "./tcp.ts";

leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);
/** Times that a test does not wait for. */
const quick = { delay: 1, maxDelay: 4 };

/** A server at a port of its own that can be stopped and started. */
class Server implements Disposable {
  #listener: Awaited<ReturnType<typeof listenTcp>> | undefined;
  address = "127.0.0.1:0";

  async start(): Promise<void> {
    this.#listener = await listenTcp(this.address);
    this.address = this.#listener.address;
  }

  async accept(): Promise<TcpStream> {
    return (await this.#listener!.accept({ timeout: 10_000 }))!;
  }

  stop(): void {
    this.#listener?.close();
  }

  client(options: ReconnectOptions = {}) {
    return reconnecting((link) => connectTcp(this.address, link), { ...quick, ...options });
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

Deno.test("the times between attempts double, up to the most, less what is left to chance", () => {
  const chance = [0, 0.5, 1, 0, 0.5];
  const backoff = new Backoff({ delay: 100, maxDelay: 1000, jitter: 0.5, random: () => chance.shift()! });
  assertEquals([1, 2, 3, 4, 5].map(() => backoff.fail()), [100, 150, 200, 800, 750]);
  backoff.succeed();
  assertEquals(new Backoff({ delay: 7, jitter: 0 }).fail(), 7);
});

Deno.test("as many attempts fail as may", () => {
  const backoff = new Backoff({ attempts: 3, random: () => 0 });
  assertEquals([backoff.fail(), backoff.fail(), backoff.fail()], [100, 200, undefined]);
  assertEquals(backoff.failed, 3);
});

Deno.test("times that make no sense are a RangeError", () => {
  for (const options of [{ delay: -1 }, { delay: 9, maxDelay: 8 }, { jitter: 2 }, { attempts: 0 }]) {
    assertThrows(() => new Backoff(options), RangeError);
  }
});

Deno.test("a receive goes on over the next connection", async () => {
  using server = new Server();
  await server.start();
  const lost: unknown[] = [];
  using channel = await server.client({ onReconnect: (reason) => lost.push(reason) });
  using first = await server.accept();
  await first.send(bytes("one"));
  assertEquals(text(await channel.receive()), "one");
  const two = channel.receive();
  first.close();
  using second = await server.accept();
  await second.send(bytes("two"));
  assertEquals(text(await two), "two");
  assertEquals(lost.length, 1);
  assertInstanceOf(lost[0], BrokenPipeError);
  assertEquals(channel.connected, true);
});

Deno.test("a server that is away for a while is waited for, and unsent messages are kept in order", async () => {
  using server = new Server();
  await server.start();
  using channel = await server.client();
  const first = await server.accept();
  const received = channel.receive();
  server.stop();
  first.close();
  while (channel.connected) await new Promise((resolve) => setTimeout(resolve, 1));
  const sends = ["a", "b", "c"].map((word) => channel.send(bytes(word)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await server.start();
  using second = await server.accept();
  await Promise.all(sends);
  for (const word of ["a", "b", "c"]) assertEquals(text(await second.receive()), word);
  await second.send(bytes("back"));
  assertEquals(text(await received), "back");
});

Deno.test("unsent messages are rejected where that is chosen", async () => {
  using server = new Server();
  await server.start();
  using channel = await server.client({ unsent: "reject" });
  const first = await server.accept();
  const received = channel.receive().catch(() => {});
  server.stop();
  first.close();
  while (channel.connected) await new Promise((resolve) => setTimeout(resolve, 1));
  await assertRejects(() => channel.send(bytes("a")), BrokenPipeError, "no connection");
  channel.close();
  assertEquals(await received, undefined);
});

Deno.test("what a connection had taken is told as uncertain, and never sent again", async () => {
  using server = new Server();
  await server.start();
  const uncertain: string[] = [];
  const tell = (messages: Bytes[]) => uncertain.push(...messages.map((message) => text(message)!));
  using channel = await server.client({ onUncertain: tell });
  const first = await server.accept();
  for (const word of ["a", "b"]) await channel.send(bytes(word));
  assertEquals(text(await first.receive()), "a");
  // The connection is reset: "b" lies unread.
  first.close();
  const received = channel.receive();
  using second = await server.accept();
  await channel.send(bytes("c"));
  assertEquals(text(await second.receive()), "c");
  assertEquals(uncertain, ["a", "b"]);
  channel.close();
  assertEquals(await received, undefined);
  assertEquals(await second.receive(), undefined);
});

Deno.test("a message of which a part had left rejects as uncertain, and is not sent again", async () => {
  using server = new Server();
  await server.start();
  const uncertain: number[] = [];
  const tell = (messages: Bytes[]) => uncertain.push(...messages.map((message) => message.length));
  using channel = await server.client({ onUncertain: tell });
  const first = await server.accept();
  const large = channel.send(new Uint8Array(15_000_000));
  const failed = assertRejects(() => large, BrokenPipeError);
  // Long enough for the kernel to be full.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const small = channel.send(bytes("small"));
  first.close();
  assertEquals((await failed).code, "EUNCERTAIN");
  using second = await server.accept();
  await small;
  assertEquals(text(await second.receive()), "small");
  assertEquals(uncertain, [15_000_000]);
});

Deno.test("after so many attempts it is given up, for senders and receivers", async () => {
  using server = new Server();
  await server.start();
  using channel = await server.client({ attempts: 2 });
  const first = await server.accept();
  const received = assertRejects(() => channel.receive(), Error, "nobody listens there");
  server.stop();
  first.close();
  await received;
  assertEquals(await channel.receive(), undefined);
  assertEquals(channel.ended, true);
  await assertRejects(() => channel.send(bytes("a")), BrokenPipeError, "no connection");
});

Deno.test("a server that is not there yet is waited for, within the timeout", async () => {
  using server = new Server();
  await server.start();
  server.stop();
  await assertRejects(
    () => reconnecting((link) => connectTcp(server.address, link), { ...quick, timeout: 30 }),
    TimeoutError,
  );
  const reason = new Error("Enough");
  const signal = AbortSignal.abort(reason);
  await assertRejects(
    () => reconnecting((link) => connectTcp(server.address, link), { signal }),
    Error,
    "Enough",
  );
  await assertRejects(() => server.client({ attempts: 1 }), Error, "nobody listens there");
  const connecting = server.client();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await server.start();
  using channel = await connecting;
  assertEquals(channel.connected, true);
});

Deno.test("waits end in time, and what waits to be sent is capped", async () => {
  using server = new Server();
  await server.start();
  using channel = await server.client({ maxQueuedBytes: 10, delay: 10_000, maxDelay: 10_000 });
  const first = await server.accept();
  server.stop();
  const received = assertRejects(() => channel.receive({ timeout: 50 }), TimeoutError);
  first.close();
  await received;
  await assertRejects(() => channel.send(bytes("a"), { timeout: 10 }), TimeoutError);
  const waiting = channel.send(new Uint8Array(8));
  await assertRejects(() => channel.send(new Uint8Array(8)), LimitError);
  channel.close();
  await assertRejects(() => waiting, ClosedError);
});

Deno.test("an end that both sides have told is the end", async () => {
  using server = new Server();
  await server.start();
  using channel = await server.client();
  using first = await server.accept();
  await channel.send(bytes("last"));
  await channel.end();
  assertEquals(text(await first.receive()), "last");
  assertEquals(await first.receive(), undefined);
  await first.send(bytes("answer"));
  await first.end();
  assertEquals(text(await channel.receive()), "answer");
  assertEquals(await channel.receive(), undefined);
  assert(channel.ended);
});

Deno.test("a connection that is lost while nobody waits is made again by itself", async () => {
  using server = new Server();
  await server.start();
  const lost: unknown[] = [];
  using channel = await server.client({ onReconnect: (reason) => lost.push(reason) });
  const first = await server.accept();
  server.stop();
  first.close();
  while (channel.connected) await new Promise((resolve) => setTimeout(resolve, 5));
  await server.start();
  using second = await server.accept();
  while (!channel.connected) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(lost.length, 1);
  await channel.send(bytes("again"));
  assertEquals(text(await second.receive()), "again");
});

Deno.test("who only sends, and seldom, loses nothing to a server that was started anew", async () => {
  using server = new Server();
  await server.start();
  const uncertain: string[] = [];
  const tell = (messages: Bytes[]) => uncertain.push(...messages.map((message) => text(message)!));
  using channel = await server.client({ onUncertain: tell });
  using first = await server.accept();
  await channel.send(bytes("one"));
  assertEquals(text(await first.receive()), "one");
  first.close();
  // As long a pause as makes it look.
  await new Promise((resolve) => setTimeout(resolve, 30));
  await channel.send(bytes("two"));
  using second = await server.accept();
  assertEquals(text(await second.receive()), "two");
  assertEquals(uncertain, ["one"]);
});

Deno.test("a server that ends each connection at once is not asked without a pause", async () => {
  using server = new Server();
  await server.start();
  let asked = 0;
  using channel = await reconnecting((link) => {
    asked++;
    return connectTcp(server.address, link);
  }, { delay: 30_000 });
  const received = channel.receive();
  for (let count = 0; count < 2; count++) (await server.accept()).close();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(asked, 2);
  channel.close();
  assertEquals(await received, undefined);
});

Deno.test("a message that is found while nobody waits is kept for who asks", async () => {
  using server = new Server();
  await server.start();
  using channel = await server.client();
  using first = await server.accept();
  await first.sendBatch(["a", "b"].map(bytes));
  // Sending looks whether the connection has ended.
  await new Promise((resolve) => setTimeout(resolve, 30));
  await channel.send(bytes("hello"));
  assertEquals([text(await channel.receive()), text(await channel.receive())], ["a", "b"]);
  assertEquals(text(await first.receive()), "hello");
});

Deno.test("neither an idle connection nor the time between attempts keeps a process alive", async () => {
  using server = new Server();
  await server.start();
  const client = (rest: string) =>
    startChild(`
      import { connectTcp, reconnecting } from ${JSON.stringify(import.meta.resolve("./mod.ts"))};
      const channel = await reconnecting((link) => connectTcp("${server.address}", link), { delay: 60_000, maxDelay: 60_000 });
      ${rest}
      console.log("over");`);
  assertEquals(await client(""), "over\n");
  (await server.accept()).close();
  const away = client(`
    console.log(new TextDecoder().decode(await channel.receive()));
    while (channel.connected) await new Promise((resolve) => setTimeout(resolve, 5));`);
  const connection = await server.accept();
  await connection.send(bytes("bye"));
  server.stop();
  connection.close();
  assertEquals(await away, "bye\nover\n");
});

Deno.test("a connection that cannot be made into a channel is closed", async () => {
  using server = new Server();
  await server.start();
  await assertRejects(() => server.client({ maxQueuedBytes: -1 }), RangeError);
  using first = await server.accept();
  assertEquals(await first.receive(), undefined);
});

Deno.test("connections that are lost at once count as attempts that failed", async () => {
  using server = new Server();
  await server.start();
  using channel = await server.client({ attempts: 2 });
  const received = assertRejects(() => channel.receive({ timeout: 20_000 }), BrokenPipeError);
  // The first might have been chance.
  for (let count = 0; count < 3; count++) (await server.accept()).close();
  await received;
  assert(channel.ended);
});

Deno.test("so much is remembered as uncertain as was told, and of the rest how much that was", async () => {
  using server = new Server();
  await server.start();
  const uncertain: unknown[] = [];
  const onUncertain = (messages: Bytes[], older: number) => uncertain.push(messages.map(text), older);
  using channel = await server.client({ onUncertain, maxUncertainBytes: 600 });
  const first = await server.accept();
  for (const word of ["a", "b", "c", "d"]) await channel.send(bytes(word));
  const received = channel.receive();
  first.close();
  using second = await server.accept();
  await second.send(bytes("on"));
  assertEquals(text(await received), "on");
  assertEquals(uncertain, [["c", "d"], 2]);
  await assertRejects(() => server.client({ maxUncertainBytes: -1 }), RangeError);
});

Deno.test("what a listener of events throws is uncaught, and stops nothing", async () => {
  using server = new Server();
  await server.start();
  const uncaught: string[] = [];
  const listener = (event: ErrorEvent) => {
    uncaught.push(event.error.message);
    event.preventDefault();
  };
  addEventListener("error", listener);
  try {
    const fail = (name: string) => () => {
      throw new Error(name);
    };
    using channel = await server.client({ onUncertain: fail("uncertain"), onReconnect: fail("again") });
    const first = await server.accept();
    await channel.send(bytes("a"));
    const received = channel.receive();
    first.close();
    using second = await server.accept();
    await second.send(bytes("on"));
    assertEquals(text(await received), "on");
    assertEquals(uncaught, ["uncertain", "again"]);
  } finally {
    removeEventListener("error", listener);
  }
});

Deno.test("a connection that breaks after this side has ended is told, as by any channel", async () => {
  using listener = await listenTcp("127.0.0.1:0", { framing: "raw" });
  using channel = await reconnecting((link) => connectTcp(listener.address, link), quick);
  const torn = (await listener.accept())!;
  await channel.end();
  // One message, and a part of the next.
  await torn.send(new Uint8Array([2, 0, 0, 0, 111, 107, 9, 0, 0, 0, 120]));
  torn.close();
  assertEquals(text(await channel.receive()), "ok");
  await assertRejects(() => channel.receive(), TruncatedError);
  assertEquals([await channel.receive(), channel.ended], [undefined, true]);

  using server = new Server();
  await server.start();
  try {
    const { channel: other, vanish } = await vanishing(server, "recvfrom", ERRNO.EHOSTUNREACH);
    using _other = other;
    using _first = await server.accept();
    await other.end();
    vanish();
    assertEquals((await assertRejects(() => other.receive(), IpcError)).code, "EHOSTUNREACH");
    assertEquals([await other.receive(), other.ended], [undefined, true]);
  } finally {
    interceptCalls(undefined);
  }
});

/** A client whose first connection meets `code` of the kernel with its next call of `symbol`, once `vanish` was called. */
async function vanishing(server: Server, symbol: "recvfrom" | "sendto", code: number) {
  const lost: unknown[] = [];
  let first: number | undefined;
  const channel = await reconnecting(async (link) => {
    const connection = await connectTcp(server.address, link);
    first ??= connection.fd;
    return connection;
  }, { ...quick, onReconnect: (reason) => lost.push((reason as { code?: string }).code) });
  const vanish = () =>
    interceptCalls((name, args, real) => {
      if (name !== symbol || args[0] !== first) return real(...args);
      interceptCalls(undefined);
      setErrno(code);
      return -1;
    });
  return { channel, lost, vanish };
}

Deno.test("a peer whose machine has vanished is one that is lost, whoever finds that out", async () => {
  using server = new Server();
  await server.start();
  try {
    for (const name of ["ETIMEDOUT", "EHOSTUNREACH"] as const) {
      const receiving = await vanishing(server, "recvfrom", ERRNO[name]);
      using channel = receiving.channel;
      using _first = await server.accept();
      receiving.vanish();
      const received = channel.receive();
      using second = await server.accept();
      await second.send(bytes("on"));
      assertEquals(text(await received), "on");
      assertEquals(receiving.lost, [name]);
    }
    for (const symbol of ["recvfrom", "sendto"] as const) {
      const sending = await vanishing(server, symbol, ERRNO.ETIMEDOUT);
      using channel = sending.channel;
      using _first = await server.accept();
      // After a pause, sending looks first.
      await new Promise((resolve) => setTimeout(resolve, 30));
      sending.vanish();
      await channel.send(bytes(symbol));
      using second = await server.accept();
      assertEquals(text(await second.receive()), symbol);
      assertEquals(sending.lost, ["ETIMEDOUT"]);
    }
  } finally {
    interceptCalls(undefined);
  }
});
