import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, LimitError, NotSupportedError, select, TimeoutError } from "@ipc/core";
import { FileMapping, stat } from "@ipc/core/sys";
import { leakCheck, trackLeaks } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import {
  connect,
  type Handle,
  listen,
  type MessageWithHandles,
  socketPair,
  TcpStream,
  type UnixDatagram,
  UnixSeqpacket,
  type UnixStream,
} from "./mod.ts";
import { sendMessage } from "./_send_message.ts";
import { bytes, CEILING, MOD, own, settled, TestProcess, text, withPath } from "./testdata/process.ts";

leakCheck();

type Passing = UnixStream | UnixSeqpacket | UnixDatagram;

const kinds: Record<string, () => [Passing, Passing]> = {
  stream: () => socketPair("stream", { receiveHandles: true }),
  lines: () => socketPair("stream", { receiveHandles: true, framing: "lines" }),
  patient: () => socketPair("stream", { receiveHandles: true, idleTimeout: 20_000 }),
  seqpacket: () => socketPair("seqpacket"),
  datagram: () => socketPair("datagram"),
};

async function withPair(
  open: () => [Passing, Passing],
  test: (here: Passing, there: Passing) => Promise<void>,
): Promise<void> {
  {
    const [here, there] = open();
    using _here = here;
    using _there = there;
    await test(here, there);
  }
  await settled();
}

async function withFile<T>(content: string, test: (path: string) => Promise<T>): Promise<T> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, content);
    return await test(path);
  } finally {
    await Deno.remove(path);
  }
}

const closeAll = (message: MessageWithHandles | undefined) =>
  message?.handles.forEach((each) => each.close());
const flagsOf = (fd: number): string => Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`).split("\n")[1]!;
const O_CLOEXEC = 0o2000000;

for (const [kind, open] of Object.entries(kinds)) {
  Deno.test(`handles over ${kind}: sockets arrive, belong to the receiver, and are close-on-exec`, () =>
    withPair(open, async (here, there) => {
      const [mine, theirs] = socketPair("seqpacket");
      using _ = mine;
      await here.sendHandles(bytes("take it"), [theirs]);
      theirs.close();
      const message = await there.receiveWithHandles(CEILING);
      assertEquals([text(message?.data), message?.handles.length], ["take it", 1]);
      const handle = message!.handles[0]!;
      assert(parseInt(flagsOf(handle.fd).split(":")[1]!, 8) & O_CLOEXEC);
      using received = new UnixSeqpacket(handle.take());
      await received.send(bytes("from afar"));
      assertEquals(text(await mine.receive(CEILING)), "from afar");
    }));

  Deno.test(`handles over ${kind}: each belongs to its message, whatever comes before and after`, () =>
    withPair(open, (here, there) =>
      withFile("abc", async (path) => {
        using file = await Deno.open(path);
        const plain = here.sendBatch([bytes("one"), bytes("two")]);
        const second = here.sendHandles(bytes("three"), [file, file]);
        const rest = here.send(bytes("four"));
        const third = here.sendHandles(bytes("five"), [file]);
        await Promise.all([plain, second, rest, third]);
        const seen: [string, number][] = [];
        for (let count = 0; count < 5; count++) {
          const message = await there.receiveWithHandles(CEILING);
          seen.push([text(message?.data), message!.handles.length]);
          closeAll(message);
        }
        assertEquals(seen, [["one", 0], ["two", 0], ["three", 2], ["four", 0], ["five", 1]]);
      })));

  Deno.test(`handles over ${kind}: who does not ask for them gets none, and none stays open`, () =>
    withPair(open, (here, there) =>
      withFile("abc", async (path) => {
        using file = await Deno.open(path);
        await using leaks = await trackLeaks();
        for (let count = 0; count < 8; count++) await here.sendHandles(bytes(`${count}`), [file, file]);
        assertEquals(text(await there.receive(CEILING)), "0");
        const batch = await there.receiveBatch({ ...CEILING, max: 1 });
        assertEquals(text(batch[0]), "1");
        assertEquals(text(there.receiveSync()), "2");
        assertEquals(text((there as UnixStream).tryReceive()), "3");
        const chosen = await select({ there }, CEILING);
        assertEquals(text(chosen?.message as Uint8Array), "4");
        const message = await there.receiveWithHandles(CEILING);
        assertEquals([text(message?.data), message?.handles.length], ["5", 2]);
        closeAll(message);
        await leaks.check();
      })));

  Deno.test(`handles over ${kind}: 253 go with a message; more, none and what is no handle throw before`, () =>
    withPair(open, (here, there) =>
      withFile("abc", async (path) => {
        using file = own(path, "r");
        await here.sendHandles(bytes("many"), Array<Handle>(253).fill(file));
        const message = await there.receiveWithHandles(CEILING);
        assertEquals(message?.handles.length, 253);
        assertEquals(new Set(message!.handles.map(({ fd }) => fd)).size, 253);
        closeAll(message);
        const refused = (
          handles: unknown[],
          kind: typeof TypeError | typeof RangeError | typeof ClosedError,
        ) => assertRejects(() => here.sendHandles(bytes("no"), handles as Handle[]), kind as typeof Error);
        await refused(Array(254).fill(file), RangeError);
        await refused([], RangeError);
        for (const wrong of [-1, 1.5, "3", null, undefined, {}, { fd: undefined }]) {
          await refused([file, wrong], TypeError);
        }
        const closed = own(path, "r");
        closed.close();
        await refused([closed], ClosedError);
        const [end, other] = socketPair("stream");
        end.close();
        other.close();
        await refused([end], ClosedError);
        const error = await assertRejects(
          () => here.sendHandles(bytes("no"), [999_999]),
          Error,
          "Cannot send",
        );
        assertEquals((error as { code?: string }).code, "EBADF");
        await here.send(bytes("goes on"));
        assertEquals(text(await there.receive(CEILING)), "goes on");
      })));

  Deno.test(`handles over ${kind}: a wait for them times out, is aborted, and ends with the channel`, () =>
    withPair(open, async (_, there) => {
      await assertRejects(() => there.receiveWithHandles({ timeout: 5 }), TimeoutError);
      const reason = new Error("enough");
      const controller = new AbortController();
      const aborted = there.receiveWithHandles({ signal: controller.signal });
      controller.abort(reason);
      assertEquals(await aborted.catch((error) => error), reason);
      const pending = there.receiveWithHandles();
      there.close();
      assertEquals(await pending, undefined);
      await assertRejects(() => there.receiveWithHandles(), ClosedError);
    }));

  Deno.test(`handles over ${kind}: what was sent and never received is closed with the channel`, async () => {
    await using leaks = await trackLeaks();
    await withFile("abc", async (path) => {
      using file = await Deno.open(path);
      await withPair(open, async (here, there) => {
        for (let count = 0; count < 5; count++) await here.sendHandles(bytes("x"), [file]);
        closeAll(await there.receiveWithHandles(CEILING));
      });
    });
    await leaks.check();
  });
}

Deno.test("handles: an open file, whichever of several on the same one, with its place in it", () =>
  withPair(kinds.seqpacket!, (here, there) =>
    withFile("0123456789", async (path) => {
      using first = await Deno.open(path);
      using second = await Deno.open(path, { read: true, write: true });
      using _third = own(path, "r");
      await first.seek(2, Deno.SeekMode.Start);
      await second.seek(7, Deno.SeekMode.Start);
      await here.sendHandles(bytes("both"), [second, first]);
      const message = await there.receiveWithHandles(CEILING);
      const places = message!.handles.map(({ fd }) => /pos:\s*(\d+)/.exec(flagsAll(fd))?.[1]);
      assertEquals(places, ["7", "2"]);
      closeAll(message);
    })));

const flagsAll = (fd: number): string => Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);

Deno.test({
  name: "handles: a Deno.FsFile that cannot be told from another one is refused, with a way out",
  ignore: !has("mkfifo"),
  fn: () =>
    withPair(kinds.seqpacket!, (here, there) =>
      withPath(async (path) => {
        await new Deno.Command("mkfifo", { args: [path] }).output();
        using first = await Deno.open(path, { read: true, write: true });
        await here.sendHandles(bytes("the only one"), [first]);
        const message = await there.receiveWithHandles(CEILING);
        assertEquals(stat(message!.handles[0]!.fd).type, "fifo");
        closeAll(message);
        using _second = await Deno.open(path, { read: true, write: true });
        const error = await assertRejects(
          () => here.sendHandles(bytes("which?"), [first]),
          NotSupportedError,
        );
        assert(error.hint?.includes("openSync"));
        const closed = await Deno.open(path, { read: true, write: true });
        closed.close();
        await assertRejects(() => here.sendHandles(bytes("none"), [closed]), ClosedError);
        await here.send(bytes("goes on"));
        assertEquals(text(await there.receive(CEILING)), "goes on");
      })),
});

Deno.test("handles: what is mapped is mapped again", () =>
  withPair(kinds.seqpacket!, (here, there) =>
    withFile("hello", async (path) => {
      using mapping = new FileMapping(own(path, "r+"));
      await here.sendHandles(new Uint8Array(0), [mapping]);
      const message = await there.receiveWithHandles(CEILING);
      assertEquals(message?.data.byteLength, 0);
      using same = new FileMapping(message!.handles[0]!);
      same.write(0, bytes("J"));
      assertEquals(text(mapping.read(0, 5)), "Jello");
    })));

Deno.test("handles: a large message in a stream brings them too, and the small one behind it none", () =>
  withPair(kinds.stream!, (here, there) =>
    withFile("abc", async (path) => {
      using file = await Deno.open(path);
      const large = new Uint8Array(1_000_000).fill(7);
      const sent = [here.sendHandles(large, [file]), here.send(bytes("small"))];
      const message = await there.receiveWithHandles(CEILING);
      assertEquals([message?.data.byteLength, message?.handles.length], [1_000_000, 1]);
      closeAll(message);
      const next = await there.receiveWithHandles(CEILING);
      assertEquals([text(next?.data), next?.handles.length], ["small", 0]);
      await Promise.all(sent);
    })));

Deno.test("handles: a stream that was not opened for them says so, and drops them", async () => {
  await using leaks = await trackLeaks();
  {
    const [here, there] = socketPair("stream");
    using _here = here;
    using _there = there;
    await here.sendHandles(bytes("hello"), [0]);
    await assertRejects(() => there.receiveWithHandles(), TypeError, "receiveHandles");
    assertEquals(text(await there.receive(CEILING)), "hello");
  }
  await leaks.check();
});

Deno.test("handles: an empty message without a frame cannot have any", () =>
  withPair(() => socketPair("stream", { framing: "raw", receiveHandles: true }), async (here, there) => {
    await assertRejects(
      () => here.sendHandles(new Uint8Array(0), [0]),
      TypeError,
      "without a byte",
    );
    await here.sendHandles(bytes("a byte"), [0]);
    const message = await there.receiveWithHandles(CEILING);
    assertEquals([text(message?.data), message?.handles.length], ["a byte", 1]);
    closeAll(message);
  }));

Deno.test("handles: a flood inside one message of a stream is closed and told, and the next message is there", async () => {
  await using leaks = await trackLeaks();
  await withPair(kinds.lines!, async (here, there) => {
    const many = Array<number>(200).fill(0);
    for (let count = 0; count < 5; count++) sendMessage(here.fd, bytes("x"), many, { flags: 0 });
    sendMessage(here.fd, bytes("\n"), many.slice(0, 60), { flags: 0 });
    for (const letter of ["y", "z\n"]) sendMessage(here.fd, bytes(letter), many, { flags: 0 });
    await here.sendHandles(bytes("next"), [0]);
    await assertRejects(() => there.receiveWithHandles(CEILING), LimitError, "more than 253");
    await assertRejects(() => there.receiveWithHandles(CEILING), LimitError, "more than 253");
    const message = await there.receiveWithHandles(CEILING);
    assertEquals([text(message?.data), message?.handles.length], ["next", 1]);
    closeAll(message);
  });
  await leaks.check();
});

Deno.test({
  name: "handles: where a process has no room for them all it closes those that came, and goes on",
  ignore: !has("prlimit"),
  fn: async () => {
    await using process = new TestProcess(
      `import { socketPair } from ${MOD};
    const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const out = [];
    for (const kind of ["stream", "seqpacket", "datagram"]) {
      const [here, there] = socketPair(kind, { receiveHandles: true });
      const message = new Uint8Array([1]);
      // Whatever is loaded for a wait is loaded.
      await here.sendHandles(message, [0]);
      (await there.receiveWithHandles()).handles[0].close();
      const before = count();
      await here.sendHandles(message, Array(250).fill(0));
      await here.sendHandles(message, [0, 0]);
      const error = await there.receiveWithHandles().catch((error) => error);
      const after = count();
      const next = await there.receiveWithHandles();
      out.push([error.name, error.code, after - before, next.handles.length]);
      for (const handle of next.handles) handle.close();
      here.close();
      there.close();
    }
    console.log(JSON.stringify(out));
    Deno.exit();`,
      { before: ["prlimit", "--nofile=200:200"] },
    );
    const told = ["LimitError", "EMFILE", 0, 2];
    assertEquals(JSON.parse(await process.line() ?? ""), [told, told, told]);
  },
});

Deno.test("handles: a live TCP connection goes on in another process", () =>
  withPath(async (path) => {
    await using door = await listen(`unix-seqpacket:${path}`);
    await using _worker = new TestProcess(
      `import { connect, TcpStream } from ${MOD};
      const channel = await connect("unix-seqpacket:${path}");
      const { handles } = await channel.receiveWithHandles();
      const client = new TcpStream(handles[0].take());
      for await (const message of client) await client.send(new Uint8Array([...message, Deno.pid & 0xff]));
      Deno.exit();`,
    );
    using worker = await door.accept(CEILING);
    await using listener = await listen("tcp:127.0.0.1:0");
    await using client = await connect(listener.address as `tcp:${string}`);
    {
      using accepted = await listener.accept(CEILING);
      await client.send(bytes("?"));
      assertEquals(text(await accepted!.receive(CEILING)), "?");
      await accepted!.send(bytes("moving"));
      await worker!.sendHandles(bytes("yours"), [accepted!]);
    }
    assertEquals(text(await client.receive(CEILING)), "moving");
    await client.send(bytes("!"));
    assertEquals([...(await client.receive(CEILING))!], [33, _worker.pid & 0xff]);
    assert(client instanceof TcpStream);
  }));
