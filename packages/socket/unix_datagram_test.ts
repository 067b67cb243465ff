import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BrokenPipeError, NotFoundError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { bindUnixDatagram, connect } from "./mod.ts";
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
