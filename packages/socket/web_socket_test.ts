import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AlreadyExistsError,
  BrokenPipeError,
  ClosedError,
  IpcError,
  LimitError,
  MessageTooLongError,
  NotFoundError,
  TimeoutError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";
import { reconnecting } from "./reconnect.ts";
import { makeCertificates } from "./testdata/certificates.ts";
import { startChild } from "./testdata/program.ts";
import { connectWebSocket } from "./web_socket.ts";
import { listenWebSocket } from "./web_socket_listener.ts";

leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

Deno.test("two processes talk over a WebSocket", async () => {
  await using listener = await listen("ws://127.0.0.1:0/talk");
  const child = startChild(`
    import { connectWebSocket } from ${JSON.stringify(import.meta.resolve("./web_socket.ts"))};
    await using channel = await connectWebSocket(${JSON.stringify(listener.address)});
    for await (const message of channel) await channel.send(message.toReversed());`);
  const server = (await listener.accept({ timeout: 60_000 }))!;
  await server.send(new Uint8Array([1, 2, 3]));
  assertEquals(await server.receive(), new Uint8Array([3, 2, 1]));
  await server.end();
  assertEquals(await child, "");
  assertEquals(await server.receive(), undefined);
});

Deno.test("end() waits until the peer has everything: a process may leave then", async () => {
  await using listener = await listen("ws://127.0.0.1:0/");
  const child = startChild(`
    import { connectWebSocket } from ${JSON.stringify(import.meta.resolve("./web_socket.ts"))};
    const channel = await connectWebSocket(${JSON.stringify(listener.address)});
    for (let count = 0; count < 200; count++) channel.send(new Uint8Array(20_000).fill(count));
    await channel.end();
    Deno.exit();`);
  const server = (await listener.accept({ timeout: 60_000 }))!;
  assertEquals(await child, "");
  for (let count = 0; count < 200; count++) {
    assertEquals(await server.receive({ timeout: 10_000 }), new Uint8Array(20_000).fill(count));
  }
  assertEquals(await server.receive(), undefined);
});

Deno.test("end() does not wait for ever for a peer that never answers", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = (async () => {
    const connection = await silent.accept();
    const request = new Uint8Array(4096);
    const head = new TextDecoder().decode(request.subarray(0, (await connection.read(request))!));
    const key = /^sec-websocket-key: (.*)\r$/im.exec(head)![1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const accept = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes(key))).toBase64();
    await connection.write(bytes(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
        `sec-websocket-accept: ${accept}\r\n\r\n`,
    ));
    return connection;
  })();
  const channel = await connectWebSocket(`ws://127.0.0.1:${silent.addr.port}/`);
  using _connection = await accepting;
  await channel.end();
  await assertRejects(() => channel.send(bytes("a")), ClosedError);
  channel.close();
});

Deno.test("a peer that is killed is told from one that has ended", async () => {
  await using listener = await listen("ws://127.0.0.1:0/");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const socket = new WebSocket("${listener.address}"); socket.onopen = () => socket.send("here");`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const server = (await listener.accept({ timeout: 60_000 }))!;
  assertEquals(await server.receive(), bytes("here"));
  child.kill("SIGKILL");
  await child.status;
  await assertRejects(() => server.receive({ timeout: 10_000 }), BrokenPipeError);
  assertEquals(await server.receive(), undefined);
  await assertRejects(() => server.send(bytes("a")), BrokenPipeError);
  server.close();
});

Deno.test("text: sent where that is told, accepted in any case", async () => {
  await using listener = await listenWebSocket("ws://127.0.0.1:0/", { text: true });
  const socket = new WebSocket(listener.address);
  const received = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
  const server = (await listener.accept())!;
  await server.send(bytes("grüß dich"));
  assertEquals(await received, "grüß dich");
  await assertRejects(() => server.send(new Uint8Array([0xff])), TypeError, "UTF-8");
  socket.send("zurück");
  assertEquals(await server.receive(), bytes("zurück"));
  const closed = new Promise((resolve) => socket.onclose = resolve);
  await server.end();
  await closed;
  server.close();
});

Deno.test("who may connect: origins, authorize, the path, and how many", async () => {
  await using listener = await listenWebSocket("ws://127.0.0.1:0/here", {
    origins: ["https://good.example"],
    authorize: (request) => !request.headers.has("x-bad"),
    maxConnections: 1,
    protocols: ["chat", "news"],
  });
  const url = listener.address.replace("ws:", "http:");
  const ask = async (path: string, headers: Record<string, string>) => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    const lines = Object.entries({
      host: "127.0.0.1",
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    await connection.write(bytes(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`));
    const answer = new Uint8Array(1024);
    const length = await connection.read(answer);
    connection.close();
    return new TextDecoder().decode(answer.subarray(0, length!)).slice(9, 12);
  };
  assertEquals(await ask("/elsewhere", {}), "404");
  assertEquals(await ask("/here", { upgrade: "nothing" }), "426");
  assertEquals(await ask("/here", { origin: "https://evil.example" }), "403");
  assertEquals(await ask("/here", { "x-bad": "1" }), "403");
  assertEquals(listener.refused, 2);
  const client = await connectWebSocket(listener.address, { protocols: ["sport", "news"] });
  assertEquals(client.protocol, "news");
  assertEquals(await ask("/here", { origin: "https://good.example" }), "503");
  await assertRejects(() => connectWebSocket(listener.address), IpcError);
  const server = (await listener.accept())!;
  await client.end();
  assertEquals(await server.receive(), undefined);
  while (listener.connections > 0) await sleep(1);
  assertEquals(await ask("/here", { origin: "https://good.example" }), "101");
  const last = (await listener.accept())!;
  await last.receive().catch((error) => assert(error instanceof BrokenPipeError));
});

Deno.test("hostile: a message that is too long, and more than anybody receives", async () => {
  await using listener = await listenWebSocket("ws://127.0.0.1:0/", {
    maxMessageSize: 1000,
    maxBufferedBytes: 2600,
  });
  const long = await connectWebSocket(listener.address);
  const server = (await listener.accept())!;
  await long.sendBatch([bytes("whole"), new Uint8Array(1001)]);
  assertEquals(await server.receive(), bytes("whole"));
  await assertRejects(() => server.receive(), MessageTooLongError);
  assertEquals(await server.receive(), undefined);
  await assertRejects(() => long.receive({ timeout: 10_000 }), BrokenPipeError);

  const flood = await connectWebSocket(listener.address);
  const flooded = (await listener.accept())!;
  await flood.sendBatch(Array.from({ length: 5 }, () => new Uint8Array(1000)));
  await assertRejects(() => flood.receive({ timeout: 10_000 }), BrokenPipeError);
  assertEquals(await flooded.receiveBatch(), [new Uint8Array(1000), new Uint8Array(1000)]);
  await assertRejects(() => flooded.receive(), LimitError);
  assertEquals(await flooded.receive(), undefined);
  for (const channel of [long, server, flood, flooded]) channel.close();
  while (listener.connections > 0) await sleep(1);
});

Deno.test("what cannot be is told", async () => {
  await using listener = await listenWebSocket("ws://127.0.0.1:0/");
  await assertRejects(() => listenWebSocket(listener.address), AlreadyExistsError);
  await assertRejects(() => listenWebSocket("wss://127.0.0.1:0/"), TypeError, "cert");
  await assertRejects(() => listenWebSocket("http://127.0.0.1:0/"), TypeError);
  await assertRejects(() => connectWebSocket("tcp:127.0.0.1:1"), TypeError);
  await assertRejects(() => connectWebSocket(`${listener.address}elsewhere`), IpcError);
  await assertRejects(() => connectWebSocket(listener.address, { maxMessageSize: 0 }), RangeError);
  await assertRejects(() => connectWebSocket(listener.address, { timeout: -1 }), RangeError);
  await assertRejects(() => connectWebSocket(`${listener.address}#part`), TypeError);
  await assertRejects(() => connectWebSocket(listener.address, { protocols: ["a", "a"] }), TypeError);
  await assertRejects(() => connectWebSocket("ws://no-such-host.invalid:1/"), NotFoundError);
  for (const option of [{ maxConnections: NaN }, { maxConnections: -1 }, { idleTimeout: -1 }]) {
    await assertRejects(() => listenWebSocket("ws://127.0.0.1:0/", option), RangeError);
  }
  const elsewhere = await assertRejects(() => listenWebSocket("ws://192.0.2.1:0/"), IpcError);
  assertEquals(elsewhere.code, "EADDRNOTAVAIL");
  const aborted = AbortSignal.abort(new Error("Enough"));
  await assertRejects(() => listenWebSocket("ws://127.0.0.1:0/", { signal: aborted }), Error, "Enough");
  const reason = new Error("Enough");
  await assertRejects(
    () => connectWebSocket(listener.address, { signal: AbortSignal.abort(reason) }),
    Error,
    "Enough",
  );
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = silent.accept();
  await assertRejects(
    () => connectWebSocket(`ws://127.0.0.1:${silent.addr.port}/`, { timeout: 30 }),
    TimeoutError,
  );
  (await accepted).close();
  silent.close();
  const client = await connectWebSocket(listener.address);
  const server = (await listener.accept())!;
  client.close();
  await assertRejects(() => client.send(bytes("a")), ClosedError);
  assertEquals(await server.receive(), undefined);
});

Deno.test("a WebSocket that outlives its connections", async () => {
  await using listener = await listenWebSocket("ws://127.0.0.1:0/");
  const channel = await reconnecting((options) => connectWebSocket(listener.address, options), { delay: 1 });
  const first = (await listener.accept())!;
  const received = channel.receive();
  await first.end();
  const second = (await listener.accept({ timeout: 10_000 }))!;
  await second.send(bytes("again"));
  assertEquals(await received, bytes("again"));
  channel.close();
  assertEquals(await second.receive(), undefined);
});

Deno.test({
  name: "wss: with a certificate of one's own",
  ignore: !has("openssl"),
  fn: async () => {
    const { ca, server } = await makeCertificates();
    await using listener = await listen("wss://localhost:0/", server);
    const client = await connect(listener.address, { caCerts: [ca] });
    const there = (await listener.accept())!;
    await client.send(bytes("secret"));
    assertEquals(await there.receive(), bytes("secret"));
    await client.end();
    assertEquals(await there.receive(), undefined);
    await assertRejects(() => connectWebSocket(listener.address), IpcError);
  },
});

Deno.test({
  name: "a browser: a page in Chromium talks over a WebSocket",
  ignore: !has("chromium"),
  fn: async () => {
    // A page from a file says that its origin is "null".
    await using listener = await listenWebSocket("ws://127.0.0.1:0/", { origins: ["null"] });
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(
        `${folder}/page.html`,
        `<body>waiting<script>
          const socket = new WebSocket("${listener.address}");
          socket.binaryType = "arraybuffer";
          socket.onopen = () => socket.send(new Uint8Array([1, 2, 3]));
          socket.onmessage = ({ data }) => {
            document.body.textContent = "got " + new Uint8Array(data).join();
            socket.send("text too: " + document.body.textContent);
          };
        </script>`,
      );
      const flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
      ];
      const browser = new Deno.Command("chromium", {
        // Without it a headless browser ends as soon as the page is there.
        args: [
          ...flags,
          "--remote-debugging-port=0",
          `--user-data-dir=${folder}`,
          `file://${folder}/page.html`,
        ],
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        const server = (await listener.accept({ timeout: 60_000 }))!;
        assertEquals(await server.receive({ timeout: 60_000 }), new Uint8Array([1, 2, 3]));
        await server.send(new Uint8Array([4, 5]));
        assertEquals(await server.receive({ timeout: 60_000 }), bytes("text too: got 4,5"));
        await server.end();
      } finally {
        browser.kill("SIGTERM");
        await browser.status;
      }
    } finally {
      await removeLeft(folder);
    }
  },
});

/** The browser's helpers outlive it by a moment, and write meanwhile. */
async function removeLeft(folder: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

Deno.test("hostile: messages without a byte take memory, too", async () => {
  await using listener = await listenWebSocket("ws://127.0.0.1:0/", { maxBufferedBytes: 2600 });
  const flood = await connectWebSocket(listener.address);
  const flooded = (await listener.accept())!;
  await flood.sendBatch(Array.from({ length: 20 }, () => new Uint8Array(0)));
  await assertRejects(() => flood.receive({ timeout: 10_000 }), BrokenPipeError);
  assertEquals(await flooded.receiveBatch(), Array.from({ length: 10 }, () => new Uint8Array(0)));
  await assertRejects(() => flooded.receive(), LimitError);
  for (const channel of [flood, flooded]) channel.close();
  while (listener.connections > 0) await sleep(1);
});

Deno.test("authorize that throws refuses one, and is told", async () => {
  const answers: unknown[] = [new Error("Nobody knows"), "yes", Promise.resolve(true)];
  const authorize = () => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer as boolean;
  };
  await using listener = await listenWebSocket("ws://127.0.0.1:0/", { authorize });
  await assertRejects(() => connectWebSocket(listener.address), IpcError);
  await assertRejects(() => listener.accept({ timeout: 10_000 }), Error, "Nobody knows");
  await assertRejects(() => connectWebSocket(listener.address), IpcError);
  assertEquals(listener.refused, 2);
  const client = await connectWebSocket(listener.address);
  const server = (await listener.accept())!;
  await client.end();
  assertEquals(await server.receive(), undefined);
});

Deno.test("a request that is no handshake is the client's mistake, and nothing that the server has to say", async () => {
  await using listener = await listenWebSocket("ws://127.0.0.1:0/");
  using connection = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(listener.address).port),
  });
  const request = "GET / HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
  await connection.write(bytes(request));
  const answer = new Uint8Array(1024);
  const length = await connection.read(answer);
  assertEquals(new TextDecoder().decode(answer.subarray(9, 12)), "400", String(length));
});

/** Asks for a WebSocket, and leaves while `authorize` thinks about it; returns when the answer is out. */
async function leaves(url: string, { asked, answer }: { asked: Promise<unknown>; answer: () => void }) {
  const { hostname, port, host } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(bytes(
    `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
      "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ));
  await asked;
  connection.close();
  // Long enough for the server to see that.
  await sleep(50);
  answer();
}

Deno.test("hostile: clients that leave while authorize thinks about them take nobody's place", async () => {
  let asked = Promise.withResolvers<void>();
  let answer = Promise.withResolvers<void>();
  const authorize = async () => {
    asked.resolve();
    await answer.promise;
    return true;
  };
  await using listener = await listenWebSocket("ws://127.0.0.1:0/", { maxConnections: 2, authorize });
  for (let count = 0; count < 3; count++) {
    asked = Promise.withResolvers();
    answer = Promise.withResolvers();
    await leaves(listener.address, { asked: asked.promise, answer: () => answer.resolve() });
    // Before the server's answer is out there is nothing to count.
    await sleep(10);
    while (listener.connections > 0) await sleep(1);
  }
  const client = await connectWebSocket(listener.address);
  await client.send(bytes("here"));
  // Whoever was answered before the server saw him leave has connected and gone.
  for await (const server of listener) {
    const message = await server.receive().catch((error) => assert(error instanceof BrokenPipeError));
    if (message === undefined) continue;
    assertEquals(message, bytes("here"));
    await client.end();
    assertEquals(await server.receive(), undefined);
    break;
  }
  while (listener.connections > 0) await sleep(1);
});

// In a process of its own: what the runtime keeps of such a client it keeps for ever.
Deno.test("hostile: a WebSocket that does not open within ten seconds is given up", async () => {
  const output = await startChild(`
    import { connectWebSocket } from ${JSON.stringify(import.meta.resolve("./web_socket.ts"))};
    import { listenWebSocket } from ${JSON.stringify(import.meta.resolve("./web_socket_listener.ts"))};
    const { setTimeout } = globalThis;
    const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const began = Promise.withResolvers();
    // The ten seconds are over when this program says so.
    globalThis.setTimeout = (call, time) => {
      if (time === 10_000) began.resolve(call);
      return setTimeout(call, time);
    };
    const asked = Promise.withResolvers();
    const answer = Promise.withResolvers();
    const authorize = async (request) => {
      // As where the client leaves once that was looked at.
      Object.defineProperty(request, "signal", { value: new AbortController().signal });
      asked.resolve();
      await answer.promise;
      return true;
    };
    const listener = await listenWebSocket("ws://127.0.0.1:0/", { maxConnections: 1, authorize });
    const { hostname, port, host } = new URL(listener.address);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(new TextEncoder().encode([
      "GET / HTTP/1.1", "host: " + host, "connection: upgrade", "upgrade: websocket",
      "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    ].join("\\r\\n")));
    await asked.promise;
    connection.close();
    // Long enough for the server to see that.
    await sleep(200);
    answer.resolve();
    // A listener without that limit never says.
    const over = await Promise.race([began.promise, sleep(5000)]);
    const tries = [listener.connections];
    tries.push(await connectWebSocket(listener.address).then(() => "connected", () => "refused"));
    over?.();
    tries.push(listener.connections);
    const client = await connectWebSocket(listener.address);
    await client.send(new Uint8Array([7]));
    const server = await listener.accept();
    tries.push(...await server.receive());
    console.log(...tries);
    Deno.exit();`);
  assertEquals(output, "1 refused 0 7\n");
});
