/** `fsync: "interval"`: what was appended is on the disk within a second, however busy the program is. */

import { assertEquals } from "@std/assert";
import { interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import type { FileLogWriter } from "./mod.ts";
import { withLog } from "./testdata/logs.ts";

leakCheck();

const message = new Uint8Array(10);

/** Counts flushes, with a clock that can be put forward. */
async function withFlushes(
  test: (flushes: () => number, forward: (milliseconds: number) => void) => Promise<void> | void,
): Promise<void> {
  const { now } = performance;
  let flushes = 0;
  let ahead = 0;
  performance.now = () => now.call(performance) + ahead;
  interceptCalls((symbol, args, real) => {
    if (symbol.startsWith("fdatasync")) flushes++;
    return real(...args);
  });
  try {
    await test(() => flushes, (milliseconds) => ahead += milliseconds);
  } finally {
    interceptCalls(undefined);
    performance.now = now;
  }
}

const ways: Record<string, (writer: FileLogWriter) => unknown> = {
  send: (writer) => writer.send(message),
  sendBatch: (writer) => writer.sendBatch([message, message]),
  trySend: (writer) => writer.trySend(message),
  sendSync: (writer) => writer.sendSync(message),
};

for (const [name, append] of Object.entries(ways)) {
  Deno.test(`file log: ${name} makes the flush that is due where nothing else has had a turn`, () =>
    withLog((log) =>
      withFlushes(async (flushes, forward) => {
        using writer = log.writer();
        await append(writer);
        await append(writer);
        assertEquals(flushes(), 0);
        forward(1001);
        await append(writer);
        assertEquals(flushes(), 1);
        await append(writer);
        assertEquals(flushes(), 1);
        forward(1001);
        await append(writer);
        assertEquals(flushes(), 2);
      }), { fsync: "interval" }));
}

Deno.test("file log: what nobody appends behind is flushed within a second all the same", () =>
  withLog((log) =>
    withFlushes(async (flushes) => {
      using writer = log.writer();
      writer.sendSync(message);
      assertEquals(flushes(), 0);
      // Ends with the flush, or not at all.
      while (flushes() === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }), { fsync: "interval" }));
