import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BrokenPipeError,
  type Bytes,
  DecodeError,
  ERRNO,
  LimitError,
  MessageTooLongError,
  TimeoutError,
  TruncatedError,
} from "@ipc/core";
import { abi, bind, errno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import process from "node:process";
import { Fifo } from "./mod.ts";
import { bytes, CEILING, inFolder, rawOpen, shell, textOf } from "./testdata/helpers.ts";

leakCheck();

/** What the kernel itself does, without this library. */
const sys = bind({
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
});

Deno.test("FIFO-008: no writer, open O_RDONLY|O_NONBLOCK, then read: 0, which is not the end", () =>
  inFolder(async (path) => {
    const fd = rawOpen(path, abi.O_RDONLY);
    assertEquals(sys.read(fd, new Uint8Array(1), 1n), 0);
    sys.close(fd);
    await using reader = await Fifo.open(path, "read");
    assertEquals(reader.tryReceive(), undefined);
    assertEquals(reader.ended, false);
    await assertRejects(() => reader.receive({ timeout: 20 }), TimeoutError);
    const pending = reader.receive(CEILING);
    await using writer = await Fifo.open(path, "write", CEILING);
    await writer.send(bytes("first"));
    assertEquals(textOf(await pending), "first");
    await writer.end();
    assertEquals(await reader.receive(CEILING), undefined);
    assertEquals(reader.ended, true);
  }));

Deno.test("FIFO-008: no writer: receiveSync waits for the first one, without spinning", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read");
    const before = process.cpuUsage();
    const late = new Deno.Command("sh", {
      args: ["-c", `sleep 0.3; printf '\\002\\000\\000\\000hi' > "$1"`, "sh", path],
    }).spawn();
    assertEquals(textOf(reader.receiveSync()), "hi");
    assertEquals(reader.receiveSync(), undefined);
    const { user, system } = process.cpuUsage(before);
    // 300 ms of spinning would be 300,000 µs.
    assert(user + system < 250_000);
    await late.status;
  }));

Deno.test("FIFO-008: no writer: receive waits for the first one, without spinning", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read");
    const before = process.cpuUsage();
    await assertRejects(() => reader.receive({ timeout: 400 }), TimeoutError);
    const { user, system } = process.cpuUsage(before);
    assert(user + system < 300_000);
    assertEquals(reader.ended, false);
  }));

Deno.test("FIFO-009: writer open, empty, read: EAGAIN, not the end", () =>
  inFolder(async (path) => {
    const reader = rawOpen(path, abi.O_RDONLY);
    const writer = rawOpen(path, abi.O_WRONLY);
    assertEquals(sys.read(reader, new Uint8Array(1), 1n), -1);
    assertEquals(errno(), ERRNO.EAGAIN);
    sys.close(writer);
    sys.close(reader);
    await using receiver = await Fifo.open(path, "read");
    await using sender = await Fifo.open(path, "write");
    assertEquals([receiver.tryReceive(), receiver.ended], [undefined, false]);
    await sender.end();
    assertEquals([receiver.tryReceive(), receiver.ended], [undefined, true]);
  }));

Deno.test("FIFO-010: last reader closes, write: EPIPE as BrokenPipeError, and the process lives", () =>
  inFolder(async (path) => {
    const reader = await Fifo.open(path, "read");
    await using writer = await Fifo.open(path, "write");
    reader.close();
    assertEquals(sys.write(writer.fd, new Uint8Array(1), 1n), -1);
    assertEquals(errno(), ERRNO.EPIPE);
    for (const length of [10, 100_000]) {
      const error = await assertRejects(() => writer.send(new Uint8Array(length)), BrokenPipeError);
      assertEquals([error.code, error.target], ["EPIPE", path]);
    }
    // The next reader is as good as the first.
    await using next = await Fifo.open(path, "read");
    await writer.send(bytes("again"));
    assertEquals(textOf(await next.receive(CEILING)), "again");
  }));

Deno.test("both ends are close-on-exec, and available counts bytes", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { keepOpen: true });
    await using writer = await Fifo.open(path, "write");
    const { stdout } = await new Deno.Command("sh", { args: ["-c", "ls -l /proc/self/fd"] }).output();
    assert(!new TextDecoder().decode(stdout).includes(path));
    assertEquals(reader.available, 0);
    writer.sendSync(new Uint8Array(100));
    assertEquals(reader.available, 104);
    assertEquals(reader.tryReceive()?.length, 100);
  }));

Deno.test("keepOpen: the reader survives writers that come and go", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { keepOpen: true });
    for (let round = 0; round < 5; round++) {
      const pending = reader.receive(CEILING);
      const writer = await Fifo.open(path, "write");
      await writer.send(bytes(`round ${round}`));
      await writer.end();
      assertEquals(textOf(await pending), `round ${round}`);
      await assertRejects(() => reader.receive({ timeout: 5 }), TimeoutError);
    }
    assertEquals(reader.ended, false);
    assertEquals(reader.tryReceive(), undefined);
  }));

Deno.test("lines: a shell on either end", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { framing: "lines", keepOpen: true });
    await shell('echo hello > "$1"; printf "a\\n\\nb\\n" > "$1"', path);
    const got = [];
    while (got.length < 4) got.push(textOf(await reader.receive(CEILING)));
    assertEquals(got, ["hello", "a", "", "b"]);
    reader.close();

    const reading = shell('cat "$1"', path);
    await using writer = await Fifo.open(path, "write", { framing: "lines", ...CEILING });
    await writer.send(bytes("one"));
    await assertRejects(() => writer.send(bytes("two\nlines")), TypeError);
    await writer.sendBatch([bytes("two"), bytes(""), bytes("x".repeat(100_000))]);
    await writer.end();
    assertEquals(await reading, `one\ntwo\n\n${"x".repeat(100_000)}\n`);
  }));

Deno.test("lines: several writers of lines up to PIPE_BUF do not tear each other's", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { framing: "lines" });
    const letters = ["a", "b", "c"];
    const writers = await Promise.all(letters.map(() => Fifo.open(path, "write", { framing: "lines" })));
    const sending = Promise.all(writers.map(async (writer, index) => {
      for (let round = 0; round < 50; round++) {
        const lines = Array.from(
          { length: 20 },
          (_, at) => bytes(letters[index]!.repeat((at * 397 + round) % 4096)),
        );
        await (round % 2 === 0
          ? writer.sendBatch(lines)
          : Promise.all(lines.map((line) => writer.send(line))));
      }
      await writer.end();
    }));
    let count = 0;
    for await (const line of reader) {
      assert(line.every((byte) => byte === line[0]), "a line is of one writer");
      count++;
    }
    await sending;
    assertEquals(count, 3 * 50 * 20);
  }));

Deno.test("lines: the end inside a line is a TruncatedError", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { framing: "lines" });
    await shell('printf "whole\\npart" > "$1"', path);
    assertEquals(textOf(await reader.receive(CEILING)), "whole");
    await assertRejects(() => reader.receive(CEILING), TruncatedError);
    assertEquals(await reader.receive(CEILING), undefined);
  }));

Deno.test("raw: bytes as they are, in both directions", () =>
  inFolder(async (path) => {
    const counting = shell('wc -c < "$1"', path);
    await using writer = await Fifo.open(path, "write", { framing: "raw", ...CEILING });
    await writer.send(new Uint8Array(150_000));
    await writer.end();
    assertEquals((await counting).trim(), "150000");
    const second = await Fifo.open(path, "read", { framing: "raw" });
    const sending = shell('head -c 150000 /dev/zero > "$1"', path);
    let length = 0;
    for await (const piece of second) length += piece.length;
    second.close();
    await sending;
    assertEquals(length, 150_000);
  }));

Deno.test("plain bytes where messages are expected: a DecodeError with a hint, then the end", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read");
    await shell('echo hello > "$1"', path);
    const error = await assertRejects(() => reader.receive(CEILING), DecodeError);
    assertEquals(textOf(error.data as Bytes), "hello\n");
    assert(error.hint?.includes('"lines"'));
    assertEquals(await reader.receive(CEILING), undefined);
  }));

Deno.test("limits: a long message is refused by the sender, and passed over by the receiver", () =>
  inFolder(async (path) => {
    await using reader = await Fifo.open(path, "read", { maxMessageSize: 10_000 });
    await using modest = await Fifo.open(path, "write", { maxMessageSize: 10_000, maxQueuedBytes: 20_000 });
    await using other = await Fifo.open(path, "write");
    await assertRejects(() => modest.send(new Uint8Array(10_001)), MessageTooLongError);
    await other.send(new Uint8Array(20_000));
    await modest.send(new Uint8Array(10_000));
    await other.send(new Uint8Array(5));
    await assertRejects(
      () => reader.receive(CEILING),
      MessageTooLongError,
      "20000 bytes, the limit is 10000",
    );
    assertEquals((await reader.receive(CEILING))?.length, 10_000);
    assertEquals((await reader.receive(CEILING))?.length, 5);
    assertEquals([modest.maxMessageSize, other.maxMessageSize], [10_000, 16 * 1024 * 1024]);
    const flood = Array.from({ length: 20 }, () => modest.send(new Uint8Array(9000)).catch((error) => error));
    modest.close();
    assert((await Promise.all(flood)).some((error) => error instanceof LimitError));
  }));
