import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AlreadyExistsError,
  BrokenPipeError,
  IpcError,
  TimeoutError,
  TruncatedError,
  UntrustedError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { type Certificates, makeCertificates } from "./testdata/certificates.ts";
import { settled } from "./testdata/net_pairs.ts";
import { startChild } from "./testdata/program.ts";
import { connectTls, TlsStream } from "./tls.ts";
import { listenTls } from "./tls_listener.ts";

leakCheck();

const ignore = !has("openssl");

/** A test with certificates, behind which no thread waits any more. */
function test({ name, fn }: { name: string; fn: () => Promise<void> }): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      await fn();
      await settled();
    },
  });
}

const none = { cert: "", key: "" };
const { ca, server, client, twofold, stranger }: Certificates = ignore
  ? { ca: "", server: none, client: none, twofold: none, stranger: none }
  : await makeCertificates();
const caCerts = [ca];
const pattern = (length: number) => new Uint8Array(length).map((_, index) => index * 7);

test({
  name: "messages of all sizes go both ways through TLS, and the end comes after them",
  fn: async () => {
    await using listener = await listenTls("127.0.0.1:0", server);
    const here = await connectTls(listener.address, { caCerts });
    const there = (await listener.accept())!;
    const sizes = [0, 1, 1000, 65_535, 65_536, 1_000_000];
    const echo = (async () => {
      for await (const message of there) await there.send(message);
      await there.end();
    })();
    await here.sendBatch(sizes.map(pattern));
    for (const size of sizes) assertEquals(await here.receive(), pattern(size));
    await here.end();
    assertEquals(await here.receive(), undefined);
    await echo;
    here.close();
    there.close();
  },
});

test({
  name: "who only looks, and never waits, receives as well",
  fn: async () => {
    await using listener = await listenTls("127.0.0.1:0", server);
    await using here = await connectTls(listener.address, { caCerts });
    using there = (await listener.accept())!;
    for (const [from, to] of [[here, there], [there, here]] as const) {
      await from.send(pattern(1000));
      let message: Uint8Array | undefined;
      for (let looks = 0; message === undefined && looks < 2000; looks++) {
        message = await to.receive({ timeout: 0 }).catch(() => undefined);
        if (message === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assertEquals(message, pattern(1000));
    }
  },
});

test({
  name: "megabytes in long messages, and the end behind them, reach a receiver that is slower",
  fn: async () => {
    await using listener = await listenTls("127.0.0.1:0", server);
    const here = await connectTls(listener.address, { caCerts });
    using there = (await listener.accept())!;
    const sending = (async () => {
      for (let count = 0; count < 40; count++) await here.send(new Uint8Array(50_000));
      await here.end();
    })();
    let bytes = 0;
    for (let message; (message = await there.receive({ timeout: 20_000 })) !== undefined;) {
      bytes += message.byteLength;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertEquals(bytes, 2_000_000);
    await sending;
    here.close();
  },
});

test({
  name: "two processes know each other by their certificates",
  fn: async () => {
    await using listener = await listenTls("127.0.0.1:0", { ...server, clientCaCerts: caCerts });
    const child = startChild(`
      import { connectTls } from ${JSON.stringify(import.meta.resolve("./tls.ts"))};
      const options = ${JSON.stringify({ caCerts, ...client })};
      await using channel = await connectTls(${JSON.stringify(listener.address)}, options);
      await channel.send(new Uint8Array([1, 2, 3]));
      console.log((await channel.receive()).join());`);
    const channel = (await listener.accept({ timeout: 60_000 }))!;
    assertEquals(channel.peer.commonName, "client");
    assert(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/.test(channel.peer.fingerprint!));
    assertEquals(await channel.receive(), new Uint8Array([1, 2, 3]));
    await channel.send(new Uint8Array([4, 5]));
    assertEquals(await child, "4,5\n");
    channel.close();
  },
});

test({
  name: "a client without a certificate, or with one of a stranger, gets no channel",
  fn: async () => {
    const options = { ...server, clientCaCerts: caCerts, maxConnections: 1 };
    await using listener = await listenTls("127.0.0.1:0", options);
    for (const shown of [{}, stranger]) {
      // In TLS 1.3 a client learns only afterwards that it is not wanted.
      const error = await assertRejects(async () => {
        const channel = await connectTls(listener.address, { caCerts, ...shown });
        try {
          await channel.receive({ timeout: 10_000 });
        } finally {
          channel.close();
        }
      }, IpcError);
      assert(error instanceof BrokenPipeError || error.code === "ECONNRESET", String(error));
    }
    assertEquals(listener.tryAccept(), undefined);
    // Neither they nor those who speak no TLS take the place of others.
    for (const words of ["GET / HTTP/1.0\r\n\r\n", "\0\0\0\0\0"]) {
      using garbage = await Deno.connect({
        hostname: "127.0.0.1",
        port: Number(listener.address.split(":").at(-1)),
      });
      await garbage.write(new TextEncoder().encode(words));
    }
    using channel = await connectTls(listener.address, { caCerts, ...client, timeout: 20_000 });
    using accepted = (await listener.accept({ timeout: 10_000 }))!;
    await channel.send(pattern(3));
    assertEquals(await accepted.receive({ timeout: 10_000 }), pattern(3));
  },
});

test({
  name: "who has several names has none",
  fn: async () => {
    await using listener = await listenTls("127.0.0.1:0", { ...server, clientCaCerts: caCerts });
    using channel = await connectTls(listener.address, { caCerts, ...twofold });
    using accepted = (await listener.accept({ timeout: 10_000 }))!;
    assertEquals(accepted.peer.commonName, undefined);
    assert(accepted.peer.fingerprint !== undefined);
    await channel.end();
  },
});

test({
  name: "a server that nobody vouches for is not trusted",
  fn: async () => {
    await using listener = await listenTls("127.0.0.1:0", server);
    await assertRejects(() => connectTls(listener.address), UntrustedError);
    await assertRejects(() => listenTls(listener.address, server), AlreadyExistsError);
    await assertRejects(() => connectTls(listener.address, { caCerts, cert: client.cert }), TypeError);
  },
});

test({
  name: "authorize refuses after the handshake",
  fn: async () => {
    const authorize = ({ commonName }: { commonName?: string | undefined }) => commonName === "somebody else";
    await using listener = await listenTls("127.0.0.1:0", { ...server, clientCaCerts: caCerts, authorize });
    const channel = await connectTls(listener.address, { caCerts, ...client });
    await channel.receive({ timeout: 10_000 }).catch((error) => {
      assert(error instanceof BrokenPipeError || error instanceof TruncatedError);
    });
    assertEquals([listener.refused, listener.connections], [1, 0]);
    channel.close();
  },
});

test({
  name: "authorize that throws costs one connection, and is told; one that promises lets nobody in",
  fn: async () => {
    const answers: (() => boolean)[] = [
      () => {
        throw new Error("Nobody knows");
      },
      () => Promise.resolve(true) as unknown as boolean,
      () => true,
      () => {
        throw new Error("Nobody knows that either");
      },
      () => true,
    ];
    await using listener = await listenTls("127.0.0.1:0", { ...server, authorize: () => answers.shift()!() });
    const clients: TlsStream[] = [];
    const connectOne = async () => void clients.push(await connectTls(listener.address, { caCerts }));
    await connectOne();
    await assertRejects(() => listener.accept({ timeout: 10_000 }), Error, "Nobody knows");
    await connectOne();
    await connectOne();
    using first = (await listener.accept({ timeout: 10_000 }))!;
    assertEquals(first.peer.address.port > 0, true);
    assertEquals(listener.refused, 2);
    // A loop goes on.
    const loop = listener[Symbol.asyncIterator]().next();
    await connectOne();
    await connectOne();
    using second = (await loop).value;
    assert(second instanceof TlsStream);
    assertEquals([listener.refused, listener.connections], [3, 2]);
    for (const client of clients) client.close();
  },
});

test({
  name: "a listener is gone at once, and its connections go on",
  fn: async () => {
    const listener = await listenTls("127.0.0.1:0", server);
    using here = await connectTls(listener.address, { caCerts });
    using there = (await listener.accept())!;
    await listener[Symbol.asyncDispose]();
    await here.send(pattern(3));
    assertEquals(await there.receive({ timeout: 10_000 }), pattern(3));
    await assertRejects(() => connectTls(listener.address, { caCerts }), IpcError, "nobody listens");
  },
});

test({
  name: "no more connections are open than may be, and strangers without a handshake keep nobody out",
  fn: async () => {
    await using listener = await listenTls("127.0.0.1:0", { ...server, maxConnections: 2 });
    const port = Number(listener.address.split(":").at(-1));
    using _silent = await Deno.connect({ hostname: "127.0.0.1", port });
    const first = await connectTls(listener.address, { caCerts });
    const one = (await listener.accept({ timeout: 10_000 }))!;
    const second = await connectTls(listener.address, { caCerts });
    const two = (await listener.accept({ timeout: 10_000 }))!;
    const third = connectTls(listener.address, { caCerts });
    await assertRejects(() => listener.accept({ timeout: 100 }), TimeoutError);
    one.close();
    const three = (await listener.accept({ timeout: 10_000 }))!;
    await (await third).send(pattern(5));
    assertEquals(await three.receive({ timeout: 10_000 }), pattern(5));
    for (const channel of [first, second, await third, two, three]) channel.close();
  },
});

test({
  name: "what cannot be used to listen is told at once",
  fn: async () => {
    const listening = (options: object) => listenTls("127.0.0.1:0", { ...server, ...options });
    await assertRejects(() => listening({ cert: "nothing" }), TypeError, "cannot be read");
    await assertRejects(() => listening({ key: client.key }), TypeError, "not that of the certificate");
    await assertRejects(() => listening({ clientCaCerts: ["nothing"] }), TypeError, "cannot be read");
    await assertRejects(() => listening({ maxConnections: NaN }), RangeError);
    await assertRejects(() => listening({ timeout: -1 }), RangeError);
    await assertRejects(() => listening({ signal: AbortSignal.abort(new Error("Enough")) }), Error, "Enough");
    const elsewhere = await assertRejects(() => listenTls("192.0.2.1:0", server), IpcError);
    assertEquals(elsewhere.code, "EADDRNOTAVAIL");
  },
});

Deno.test("a server that never answers keeps nobody: not the caller, and not the process", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = silent.accept();
  const child = startChild(`
    import { connectTls } from ${JSON.stringify(import.meta.resolve("./tls.ts"))};
    const error = await connectTls("127.0.0.1:${silent.addr.port}", { timeout: 100 }).catch((error) => error);
    console.log(error.name);`);
  using _connection = await accepting;
  assertEquals(await child, "TimeoutError\n");
  await assertRejects(() => connectTls("127.0.0.1:1", { timeout: -1 }), RangeError);
  await assertRejects(() => connectTls("no-such-host.invalid:1"), IpcError);
});
