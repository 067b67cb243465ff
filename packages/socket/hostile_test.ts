import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { type Bytes, type Channel, lengthPrefix, LimitError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has, scaled } from "../core/testdata/child.ts";
import { BudgetedDecoder, ByteBudget } from "./_byte_budget.ts";
import { connect, listen, type Listener, listenTcp, listenTls, listenUnix, type UnixStream } from "./mod.ts";
import { makeCertificates } from "./testdata/certificates.ts";
import { CEILING, Program, settled, TestProcess, withPath } from "./testdata/process.ts";

leakCheck();

const MIB = 1024 * 1024;
const maxMessageSize = 4 * MIB;
const limits = { maxMessageSize, maxTotalBufferedBytes: 5 * MIB };

/** Opens a connection that says of a message that it has 4 MiB, and sends so many bytes of it. */
const OPEN = `
async function open(connect, length) {
  const conn = await connect();
  const bytes = new Uint8Array(4 + length);
  new DataView(bytes.buffer).setUint32(0, ${maxMessageSize}, true);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  return conn;
}
async function frame(conn, bytes) {
  await conn.write(new Uint8Array([bytes.length, 0, 0, 0, ...bytes]));
}`;

/**
 * One connection that holds most, some that hold less: beyond the limit the first is given up, and nobody else; so
 * many bytes can then be held again, and a message of somebody else gets through.
 */
async function sharesALimit(listener: Listener<Channel>, connect: string): Promise<void> {
  await using peer = new TestProcess(`
    ${OPEN}
    const connect = ${connect};
    const conns = [await open(connect, ${3 * MIB})];
    console.log("greedy");
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let count = 0; count < 3; count++) conns.push(await open(connect, ${MIB}));
    const honest = await connect();
    await frame(honest, [1, 2, 3]);
    setInterval(() => {}, 60_000);`);
  using greedy = (await listener.accept(CEILING))!;
  const outcome = greedy.receive(CEILING).then(() => "a message", (error) => error);
  assertEquals(await peer.line(), "greedy");
  const modest: Channel[] = [];
  try {
    const waiting: Promise<unknown>[] = [];
    let ended = 0;
    for (let count = 0; count < 3; count++) {
      const channel = (await listener.accept(CEILING))!;
      modest.push(channel);
      waiting.push(channel.receive().catch((error) => error).finally(() => ended++));
    }
    using honest = (await listener.accept(CEILING))!;
    assertEquals(await honest.receive(CEILING), new Uint8Array([1, 2, 3]));
    const error = await outcome;
    assert(error instanceof LimitError, `${error}`);
    assertStringIncludes(error.message, "5242880");
    assertEquals([greedy.ended, await greedy.receive()], [true, undefined]);
    assertEquals(ended, 0);
    for (const channel of modest) channel.close();
    assertEquals(await Promise.all(waiting), [undefined, undefined, undefined]);
  } finally {
    for (const channel of modest) channel.close();
  }
}

Deno.test("hostile: the connections of a unix listener share a limit, and who holds most is given up", () =>
  withPath(async (path) => {
    using listener = await listenUnix({ type: "unix", path }, limits);
    await sharesALimit(listener, `() => Deno.connect({ transport: "unix", path: ${JSON.stringify(path)} })`);
  }));

Deno.test("hostile: the connections of a TCP listener share a limit, and who holds most is given up", async () => {
  using listener = await listenTcp("127.0.0.1:0", limits);
  const port = listener.address.split(":").at(-1);
  await sharesALimit(listener, `() => Deno.connect({ hostname: "127.0.0.1", port: ${port} })`);
  await settled();
});

Deno.test({
  name: "hostile: the connections of a TLS listener share a limit, and who holds most is given up",
  ignore: !has("openssl"),
  fn: async () => {
    const { ca, server } = await makeCertificates();
    await using listener = await listenTls("127.0.0.1:0", { ...server, ...limits });
    const port = listener.address.split(":").at(-1);
    const to = JSON.stringify({ hostname: "127.0.0.1", port: Number(port), caCerts: [ca] });
    await sharesALimit(listener, `() => Deno.connectTls(${to})`);
  },
});

Deno.test({
  name: "hostile: connections that never begin their handshake are no more than is allowed",
  ignore: !has("openssl"),
  fn: async () => {
    const { server } = await makeCertificates();
    await using listener = await listenTls("127.0.0.1:0", { ...server, maxConnections: 3 });
    const port = Number(listener.address.split(":").at(-1));
    await using peer = new TestProcess(`
      let closed = 0;
      for (let count = 0; count < 20; count++) {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port: ${port} });
        conn.read(new Uint8Array(1)).catch(() => null).then(() => ++closed === 14 && console.log("14 closed"));
      }
      setInterval(() => {}, 60_000);`);
    const accepting = listener.accept();
    assertEquals(await peer.line(), "14 closed");
    assertEquals(listener.connections, 0);
    listener.close();
    assertEquals(await accepting, undefined);
  },
});

/**
 * A connection in the middle of a message is given up by what another one reads, in the same turn in which its own peer
 * goes on: the reactor reads that afterwards.
 */
async function givesUpInTheMiddle(listener: Listener<Channel>): Promise<void> {
  const open = async () => {
    const client = await connect(listener.address as `unix:${string}`, { framing: "raw" });
    return [client, (await listener.accept(CEILING)) as UnixStream] as const;
  };
  const [greedy, lost] = await open();
  using _greedy = greedy;
  using _lost = lost;
  const [other, modest] = await open();
  using _other = other;
  using _modest = modest;
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, maxMessageSize, true);
  const received = lost.receive(CEILING).then((message) => message, (error) => error);
  await greedy.send(head);
  const begun = greedy.send(new Uint8Array(3 * MIB));
  while (lost.buffered < 4 + 3 * MIB) await new Promise((resolve) => setTimeout(resolve, 1));
  await begun;
  await other.send(head);
  const rest = other.send(new Uint8Array(2 * MIB - 64));
  while (modest.buffered < 4 + 2 * MIB - 64) {
    assertEquals(modest.tryReceive(), undefined);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await rest;
  await other.send(new Uint8Array(1024));
  while (modest.available < 1024) await new Promise((resolve) => setTimeout(resolve, 1));
  // Read as frames, these would be three empty messages.
  greedy.trySend(new Uint8Array(12));
  assertEquals(modest.tryReceive(), undefined);
  const outcome = await received;
  assert(outcome instanceof LimitError, `received ${outcome}`);
  assertEquals([await lost.receive(), lost.buffered, lost.ended], [undefined, 0, true]);
}

Deno.test("hostile: what still arrives of a connection that was given up makes no messages", async () => {
  await withPath(async (path) => {
    using listener = await listenUnix({ type: "unix", path }, limits);
    await givesUpInTheMiddle(listener);
  });
  using listener = await listenTcp("127.0.0.1:0", limits);
  await givesUpInTheMiddle(listener);
  await settled();
});

Deno.test("hostile: a decoder that was given up takes nothing, and tells why each time it is asked", () => {
  const framing = lengthPrefix({ maxMessageSize: 8 });
  const budget = new ByteBudget({ maxTotalBufferedBytes: 0 }, 8);
  let woken = 0;
  const decoder = new BudgetedDecoder(framing, budget, () => woken++);
  decoder.push(new Uint8Array([8, 0, 0, 0, 1]));
  assertEquals(decoder.next(), undefined);
  decoder.giveUp(new LimitError("Enough"));
  decoder.push(new Uint8Array(8));
  decoder.room().fill(0, 0, 8);
  decoder.commit(8);
  for (let count = 0; count < 2; count++) {
    assertThrows(() => decoder.next(), LimitError, "Enough");
    const batch: Bytes[] = [];
    assertThrows(() => decoder.nextMany(batch, 10), LimitError, "Enough");
    assertThrows(() => decoder.end(), LimitError, "Enough");
    assertEquals(batch, []);
  }
  assertEquals([decoder.buffered, decoder.held, woken], [0, 0, 1]);
});

Deno.test("hostile: messages far longer in all than the limit pass one after the other", () =>
  withPath(async (path) => {
    using listener = await listenUnix({ type: "unix", path }, { ...limits, maxTotalBufferedBytes: 0 });
    await using peer = new TestProcess(`
      const conn = await Deno.connect({ transport: "unix", path: ${JSON.stringify(path)} });
      const bytes = new Uint8Array(4 + ${maxMessageSize});
      new DataView(bytes.buffer).setUint32(0, ${maxMessageSize}, true);
      for (let count = 0; count < 5; count++) {
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      }
      setInterval(() => {}, 60_000);`);
    using channel = (await listener.accept(CEILING))!;
    for (let count = 0; count < 5; count++) {
      assertEquals((await channel.receive(CEILING))?.byteLength, maxMessageSize);
    }
    assert(peer.pid > 0);
  }));

Deno.test("hostile: a limit for all that is no number is refused", async () => {
  await assertRejects(() => listen("unix:/nowhere", { maxTotalBufferedBytes: -1 }), RangeError);
  await assertRejects(() => listen("tcp:127.0.0.1:0", { maxTotalBufferedBytes: NaN }), RangeError);
});

/** Connects so many times, says of each message that it is long, and dribbles a byte of each for every line it reads. */
const DRIBBLER = `
import resource, socket, struct, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
peers = []
for index in range(int(sys.argv[2])):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(sys.argv[1])
    peer.sendall(struct.pack("<I", 1000000))
    peers.append(peer)
print("connected", flush=True)
for line in sys.stdin:
    for peer in peers: peer.sendall(b"x")
    print("dribbled", flush=True)
`;

/** How many descriptors this process may have. */
function descriptors(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))![1]);
}

Deno.test({
  name: "hostile: ten thousand connections that dribble take memory once, and not with every byte",
  ignore: !has("python3"),
  fn: () =>
    withPath(async (path) => {
      // Each takes two descriptors here, and one there.
      const crowd = Math.min(scaled(10_000), Math.floor(descriptors() / 2) - 500);
      using listener = await listenUnix({ type: "unix", path }, { maxConnections: crowd });
      await using dribbler = new Program("python3", ["-c", DRIBBLER, path, String(crowd)]);
      const line = dribbler.lines();
      const channels: UnixStream[] = [];
      const waiting: Promise<unknown>[] = [];
      try {
        const before = Deno.memoryUsage().rss;
        while (channels.length < crowd) {
          const channel = (await listener.accept(CEILING))! as UnixStream;
          channels.push(channel);
          waiting.push(channel.receive());
        }
        assertEquals(await line(), "connected");
        const bytesIn = () => channels.reduce((sum, { buffered }) => sum + buffered, 0);
        const rounds: number[] = [];
        for (let round = 1; round <= 5; round++) {
          await dribbler.feed("on\n", "more");
          assertEquals(await line(), "dribbled");
          const end = performance.now() + CEILING.timeout;
          while (bytesIn() < crowd * (4 + round)) {
            assert(performance.now() < end, `only ${bytesIn()} bytes came in round ${round}`);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          rounds.push(Deno.memoryUsage().rss);
        }
        assert(rounds[0]! - before < crowd * 160 * 1024 + 64 * MIB, "a connection takes too much memory");
        assert(rounds[4]! - rounds[0]! < crowd * 1024 + 32 * MIB, `memory grows with each byte: ${rounds}`);
        assertEquals(listener.connections, crowd);
      } finally {
        for (const channel of channels) channel.close();
      }
      assertEquals(await Promise.all(waiting), channels.map(() => undefined));
    }),
});
