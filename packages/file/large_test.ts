/** Long records, of which a reader sees the first part while the rest is being written, and segments of a few each. */

import { assert, assertEquals } from "@std/assert";
import { interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { TestProcess } from "../core/testdata/process.ts";
import { CEILING, MOD, numbered, withLog } from "./testdata/logs.ts";

leakCheck();

const MIB = 1024 * 1024;
const COUNT = 100;

Deno.test("file log: records of a MiB are whole while another process writes them, over many segments", () =>
  withLog(async (log) => {
    using reader = log.reader();
    await using _writer = new TestProcess(`
      import { FileLog } from ${MOD};
      using log = FileLog.open(${JSON.stringify(log.path)});
      using writer = log.writer();
      for (let number = 0; number < ${COUNT}; number++) await writer.send(new Uint8Array(${MIB}).fill(number));
    `);
    for (let number = 0; number < COUNT; number++) {
      const message = (await reader.receive(CEILING))!;
      // No more than that, so that it keeps up with the writer.
      assertEquals([message.length, message[0], message[MIB - 1]], [MIB, number, number]);
    }
  }, { fsync: "never", segmentBytes: 8 * MIB }));

Deno.test("file log: a record that comes with the next segment, while a reader looks at the end of this one, is whole", () =>
  withLog((log) => {
    using writer = log.writer();
    using reader = log.reader();
    writer.sendSync(numbered(1));
    assertEquals(reader.tryReceive(), numbered(1));
    let looks = 0;
    interceptCalls((symbol, args, real) => {
      const result = real(...args);
      // The first is for what would follow in memory, the second for the end of the segment.
      if (symbol !== "fstat" || ++looks !== 2) return result;
      const { buffer } = args[1] as DataView<ArrayBuffer>;
      const status = buffer.slice(0);
      writer.sendSync(numbered(2, 5000)); // fills the segment
      writer.sendSync(numbered(3)); // begins the next
      new Uint8Array(buffer).set(new Uint8Array(status));
      return result;
    });
    try {
      assertEquals(reader.tryReceive(), numbered(2, 5000));
    } finally {
      interceptCalls(undefined);
    }
    assert(looks > 2);
    assertEquals(reader.tryReceive(), numbered(3));
  }, { fsync: "never", segmentBytes: 4096 }));
