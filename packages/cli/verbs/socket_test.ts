/** Sockets, from a shell. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { has } from "../../core/testdata/child.ts";
import { makeCertificates } from "../../socket/testdata/certificates.ts";
import { exists, folder, ipc, shell, start, until } from "../_testing.ts";

const ignore = !["socat", "nc", "curl", "python3"].every(has);
if (ignore) console.warn("socat, nc, curl or python3 is missing: what they say to ipc is not tested");

/** A port that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Sends, as soon as somebody listens. */
async function sent(address: string, ...messages: string[]): Promise<void> {
  await until(async () => (await ipc(["send", address, ...messages])).code === 0);
}

for (const scheme of ["unix", "unix-seqpacket"]) {
  Deno.test(`recv --listen at ${scheme}: has what each who connects sends, and leaves nothing behind`, async () => {
    using dir = folder();
    const address = `${scheme}:${dir.path}/in`;
    await using receiver = start(["recv", address, "--listen", "--count", "4", "--json"]);
    await until(() => exists(`${dir.path}/in`));
    assertEquals(Deno.statSync(`${dir.path}/in`).mode! & 0o777, 0o600);
    for (const word of ["a", "b"]) assertEquals((await ipc(["send", address, word, ""])).code, 0);
    const { code, stdout } = await receiver.finished;
    assertEquals([code, stdout], [0, '{"data":"a"}\n{"data":""}\n{"data":"b"}\n{"data":""}\n']);
    assertEquals([...Deno.readDirSync(dir.path)], []);
  });

  Deno.test(`send --listen at ${scheme}: sends to the first who connects`, async () => {
    using dir = folder();
    const address = `${scheme}:${dir.path}/out`;
    await using sender = start(["send", address, "a", "b", "--listen"]);
    await until(() => exists(`${dir.path}/out`));
    const { code, stdout } = await ipc(["recv", address, "--follow"]);
    assertEquals([code, stdout], [0, "a\nb\n"]);
    assertEquals((await sender.finished).code, 0);
    const none = await ipc(["recv", address]);
    assertEquals(none.code, 1);
    assertMatch(none.stderr, /no such socket \(ENOENT\)\n {5}nobody listens there; do it with --listen\n$/);
  });
}

Deno.test("an abstract name and datagrams, which tell who sent them", async () => {
  const name = `@ipc-test-${crypto.randomUUID()}`;
  await using stream = start(["recv", `unix:${name}`, "--listen"]);
  await sent(`unix:${name}`, "hello");
  assertEquals((await stream.finished).stdout, "hello\n");
  await using datagrams = start(["recv", `unix-dgram:${name}`, "--listen", "--json"]);
  await sent(`unix-dgram:${name}`, "hello");
  const { data, peer } = JSON.parse((await datagrams.finished).stdout);
  assertEquals([data, peer.uid], ["hello", Deno.uid()]);
});

for (const scheme of ["tcp", "udp", "ws"]) {
  Deno.test(`recv --listen and send meet at ${scheme}:`, async () => {
    const at = `127.0.0.1:${freePort()}`;
    const address = scheme === "ws" ? `ws://${at}/in` : `${scheme}:${at}`;
    await using receiver = start(["recv", address, "--listen", "--timeout", "30s"]);
    // To send a datagram to nobody is no failure.
    let over = false;
    receiver.finished.then(() => over = true);
    await until(async () => (await ipc(["send", address, "hello"])).code === 0 && (scheme !== "udp" || over));
    const { code, stdout, stderr } = await receiver.finished;
    assertEquals([code, stdout, stderr], [0, "hello\n", ""]);
  });
}

Deno.test({
  name: "tls: and wss: with certificates in files, both ways",
  ignore: !has("openssl"),
  async fn() {
    using dir = folder();
    const { ca, server } = await makeCertificates();
    for (const [name, text] of Object.entries({ ca, cert: server.cert, key: server.key })) {
      Deno.writeTextFileSync(`${dir.path}/${name}`, text);
    }
    const own = `cert=${dir.path}/cert&key=${dir.path}/key`;
    for (const [scheme, path, mark] of [["tls:", "", "?"], ["wss://", "/in", "#"]]) {
      const at = `${scheme}127.0.0.1:${freePort()}${path}`;
      await using receiver = start(["recv", `${at}${mark}${own}`, "--listen", "--timeout", "30s"]);
      await sent(`${at}${mark}ca=${dir.path}/ca`, "hello");
      const { code, stdout, stderr } = await receiver.finished;
      assertEquals([code, stdout, stderr], [0, "hello\n", ""]);

      await using sender = start(["send", `${at}${mark}${own}`, "--listen", "a", "b"]);
      let received = "";
      await until(async () => {
        received = (await ipc(["recv", `${at}${mark}ca=${dir.path}/ca`, "--follow"])).stdout;
        return received !== "";
      });
      assertEquals([received, (await sender.finished).code], ["a\nb\n", 0]);
    }
    const none = await ipc(["recv", "tls:127.0.0.1:0", "--listen"]);
    assertEquals(none.code, 2);
    assertMatch(none.stderr, /who listens has a certificate and its key: cert=FILE&key=FILE/);
  },
});

Deno.test("a port that is free: --listen says which, and ls and stat find it", async () => {
  for (const scheme of ["tcp", "udp"]) {
    await using receiver = start(["recv", `${scheme}:127.0.0.1:0`, "--listen", "--timeout", "30s"]);
    let address = "";
    await until(async () => {
      const { stdout } = await ipc(["ls", scheme, "--json"]);
      const all = stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
      address = all.find(({ holders }) => holders.includes(receiver.process.pid))?.address ?? "";
      return address !== "";
    });
    assertMatch(
      (await ipc(["ls", scheme])).stdout,
      new RegExp(`^${address.replaceAll(".", "\\.")} .* deno`, "m"),
    );
    const { stdout } = await ipc(["stat", address]);
    assertMatch(stdout, new RegExp(`^ {2}port +${address.split(":").at(-1)}$`, "m"));
    await sent(address, "hello");
    const finished = await receiver.finished;
    assertEquals([finished.stdout, finished.stderr], ["hello\n", `ipc: listening at ${address}\n`]);
  }
});

Deno.test({
  name: "one who connects and does wrong is told on standard error; recv and bridge go on with the others",
  ignore: !has("python3"),
  async fn() {
    using dir = folder();
    const [path, to] = [`${dir.path}/in`, `unix-seqpacket:${dir.path}/to`];
    const bad =
      "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b'GET /')";
    const misbehave = () => new Deno.Command("python3", { args: ["-c", bad, path] }).outputSync().code;

    await using receiver = start(["recv", `unix:${path}`, "--listen", "--count", "2"]);
    await until(() => exists(path));
    for (const word of ["one", "two"]) {
      assertEquals(misbehave(), 0);
      assertEquals((await ipc(["send", `unix:${path}`, word])).code, 0);
    }
    const received = await receiver.finished;
    assertEquals([received.code, received.stdout], [0, "one\ntwo\n"]);
    const line = `ipc: unix:${path}: a connection was ended: `;
    assertEquals(received.stderr.split("\n").filter((each) => each.startsWith(line)).length, 2);

    await using bridge = start(["bridge", `unix:${path}`, to, "--listen"]);
    await until(() => exists(path) && exists(`${dir.path}/to`));
    await using target = start(["recv", to]);
    assertEquals(misbehave(), 0);
    assertEquals((await ipc(["send", `unix:${path}`, "over"])).code, 0);
    assertEquals((await target.finished).stdout, "over\n");
    bridge.process.kill("SIGTERM");
    assertMatch((await bridge.finished).stderr, /a connection was ended/);
  },
});

Deno.test("a signal ends recv --listen, prints what has come, and removes the path", async () => {
  using dir = folder();
  const address = `unix:${dir.path}/in`;
  await using receiver = start(["recv", address, "--listen", "--follow"]);
  await until(() => exists(`${dir.path}/in`));
  for (const word of ["one", "two"]) assertEquals((await ipc(["send", address, word])).code, 0);
  receiver.process.kill("SIGTERM");
  const { signal, stdout } = await receiver.finished;
  assertEquals([signal, stdout], ["SIGTERM", "one\ntwo\n"]);
  assert(!exists(`${dir.path}/in`));
});

Deno.test("bridge carries from those who connect to a socket to one who listens at another", async () => {
  using dir = folder();
  const [from, to] = [`unix:${dir.path}/from`, `unix-seqpacket:${dir.path}/to`];
  await using receiver = start(["recv", to, "--listen", "--count", "2"]);
  await until(() => exists(`${dir.path}/to`));
  await ipc(["make", `fifo:${dir.path}/fifo`]);
  await using sender = start(["send", from, "a", "b", "--listen"]);
  await until(() => exists(`${dir.path}/from`));
  const { code, stderr } = await ipc(["bridge", from, to]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals((await receiver.finished).stdout, "a\nb\n");
  assertEquals((await sender.finished).code, 0);
});

Deno.test("ls and stat know who listens, and rm removes what a dead process left", async () => {
  using dir = folder();
  const address = `unix:${dir.path}/in`;
  await using receiver = start(["recv", address, "--listen"]);
  await until(() => exists(`${dir.path}/in`));
  const listed = await ipc(["ls", "unix", "--json"]);
  const found = listed.stdout.split("\n").filter((line) => line.includes(address)).map((line) =>
    JSON.parse(line)
  );
  assertEquals(found.map(({ holders, open }) => [holders, open]), [[[receiver.process.pid], true]]);
  assertMatch((await ipc(["ls", "unix"])).stdout, new RegExp(`^${address} .* 0 connections, \\d+ deno`, "m"));
  assertMatch((await ipc(["stat", address])).stdout, /^ {2}open +yes$/m);
  receiver.process.kill("SIGKILL");
  await receiver.finished;
  assertMatch((await ipc(["stat", address])).stdout, /^ {2}open +no$/m);
  assertMatch((await ipc(["send", address, "x"])).stderr, /\(ECONNREFUSED\)/);
  await using second = start(["recv", address, "--listen"]);
  await sent(address, "taken over");
  assertEquals((await second.finished).stdout, "taken over\n");
  assertEquals((await ipc(["rm", address])).code, 1);
});

Deno.test({
  name: "socat, nc and python speak to ipc over sockets, and curl asks it something",
  ignore,
  async fn() {
    using dir = folder();
    const [path, port] = [`${dir.path}/in`, freePort()];
    const { code, stdout } = await shell(
      `ipc recv 'unix:${path}?framing=lines' --listen --count 3 & server=$!
       while [ ! -S ${path} ]; do sleep 0.05; done
       echo socat | socat - UNIX-CONNECT:${path}
       echo nc | nc -NU ${path}
       python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("${path}"); s.sendall(b"python\\n")'
       wait $server
       echo from socat | socat - TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr & socat=$!
       while ! ipc recv 'tcp:127.0.0.1:${port}?framing=lines' 2> ${dir.path}/why; do sleep 0.05; done
       wait $socat
       printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' > ${dir.path}/answer
       ipc send 'unix:${path}?framing=raw' --listen < ${dir.path}/answer & sender=$!
       while [ ! -S ${path} ]; do sleep 0.05; done
       curl --silent --unix-socket ${path} http://localhost/; wait $sender`,
    );
    assertEquals([code, stdout.split("\n").slice(0, 3).toSorted()], [0, ["nc", "python", "socat"]]);
    assertEquals(stdout.split("\n").slice(3).join("\n"), "from socat\nhello");
  },
});
