import { assert, assertEquals, assertRejects } from "@std/assert";
import { IpcError, NotFoundError, TimeoutError, UntrustedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import type { UdpSocket } from "@ipc/socket";
import { has } from "../core/testdata/child.ts";
import { type Certificates, makeCertificates } from "../socket/testdata/certificates.ts";
import {
  AddressError,
  connect,
  formatAddress,
  list,
  listen,
  make,
  type NetworkStatus,
  parseAddress,
  stat,
} from "./mod.ts";

leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);

const ignore = !has("openssl");
if (ignore) console.warn("openssl is missing: nothing that is encrypted is tested");
let made: Promise<Certificates> | undefined;

/** A folder with the certificates as files. */
async function pemFolder(): Promise<{ readonly path: string } & Disposable> {
  const { ca, server, client } = await (made ??= makeCertificates());
  const path = Deno.makeTempDirSync();
  const files = { ca, "server.pem": server.cert, "server.key": server.key };
  const all = { ...files, "client.pem": client.cert, "client.key": client.key };
  for (const [name, text] of Object.entries(all)) Deno.writeTextFileSync(`${path}/${name}`, text);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** The address that `listen` tells, as soon as it does. */
function told(): { onListen: (address: string) => void; address: Promise<string> } {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { onListen: resolve, address: promise };
}

/** Where a scheme listens, and what who connects adds to the address that it is told. */
function ends(scheme: string, folder: string): { at: string; add: string } {
  const own = `cert=${folder}/server.pem&key=${folder}/server.key`;
  switch (scheme) {
    case "tls":
      return { at: `tls:127.0.0.1:0?${own}`, add: `?ca=${folder}/ca` };
    case "wss":
      return { at: `wss://127.0.0.1:0/in?key=a%20b#${own}`, add: `?key=a%20b#ca=${folder}/ca` };
    case "ws":
      return { at: "ws://127.0.0.1:0/in?key=a%20b", add: "?key=a%20b" };
    default:
      return { at: `${scheme}:127.0.0.1:0`, add: "" };
  }
}

for (const scheme of ["tcp", "tls", "ws", "wss"]) {
  const encrypted = scheme === "tls" || scheme === "wss";
  // A WebSocket of the runtime's goes when the peer has answered, which no test sees.
  const sanitize = scheme.startsWith("ws") ? { sanitizeResources: false, sanitizeOps: false } : {};

  Deno.test({
    name: `${scheme}: who listens to receive has the messages of all who connect`,
    ignore: encrypted && ignore,
    ...sanitize,
    async fn() {
      using folder = encrypted ? await pemFolder() : { path: "", [Symbol.dispose]() {} };
      const { at, add } = ends(scheme, folder.path);
      const { onListen, address: telling } = told();
      using receiver = await listen(at, { direction: "receive", onListen });
      const address = await telling + add;
      const sending = (async () => {
        for (const word of ["a", "b"]) {
          using sender = await connect(address, { direction: "send" });
          await sender.sendBatch([bytes(word), bytes("")]);
          await sender.end();
        }
      })();
      const got: (string | undefined)[] = [];
      for (let count = 0; count < 4; count++) got.push(textOf(await receiver.receive({ timeout: 10_000 })));
      assertEquals(got.toSorted(), ["", "", "a", "b"]);
      await assertRejects(() => receiver.receive({ timeout: 20 }), TimeoutError);
      await sending;
      receiver.close();
      await assertRejects(() => connect(address, { direction: "send" }), IpcError);
    },
  });

  Deno.test({
    name: `${scheme}: who listens in both directions has the first who connects`,
    ignore: encrypted && ignore,
    ...sanitize,
    async fn() {
      using folder = encrypted ? await pemFolder() : { path: "", [Symbol.dispose]() {} };
      const { at, add } = ends(scheme, folder.path);
      const { onListen, address } = told();
      const listening = listen(at as string, { timeout: 10_000, onListen });
      const client = await connect(await address + add as string);
      const far = await listening;
      await client.send(bytes("there"));
      assertEquals(textOf(await far.receive()), "there");
      await far.send(bytes("back"));
      assertEquals(textOf(await client.receive()), "back");
      const answered = client.end();
      assertEquals(await far.receive(), undefined);
      await answered;
      far.close();
      client.close();
    },
  });
}

Deno.test({
  name: "tls: both sides show their certificates, and nobody else gets through",
  ignore,
  async fn() {
    using folder = await pemFolder();
    const { path } = folder;
    const { at } = ends("tls", path);
    const { onListen, address: telling } = told();
    using receiver = await listen(`${at}&ca=${path}/ca`, { direction: "receive", onListen });
    const address = await telling;
    await assertRejects(() => connect(address, { direction: "send" }), UntrustedError);
    const known = `${address}?ca=${path}/ca&cert=${path}/client.pem&key=${path}/client.key`;
    const received = receiver.receive({ timeout: 10_000 });
    await using sender = await connect(known, { direction: "send" });
    await sender.send(bytes("hello"));
    assertEquals(textOf(await received), "hello");
  },
});

Deno.test("certificates: what cannot be is told before anything is opened", async () => {
  for (const at of ["tls:localhost:0", "wss://localhost:0/"]) {
    await assertRejects(
      () => listen(at as string),
      AddressError,
      "who listens has a certificate and its key",
    );
  }
  await assertRejects(() => connect("tls:localhost:1?cert=/a"), AddressError, "belong together");
  await assertRejects(() => connect("wss://localhost:1/#cert=/a&key=/b"), AddressError, "shows no");
  await assertRejects(() => listen("wss://localhost/#cert=/a&key=/b&ca=/c"), AddressError, "is asked for no");
  const missing = await assertRejects(() => connect("tls:localhost:1?ca=/nowhere"), NotFoundError);
  assertEquals(missing.message.split(":")[0], 'Cannot read certificate "/nowhere"');
});

Deno.test("udp: who listens receives, and tells from where", async () => {
  const { onListen, address: telling } = told();
  using receiver = await listen("udp:127.0.0.1:0", { direction: "receive", onListen }) as UdpSocket;
  const address = await telling;
  using sender = await connect(address);
  await sender.send(bytes("hello"));
  const { data, from } = (await receiver.receiveMessage({ timeout: 10_000 }))!;
  assertEquals([textOf(data), from.host], ["hello", "127.0.0.1"]);
  await receiver.send(bytes("answer"), { to: from });
  assertEquals(textOf(await sender.receive({ timeout: 10_000 })), "answer");
  await assertRejects(() => connect(address, { direction: "receive" }), AddressError);
  await assertRejects(() => listen(address), AddressError);
});

Deno.test("stat and list tell who listens at a port", async () => {
  for (const [scheme, host, elsewhere] of [["tcp", "[::1]", "127.0.0.1"], ["udp", "127.0.0.1", "[::1]"]]) {
    const { onListen, address: telling } = told();
    using _ = await listen(`${scheme}:${host}:0`, { direction: "receive", onListen });
    const address = await telling;
    const port = Number(address.split(":").at(-1));
    const status = {
      address,
      type: scheme,
      host: host!.replace(/[[\]]/g, ""),
      port,
      uid: Deno.uid(),
      ...scheme === "tcp" ? { connections: 0, waiting: 0 } : { available: 0, dropped: 0 },
      holders: [Deno.pid],
    };
    assertEquals(await stat(address), status as NetworkStatus);
    assertEquals(list([scheme!]).filter((found) => found.address === address), [status as NetworkStatus]);
    assertEquals((await stat(`${scheme}::${port}`) as NetworkStatus).host, status.host);
    await assertRejects(() => stat(`${scheme}:${elsewhere}:${port}`), NotFoundError, "nobody listens there");
  }
  await assertRejects(() => stat("tcp:127.0.0.1:0"), NotFoundError, "nobody listens there");
});

Deno.test("stat counts connections, and what waits", async () => {
  using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const address = `tcp:127.0.0.1:${listener.addr.port}`;
  using _first = await connect(address);
  using _second = await connect(address);
  const { host, connections, waiting } = await stat(address) as NetworkStatus;
  assertEquals([host, connections, waiting], ["0.0.0.0", 2, 2]);
  for (let count = 0; count < 2; count++) (await listener.accept()).close();
  const later = await stat(`ws://localhost:${listener.addr.port}/`) as NetworkStatus;
  assertEquals([later.type, later.waiting], ["tcp", 0]);

  const { onListen, address: telling } = told();
  using _receiver = await listen("udp:127.0.0.1:0", { direction: "receive", onListen });
  const udp = await telling;
  using sender = await connect(udp, { direction: "send" });
  await sender.send(bytes("hello"));
  assert((await stat(udp) as NetworkStatus).available! >= 5);
});

Deno.test("a URL is taken as it is, with parameters behind a #", () => {
  const { scheme, target, params } = parseAddress("ws://localhost:8000/in?key=a%20b");
  assertEquals([scheme, target], ["ws", "//localhost:8000/in?key=a%20b"]);
  assertEquals(Object.keys(params), []);
  const text = formatAddress("wss", "//localhost/in?key=a%20b", { ca: "/etc/my ca" });
  assertEquals(text, "wss://localhost/in?key=a%20b#ca=%2Fetc%2Fmy%20ca");
  const encrypted = parseAddress(text);
  assertEquals([encrypted.target, encrypted.params.ca], ["//localhost/in?key=a%20b", "/etc/my ca"]);
});

Deno.test("what the network does not have is an AddressError that says so", async () => {
  await assertRejects(() => make("tcp:localhost:8000"), AddressError, "nothing to create");
  await assertRejects(() => connect("tcp:localhost:0"), AddressError, "port 0 is one that is free");
  await assertRejects(() => connect("udp:localhost:0"), AddressError, "port 0 is one that is free");
  await assertRejects(() => connect("ws://localhost:8000/#top" as string), AddressError, "no parameters");
});
