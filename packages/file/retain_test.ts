/** What `retain` drops, and when. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { DecodeError, RemovedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { append, CEILING, count, drain, segmentFiles, withLog } from "./testdata/logs.ts";

leakCheck();

const SMALL = { fsync: "never", segmentBytes: 4096 } as const;

Deno.test("file log: old segments go by their bytes, and a reader that comes too late is told once", () =>
  withLog((log) => {
    using late = log.reader();
    append(log, 1, 3, 500);
    assertEquals(late.tryReceiveRecord()?.sequence, 1);
    append(log, 4, 200, 500);
    const { first, last, bytes } = log.stat();
    assertEquals(last, 200);
    assert(first > 100 && bytes < 20_000, `${first}, ${bytes}`);
    // What it had open it reads to its end.
    const found = drain(late);
    const held = found.indexOf("RemovedError");
    assertEquals(found.slice(0, held), count(2, held + 1));
    assertEquals(found.slice(held + 1), count(first, 200));
    using asked = log.reader({ from: 5 });
    assertThrows(() => asked.tryReceive(), RemovedError);
    assertEquals(drain(asked), count(first, 200));
  }, { ...SMALL, retain: { bytes: 15_000 } }));

/** Runs a test whose clock can be put forward, by minutes. */
async function withClock(test: (forward: (minutes: number) => void) => Promise<void> | void): Promise<void> {
  const now = Date.now;
  let ahead = 0;
  Date.now = () => now() + ahead * 60_000;
  try {
    await test((minutes) => ahead += minutes);
  } finally {
    Date.now = now;
  }
}

const HOUR = { ...SMALL, retain: { age: 3_600_000 } };

Deno.test("file log: what is too old goes when a writer is opened, also where the segment is not full", () =>
  withClock((forward) =>
    withLog((log) => {
      append(log, 1, 20, 500);
      using slow = log.reader();
      assertEquals(slow.tryReceiveRecord()?.sequence, 1);
      using fast = log.reader({ from: "end" });
      forward(59);
      log.writer().close();
      assertEquals(log.stat().first, 1);
      forward(2);
      assertEquals(log.stat().first, 1);
      log.writer().close();
      const { segments, first, last } = log.stat();
      assertEquals({ segments, first, last }, { segments: 1, first: 21, last: 20 });
      append(log, 21, 22);
      assertEquals(drain(fast), [21, 22]);
      const found = drain(slow);
      const held = found.indexOf("RemovedError");
      assertEquals(found, [...count(2, held + 1), "RemovedError", 21, 22]);
    }, HOUR)
  ));

Deno.test("file log: in a log of few records none stays for more than twice its age, and none goes before", () =>
  withClock((forward) =>
    withLog((log) => {
      using writer = log.writer();
      const firstAt = (minutes: number) => {
        forward(minutes);
        writer.sendSync(new Uint8Array(1));
        return log.stat().first;
      };
      // Records of the minutes 0, 50 and 61; the segment of the first two ends with the third.
      assertEquals([firstAt(0), firstAt(50), firstAt(11)], [1, 1, 1]);
      assertEquals(log.stat().segments, 2);
      // At 109 the record of 50 is not too old yet; at 112 it is.
      assertEquals([firstAt(48), firstAt(3)], [1, 3]);
      assertEquals(firstAt(61), 6);
    }, HOUR)
  ));

Deno.test("file log: what a consumer has not acknowledged is not too old", () =>
  withClock((forward) =>
    withLog((log) => {
      append(log, 1, 20, 500);
      using consumer = log.consumer("slow");
      consumer.tryReceiveRecord()!.acknowledge();
      forward(61);
      log.writer().close();
      assertEquals(log.stat().first, 1);
      for (let record; (record = consumer.tryReceiveRecord()) !== undefined;) record.acknowledge();
      log.writer().close();
      assertEquals(log.stat().first, 21);
    }, HOUR)
  ));

Deno.test("file log: a writer that finds a damaged log is told by its first append, not by retain.age", () =>
  withLog((log) => {
    append(log, 1, 3, 100);
    const [file] = segmentFiles(log) as [string];
    const content = Deno.readFileSync(file);
    content[60]! ^= 1;
    Deno.writeFileSync(file, content);
    using writer = log.writer();
    assertThrows(() => writer.sendSync(new Uint8Array(1)), DecodeError);
  }, HOUR));

Deno.test("file log: one that never reads costs neither memory nor more of the disk than retain gives", () =>
  withLog(async (log) => {
    using reader = log.reader();
    using consumer = log.consumer("asleep");
    const message = new Uint8Array(65_536);
    using writer = log.writer();
    await writer.send(message);
    assertEquals([reader.tryReceive()?.length, consumer.tryReceive()?.length], [65_536, 65_536]);
    const most = 1_000_000 + 200_000 + 65_536 + 28;
    const before = Deno.memoryUsage();
    let largest = 0;
    for (let round = 0; round < 250; round++) {
      await Promise.all([writer.send(message), writer.send(message)]);
      await writer.sendBatch([message, message]);
      if (round % 10 === 0) largest = Math.max(largest, log.stat().bytes);
    }
    const { heapUsed, external } = Deno.memoryUsage();
    assert(largest > 500_000 && largest <= most, `${largest} bytes`);
    // 65 MB were sent.
    const grown = heapUsed + external - before.heapUsed - before.external;
    assert(grown < 32 * 1024 * 1024, `grown by ${grown} bytes`);
    assert(drain(reader).includes("RemovedError"));
  }, { fsync: "never", segmentBytes: 200_000, retain: { bytes: 1_000_000, unread: "drop" } }));

for (const unread of ["keep", "drop"] as const) {
  Deno.test(`file log: retain.unread "${unread}" for what a consumer has not acknowledged`, () =>
    withLog(async (log) => {
      append(log, 1, 3, 500);
      using consumer = log.consumer("slow");
      (await consumer.receiveRecord(CEILING))!.acknowledge();
      append(log, 4, 100, 500);
      if (unread === "keep") {
        assertEquals(log.stat().first, 1);
        for (let number = 2; number <= 100; number++) {
          const record = consumer.tryReceiveRecord()!;
          assertEquals(record.sequence, number);
          record.acknowledge();
        }
        append(log, 101, 120, 500);
        assert(log.stat().first > 80);
      } else {
        const { first } = log.stat();
        assert(first > 50);
        const found: (number | string)[] = [];
        for (let more = true; more;) {
          try {
            const record = consumer.tryReceiveRecord();
            record?.acknowledge();
            more = record !== undefined;
            if (record !== undefined) found.push(record.sequence);
          } catch (error) {
            found.push((error as Error).name);
          }
        }
        const told = found.indexOf("RemovedError");
        assertEquals(found.slice(0, told), count(2, told + 1));
        assertEquals(found.slice(told + 1), count(first, 100));
        assertEquals(log.stat().consumers, [{ name: "slow", position: 101, waiting: 0, out: 0 }]);
      }
    }, { ...SMALL, retain: { bytes: 10_000, unread } }));
}
