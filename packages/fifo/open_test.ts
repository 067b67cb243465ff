import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  ERRNO,
  IpcError,
  lines,
  NotFoundError,
  NotSupportedError,
  TimeoutError,
  UntrustedError,
} from "@ipc/core";
import { abi, errno, interceptCalls, setErrno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { Fifo, FifoReader, FifoWriter, mkfifo, unlink } from "./mod.ts";
import { bytes, CEILING, inFolder, rawOpen, run, textOf } from "./testdata/helpers.ts";

leakCheck();

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
      const odd = "12345" as unknown as number;
      await assertRejects(() => Fifo.open(path, "read", { allowOwner: odd }), TypeError, "allowOwner");
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
    assertEquals(
      await run(new URL(`file://${folder}/wait.ts`), ["-A", "--no-check", "--config", config], [path]),
      {
        code: 0,
        output: "TimeoutError\n",
      },
    );
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

Deno.test("openPair: two processes talk both ways, and a missing peer leaves nothing open", () =>
  inFolder(async (path, folder) => {
    await assertRejects(() => Fifo.openPair(path, `${folder}/missing`), NotFoundError);
    await assertRejects(() => Fifo.openPair(path, path + "2", { create: true, timeout: 0 }), TimeoutError);
    const peer = run(new URL("./testdata/echo.ts", import.meta.url), ["--allow-ffi"], [`${path}2`, path]);
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
    assertEquals(await run(new URL("./testdata/roundtrip.ts", import.meta.url), ["--allow-ffi"], [path]), {
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
    assertEquals(
      await run(new URL("./testdata/roundtrip.ts", import.meta.url), [`--allow-ffi=${lib}`], [
        `${folder}/scoped`,
      ]),
      {
        code: 0,
        output: "1,100000,2\n",
      },
    );
  }));

/** Lets every look through /proc fail as where it is not mounted, and does something at the first. */
function withoutProc(first: () => void = () => {}): void {
  interceptCalls((symbol, args, real) => {
    const path = symbol === "open" || symbol === "chmod" ? textOf(args[0] as Uint8Array)! : "";
    if (!path.startsWith("/proc/self/fd/")) return real(...args);
    first();
    first = () => {};
    setErrno(ERRNO.ENOENT);
    return -1;
  });
}

Deno.test("open: without /proc, FIFOs are opened by name and compared", () =>
  inFolder(async (path, folder) => {
    try {
      withoutProc();
      mkfifo(`${folder}/exact`, { mode: 0o660 });
      assertEquals(Deno.statSync(`${folder}/exact`).mode! & 0o777, 0o660);
      await assertRejects(() => Fifo.open(path, "write", { timeout: 0 }), TimeoutError);
      const reader = await Fifo.open(path, "read", { keepOpen: true });
      const writer = await Fifo.open(path, "write");
      writer.sendSync(bytes("by name"));
      assertEquals(textOf(reader.receiveSync()), "by name");
      writer.close();
      reader.close();
      withoutProc(() => {
        Deno.removeSync(path);
        Deno.renameSync(`${folder}/exact`, path);
      });
      await assertRejects(() => Fifo.open(path, "read"), UntrustedError, "it was replaced meanwhile");
    } finally {
      interceptCalls(undefined);
    }
  }));
