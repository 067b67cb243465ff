import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BrokenPipeError,
  ClosedError,
  type IpcError,
  LimitError,
  lines,
  MessageTooLongError,
  NotFoundError,
  TruncatedError,
} from "@ipc/core";
import { check } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { cmsghdr, constants, iovec, msghdr, syscalls } from "./_abi.ts";
import { onView } from "./_libc.ts";
import { addressOf } from "./_message_buffer.ts";
import { setOption } from "./_socket_options.ts";
import { connect, listen, socketPair, UnixSeqpacket, UnixStream } from "./mod.ts";
import { close, send, socketpair } from "./sys.ts";
import { bytes, CEILING, exists, MOD, settled, TestProcess, text, withPath } from "./testdata/process.ts";

leakCheck();

const { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, SOCK_SEQPACKET } = constants;

Deno.test("empty messages are no end on seqpacket, the last one before the end neither", async () => {
  const [here, there] = socketPair("seqpacket");
  using _ = there;
  await here.sendBatch([new Uint8Array(0), bytes("a"), new Uint8Array(0), new Uint8Array(0)]);
  here.close();
  for (const expected of ["", "a", "", ""]) assertEquals(text(await there.receive(CEILING)), expected);
  assert(!there.ended);
  assertEquals(await there.receive(CEILING), undefined);
  assert(there.ended);
  assertEquals(there.receiveSync(), undefined);
});

Deno.test("empty messages of a peer that passes no credentials are no end either", () => {
  const [fd, other] = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
  send(fd, new Uint8Array(0));
  send(fd, bytes("a"));
  send(fd, new Uint8Array(0));
  close(fd);
  using channel = new UnixSeqpacket(other);
  for (const expected of ["", "a", ""]) assertEquals(text(channel.receiveSync(CEILING)), expected);
  assertEquals(channel.receiveSync(CEILING), undefined);
});

Deno.test("half close: what is ended in one direction goes on in the other", async () => {
  for (const type of ["stream", "seqpacket"] as const) {
    const [here, there] = (socketPair as (type: string) => UnixStream[])(type) as [UnixStream, UnixStream];
    await using _ = here, __ = there;
    await here.send(bytes("last"));
    await here.end();
    await assertRejects(() => here.send(bytes("more")), ClosedError);
    assertEquals(text(await there.receive(CEILING)), "last");
    assertEquals(await there.receive(CEILING), undefined);
    await there.send(bytes("answer"));
    assertEquals(text(await here.receive(CEILING)), "answer");
  }
});

Deno.test("a peer that closes with messages unread loses nothing of what it sent", async () => {
  for (const type of ["stream", "seqpacket"] as const) {
    const [here, there] = (socketPair as (type: string) => UnixStream[])(type) as [UnixStream, UnixStream];
    using _ = here;
    await here.send(bytes("never read"));
    await there.send(bytes("one"));
    await there.send(bytes("two"));
    there.close();
    assertEquals(text(await here.receive(CEILING)), "one");
    assertEquals(text(await here.receive(CEILING)), "two");
    assertEquals(await here.receive(CEILING), undefined);
    await assertRejects(() => here.send(bytes("x")), BrokenPipeError);
  }
});

Deno.test("the kernel's limit of a message is the channel's, and a longer one than told is dropped and told", async () => {
  const [here, there] = socketPair("seqpacket", { sendBufferSize: 32_768 });
  await using _ = here, __ = there;
  assertEquals(here.maxMessageSize, 2 * 32_768 - 32);
  await assertRejects(() => here.send(new Uint8Array(here.maxMessageSize + 1)), MessageTooLongError);
  await here.send(new Uint8Array(here.maxMessageSize));
  assertEquals((await there.receive(CEILING))?.byteLength, here.maxMessageSize);

  const [fd, other] = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
  try {
    await using narrow = new UnixSeqpacket(other, { maxMessageSize: 10 });
    assertEquals(narrow.maxMessageSize, 10);
    for (const size of [10, 11, 3, 12]) send(fd, new Uint8Array(size));
    assertEquals((await narrow.receiveBatch()).map(({ byteLength }) => byteLength), [10]);
    await assertRejects(() => narrow.receive(CEILING), MessageTooLongError, "11 bytes was dropped");
    assertEquals((await narrow.receive(CEILING))?.byteLength, 3);
    await assertRejects(() => narrow.receive(CEILING), MessageTooLongError, "12 bytes was dropped");
  } finally {
    close(fd);
  }
});

Deno.test("a message can be looked at and stays", () => {
  const [here, there] = socketPair("seqpacket");
  using _ = here, __ = there;
  assertEquals(there.peek(), undefined);
  here.sendSync(bytes("a"));
  assertEquals(text(there.peek()), "a");
  assertEquals(text(there.receiveSync()), "a");
  here.close();
  assertEquals(there.peek(), undefined);
  assertEquals(there.receiveSync(), undefined);
});

for (const receiveHandles of [false, true]) {
  Deno.test(`a message of a stream can be looked at and stays${receiveHandles ? ", with its handles" : ""}`, async () => {
    const [here, there] = socketPair("stream", { receiveHandles, maxMessageSize: 10 });
    using _ = here;
    await using channel = there;
    assertEquals(channel.peek(), undefined);
    await here.send(bytes("ab"));
    if (receiveHandles) await here.sendHandles(bytes("cd"), [0]);
    await here.end();
    channel.peek()![0] = 0;
    assertEquals(text(channel.peek()), "ab");
    assert(!channel.ended);
    assertEquals(text(await channel.receive(CEILING)), "ab");
    if (receiveHandles) {
      assertEquals(text(channel.peek()), "cd");
      const { data, handles } = (await channel.receiveWithHandles(CEILING))!;
      for (const handle of handles) handle.close();
      assertEquals([text(data), handles.length], ["cd", 1]);
    }
    assertEquals(channel.peek(), undefined);
    assert(channel.ended);
    channel.close();
    assertThrows(() => channel.peek(), ClosedError);
    const [fd, other] = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
    try {
      using torn = new UnixStream(other, { receiveHandles });
      send(fd, new Uint8Array([2, 0, 0, 0, 1]));
      assertEquals(torn.peek(), undefined);
      close(fd);
      // That the rest is missing is told who receives.
      assertEquals(torn.peek(), undefined);
      await assertRejects(() => torn.receive(CEILING), TruncatedError);
    } finally {
      await settled();
    }
  });
}

Deno.test("the peer is told, as it was when it connected; also by a descriptor of its process", () =>
  withPath(async (path) => {
    using listener = await listen({ type: "unix", path });
    await using process = new TestProcess(`
      import { connect } from ${MOD};
      const channel = await connect({ type: "unix", path: ${JSON.stringify(path)} });
      const { pid } = channel.peer();
      await channel.send(new TextEncoder().encode(String(pid)));
      await channel.receive();
    `);
    using channel = await listener.accept(CEILING);
    assertEquals(text(await channel!.receive(CEILING)), String(Deno.pid));
    const { pid, uid, gid, groups, executable } = channel!.peer();
    assertEquals([pid, uid, gid], [process.pid, Deno.uid(), Deno.gid()]);
    assert(groups.every(Number.isInteger));
    using pidfd = channel!.peerPidfd();
    // SO_PEERPIDFD is of Linux 6.5.
    if (pidfd !== undefined) {
      assertEquals(executable, await Deno.realPath(Deno.execPath()));
      const info = await Deno.readTextFile(`/proc/self/fdinfo/${pidfd.fd}`);
      assertEquals(/^Pid:\t(\d+)$/m.exec(info)?.[1], String(process.pid));
    }
    await process.kill();
    assertEquals(channel!.peer().pid, pid);
    assertEquals(channel!.peer().executable, undefined);
    channel!.close();
    assertThrows(() => channel!.peer(), ClosedError);
  }));

Deno.test("framings of foreign programs, and their limits", async () => {
  const [fd, other] = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  try {
    await using channel = new UnixStream(other, { framing: "lines", maxMessageSize: 5 });
    send(fd, bytes("one\ntwo\nthrees\n"));
    assertEquals((await channel.receiveBatch()).map(text), ["one", "two"]);
    await assertRejects(() => channel.receive(CEILING), MessageTooLongError);
    assertEquals(await channel.receive(CEILING), undefined);
  } finally {
    close(fd);
  }
  assertThrows(
    () => socketPair("stream", { framing: lines(), maxMessageSize: 5 }),
    TypeError,
    "one or the other",
  );
});

Deno.test("a length of 4 GiB is an error at once, and takes no memory", async () => {
  const [fd, other] = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  try {
    await using channel = new UnixStream(other);
    const before = Deno.memoryUsage();
    send(fd, new Uint8Array([0xff, 0xff, 0xff, 0xff]));
    await assertRejects(() => channel.receive(CEILING), MessageTooLongError);
    assertEquals(await channel.receive(CEILING), undefined);
    assert(Deno.memoryUsage().external - before.external < 16 * 1024 * 1024);
  } finally {
    close(fd);
  }
});

Deno.test("nothing of a closed channel is another socket's that has its number by now", async () => {
  const [here, there] = socketPair("stream");
  const { fd } = here;
  here.close();
  const [fds, _] = [socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), there.close()];
  try {
    assert(fds.includes(fd), "the number was not given away again");
    send(fds.find((each) => each !== fd)!, bytes("not ours"));
    assertThrows(() => here.available, ClosedError);
    assertThrows(() => here.peer(), ClosedError);
  } finally {
    for (const each of fds) close(each);
  }
  await settled();
});

Deno.test("a sender that dies inside a message is told, and what is not awaited is capped", async () => {
  const [here, there] = socketPair("stream", { maxQueuedBytes: 1000 });
  using _ = there;
  const sending = here.send(new Uint8Array(1_000_000));
  await assertRejects(() => here.send(new Uint8Array(1001)), LimitError);
  await new Promise((resolve) => setTimeout(resolve, 10));
  here.close();
  const error = await sending.catch((error: IpcError) => error);
  assert(error instanceof ClosedError);
  await assertRejects(() => there.receive(CEILING), TruncatedError);
  await settled();
});

Deno.test("bad arguments are refused before anything is made", async () => {
  const path = "/nowhere/socket";
  for (
    const [options, type] of [
      [{ mode: 0o1000 }, RangeError],
      [{ mode: -1 }, RangeError],
      [{ backlog: -1 }, RangeError],
      [{ maxConnections: 0 }, RangeError],
      [{ idleTimeout: 0 }, RangeError],
      [{ silenceTimeout: NaN }, RangeError],
      [{ maxQueuedBytes: -1 }, RangeError],
      [{ sendBufferSize: 0 }, RangeError],
      [{ sameUser: true, authorize: () => true }, TypeError],
    ] as const
  ) await assertRejects(() => listen({ type: "unix", path }, options), type);
  await assertRejects(() => listen({ type: "unix", path }), NotFoundError);
  await assertRejects(() => connect("unix:"), TypeError);
  await assertRejects(() => connect("unix:@"), TypeError);
  await assertRejects(() => connect("unix:/a%00b"), TypeError);
  await assertRejects(() => connect("unix:/a?b"), TypeError);
  await assertRejects(() => connect("unix:/a%"), TypeError);
  await assertRejects(() => connect({ type: "unix", path: "x".repeat(108) }), RangeError, "108 bytes");
  await assertRejects(() => connect("nothing:/a" as "unix:/a"), TypeError);
  assertThrows(() => (socketPair as (type: string) => unknown)("x"), TypeError);
});

Deno.test("a path with characters of its own goes through an address as text", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/50% of? ü`;
    using listener = await listen({ type: "unix", path });
    assertEquals(listener.address, `unix:${folder}/50%25 of%3F ü`);
    (await connect(listener.address as `unix:${string}`)).close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("buffers are as large as asked for", () => {
  const [here, there] = socketPair("stream", { sendBufferSize: 20_000 });
  using _ = here, __ = there;
  setOption(here.fd, constants.SOL_SOCKET, constants.SO_RCVBUF, 20_000, "the receive buffer");
  here.trySend(bytes("abc"));
  assertEquals(there.available, 7);
});

const LIBC = `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`;

Deno.test({
  name: "all of it works under a grant of nothing but libc by its path",
  ignore: !exists(LIBC),
  fn: () =>
    withPath(async (path) => {
      await using process = new TestProcess(
        `
        import { bindUnixDatagram, connect, listen } from ${MOD};
        const path = ${JSON.stringify(path)};
        for (const type of ["unix", "unix-seqpacket"]) {
          using listener = await listen({ type, path });
          const [client, server] = await Promise.all([connect({ type, path }), listener.accept()]);
          const received = server.receive();
          await client.send(new Uint8Array(3));
          console.log((await received).length, server.peer().pid === Deno.pid);
          server.close();
          console.log(await client.receive());
          client.close();
        }
        using server = await bindUnixDatagram(path);
        using client = await connect({ type: "unix-dgram", path });
        client.sendSync(new Uint8Array(2));
        const { data, from, peer } = server.receiveMessageSync();
        console.log(data.length, from === client.address, peer.pid === Deno.pid);
      `,
        { flags: [`--allow-ffi=${LIBC}`] },
      );
      for (const expected of ["3 true", "undefined", "3 true", "undefined", "2 true true", undefined]) {
        assertEquals(await process.line(), expected);
      }
      assertEquals((await process.status).code, 0);
    }),
});

Deno.test("descriptors that a peer sends unasked are dropped, on every kind of socket", () => {
  const before = [...Deno.readDirSync("/proc/self/fd")].length;
  for (const type of ["stream", "seqpacket", "datagram"] as const) {
    const [here, there] = (socketPair as (type: string) => UnixStream[])(type) as [UnixStream, UnixStream];
    using _ = here, __ = there;
    const data = type === "stream" ? new Uint8Array([1, 0, 0, 0, 7]) : new Uint8Array([7]);
    for (let count = 0; count < 3; count++) sendDescriptors(here.fd, data, [0, 1, 2]);
    for (let count = 0; count < 3; count++) assertEquals(there.receiveSync(CEILING), new Uint8Array([7]));
  }
  assertEquals([...Deno.readDirSync("/proc/self/fd")].length, before);
});

/** Sends a message with descriptors (SCM_RIGHTS). */
function sendDescriptors(fd: number, data: Uint8Array<ArrayBuffer>, fds: number[]): void {
  const length = cmsghdr.size + 4 * fds.length;
  const control = new DataView(new ArrayBuffer(Math.ceil(length / 8) * 8));
  control.setBigUint64(cmsghdr.cmsg_len, BigInt(length), true);
  control.setInt32(cmsghdr.cmsg_level, constants.SOL_SOCKET, true);
  control.setInt32(cmsghdr.cmsg_type, constants.SCM_RIGHTS, true);
  fds.forEach((each, index) => control.setInt32(cmsghdr.size + 4 * index, each, true));
  const bytes = new Uint8Array(new ArrayBuffer(data.byteLength));
  bytes.set(data);
  const vector = new DataView(new ArrayBuffer(iovec.size));
  vector.setBigUint64(iovec.iov_base, addressOf(bytes), true);
  vector.setBigUint64(iovec.iov_len, BigInt(data.byteLength), true);
  const header = new DataView(new ArrayBuffer(msghdr.size));
  header.setBigUint64(msghdr.msg_iov, addressOf(vector), true);
  header.setBigUint64(msghdr.msg_iovlen, 1n, true);
  header.setBigUint64(msghdr.msg_control, addressOf(control), true);
  header.setBigUint64(msghdr.msg_controllen, BigInt(length), true);
  check(onView.sendmsg(syscalls.sendmsg, fd, header, 0), "sendmsg", "send descriptors");
}
