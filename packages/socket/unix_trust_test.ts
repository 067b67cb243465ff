import { assert, assertEquals, assertRejects } from "@std/assert";
import { AlreadyExistsError, UntrustedError } from "@ipc/core";
import { dupCloexec } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { bindUnixDatagram, connect, connectUnix, listen, UnixDatagram } from "./mod.ts";
import {
  asUser,
  bytes,
  canBeAnother,
  CEILING,
  exists,
  NOBODY,
  Program,
  text,
  withPath,
} from "./testdata/process.ts";

leakCheck();

Deno.test({
  name: "a dead socket of another user stays, unless root takes it",
  ignore: !canBeAnother,
  fn: () =>
    withPath(async (path) => {
      await Deno.chmod(path.slice(0, path.lastIndexOf("/")), 0o777);
      const dead = await listen({ type: "unix", path });
      await Deno.rename(path, `${path}.old`);
      dead.close();
      await Deno.rename(`${path}.old`, path);
      const refused = asUser(NOBODY, () => listen({ type: "unix", path }));
      await assertRejects(() => refused, AlreadyExistsError, "it belongs to user 0");
      await Deno.chown(path, NOBODY, NOBODY);
      (await listen({ type: "unix", path })).close();
      assert(!exists(path));
    }),
});

Deno.test("an abstract name needs a word on who may connect, is exact, and goes with its socket", async () => {
  const name = `@ipc-test-${crypto.randomUUID()}`;
  await assertRejects(() => listen({ type: "unix", path: name }), TypeError, "anybody can connect");
  await assertRejects(() => bindUnixDatagram(name), TypeError, "anybody can send");
  {
    using listener = await listen({ type: "unix", path: name }, { sameUser: true });
    assertEquals(listener.address, `unix:${name}`);
    assert(Deno.readTextFileSync("/proc/net/unix").split("\n").some((line) => line.endsWith(` ${name}`)));
    await assertRejects(() => listen({ type: "unix", path: name }, { sameUser: true }), AlreadyExistsError);
    await using channel = await connect({ type: "unix", path: name });
    using accepted = await listener.accept(CEILING);
    assertEquals(accepted!.peer().pid, Deno.pid);
    await channel.send(bytes("x"));
    assertEquals(text(await accepted!.receive()), "x");
  }
  const error = await assertRejects(() => connect({ type: "unix", path: name }));
  assertEquals((error as AlreadyExistsError).code, "ECONNREFUSED");
});

Deno.test({
  name: "another user is refused: by the mode, by default, and by name",
  ignore: !canBeAnother,
  fn: () =>
    withPath(async (path) => {
      await Deno.chmod(path.slice(0, path.lastIndexOf("/")), 0o755);
      const there = { type: "unix", path } as const;
      {
        using _ = await listen(there);
        const error = await assertRejects(() => asUser(NOBODY, () => connectUnix(there)));
        assertEquals((error as AlreadyExistsError).code, "EACCES");
      }
      // The mode lets everybody in, and the default does not.
      {
        using listener = await listen(there, { mode: 0o666 });
        await using stranger = await asUser(NOBODY, () => connectUnix(there));
        await using friend = await connect(there);
        using accepted = await listener.accept(CEILING);
        assertEquals(accepted!.peer().uid, 0);
        assertEquals(listener.refused, 1);
        assertEquals(await stranger.receive(CEILING), undefined);
        await friend.send(bytes("x"));
        assertEquals(text(await accepted!.receive()), "x");
      }
      const asked: number[] = [];
      using listener = await listen(there, {
        mode: 0o666,
        authorize: ({ uid }) => asked.push(uid) > 0 && uid === NOBODY,
      });
      await using root = await connect(there);
      await using nobody = await asUser(NOBODY, () => connectUnix(there));
      using accepted = await listener.accept(CEILING);
      assertEquals(accepted!.peer().uid, NOBODY);
      assertEquals([asked, listener.refused, listener.connections], [[0, NOBODY], 1, 1]);
      assertEquals(await root.receive(CEILING), undefined);
      await accepted!.send(bytes("welcome"));
      assertEquals(text(await nobody.receive() as Uint8Array), "welcome");
      // Who connects can choose as well.
      await assertRejects(() => connect(there, { authorize: ({ uid }) => uid === 12 }), UntrustedError);
    }),
});

Deno.test("what authorize throws closes the connection, and reaches who accepts", () =>
  withPath(async (path) => {
    const reason = new Error("Cannot decide");
    let throws = true;
    using listener = await listen({ type: "unix", path }, {
      authorize: () => {
        if (throws) throw reason;
        return true;
      },
    });
    await using first = await connect({ type: "unix", path });
    assertEquals(await listener.accept(CEILING).catch((error) => error), reason);
    assertEquals(await first.receive(CEILING), undefined);
    throws = false;
    await using _second = await connect({ type: "unix", path });
    (await listener.accept(CEILING))!.close();
    assertEquals([listener.connections, listener.refused], [0, 1]);
  }));

Deno.test("a crowd that is refused does not keep others out", () =>
  withPath(async (path) => {
    let asked = 0;
    using listener = await listen({ type: "unix", path }, { authorize: () => ++asked > 200 });
    const crowd = await Promise.all(Array.from({ length: 201 }, () => connect({ type: "unix", path })));
    try {
      (await listener.accept(CEILING))!.close();
      assertEquals(listener.refused, 200);
    } finally {
      for (const channel of crowd) channel.close();
    }
  }));

/** Becomes nobody for good, connects, says who it is as a message of its own, and prints what it is answered. */
const STRANGER = `
import os, socket, struct, sys
os.setgroups([])
os.setresgid(${NOBODY}, ${NOBODY}, ${NOBODY})
os.setresuid(${NOBODY}, ${NOBODY}, ${NOBODY})
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(20)
try:
    peer.connect(sys.argv[1])
    me = b"%d" % os.getuid()
    peer.sendall(struct.pack("<I", len(me)) + me)
    print(peer.recv(100))
except OSError as error:
    print(type(error).__name__)
`;

Deno.test({
  name:
    "a process under uid nobody is refused by the mode and by default, and let in where authorize says so",
  ignore: !canBeAnother || !has("python3"),
  fn: () =>
    withPath(async (path) => {
      await Deno.chmod(path.slice(0, path.lastIndexOf("/")), 0o755);
      const there = { type: "unix", path } as const;
      const stranger = () => new Program("python3", ["-c", STRANGER, path]);
      {
        using listener = await listen(there);
        await using process = stranger();
        assertEquals(await process.output(), "PermissionError\n");
        assertEquals([listener.tryAccept(), listener.refused], [undefined, 0]);
      }
      {
        using listener = await listen(there, { mode: 0o666 });
        const accepting = listener.accept();
        await using process = stranger();
        assert(["b''\n", "ConnectionResetError\n", "BrokenPipeError\n"].includes(await process.output()));
        assertEquals([listener.refused, listener.connections], [1, 0]);
        listener.close();
        assertEquals(await accepting, undefined);
      }
      using listener = await listen(there, { mode: 0o666, authorize: ({ uid }) => uid === NOBODY });
      await using process = stranger();
      using accepted = (await listener.accept(CEILING))!;
      const { uid, gid, groups } = accepted.peer();
      assertEquals([uid, gid, groups], [NOBODY, NOBODY, []]);
      assertEquals(text(await accepted.receive(CEILING)), `${NOBODY}`);
      await accepted.send(bytes("hello"));
      assertEquals(await process.output(), "b'\\x05\\x00\\x00\\x00hello'\n");
    }),
});

Deno.test({
  name: "a datagram socket that was bound by somebody else receives from this user and root alone",
  ignore: !canBeAnother || !has("python3"),
  fn: () =>
    withPath(async (path) => {
      await Deno.chmod(path.slice(0, path.lastIndexOf("/")), 0o755);
      using bound = await bindUnixDatagram(path, { mode: 0o666 });
      using taken = new UnixDatagram(dupCloexec(bound.fd));
      const program = [
        "import os, socket, sys",
        `os.setgroups([]); os.setresgid(${NOBODY}, ${NOBODY}, ${NOBODY})`,
        `os.setresuid(${NOBODY}, ${NOBODY}, ${NOBODY})`,
        "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'stranger', sys.argv[1])",
        "print('sent')",
      ].join("\n");
      await using process = new Program("python3", ["-c", program, path]);
      assertEquals(await process.output(), "sent\n");
      assertEquals([taken.tryReceive(), taken.refused], [undefined, 1]);
    }),
});

Deno.test("who receives datagrams cannot be asked for, and connecting with authorize says so", () =>
  withPath(async (path) => {
    using _bound = await bindUnixDatagram(path);
    const connecting = connect(`unix-dgram:${path}`, { authorize: () => true });
    await assertRejects(() => connecting, TypeError, "does not tell whose socket");
  }));
