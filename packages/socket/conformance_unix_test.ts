/** What the kernel does with unix sockets, at `@ipc/socket/sys`, and what this package makes of it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Decoder, encodeFrame, type IpcError, lengthPrefix } from "@ipc/core";
import { abi, cString } from "@ipc/core/sys";
import { leakCheck, trackLeaks } from "@ipc/core/testing";
import { cmsghdr } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { listen as listenAt } from "./mod.ts";
import {
  accept4,
  bind,
  close,
  connect,
  constants,
  getpeercred,
  getsockoptInt,
  listen,
  recv,
  recvmsg,
  send,
  sendmsg,
  shutdown,
  socket,
  socketpair,
} from "./sys.ts";
import { Cases, code } from "../core/testdata/cases.ts";
import {
  asUser,
  bytes,
  canBeAnother,
  CEILING,
  MOD,
  NOBODY,
  TestProcess,
  text,
  withPath,
} from "./testdata/process.ts";

leakCheck();

const {
  AF_UNIX,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_TRUNC,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} = constants;
const { SOL_SOCKET, SO_SNDBUF } = constants;
const cases = new Cases("socket", new URL("testdata/conformance.json", import.meta.url));

/** Runs a test with a new socket. */
async function withSocket(test: (fd: number) => unknown, type = SOCK_STREAM): Promise<void> {
  const fd = socket(AF_UNIX, type | SOCK_CLOEXEC);
  try {
    await test(fd);
  } finally {
    close(fd);
  }
}

/** Runs a test with two connected sockets. */
async function withPair(type: number, test: (here: number, there: number) => unknown): Promise<void> {
  const [here, there] = socketpair(AF_UNIX, type | SOCK_CLOEXEC);
  try {
    await test(here, there);
  } finally {
    close(here);
    close(there);
  }
}

cases.test("SOCK-001", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const longest = `${folder}/`.padEnd(107, "x");
    await withSocket((fd) => bind(fd, longest));
    assert((await Deno.lstat(longest)).isSocket);
    await withSocket((fd) => assertThrows(() => bind(fd, `${longest}x`), RangeError, "108 bytes"));
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

cases.test("SOCK-002", () =>
  withPath((path) =>
    withSocket((first) => {
      bind(first, path);
      return withSocket((second) => assertEquals(code(() => bind(second, path)), "EADDRINUSE"));
    })
  ));

cases.test("SOCK-003", () =>
  withPath(async (path) => {
    await withSocket((fd) => bind(fd, path));
    await withSocket((fd) => assertEquals(code(() => connect(fd, path)), "ECONNREFUSED"));
  }));

cases.test("SOCK-004", () =>
  withPath((path) => withSocket((fd) => assertEquals(code(() => connect(fd, path)), "ENOENT"))));

cases.test("SOCK-005", () =>
  withPair(SOCK_SEQPACKET, (here, there) => {
    send(here, bytes("0123456789"));
    const message = recvmsg(there, 4);
    assertEquals(text(message.data), "0123");
    assertEquals(message.flags & MSG_TRUNC, MSG_TRUNC);
    assertEquals(message.length, 10);
    assertEquals(code(() => recv(there, 4, MSG_DONTWAIT)), "EAGAIN");
  }));

cases.test("SOCK-006", async () => {
  for (const type of [SOCK_SEQPACKET, constants.SOCK_DGRAM]) {
    await withPair(type, (here) => {
      const size = getsockoptInt(here, SOL_SOCKET, SO_SNDBUF);
      assertEquals(code(() => send(here, new Uint8Array(size), MSG_DONTWAIT)), "EMSGSIZE");
      assertEquals(send(here, new Uint8Array(size - 32), MSG_DONTWAIT), size - 32);
    });
  }
});

cases.test("SOCK-007", () => {
  for (const type of [SOCK_STREAM, SOCK_SEQPACKET]) {
    const [here, there] = socketpair(AF_UNIX, type | SOCK_CLOEXEC);
    close(there);
    try {
      assertEquals(code(() => send(here, bytes("lost"))), "EPIPE");
      assertEquals(recv(here, 10).length, 0);
    } finally {
      close(here);
    }
  }
});

cases.test("SOCK-009", async () => {
  await withPair(SOCK_SEQPACKET, async (here, there) => {
    await using leaks = await trackLeaks();
    sendmsg(here, bytes("two"), { rights: [0, 0] });
    // CMSG_LEN of one: there is no padding that another would fit into.
    const { data, flags, rights } = recvmsg(there, 10, { controlSize: cmsghdr.size + 4 });
    rights.forEach(close);
    assertEquals([text(data), flags & MSG_CTRUNC, rights.length], ["two", MSG_CTRUNC, 1]);
    await leaks.check();
  });
});

cases.test("SOCK-011", async () => {
  for (const type of [SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM]) {
    await withPair(type, async (here, there) => {
      await using leaks = await trackLeaks();
      sendmsg(here, bytes("two"), { rights: [0, 0] });
      assertEquals(text(recv(there, 10).data), "two");
      sendmsg(here, bytes("more"), { rights: [0, 0] });
      const { data, flags } = recvmsg(there, 10);
      assertEquals([text(data), flags & MSG_CTRUNC], ["more", MSG_CTRUNC]);
      await leaks.check();
    });
  }
});

cases.test("SOCK-012", () =>
  withPath((path) =>
    withSocket(async (listening) => {
      bind(listening, path);
      listen(listening, 1);
      await using process = new TestProcess(`
        import { connect } from ${MOD};
        await using channel = await connect({ type: "unix", path: ${JSON.stringify(path)} });
        console.log("connected");
        await channel.receive();
      `);
      assertEquals(await process.line(), "connected");
      const accepted = accept4(listening, SOCK_CLOEXEC);
      try {
        assertEquals(getpeercred(accepted), { pid: process.pid, uid: Deno.uid()!, gid: Deno.gid()! });
      } finally {
        close(accepted);
      }
    })
  ));

cases.test("SOCK-013", async () => {
  await withSocket((fd) => assertEquals(code(() => send(fd, bytes("x"))), "ENOTCONN"));
  assertEquals(code(() => send(100_000, bytes("x"))), "EBADF");
  const fd = libc.open(cString("/dev/null"), abi.O_RDWR | abi.O_CLOEXEC, 0);
  try {
    assertEquals(code(() => send(fd, bytes("x"))), "ENOTSOCK");
  } finally {
    close(fd);
  }
});

cases.test("SOCK-014", () =>
  withPair(SOCK_STREAM, (here, there) => {
    shutdown(here, SHUT_WR);
    assertEquals(recv(there, 1).length, 0);
    assertEquals(code(() => send(here, bytes("x"))), "EPIPE");
    send(there, bytes("still"));
    assertEquals(text(recv(here, 10).data), "still");
  }));

cases.test("SOCK-015", () =>
  withPath((path) =>
    withSocket(async (client) => {
      const address = JSON.stringify({ type: "unix", path });
      await using process = new TestProcess(`
        import { listen } from ${MOD};
        const listener = await listen(${address});
        console.log("listening");
        const channel = await listener.accept();
        await channel.receive();
      `);
      assertEquals(await process.line(), "listening");
      connect(client, path);
      await process.kill();
      assert(["the end", "ECONNRESET"].includes(endOf(client)));
      await withSocket((fd) => assertEquals(code(() => bind(fd, path)), "EADDRINUSE"));
      assert((await Deno.lstat(path)).isSocket);
      (await listenAt({ type: "unix", path })).close();
    })
  ));

cases.test("SOCK-016", () =>
  withPair(SOCK_STREAM, (here, there) => {
    const framing = lengthPrefix();
    const frames = [bytes("one"), bytes("")].map((message) => encodeFrame(framing, message));
    const all = new Uint8Array([...frames[0]!, ...frames[1]!]);
    const decoder = framing.decoder();
    send(here, all);
    assertEquals(feed(decoder, there), ["one", ""]);
    const found: string[] = [];
    for (const byte of all) {
      send(here, new Uint8Array([byte]));
      found.push(...feed(decoder, there));
    }
    assertEquals(found, ["one", ""]);
  }));

cases.test("SOCK-018", () =>
  withSocket(async (listening) => {
    const name = `@ipc-test-${crypto.randomUUID()}`;
    bind(listening, name);
    listen(listening, 1);
    await withSocket((fd) => asUser(NOBODY, () => connect(fd, name)));
    const other = `@ipc-test-${crypto.randomUUID()}` as const;
    await assertRejectsType(() => listenAt(`unix:${other}`));
    using listener = await listenAt(`unix:${other}`, { sameUser: true });
    await withSocket(async (fd) => {
      asUser(NOBODY, () => connect(fd, other));
      const accepting = listener.accept(CEILING);
      await withSocket(async (mine) => {
        connect(mine, other);
        (await accepting)?.close();
      });
      assertEquals(listener.refused, 1);
      assertEquals(recv(fd, 1).length, 0);
    });
  }), { ignore: !canBeAnother });

cases.complete();

async function assertRejectsType(action: () => Promise<unknown>): Promise<void> {
  const error = await action().then(() => undefined, (reason) => reason);
  assert(error instanceof TypeError, `${error}`);
}

/** How a connection ends for who receives. */
function endOf(fd: number): string {
  try {
    return recv(fd, 1).length === 0 ? "the end" : "a message";
  } catch (error) {
    return (error as IpcError).code;
  }
}

/** Gives a decoder what is there; the messages that it finds. */
function feed(decoder: Decoder, fd: number): string[] {
  decoder.push(recv(fd, 100).data);
  const found: string[] = [];
  for (let message; (message = decoder.next()) !== undefined;) found.push(text(message));
  return found;
}
