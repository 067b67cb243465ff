import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  BrokenPipeError,
  type Bytes,
  DecodeError,
  ERRNO,
  IpcError,
  LimitError,
  lines,
  MessageTooLongError,
  NotFoundError,
  NotSupportedError,
  TimeoutError,
  TruncatedError,
  UntrustedError,
} from "@ipc/core";
import { abi, bind, cString, errno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import process from "node:process";
import { libc } from "./_libc.ts";
import { Fifo, FifoReader, FifoWriter, mkfifo, unlink } from "./mod.ts";

leakCheck();

const CEILING = { timeout: 10_000 };
/** What the kernel itself does, without this library. */
const sys = bind({
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
});

const bytes = (text: string): Bytes => new TextEncoder().encode(text);
const textOf = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);

async function inFolder(run: (path: string, folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    mkfifo(`${folder}/fifo`);
    await run(`${folder}/fifo`, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function rawOpen(path: string, access: number): number {
  return libc.open(cString(path), access | abi.O_NONBLOCK | abi.O_CLOEXEC, 0);
}

/** Runs a shell command with the path as `$1`. */
async function shell(command: string, path: string): Promise<string> {
  const { success, stdout } = await new Deno.Command("sh", {
    args: ["-c", command, "sh", path],
    stdin: "null",
    stderr: "inherit",
  }).output();
  assert(success);
  return new TextDecoder().decode(stdout);
}

async function run(
  script: string,
  flags: string[],
  args: string[],
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-lock",
      "--no-prompt",
      ...flags,
      new URL(script, import.meta.url).pathname,
      ...args,
    ],
    stdin: "null",
  }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("FIFO-007: no reader, open O_WRONLY|O_NONBLOCK: ENXIO; waited for, and told as the cause", () =>
  inFolder(async (path) => {
    assertEquals(rawOpen(path, abi.O_WRONLY), -1);
    assertEquals(errno(), ERRNO.ENXIO);
    const error = await assertRejects(() => Fifo.open(path, "write", { timeout: 0 }), TimeoutError);
    assertEquals(
      error.message,
      `Cannot open FIFO "${path}" for writing: nobody opened it for reading within 0 ms`,
    );
    assertInstanceOf(error.cause, IpcError);
    assertEquals((error.cause as IpcError).code, "ENXIO");
  }));

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

Deno.test("FIFO-012: a wait for the other end is aborted at once, reading and writing", () =>
  inFolder(async (path) => {
    const reason = new Error("enough");
    const abort = (): AbortSignal => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 20);
      return controller.signal;
    };
    const started = performance.now();
    assertStrictEquals(await assertRejects(() => Fifo.open(path, "write", { signal: abort() })), reason);
    using reader = await Fifo.open(path, "read");
    assertStrictEquals(await assertRejects(() => reader.receive({ signal: abort() })), reason);
    const aborted = AbortSignal.abort(reason);
    assertStrictEquals(await assertRejects(() => Fifo.open(path, "write", { signal: aborted })), reason);
    assertStrictEquals(await assertRejects(() => Fifo.open(path, "read", { signal: aborted })), reason);
    await assertRejects(() => Fifo.open(path, "write", { timeout: -1 }), RangeError);
    assert(performance.now() - started < 2000);
  }));

Deno.test("FIFO-013: what is not a FIFO is refused, and not opened", () =>
  inFolder(async (path, folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "kept");
    Deno.symlinkSync(path, `${folder}/link`);
    for (const direction of ["read", "write"] as const) {
      const open = (name: string) => Fifo.open(name, direction as "read", { timeout: 0 });
      const told = (name: string) => `Cannot open FIFO "${name}": it is`;
      await assertRejects(
        () => open(`${folder}/file`),
        NotSupportedError,
        told(`${folder}/file`) + " a regular file",
      );
      await assertRejects(() => open(folder), NotSupportedError, "it is a directory, not a FIFO");
      await assertRejects(() => open("/dev/null"), NotSupportedError, "it is a character device");
      await assertRejects(() => open(`${folder}/link`), UntrustedError, "it is a symbolic link");
      const error = await assertRejects(() => open(`${folder}/missing`), NotFoundError);
      assertEquals([error.code, error.syscall, error.target], ["ENOENT", "open", `${folder}/missing`]);
    }
    assertEquals(Deno.readTextFileSync(`${folder}/file`), "kept");
  }));

Deno.test("FIFO-013: a FIFO that is replaced during the wait for a reader is looked at again", () =>
  inFolder(async (path, folder) => {
    const waiting = Fifo.open(path, "write", CEILING);
    await new Promise((resolve) => setTimeout(resolve, 20));
    Deno.writeTextFileSync(`${folder}/other`, "kept");
    Deno.renameSync(`${folder}/other`, path);
    await assertRejects(() => waiting, NotSupportedError, "it is a regular file");
    assertEquals(Deno.readTextFileSync(path), "kept");
  }));

Deno.test("open: others' FIFOs, and FIFOs that others may write into, need to be allowed", () =>
  inFolder(async (path) => {
    for (
      const [mode, refused, allowed] of [
        [0o622, "everybody may write into it, its mode is 0622", "all"],
        [0o620, "its group may write into it, its mode is 0620", "group"],
      ] as const
    ) {
      Deno.chmodSync(path, mode);
      const error = await assertRejects(() => Fifo.open(path, "read"), UntrustedError, refused);
      assertEquals(error.hint, `chmod go-w, or allowWriters: "${allowed}"`);
      (await Fifo.open(path, "read", { allowWriters: allowed })).close();
      (await Fifo.open(path, "read", { allowWriters: "all" })).close();
    }
    Deno.chmodSync(path, 0o622);
    await assertRejects(
      () => Fifo.open(path, "read", { allowWriters: "group" }),
      UntrustedError,
      "everybody",
    );
  }));

Deno.test({
  name: "open: another user's FIFO needs that user to be allowed",
  ignore: Deno.uid() !== 0,
  fn: () =>
    inFolder(async (path) => {
      Deno.chownSync(path, 12345, null);
      const error = await assertRejects(() => Fifo.open(path, "read"), UntrustedError);
      assertEquals(error.message, `Cannot open FIFO "${path}": it belongs to user 12345, and this is user 0`);
      await assertRejects(() => Fifo.open(path, "read", { allowOwner: [1, 2] }), UntrustedError);
      (await Fifo.open(path, "read", { allowOwner: 12345 })).close();
      (await Fifo.open(path, "read", { allowOwner: [1, 12345] })).close();
    }),
});

Deno.test("open: 100 waits for a reader leave file I/O working, and an abort ends them all", () =>
  inFolder(async (path) => {
    const controller = new AbortController();
    const { signal } = controller;
    const waits = Array.from(
      { length: 100 },
      () => Fifo.open(path, "write", { signal }).catch((error) => error),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    const started = performance.now();
    assert((await Deno.readTextFile(new URL(import.meta.url))).length > 0);
    controller.abort("enough");
    assertEquals(new Set(await Promise.all(waits)), new Set(["enough"]));
    assert(performance.now() - started < 2000);
  }));

Deno.test("open: waits for a reader end when one comes", () =>
  inFolder(async (path) => {
    const waits = Array.from({ length: 10 }, () => Fifo.open(path, "write", CEILING));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await using reader = await Fifo.open(path, "read");
    const writers = await Promise.all(waits);
    await Promise.all(writers.map((writer, index) => writer.send(new Uint8Array([index]))));
    writers.forEach((writer) => writer.close());
    const got = await Array.fromAsync(reader, (message) => message[0]);
    assertEquals(got.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }));

Deno.test("open: a process exits when its wait for a reader was aborted, and lives on before", () =>
  inFolder(async (path, folder) => {
    const program = `
      import { Fifo } from ${JSON.stringify(new URL("./mod.ts", import.meta.url))};
      const wait = Fifo.open(Deno.args[0], "write", { signal: AbortSignal.timeout(100) });
      wait.catch((error) => console.log(error.name));`;
    Deno.writeTextFileSync(`${folder}/wait.ts`, program);
    const config = new URL("./deno.json", import.meta.url).pathname;
    const script = new URL(`file://${folder}/wait.ts`).href;
    assertEquals(await run(script, ["-A", "--no-check", "--config", config], [path]), {
      code: 0,
      output: "TimeoutError\n",
    });
  }));

Deno.test("open: bad arguments are told before anything is done", async () => {
  await assertRejects(() => Fifo.open("/nowhere", "both" as "read"), TypeError, '"read" or "write"');
  await assertRejects(
    () => Fifo.open("/nowhere", "read", { framing: "none" as "lines" }),
    TypeError,
    '"none"',
  );
  await assertRejects(() => Fifo.open("/nowhere", "read", { maxMessageSize: 0 }), RangeError);
  const both = { framing: lines(), maxMessageSize: 10 };
  await assertRejects(() => Fifo.open("/nowhere", "read", both), TypeError, "one or the other");
  await assertRejects(() => Fifo.open("/no\0where", "read"), TypeError);
});

Deno.test("open: create makes what is missing, with the exact mode, and takes what is there", () =>
  inFolder(async (_, folder) => {
    const path = `${folder}/new`;
    await using reader = await Fifo.open(path, "read", { create: true, mode: 0o640 });
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o640);
    await using writer = await Fifo.open(path, "write", { create: true });
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o640);
    assertInstanceOf(reader, FifoReader);
    assertInstanceOf(writer, FifoWriter);
    assertEquals([reader.path, writer.path], [path, path]);
    Deno.writeTextFileSync(`${folder}/file`, "");
    await assertRejects(() => Fifo.open(`${folder}/file`, "read", { create: true }), NotSupportedError);
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

Deno.test("openPair: two processes talk both ways, and a missing peer leaves nothing open", () =>
  inFolder(async (path, folder) => {
    await assertRejects(() => Fifo.openPair(path, `${folder}/missing`), NotFoundError);
    await assertRejects(() => Fifo.openPair(path, path + "2", { create: true, timeout: 0 }), TimeoutError);
    const peer = run("./testdata/echo.ts", ["--allow-ffi"], [`${path}2`, path]);
    const channel = await Fifo.openPair(path, `${path}2`, CEILING);
    for (const length of [0, 1, 4092, 4093, 70_000, 1_000_000]) {
      const message = crypto.getRandomValues(new Uint8Array(Math.min(length, 65_536)));
      const long = new Uint8Array(length);
      long.set(message);
      const sending = channel.send(long);
      assertEquals(await channel.receive(CEILING), long);
      await sending;
    }
    await channel.end();
    assertEquals(await channel.receive(CEILING), undefined);
    channel.close();
    assertEquals(await peer, { code: 0, output: "" });
  }));

Deno.test("--allow-ffi is all the permission there has to be, also when scoped to libc by its path", () =>
  inFolder(async (path, folder) => {
    unlink(path);
    assertEquals(await run("./testdata/roundtrip.ts", ["--allow-ffi"], [path]), {
      code: 0,
      output: "1,100000,2\n",
    });
    const lib = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"].find((candidate) => {
      try {
        return Deno.statSync(candidate).isFile;
      } catch {
        return false;
      }
    });
    if (lib === undefined) return;
    assertEquals(await run("./testdata/roundtrip.ts", [`--allow-ffi=${lib}`], [`${folder}/scoped`]), {
      code: 0,
      output: "1,100000,2\n",
    });
  }));
