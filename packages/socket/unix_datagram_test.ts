import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BrokenPipeError,
  ClosedError,
  LimitError,
  NotFoundError,
  PermissionError,
  TimeoutError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { interceptCalls } from "@ipc/core/sys";
import { nameOf } from "./_unix_socket.ts";
import { bindUnixDatagram, connect, socketPair, UnixDatagram } from "./mod.ts";
import {
  bytes,
  canBeAnother,
  CEILING,
  MOD,
  NOBODY,
  Program,
  TestProcess,
  text,
  withPath,
} from "./testdata/process.ts";

leakCheck();

Deno.test("a datagram tells who sent it and where an answer goes", () =>
  withPath(async (path) => {
    using server = await bindUnixDatagram(path);
    assertEquals(server.address, path);
    await using process = new TestProcess(`
      import { connect } from ${MOD};
      using socket = await connect({ type: "unix-dgram", path: ${JSON.stringify(path)} });
      await socket.send(new Uint8Array(0));
      await socket.send(await socket.receive());
    `);
    const { data, from, peer } = (await server.receiveMessage(CEILING))!;
    assertEquals(data.byteLength, 0);
    assertEquals(peer, { pid: process.pid, uid: Deno.uid()!, gid: Deno.gid()! });
    assert(from?.startsWith("@"));
    await server.send(bytes("answer"), { to: from });
    assertEquals(text(server.receiveMessageSync(CEILING).data), "answer");
    assertEquals((await process.status).code, 0);
    await assertRejects(() => server.send(bytes("x"), { to: from }), BrokenPipeError);
    await assertRejects(() => server.send(bytes("x"), { to: `${path}.none` }), NotFoundError);
    await assertRejects(() => server.send(bytes("x")), TypeError, "not connected");
  }));

Deno.test("a datagram waits while its receiver has no room, also one that is not the peer", () =>
  withPath(async (path) => {
    using server = await bindUnixDatagram(path);
    using other = await bindUnixDatagram(`${path}.other`);
    using connected = await connect({ type: "unix-dgram", path });
    for (const [sender, options] of [[connected, {}], [other, { to: path }]] as const) {
      let sent = 0;
      while (sender.trySend(new Uint8Array([sent]), options)) sent++;
      assert(sent > 0);
      await assertRejects(() => sender.send(bytes("x"), { ...options, timeout: 5 }), TimeoutError);
      assertThrows(() => sender.sendSync(bytes("x"), { ...options, timeout: 5 }), TimeoutError);
      const sending = sender.send(new Uint8Array([sent]), { ...options, ...CEILING });
      for (let index = 0; index <= sent; index++) {
        assertEquals((await server.receive(CEILING))?.[0], index);
      }
      await sending;
    }
  }));

Deno.test("who does not read holds up no other: each destination has a line of its own, all together a limit", () =>
  withPath(async (path) => {
    using server = await bindUnixDatagram(path, { maxQueuedBytes: 1000 });
    using full = await bindUnixDatagram(`${path}.full`);
    using other = await bindUnixDatagram(`${path}.other`);
    using second = await bindUnixDatagram(`${path}.second`);
    const [toFull, toSecond, toOther] = [full, second, other].map(({ address }) => ({ to: address }));
    let sent = 0;
    while (server.trySend(new Uint8Array([sent]), toFull)) sent++;
    const waiting = [101, 102].map((mark) => server.send(new Uint8Array(400).fill(mark), toFull));
    await assertRejects(() => server.send(new Uint8Array(400), toFull), LimitError);
    // The first of a line always may.
    while (server.trySend(bytes("x"), toSecond));
    waiting.push(server.send(new Uint8Array(400), toSecond));
    await assertRejects(() => server.send(bytes("x"), toSecond), LimitError);
    await server.send(bytes("sent"), { ...toOther, ...CEILING });
    assert(server.trySend(bytes("tried"), toOther));
    server.sendSync(bytes("blocking"), { ...toOther, ...CEILING });
    for (const word of ["sent", "tried", "blocking"]) {
      assertEquals(text(await other.receive(CEILING)), word);
    }
    // In their order, and before the end.
    const ending = server.end();
    await assertRejects(() => server.send(bytes("x"), toOther), ClosedError);
    const received: number[] = [];
    while (received.length < sent + 2) received.push((await full.receive(CEILING))![0]!);
    assertEquals(received, [...Array(sent).keys(), 101, 102]);
    while ((await second.receive(CEILING))!.length === 1);
    await Promise.all([...waiting, ending]);
  }));

Deno.test({
  name: "datagrams of another user are dropped and counted unless allowed",
  ignore: !canBeAnother || !has("setpriv") || !has("socat"),
  fn: () =>
    withPath(async (path) => {
      await Deno.chmod(path.slice(0, path.lastIndexOf("/")), 0o755);
      using server = await bindUnixDatagram(path, { mode: 0o666 });
      using open = await bindUnixDatagram(`${path}.open`, {
        mode: 0o666,
        authorize: ({ uid }) => uid === NOBODY,
      });
      const nobody = async (to: string) => {
        const args = [`--reuid=${NOBODY}`, "--clear-groups", "socat", "-u", "-", `UNIX-SENDTO:${to}`];
        await using program = new Program("setpriv", args);
        await program.feed("nobody");
        await program.output();
      };
      await nobody(path);
      assertEquals(server.peek(), undefined);
      await nobody(path);
      using sender = await connect({ type: "unix-dgram", path });
      sender.sendSync(bytes("root"));
      assertEquals(text(server.peek()?.data), "root");
      assertEquals(text(await server.receive(CEILING)), "root");
      assertEquals(server.refused, 2);
      await nobody(`${path}.open`);
      using other = await connect({ type: "unix-dgram", path: `${path}.open` });
      other.sendSync(bytes("root"));
      assertEquals((await open.receiveMessage(CEILING))?.peer.uid, NOBODY);
      assertEquals(open.tryReceive(), undefined);
      assertEquals(open.refused, 1);
    }),
});

Deno.test("a socket that waits for answers has no name before it is connected: nobody else can send to it", () =>
  withPath(async (path) => {
    using server = await bindUnixDatagram(path);
    const names: unknown[] = [];
    interceptCalls((symbol, args, real) => {
      if (symbol === "connect") names.push(nameOf(args[0] as number));
      return real(...args);
    });
    let client: UnixDatagram;
    try {
      client = await connect({ type: "unix-dgram", path });
    } finally {
      interceptCalls(undefined);
    }
    using _ = client;
    assertEquals(names, [undefined]);
    using stranger = await bindUnixDatagram(`${path}.stranger`);
    await assertRejects(() => stranger.send(bytes("forged"), { to: client.address }), PermissionError);
    await client.send(bytes("question"));
    await server.send(bytes("answer"), { to: (await server.receiveMessage(CEILING))!.from });
    const { data, peer } = (await client.receiveMessage(CEILING))!;
    assertEquals([text(data), peer.pid], ["answer", Deno.pid]);
  }));

Deno.test("an end of a pair that was passed on sends and receives", async () => {
  const [here, there] = socketPair("datagram");
  const [from, to] = socketPair("seqpacket");
  using _here = here, _from = from, _to = to;
  await from.sendHandles(bytes("an end"), [there]);
  there.close();
  const { handles: [end] } = (await to.receiveWithHandles(CEILING))!;
  using passed = new UnixDatagram(end!.take());
  await passed.sendBatch([bytes("a"), bytes("b")]);
  assertEquals([text(await here.receive(CEILING)), text(await here.receive(CEILING))], ["a", "b"]);
  await here.send(bytes("back"));
  assertEquals(text(await passed.receive(CEILING)), "back");
});

Deno.test({
  name: "whoever has a name can be answered, be it none that people write",
  ignore: !has("python3"),
  fn: () =>
    withPath(async (path) => {
      using server = await bindUnixDatagram(path);
      const program = "import os, socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); " +
        "s.bind(bytes.fromhex(sys.argv[2])); s.sendto(b'question', sys.argv[1]); print(s.recv(9).decode())";
      const folder = bytes(path.slice(0, path.lastIndexOf("/") + 1));
      // As a C program that binds with the size of the whole struct; no UTF-8; a mark at the beginning; a path in Latin-1.
      const id = bytes(crypto.randomUUID().slice(0, 8));
      const names = [
        [0, ...id, ...new Uint8Array(99)],
        [0, 0xff, 0x41, ...id],
        [0, 0xef, 0xbb, 0xbf, ...id],
        [
          ...folder,
          0xe9,
        ],
      ];
      for (const name of names) {
        await using client = new Program("python3", ["-c", program, path, new Uint8Array(name).toHex()]);
        const { from } = (await server.receiveMessage(CEILING))!;
        await server.send(bytes("answer"), { to: from });
        assertEquals(await client.output(), "answer\n");
      }
    }),
});
