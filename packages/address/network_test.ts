import { assertEquals, assertRejects } from "@std/assert";
import { IpcError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import type { UdpSocket } from "@ipc/socket";
import { AddressError, connect, listen, make, parseAddress, stat } from "./mod.ts";

leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);

/** A port that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

for (const scheme of ["tcp", "ws"]) {
  const at = () =>
    scheme === "tcp" ? `tcp:127.0.0.1:${freePort()}` : `ws://127.0.0.1:${freePort()}/in?key=a%20b`;

  Deno.test({
    name: `${scheme}: who listens to receive has the messages of all who connect`,
    // A WebSocket of the runtime's goes when the peer has answered, which no test sees.
    sanitizeResources: scheme === "tcp",
    sanitizeOps: scheme === "tcp",
    async fn() {
      const address = at();
      await assertRejects(() => connect(address, { direction: "send" }), IpcError);
      using receiver = await listen(address, { direction: "receive" });
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
    },
  });

  Deno.test({
    name: `${scheme}: who listens in both directions has the first who connects`,
    sanitizeResources: scheme === "tcp",
    sanitizeOps: scheme === "tcp",
    async fn() {
      const address = at();
      const listening = listen(address, { timeout: 10_000 });
      listening.catch(() => {});
      let client = await connect(address).catch(() => undefined);
      while (client === undefined) client = await connect(address).catch(() => undefined);
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

Deno.test("udp: who listens receives, and tells from where", async () => {
  const address = `udp:127.0.0.1:${freePort()}`;
  using receiver = await listen(address, { direction: "receive" }) as UdpSocket;
  using sender = await connect(address);
  await sender.send(bytes("hello"));
  const { data, from } = (await receiver.receiveMessage({ timeout: 10_000 }))!;
  assertEquals([textOf(data), from.host], ["hello", "127.0.0.1"]);
  await receiver.send(bytes("answer"), { to: from });
  assertEquals(textOf(await sender.receive({ timeout: 10_000 })), "answer");
  await assertRejects(() => connect(address, { direction: "receive" }), AddressError);
  await assertRejects(() => listen(address), AddressError);
});

Deno.test("a URL is taken as it is, and the network has no objects", async () => {
  const { scheme, target, params } = parseAddress("ws://localhost:8000/in?key=a%20b");
  assertEquals([scheme, target], ["ws", "//localhost:8000/in?key=a%20b"]);
  assertEquals(Object.keys(params), []);
  await assertRejects(() => make("tcp:localhost:8000"), AddressError, "nothing to create");
  await assertRejects(() => stat("udp:localhost:8000"), AddressError, "nothing to look at");
  await assertRejects(() => listen("wss://localhost:8000/"), AddressError, "a certificate");
});
