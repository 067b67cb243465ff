import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  BrokenPipeError,
  IpcError,
  MessageTooLongError,
  TimeoutError,
  TruncatedError,
} from "@ipc/core";
import { interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { inet } from "./_net_libc.ts";
import { net } from "./_net_abi.ts";
import { getOption } from "./_socket_options.ts";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";
import { listenTcp, type TcpListenOptions } from "./tcp_listener.ts";
import { connectTcp, type TcpStream } from "./tcp.ts";
import { settled } from "./testdata/net_pairs.ts";
import { startChild } from "./testdata/program.ts";

leakCheck();

/** A test behind which no thread waits any more. */
function test(name: string, run: () => void | Promise<void>): void {
  Deno.test(name, async () => {
    await run();
    await settled();
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A connected pair, both ends of which are closed afterwards. */
async function withPair(
  run: (client: TcpStream, server: TcpStream) => Promise<void>,
  options: TcpListenOptions = {},
): Promise<void> {
  using listener = await listenTcp("127.0.0.1:0", options);
  using client = await connectTcp(listener.address, options);
  using server = (await listener.accept())!;
  await run(client, server);
  await settled();
}

/** Bytes as they are, past the framing. */
function sendRaw(channel: TcpStream, raw: Uint8Array<ArrayBuffer>): void {
  assertEquals(inet.sendto(channel.fd, raw, BigInt(raw.length), 0, null, 0), raw.length);
}

test("two processes talk over TCP", async () => {
  using listener = await listenTcp("127.0.0.1:0");
  const child = startChild(`
    import { connectTcp } from ${JSON.stringify(import.meta.resolve("./tcp.ts"))};
    await using channel = await connectTcp(${JSON.stringify(listener.address)});
    for await (const message of channel) await channel.send(message.toReversed());`);
  using server = (await listener.accept({ timeout: 60_000 }))!;
  await server.send(new Uint8Array([1, 2, 3]));
  assertEquals(await server.receive(), new Uint8Array([3, 2, 1]));
  await server.end();
  assertEquals(await server.receive(), undefined);
  assertEquals(await child, "");
});

test("addresses: text, objects, names, IPv6, every address", async () => {
  const addresses = ["tcp:127.0.0.1:0", "tcp:localhost:0", "tcp::0", "tcp:[::1]:0"] as const;
  for (const address of addresses) {
    if (address.includes("::1") && !hasIpv6()) continue;
    using listener = await listen(address);
    const { port } = new URL(listener.address.replace("tcp:", "http://"));
    using client = address === "tcp:[::1]:0"
      ? await connect({ type: "tcp", host: "::1", port: Number(port) })
      : await connect(`tcp:localhost:${port}`);
    using server = (await listener.accept())!;
    await client.send(bytes(address));
    assertEquals(await server.receive(), bytes(address));
    assertEquals(server.remoteAddress.port, client.localAddress.port);
  }
});

function hasIpv6(): boolean {
  try {
    return Deno.readTextFileSync("/proc/net/if_inet6").includes("0".repeat(31) + "1");
  } catch {
    return false;
  }
}

test("what is no address is refused before anything is done", async () => {
  for (const address of ["host", "127.0.0.1", "::1:80", "udp:127.0.0.1:80", "a:b:80"]) {
    await assertRejects(() => connectTcp(address), TypeError);
  }
  await assertRejects(() => connectTcp("127.0.0.1:65536"), RangeError);
  await assertRejects(() => connectTcp({ host: "127.0.0.1", port: 1.5 }), RangeError);
  await assertRejects(() => connect("nothing:1"), TypeError, "unix:");
  await assertRejects(() => listenTcp("127.0.0.1:0", { backlog: -1 }), RangeError);
  await assertRejects(() => listenTcp("127.0.0.1:0", { maxConnections: 0 }), RangeError);
  await assertRejects(() => listenTcp("127.0.0.1:0", { keepAlive: { probes: 0 } }), RangeError);
  await assertRejects(() => listenTcp("127.0.0.1:0", { sendBufferSize: 0 }), RangeError);
});

test("nobody listens, an address is in use, or is not ours", async () => {
  using listener = await listenTcp("127.0.0.1:0");
  const taken = await assertRejects(() => listenTcp(listener.address), AlreadyExistsError);
  assertEquals(taken.code, "EADDRINUSE");
  listener.close();
  const refused = await assertRejects(() => connectTcp(listener.address), IpcError);
  assertEquals(refused.code, "ECONNREFUSED");
  assertEquals((await assertRejects(() => listenTcp("192.0.2.1:0"), IpcError)).code, "EADDRNOTAVAIL");
  await assertRejects(() => connectTcp("no-such-host.invalid:1", { timeout: 20_000 }), IpcError);
});

test("connecting ends in time where nobody answers", async () => {
  // A full backlog: the kernel leaves those who connect without an answer.
  using listener = await listenTcp("127.0.0.1:0", { backlog: 0 });
  using _first = await connectTcp(listener.address);
  await assertRejects(async () => {
    const more: TcpStream[] = [];
    try {
      for (let index = 0; index < 5; index++) more.push(await connectTcp(listener.address, { timeout: 100 }));
    } finally {
      more.forEach((channel) => channel.close());
    }
  }, TimeoutError);
  const reason = new Error("Enough");
  await assertRejects(
    () => connectTcp(listener.address, { signal: AbortSignal.abort(reason) }),
    Error,
    "Enough",
  );
  await settled();
});

test("options reach the kernel", async () => {
  const keepAlive = { idle: 5000, interval: 2000, probes: 3 };
  await withPair((client, server) => {
    for (const { fd } of [client, server]) {
      const tcp = (name: number) => getOption(fd, net.IPPROTO_TCP, name, "a number");
      assertEquals(getOption(fd, constants.SOL_SOCKET, constants.SO_KEEPALIVE, "keep-alive"), 1);
      assertEquals([net.TCP_KEEPIDLE, net.TCP_KEEPINTVL, net.TCP_KEEPCNT].map(tcp), [5, 2, 3]);
      assertEquals(tcp(net.TCP_NODELAY), 1);
      assertEquals(getOption(fd, constants.SOL_SOCKET, constants.SO_SNDBUF, "the buffer"), 2 * 65536);
      assertEquals(getOption(fd, constants.SOL_SOCKET, constants.SO_RCVBUF, "the buffer"), 2 * 32768);
    }
    return Promise.resolve();
  }, { keepAlive, sendBufferSize: 65536, receiveBufferSize: 32768 });
});

test("several listeners share one port where that is told", async () => {
  using first = await listenTcp("127.0.0.1:0", { reusePort: true });
  using second = await listenTcp(first.address, { reusePort: true });
  assertEquals(second.address, first.address);
});

test("a reset is told between messages, by each way of receiving", async () => {
  const ways: ((channel: TcpStream) => unknown)[] = [
    (channel) => channel.receive(),
    (channel) => channel.receiveSync(),
    (channel) => channel.receiveSync({ timeout: 5000 }),
    (channel) => channel.receiveBatch(),
  ];
  for (const way of ways) {
    await withPair(async (client, server) => {
      await client.send(bytes("whole"));
      assertEquals(await server.receive(), bytes("whole"));
      await server.send(bytes("unread"));
      await sleep(5);
      // Closing with something unread resets the connection.
      client.close();
      await sleep(5);
      const error = await assertRejects(async () => await way(server), BrokenPipeError);
      assertEquals(error.code, "ECONNRESET");
      assertEquals(await server.receive(), undefined);
    });
  }
  // The same while a receive waits.
  await withPair(async (client, server) => {
    const receiving = assertRejects(() => server.receive(), BrokenPipeError, "reset");
    await server.send(bytes("unread"));
    await sleep(5);
    client.close();
    await receiving;
    assertEquals(server.ended, false);
    assertEquals(await server.receive(), undefined);
  });
});

test("half close: what the peer sends afterwards still arrives", async () => {
  await withPair(async (client, server) => {
    await client.send(bytes("question"));
    await client.end();
    assertEquals(await server.receive(), bytes("question"));
    assertEquals(await server.receive(), undefined);
    await server.send(bytes("answer"));
    await server.end();
    assertEquals(await client.receive(), bytes("answer"));
    assertEquals(await client.receive(), undefined);
  });
});

test("hostile: a length of 4 GiB is refused, and takes no memory", async () => {
  for (const length of [0xffff_ffff, 0xffff_fffe, 16 * 1024 * 1024 + 1]) {
    await withPair(async (client, server) => {
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setUint32(0, length, true);
      sendRaw(client, prefix);
      const before = Deno.memoryUsage().rss;
      await assertRejects(() => server.receive(), IpcError);
      assert(Deno.memoryUsage().rss - before < 8 * 1024 * 1024, "memory was taken for what never came");
      assertEquals(await server.receive(), undefined);
    });
  }
  using listener = await listenTcp("127.0.0.1:0", { maxMessageSize: 100 });
  using client = await connectTcp(listener.address);
  using server = (await listener.accept())!;
  await client.send(new Uint8Array(101));
  await assertRejects(() => server.receive(), MessageTooLongError);
});

test("hostile: a peer that never ends its message is given up, whatever it dribbles", async () => {
  await withPair(async (client, server) => {
    sendRaw(client, new Uint8Array([100, 0, 0, 0]));
    const dribble = setInterval(() => sendRaw(client, new Uint8Array(1)), 10);
    try {
      await assertRejects(() => server.receive(), TimeoutError);
    } finally {
      clearInterval(dribble);
    }
    assertEquals(await server.receive(), undefined);
    assertEquals(server.ended, true);
  }, { idleTimeout: 60 });
});

test("hostile: silence between messages is no offence", async () => {
  await withPair(async (client, server) => {
    const receiving = server.receive();
    await sleep(60);
    await client.send(bytes("late"));
    assertEquals(await receiving, bytes("late"));
  }, { idleTimeout: 20 });
});

test("hostile: a crowd that dribbles costs no more than is allowed, and everybody else gets through", async () => {
  const crowd = scaled(2000);
  using listener = await listenTcp("127.0.0.1:0", { maxConnections: crowd, idleTimeout: 300 });
  let gaveUp = 0;
  let honest = 0;
  const serving = (async () => {
    const connections: Promise<void>[] = [];
    for await (const channel of listener) {
      connections.push((async () => {
        using connection = channel;
        try {
          for await (const message of connection) {
            honest++;
            await connection.send(message);
          }
        } catch (error) {
          if (error instanceof TimeoutError) gaveUp++;
          else if (!(error instanceof TruncatedError || error instanceof BrokenPipeError)) throw error;
        }
      })());
    }
    await Promise.all(connections);
  })();
  const before = Deno.memoryUsage().rss;
  const dribblers = await Promise.all(Array.from({ length: crowd }, async () => {
    const channel = await connectTcp(listener.address);
    sendRaw(channel, new Uint8Array([200, 0, 0, 0, 1]));
    return channel;
  }));
  while (listener.connections < crowd) await sleep(1);
  // All places are taken: who comes now waits in the kernel until those are given up.
  using client = await connectTcp(listener.address);
  await client.send(bytes("let me in"));
  assertEquals(await client.receive({ timeout: 20_000 }), bytes("let me in"));
  assert(Deno.memoryUsage().rss - before < crowd * 160 * 1024 + 64 * 1024 * 1024, "memory is not flat");
  while (gaveUp < crowd) await sleep(1);
  await client.end();
  dribblers.forEach((channel) => channel.close());
  while (listener.connections > 0) await sleep(1);
  listener.close();
  await serving;
  assertEquals(honest, 1);
});

test("hostile: a peer that never reads holds up its own sends, and no memory", async () => {
  await withPair(async (client, server) => {
    const message = new Uint8Array(64 * 1024);
    let sent = 0;
    const before = Deno.memoryUsage().rss;
    for (;;) {
      try {
        await server.send(message, { timeout: 50 });
        sent++;
      } catch (error) {
        assert(error instanceof TimeoutError);
        break;
      }
      assert(sent < 1000, "the kernel takes no end of messages");
    }
    assert(Deno.memoryUsage().rss - before < 32 * 1024 * 1024, "memory is not flat");
    assertEquals(client.ended, false);
  }, { sendBufferSize: 128 * 1024, receiveBufferSize: 128 * 1024 });
});

test("authorize: who is not wanted is closed at once and never given out", async () => {
  const asked: number[] = [];
  using listener = await listenTcp("127.0.0.1:0", {
    authorize: ({ host, port }) => {
      assertEquals(host, "127.0.0.1");
      return asked.push(port) > 1;
    },
  });
  using first = await connectTcp(listener.address);
  using second = await connectTcp(listener.address);
  using accepted = (await listener.accept())!;
  assertEquals(accepted.remoteAddress.port, second.localAddress.port);
  assertEquals(listener.refused, 1);
  await first.receive().catch((error) => assert(error instanceof BrokenPipeError));
});

test("a closed listener ends those who wait, and refuses the next", async () => {
  const listener = await listenTcp("127.0.0.1:0");
  const waiting = listener.accept();
  listener.close();
  assertEquals(await waiting, undefined);
  await assertRejects(() => listener.accept(), IpcError, "closed");
  assertThrows(() => listener.tryAccept(), IpcError);
  await assertRejects(() => connectTcp(listener.address), IpcError);
});

test("authorize that promises lets nobody in", async () => {
  const authorize = () => Promise.resolve(true) as unknown as boolean;
  using listener = await listenTcp("127.0.0.1:0", { authorize });
  using _client = await connectTcp(listener.address);
  await assertRejects(() => listener.accept({ timeout: 100 }), TimeoutError);
  assertEquals(listener.refused, 1);
});

test("a connection to itself, which the kernel makes where nobody listens, is refused", async () => {
  const listener = await listenTcp("127.0.0.1:0");
  const { address } = listener;
  listener.close();
  interceptCalls((symbol, args, real) => {
    // As the kernel does by chance.
    if (symbol === "connect") {
      libc.bind(args[0] as number, args[1] as Uint8Array<ArrayBuffer>, args[2] as number);
    }
    return real(...args);
  });
  try {
    const error = await assertRejects(() => connectTcp(address), IpcError);
    assertEquals(error.code, "ECONNREFUSED");
  } finally {
    interceptCalls(undefined);
  }
});

test("what is aborted or makes no sense is refused before anything is done", async () => {
  const signal = AbortSignal.abort(new Error("Enough"));
  await assertRejects(() => listenTcp("127.0.0.1:0", { signal }), Error, "Enough");
  await assertRejects(() => connectTcp("127.0.0.1:1", { timeout: -5 }), RangeError);
  await assertRejects(() => connectTcp("127.0.0.1:1", { maxMessageSize: 0 }), RangeError);
});
