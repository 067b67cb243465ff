import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AlreadyExistsError, ClosedError, IpcError, MessageTooLongError, PermissionError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";
import { settled } from "./testdata/net_pairs.ts";
import { startChild } from "./testdata/program.ts";
import { bindUdp, connectUdp } from "./udp.ts";

leakCheck();

const timeout = 10_000;
const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("two processes exchange datagrams, and know where they come from", async () => {
  using server = await bindUdp("127.0.0.1:0");
  const child = startChild(`
    import { connectUdp } from ${JSON.stringify(import.meta.resolve("./udp.ts"))};
    using socket = await connectUdp("127.0.0.1:${server.address.port}");
    await socket.send(new Uint8Array([1, 2, 3]));
    const answer = await socket.receive({ timeout: 30_000 });
    console.log(answer.join(), socket.address.port);`);
  const { data, from } = (await server.receiveMessage({ timeout: 60_000 }))!;
  assertEquals([data, from.host], [new Uint8Array([1, 2, 3]), "127.0.0.1"]);
  await server.send(data.toReversed(), { to: from });
  assertEquals(await child, `3,2,1 ${from.port}\n`);
  await settled();
});

Deno.test("every form of sending and receiving", async () => {
  using server = await bindUdp("127.0.0.1:0");
  using client = await connect(`udp:127.0.0.1:${server.address.port}`);
  assertEquals(client.remoteAddress, server.address);
  await client.send(bytes("send"));
  client.sendSync(bytes("sendSync"));
  assertEquals(client.trySend(bytes("trySend")), true);
  await client.sendBatch([bytes("batch"), new Uint8Array(0)]);
  assertEquals(server.tryReceiveMessage()?.data, bytes("send"));
  assertEquals(server.receiveMessageSync().from, client.address);
  assertEquals(server.tryReceive(), bytes("trySend"));
  assertEquals(await server.receiveBatch(), [bytes("batch"), new Uint8Array(0)]);
  assertEquals(server.tryReceive(), undefined);
  assertEquals(server.ended, false);
  const to = client.address;
  assertEquals(server.trySend(bytes("a"), { to }), true);
  server.sendSync(bytes("b"), { to });
  assertEquals(await client.receiveBatch(), [bytes("a"), bytes("b")]);
});

Deno.test("the longest datagram arrives whole, a longer one is refused", async () => {
  for (const host of ["127.0.0.1", "[::1]"]) {
    using server = await bindUdp(`${host}:0`).catch(() => undefined);
    // A machine without IPv6.
    if (server === undefined) continue;
    using client = await connectUdp(server.address);
    const longest = new Uint8Array(client.maxMessageSize).map((_, index) => index);
    await client.send(longest);
    assertEquals(await server.receive({ timeout }), longest);
    await assertRejects(() => client.send(new Uint8Array(client.maxMessageSize + 1)), MessageTooLongError);
  }
  await settled();
});

Deno.test("multicast: members of a group receive what is sent to it, until they leave", async () => {
  const group = "239.255.77.1";
  using first = await bindUdp("0.0.0.0:0", { reuseAddress: true });
  const { port } = first.address;
  using second = await bindUdp(`0.0.0.0:${port}`, { reuseAddress: true });
  for (const member of [first, second]) member.joinGroup(group, { interface: "lo" });
  using sender = await bindUdp("127.0.0.1:0", { multicastTtl: 0, multicastLoop: true });
  sender.setMulticastInterface("lo");
  await sender.send(bytes("all"), { to: { host: group, port } });
  for (const member of [first, second]) assertEquals(await member.receive({ timeout }), bytes("all"));
  second.leaveGroup(group, { interface: "lo" });
  await sender.send(bytes("one"), { to: { host: group, port } });
  assertEquals(await first.receive({ timeout }), bytes("one"));
  assertThrows(() => first.joinGroup(group, { interface: "lo" }), IpcError, "group");
  assertThrows(() => first.joinGroup("127.0.0.1"), IpcError);
  assertThrows(() => first.joinGroup("name"), TypeError);
  assertThrows(() => first.joinGroup(group, { interface: "nothing0" }), IpcError);
  await settled();
});

Deno.test("broadcast wants to be told", async () => {
  using shy = await bindUdp("127.0.0.1:0");
  const to = { host: "127.255.255.255", port: shy.address.port };
  await assertRejects(() => shy.send(bytes("all"), { to }), PermissionError);
  using receiver = await bindUdp("0.0.0.0:0");
  using sender = await bindUdp("0.0.0.0:0", { broadcast: true });
  await sender.send(bytes("all"), { to: { host: "127.255.255.255", port: receiver.address.port } });
  assertEquals(await receiver.receive({ timeout }), bytes("all"));
  await settled();
});

Deno.test("what cannot be is told", async () => {
  using socket = await bindUdp("127.0.0.1:0");
  await assertRejects(() => bindUdp(`127.0.0.1:${socket.address.port}`), AlreadyExistsError);
  await assertRejects(() => bindUdp("192.0.2.1:0"), IpcError);
  await assertRejects(() => bindUdp("127.0.0.1:0", { multicastTtl: 256 }), RangeError);
  await assertRejects(() => bindUdp("127.0.0.1"), TypeError);
  const nowhere = await assertRejects(() => socket.send(bytes("a")), IpcError);
  assertEquals(nowhere.code, "EDESTADDRREQ");
  await assertRejects(
    () => socket.send(bytes("a"), { to: { host: "localhost", port: 1 } }),
    TypeError,
    "numbers",
  );
  await assertRejects(() => socket.send(bytes("a"), { to: { host: "::1", port: 1 } }), TypeError, "IPv4");
  const waiting = socket.receiveMessage();
  socket.close();
  assertEquals(await waiting, undefined);
  await assertRejects(() => socket.send(bytes("a")), ClosedError);
  await settled();
});

Deno.test("nobody at the other end is an error, and the next one who comes there is heard", async () => {
  const gone = await bindUdp("127.0.0.1:0");
  const { address } = gone;
  using client = await connectUdp(address);
  gone.close();
  await client.send(bytes("lost"));
  const error = await assertRejects(() => client.receive({ timeout }), IpcError);
  assertEquals(error.code, "ECONNREFUSED");
  using next = await bindUdp(address);
  await client.send(bytes("found"));
  assertEquals(await next.receive({ timeout }), bytes("found"));
  assert(!client.ended);
  await settled();
});

Deno.test("listening at an address of datagrams tells what to call", async () => {
  for (const [address, bind] of [["udp:127.0.0.1:0", "bindUdp"], ["unix-dgram:/run/a", "bindUnixDatagram"]]) {
    await assertRejects(() => listen(address!), TypeError, `no connections; ${bind} receives`);
  }
});

Deno.test("a closed socket is not taken for the one that has its number now", async () => {
  const closed = await bindUdp("127.0.0.1:0");
  closed.close();
  using next = await bindUdp("0.0.0.0:0");
  assertEquals(next.fd, closed.fd);
  assertThrows(() => closed.address, ClosedError);
  assertThrows(() => closed.joinGroup("239.255.1.2", { interface: "lo" }), ClosedError);
  assertThrows(() => closed.setMulticastInterface("lo"), ClosedError);
  next.joinGroup("239.255.1.2", { interface: "lo" });
  assertThrows(() => closed.leaveGroup("239.255.1.2", { interface: "lo" }), ClosedError);
  await settled();
});

Deno.test("what is aborted already, or waits less than no time, does nothing", async () => {
  const signal = AbortSignal.abort(new Error("Enough"));
  await assertRejects(() => bindUdp("127.0.0.1:0", { signal }), Error, "Enough");
  await assertRejects(() => connectUdp("127.0.0.1:1", { signal }), Error, "Enough");
  await assertRejects(() => connectUdp("127.0.0.1:1", { timeout: -1 }), RangeError);
});

Deno.test("every address: those of IPv4 without a host, those of both versions with [::]", async () => {
  using four = await bindUdp(":0");
  assertEquals(four.address.host, "0.0.0.0");
  using both = await bindUdp("[::]:0");
  for (const host of ["::1", "127.0.0.1"]) {
    using client = await connectUdp({ host, port: both.address.port });
    await client.send(bytes("hello"));
    const { from } = (await both.receiveMessage({ timeout }))!;
    await both.send(bytes("answer"), { to: from });
    assertEquals(await client.receive({ timeout }), bytes("answer"));
  }
  await settled();
});
