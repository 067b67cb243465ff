/** Flushes that fail, last long, or are asked for: nobody is told that a record is on the disk which is not. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, ERRNO, IpcError, TimeoutError } from "@ipc/core";
import { interceptCalls, setErrno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { prepared, TestProcess } from "../core/testdata/process.ts";
import { MOD, segmentFiles, withLog } from "./testdata/logs.ts";

leakCheck();

const ALWAYS = { fsync: "always", segmentBytes: 4096 } as const;
const LOST = ["EIO", true];
const message = (length = 3000) => new Uint8Array(length);

/** Has calls of these functions pass `call`, which is told how many came before. */
async function withCalls(
  symbols: readonly string[],
  call: (symbol: string, number: number, real: () => unknown) => unknown,
  test: () => Promise<void>,
): Promise<void> {
  let number = 0;
  interceptCalls((name, args, real, { nonblocking }) => {
    const symbol = nonblocking ? `${name}_parked` : name;
    return symbols.includes(symbol) ? call(symbol, number++, () => real(...args)) : real(...args);
  });
  try {
    await test();
  } finally {
    interceptCalls(undefined);
  }
}

/** What the kernel says of a call that failed. */
function failed(symbol: string, code: number = ERRNO.EIO): unknown {
  if (symbol.endsWith("_parked")) return Promise.resolve(-1);
  setErrno(code);
  return -1;
}

/** What came of a send: "sent", or what its error says. */
const outcome = (send: Promise<void>) => send.then(() => "sent", (error) => [error.code, error.partial]);
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("file log: a batch over the end of a segment is not acknowledged where the flush of that one failed", () =>
  withLog(
    (log) =>
      withCalls(["fdatasync"], (symbol, number, real) => number === 0 ? failed(symbol) : real(), async () => {
        using writer = log.writer();
        const error = await assertRejects(
          () => writer.sendBatch([message(), message(), message()]),
          IpcError,
        );
        assertEquals([error.code, error.partial, error.sent], ["EIO", true, 3]);
        // It is told once, as the kernel does, and to whom it concerns.
        await writer.send(message());
        assertEquals(log.verify().records, 4);
      }),
    ALWAYS,
  ));

Deno.test("file log: sends that wait while the flush of the segment they are in fails are not acknowledged", () =>
  withLog(async (log) => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const call = (symbol: string, number: number, real: () => unknown) => {
      if (symbol === "fdatasync") return failed(symbol);
      return number === 0 ? held.then(real) : real();
    };
    await withCalls(["fdatasync", "fdatasync_parked"], call, async () => {
      const writer = log.writer();
      const first = outcome(writer.send(message(10)));
      await turn();
      const second = outcome(writer.send(message(5000)));
      await turn();
      // It begins the next segment.
      const third = outcome(writer.send(message(10)));
      await turn();
      release();
      assertEquals([await first, await second], [LOST, LOST]);
      await third;
      assertEquals(await outcome(writer.send(message(10))), "sent");
      writer.close();
    });
  }, ALWAYS));

Deno.test("file log: a flush on another thread that fails is told to all who appended before it was over", () =>
  withLog(async (log) => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const call = (_: string, number: number, real: () => unknown) =>
      number === 0 ? held.then(() => -1) : real();
    await withCalls(["fdatasync_parked"], call, async () => {
      using writer = log.writer();
      const first = outcome(writer.send(message(10)));
      await turn();
      const second = outcome(writer.send(message(10)));
      await turn();
      release();
      assertEquals([await first, await second], [LOST, LOST]);
      assertEquals(await outcome(writer.send(message(10))), "sent");
    });
  }, ALWAYS));

Deno.test("file log: the forms that block tell of a failed flush, and closing does", () =>
  withLog((log) =>
    withCalls(["fdatasync", "fdatasync_parked"], (symbol) => failed(symbol), async () => {
      const writer = log.writer();
      assertEquals(assertThrows(() => writer.sendSync(message(10)), IpcError).partial, true);
      assertEquals(assertThrows(() => writer.trySend(message(10)), IpcError).code, "EIO");
      writer.close();
      const other = log.writer();
      const pending = outcome(other.send(message(10)));
      assertThrows(() => other.close(), IpcError, "the disk did not take it");
      assertEquals(await pending, LOST);
    }), ALWAYS));

Deno.test('file log with fsync "interval": of a flush that nobody awaited the next call is told, once', () =>
  withLog((log) =>
    withCalls(
      ["fdatasync_parked"],
      (symbol, number, real) => number === 0 ? failed(symbol) : real(),
      async () => {
        using writer = log.writer();
        writer.sendSync(message(10));
        // Ends with the failure, or not at all.
        for (let told; told === undefined; await new Promise((resolve) => setTimeout(resolve, 10))) {
          try {
            writer.trySend(message(10));
          } catch (error) {
            told = error as IpcError;
            assertEquals([told.code, told.partial], ["EIO", undefined]);
          }
        }
        await writer.send(message(10));
      },
    ), { fsync: "interval" }));

Deno.test("file log: timeout, abort and close reach a send that waits for its flush", () =>
  withLog(async (log) => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    await withCalls(["fdatasync_parked"], (_, __, real) => held.then(real), async () => {
      using writer = log.writer();
      const timed = await assertRejects(() => writer.send(message(10), { timeout: 20 }), TimeoutError);
      assertEquals(timed.partial, true);
      const batch = await assertRejects(
        () => writer.sendBatch(new Set([message(10), message(20)]), { timeout: 20 }),
        TimeoutError,
      );
      assertEquals([batch.partial, batch.sent], [true, 2]);
      const controller = new AbortController();
      const aborted = assertRejects(
        () => writer.send(message(10), { signal: controller.signal }),
        Error,
        "enough",
      );
      await new Promise((resolve) => setTimeout(resolve, 10));
      controller.abort(new Error("enough"));
      await aborted;
      await assertRejects(() => writer.flush({ timeout: 20 }), TimeoutError);
      const pending = writer.send(message(10));
      await new Promise((resolve) => setTimeout(resolve, 10));
      // Closing flushes by itself, and so whoever waits has the answer.
      writer.close();
      await pending;
      await assertRejects(() => writer.flush(), ClosedError);
      assertEquals(log.verify().records, 5);
      release();
    });
    // The flush that was given up ends, and gives its descriptor back.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }, ALWAYS));

Deno.test('file log with fsync "never": flush forces all that was appended, in all segments, and the folder', () =>
  withLog(async (log) => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const flushes: string[] = [];
    let segments = Infinity;
    const call = (symbol: string, number: number, real: () => unknown) => {
      flushes.push(symbol);
      return number > segments ? held.then(real) : real();
    };
    await withCalls(["fdatasync", "fdatasync_parked", "fsync", "fsync_parked"], call, async () => {
      const writer = log.writer();
      for (let left = 6; left > 0; left--) writer.sendSync(message());
      assertEquals(flushes, []);
      segments = segmentFiles(log).length;
      await writer.flush();
      assert(segments > 1);
      assertEquals(flushes, [...Array(segments).fill("fdatasync_parked"), "fsync_parked"]);
      await writer.flush();
      assertEquals(flushes.length, segments + 1);
      await writer.send(message(10));
      const pending = assertRejects(() => writer.flush(), ClosedError);
      writer.close();
      await pending;
      await assertRejects(() => writer.flush(), ClosedError);
      release();
    });
    // The flush that was given up ends, and gives its descriptor back.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }, { fsync: "never", segmentBytes: 4096 }));

Deno.test("file log: what a batch that fails says it has sent is on the disk", () =>
  withLog(async (log) => {
    const calls: string[] = [];
    let appends = 0;
    const full = (symbol: string, _: number, real: () => unknown) => {
      if (symbol === "pwrite" && appends++ === 2) return failed(symbol, ERRNO.ENOSPC);
      calls.push(symbol);
      return real();
    };
    using writer = log.writer();
    await writer.send(message(0));
    await withCalls(["pwrite", "fdatasync_parked"], full, async () => {
      // Each too long to be put together with another.
      const batch = [300_000, 300_000].map(message);
      const error = await assertRejects(() => writer.sendBatch(batch), IpcError, "no space");
      assertEquals([error.sent, error.partial], [1, undefined]);
      assertEquals(calls.slice(-2), ["pwrite", "fdatasync_parked"]);
    });
  }, { fsync: "always" }));

// A disk that says that it has more room than there is, so that writing back fails.
const failing = prepared(
  "mount -t tmpfs -o size=12m none /mnt && mkdir /mnt/disk && truncate -s 64m /mnt/image && " +
    "mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0,nodiscard -N 256 /mnt/image && " +
    "mount -o loop,nodiscard /mnt/image /mnt/disk",
);

Deno.test({
  name:
    "file log on a disk that fails: what it did not take is acknowledged to no writer, whoever is told first",
  ignore: failing === undefined,
  fn: async () => {
    const source = `
      import { FileLog } from ${MOD};
      using log = FileLog.create("/mnt/disk/log", { fsync: "interval", segmentBytes: 1 << 30 });
      // As if of two processes: the kernel tells them apart by their descriptors.
      const writers = [log.writer(), log.writer()];
      for (const writer of writers) writer.sendSync(new Uint8Array(10));
      await Promise.all(writers.map((writer) => writer.flush()));
      using filler = Deno.openSync("/mnt/filler", { write: true, create: true });
      try {
        for (;;) filler.writeSync(new Uint8Array(65536));
      } catch { /* It is full. */ }
      for (const writer of writers) writer.sendSync(new Uint8Array(2_000_000).fill(7));
      for (const writer of writers.reverse()) {
        console.log(await writer.flush().then(() => "acknowledged", (error) => error.code));
        try {
          writer.close();
        } catch { /* Told again. */ }
      }`;
    await using process = new TestProcess(source, { before: failing! });
    assertEquals([await process.line(), await process.line()], ["EIO", "EIO"]);
    assert((await process.status).success);
  },
});
