import { assert, assertEquals, assertGreater, assertInstanceOf, assertRejects } from "@std/assert";
import { type Bytes, TimeoutError, TruncatedError } from "@ipc/core";
import { abi, bind, interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { FIRST, HEADER, LAST, writeHeader } from "./_fragments.ts";
import { claimNumber } from "./_lifeline.ts";
import { Fifo, type FifoReader, type FifoWriter } from "./mod.ts";
import { CEILING, inFolder } from "./testdata/helpers.ts";
import { FIRST_VICTIM, makeMessage, readLabel, same } from "./testdata/message.ts";

leakCheck();

const SCALE = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);
const sys = bind({
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
});

/** Starts a writer in a process of its own. */
function startWriter(path: string, id: number, count: number, longest: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-lock",
      "--allow-ffi",
      new URL("./testdata/writer.ts", import.meta.url).pathname,
      path,
      String(id),
      String(count),
      String(longest),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** How many messages a writer says it has sent, when it has ended well. */
async function sentBy(child: Deno.ChildProcess): Promise<number> {
  const { success, stdout } = await child.output();
  assert(success);
  return Number(new TextDecoder().decode(stdout));
}

/** Begins a message in fragments, of which the rest is not sent. */
function begin(writer: FifoWriter): void {
  const header = new Uint8Array(HEADER);
  writeHeader(header, FIRST, 0, { writer: claimNumber(writer.fd), number: 1, total: 5000 });
  assertEquals(sys.write(writer.fd, header, BigInt(HEADER)), HEADER);
}

/** What has come of each writer: how many messages, each of which was the expected one. */
class Tally {
  readonly received = new Map<number, number>();
  truncated = 0;
  readonly #longest: number;

  constructor(longest: number) {
    this.#longest = longest;
  }

  of(id: number): number {
    return this.received.get(id) ?? 0;
  }

  check(message: Bytes): void {
    const { id, number } = readLabel(message);
    assertEquals(number, this.of(id), `the next message of writer ${id}`);
    assert(
      same(message, makeMessage(id, number, this.#longest)),
      `message ${number} of writer ${id} is torn`,
    );
    this.received.set(id, number + 1);
  }

  /** Receives until the end, in all the ways there are. */
  async drain(reader: FifoReader): Promise<void> {
    for (let round = 0; !reader.ended; round++) {
      try {
        if (round % 3 === 0) (await reader.receiveBatch(CEILING)).forEach((message) => this.check(message));
        else {
          const message = round % 3 === 1
            ? await reader.receive(CEILING)
            : reader.tryReceive() ?? blocking(reader);
          if (message !== undefined) this.check(message);
        }
      } catch (error) {
        assertInstanceOf(error, TruncatedError);
        this.truncated++;
      }
      // Children have to be looked after too.
      if (round % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

/** Blocks for a moment only: the end may wait for this very thread to let go of the keeper. */
function blocking(reader: FifoReader): Bytes | undefined {
  try {
    return reader.receiveSync({ timeout: 20 });
  } catch (error) {
    if (error instanceof TimeoutError) return undefined;
    throw error;
  }
}

Deno.test("four writers of messages of up to 1 MiB: none is torn, swallowed, doubled or out of order", () =>
  inFolder(async (path) => {
    const longest = 1024 * 1024;
    const count = Math.max(20, Math.round(300 * SCALE));
    await using reader = await Fifo.open(path, "read");
    const children = [1, 2, 3, 4].map((id) => startWriter(path, id, count, longest));
    const tally = new Tally(longest);
    const sent = children.map(sentBy);
    await Promise.all(children.map((child) => child.stdin.close()));
    // Until all have come, the last one to go may be the first.
    const keeper = await Fifo.open(path, "write");
    const drained = tally.drain(reader);
    assertEquals(await Promise.all(sent), [count, count, count, count]);
    keeper.close();
    await drained;
    assertEquals(tally.truncated, 0);
    assertEquals([1, 2, 3, 4].map((id) => tally.of(id)), [count, count, count, count]);
  }));

Deno.test("writers killed at random moments: at most one TruncatedError for each, and the others go on", () =>
  inFolder(async (path) => {
    const longest = 256 * 1024;
    const kills = Math.max(3, Math.round(100 * SCALE));
    await using reader = await Fifo.open(path, "read");
    const tally = new Tally(longest);
    const steady = [1, 2].map((id) => startWriter(path, id, Infinity, longest));
    const keeper = await Fifo.open(path, "write");
    const drained = tally.drain(reader);
    for (let id = FIRST_VICTIM; id < FIRST_VICTIM + kills; id++) {
      const victim = startWriter(path, id, Infinity, longest);
      const enough = Math.floor(Math.random() * 8);
      while (tally.of(id) <= enough) await new Promise((resolve) => setTimeout(resolve, 1));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      victim.kill("SIGKILL");
      victim.stdin.close().catch(() => {});
      await victim.output();
    }
    const sent = steady.map(sentBy);
    await Promise.all(steady.map((child) => child.stdin.close()));
    const counts = await Promise.all(sent);
    keeper.close();
    await drained;
    assertEquals([1, 2].map((id) => tally.of(id)), counts);
    assertGreater(counts[0]!, 0);
    assert(tally.truncated <= kills, `${tally.truncated} errors for ${kills} kills`);
    // About one in three dies inside a message.
    if (kills >= 30) assertGreater(tally.truncated, 0);
  }));

Deno.test("a writer killed inside a message costs exactly that one, while an idle writer stays", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { keepOpen: true });
    using idle = await Fifo.open(path, "write");
    const victim = startWriter(path, 5, Infinity, 1024 * 1024);
    // Nobody reads: the FIFO fills, and the victim stands in the middle of a message.
    for (let before = -1; reader.available === 0 || reader.available !== before;) {
      before = reader.available;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    victim.kill("SIGKILL");
    await victim.stdin.close().catch(() => {});
    await victim.output();
    const tally = new Tally(1024 * 1024);
    const error = await assertRejects(async () => {
      while (true) tally.check((await reader.receive(CEILING))!);
    }, TruncatedError);
    assert(/the writer went away inside a message, after \d+ of \d+ bytes/.test(error.message));
    await idle.send(new Uint8Array([1]));
    assertEquals(await reader.receive(CEILING), new Uint8Array([1]));
  }));

Deno.test("a writer that closes inside a message is told of, by every way of receiving", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { keepOpen: true });
    const ways: ((reader: FifoReader) => unknown)[] = [
      (reader) => reader.receive(CEILING),
      (reader) => reader.receiveBatch(CEILING),
      (reader) => reader.receiveSync(),
      (reader) => reader.receiveSync(CEILING),
      (reader) => {
        while (reader.tryReceive() === undefined);
      },
    ];
    for (const way of ways) {
      const writer = await Fifo.open(path, "write");
      await assertRejects(() => writer.send(new Uint8Array(200_000), { timeout: 0 }));
      writer.close();
      await assertRejects(async () => await way(reader), TruncatedError, "of 200000 bytes");
    }
    const writer = await Fifo.open(path, "write");
    begin(writer);
    const pending = reader.receive(CEILING);
    setTimeout(() => writer.close(), 120);
    await assertRejects(() => pending, TruncatedError);
  }));

Deno.test("what a writer wrote just before it went comes first", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { keepOpen: true });
    using writer = await Fifo.open(path, "write");
    const message = new Uint8Array(5000);
    const label = { writer: claimNumber(writer.fd), number: 1, total: 5000 };
    const write = (flags: number, piece: Uint8Array) => {
      const frame = new Uint8Array(HEADER + piece.length);
      writeHeader(frame, flags, piece.length, label);
      frame.set(piece, HEADER);
      sys.write(writer.fd, frame, BigInt(frame.length));
    };
    write(FIRST, message.subarray(0, 3000));
    // The reader has found nothing more, and is about to ask whether the writer is still there.
    interceptCalls((symbol, args, real) => {
      if (symbol === "fcntl" && args[1] === abi.F_OFD_GETLK) {
        interceptCalls(undefined);
        write(LAST, message.subarray(3000));
        writer.close();
      }
      return real(...args);
    });
    try {
      assertEquals(reader.tryReceive(), message);
    } finally {
      interceptCalls(undefined);
    }
    assertEquals(reader.tryReceive(), undefined);
  }));

Deno.test("at the end, each open message is told of, once", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read");
    for (let writers = 0; writers < 3; writers++) {
      const writer = await Fifo.open(path, "write");
      begin(writer);
      writer.close();
    }
    for (let told = 0; told < 3; told++) await assertRejects(() => reader.receive(CEILING), TruncatedError);
    assertEquals(await reader.receive(CEILING), undefined);
    assertEquals(reader.ended, true);
  }));

Deno.test("the rest of a message whose beginning another reader took is one TruncatedError", () =>
  inFolder(async (path) => {
    const first = await Fifo.open(path, "read");
    await using writer = await Fifo.open(path, "write");
    const error = await assertRejects(
      () => writer.send(new Uint8Array(300_000), { timeout: 0 }),
      TimeoutError,
    );
    assertEquals(error.partial, true);
    assertEquals(sys.read(first.fd, new Uint8Array(4096), 4096n), 4096);
    await using second = await Fifo.open(path, "read");
    first.close();
    const sending = writer.send(new Uint8Array([1]));
    await assertRejects(() => second.receive(CEILING), TruncatedError, "earlier reader");
    assertEquals(await second.receive(CEILING), new Uint8Array([1]));
    await sending;
  }));
