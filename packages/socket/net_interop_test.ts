import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { listenTcp } from "./tcp_listener.ts";
import { connectTcp } from "./tcp.ts";
import { makeCertificates } from "./testdata/certificates.ts";
import { settled } from "./testdata/net_pairs.ts";
import { run } from "./testdata/program.ts";
import { listenTls } from "./tls_listener.ts";
import { bindUdp, connectUdp } from "./udp.ts";

leakCheck();

const timeout = 20_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);
/** A program that listens says where, on the first line of what it prints. */
const PYTHON = "import socket, struct, sys\n";

/** A program that serves, started until it has said its first line; it is ended afterwards. */
async function serving(
  program: string,
  args: string[],
  stream: "stdout" | "stderr",
  use: (said: string) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const reader = child[stream].getReader();
  const other = child[stream === "stdout" ? "stderr" : "stdout"];
  const drained = other.pipeTo(new WritableStream());
  try {
    let said = "";
    while (!said.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`${program} ended: ${said}`);
      said += text(value);
    }
    await use(said);
  } finally {
    try {
      child.kill("SIGTERM");
    } catch { /* It has ended. */ }
    while (!(await reader.read()).done);
    await drained;
    await child.status;
  }
}

Deno.test({
  name: "python3 speaks the length prefix over TCP, as a client",
  ignore: !has("python3"),
  fn: async () => {
    using listener = await listenTcp("127.0.0.1:0");
    const { port } = new URL(listener.address.replace("tcp:", "http://"));
    const python = run("python3", [
      "-c",
      `${PYTHON}
c = socket.create_connection(("127.0.0.1", ${port}))
for m in (b"one", b"", b"x" * 100000): c.sendall(struct.pack("<I", len(m)) + m)
c.shutdown(socket.SHUT_WR)
f = c.makefile("rb")
while h := f.read(4): print(len(f.read(struct.unpack("<I", h)[0])))`,
    ]);
    using server = (await listener.accept({ timeout }))!;
    for await (const message of server) await server.send(message);
    await server.end();
    assertEquals(await python, "3\n0\n100000\n");
    await settled();
  },
});

Deno.test({
  name: "python3 is a server of UDP",
  ignore: !has("python3"),
  fn: async () => {
    const program = `${PYTHON}
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
  d, a = s.recvfrom(65536); s.sendto(d[::-1], a)`;
    await serving("python3", ["-c", program], "stdout", async (port) => {
      using socket = await connectUdp(`127.0.0.1:${port.trim()}`);
      for (const message of ["abc", "", "x".repeat(60_000) + "y"]) {
        await socket.send(bytes(message));
        assertEquals(text(await socket.receive({ timeout })), [...message].reverse().join(""));
      }
    });
    await settled();
  },
});

Deno.test({
  name: "socat speaks lines over TCP, as a client and as a server",
  ignore: !has("socat"),
  fn: async () => {
    using listener = await listenTcp("127.0.0.1:0", { framing: "lines" });
    const client = run("socat", ["-t5", "-", listener.address.replace("tcp:", "TCP:")], "one\ntwo\n");
    using server = (await listener.accept({ timeout }))!;
    assertEquals([text(await server.receive()), text(await server.receive())], ["one", "two"]);
    await server.send(bytes("three"));
    await server.end();
    assertEquals(await client, "three\n");

    // With -d -d socat says on which port it listens.
    await serving(
      "socat",
      ["-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1,fork", "EXEC:cat"],
      "stderr",
      async (said) => {
        const port = / listening on .*:(\d+)/.exec(said)![1];
        using channel = await connectTcp(`127.0.0.1:${port}`, { framing: "nul" });
        await channel.sendBatch([bytes("a\nb"), bytes("")]);
        assertEquals(text(await channel.receive({ timeout })), "a\nb");
        assertEquals(text(await channel.receive({ timeout })), "");
        await channel.end();
        assertEquals(await channel.receive({ timeout }), undefined);
      },
    );
    await settled();
  },
});

Deno.test({
  name: "socat sends datagrams and receives them",
  ignore: !has("socat"),
  fn: async () => {
    using server = await bindUdp("127.0.0.1:0");
    const client = run("socat", ["-t5", "-", `UDP:127.0.0.1:${server.address.port},shut-null`], "question");
    const { data, from } = (await server.receiveMessage({ timeout }))!;
    assertEquals(text(data), "question");
    await server.send(bytes("answer"), { to: from });
    // An empty one is the end for it.
    await server.send(new Uint8Array(0), { to: from });
    assertEquals(await client, "answer");
    await settled();
  },
});

Deno.test({
  name: "netcat speaks plain bytes over TCP and UDP",
  ignore: !has("nc"),
  fn: async () => {
    using listener = await listenTcp("127.0.0.1:0", { framing: "raw" });
    const { port } = new URL(listener.address.replace("tcp:", "http://"));
    const client = run("nc", ["-N", "127.0.0.1", port], "plain bytes");
    using server = (await listener.accept({ timeout }))!;
    let heard = "";
    for await (const piece of server) heard += text(piece);
    assertEquals(heard, "plain bytes");
    await server.send(bytes("and back"));
    await server.end();
    assertEquals(await client, "and back");

    using socket = await bindUdp("127.0.0.1:0");
    const sender = run("nc", ["-u", "-w1", "127.0.0.1", String(socket.address.port)], "a datagram");
    assertEquals(text(await socket.receive({ timeout })), "a datagram");
    await sender;
    await settled();
  },
});

Deno.test({
  name: "curl speaks HTTP to a channel of lines",
  ignore: !has("curl"),
  fn: async () => {
    using listener = await listenTcp("127.0.0.1:0", { framing: "lines" });
    const curl = run("curl", ["--silent", "--show-error", listener.address.replace("tcp:", "http://")]);
    using server = (await listener.accept({ timeout }))!;
    assertEquals(text(await server.receive({ timeout })), "GET / HTTP/1.1\r");
    while ((await server.receive({ timeout }))!.length > 1);
    await server.sendBatch(["HTTP/1.1 200 OK\r", "content-length: 6\r", "\r", "hello"].map(bytes));
    assertEquals(await curl, "hello\n");
    await settled();
  },
});

Deno.test({
  name: "openssl is a client of TLS, and shows its certificate",
  ignore: !has("openssl"),
  fn: async () => {
    const { ca, server, client } = await makeCertificates();
    const folder = await Deno.makeTempDir();
    try {
      for (const [name, pem] of Object.entries({ ca, cert: client.cert, key: client.key })) {
        await Deno.writeTextFile(`${folder}/${name}`, pem);
      }
      await using listener = await listenTls("127.0.0.1:0", {
        ...server,
        clientCaCerts: [ca],
        framing: "lines",
      });
      const openssl = run("openssl", [
        ...[
          "s_client",
          "-quiet",
          "-verify_quiet",
          "-verify_return_error",
          "-connect",
          listener.address.slice(4),
        ],
        ...["-CAfile", `${folder}/ca`, "-cert", `${folder}/cert`, "-key", `${folder}/key`],
      ], "hello\n");
      const channel = (await listener.accept({ timeout }))!;
      assertEquals(channel.peer.commonName, "client");
      assertEquals(text(await channel.receive({ timeout })), "hello");
      await channel.send(bytes("and back"));
      await channel[Symbol.asyncDispose]();
      assertEquals(await openssl, "and back\n");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
