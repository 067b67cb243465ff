import { assert, assertEquals, assertThrows } from "@std/assert";
import { NotFoundError, select, TimeoutError } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { TestProcess } from "../core/testdata/process.ts";
import type { FileLog } from "./mod.ts";
import { append, CEILING, count, MOD, numberOf, segmentFiles, withLog } from "./testdata/logs.ts";

leakCheck();

/** The sequences that a member is given, each acknowledged at once. */
function drain(log: FileLog, name: string): number[] {
  using consumer = log.consumer(name);
  const found: number[] = [];
  for (let record; (record = consumer.tryReceiveRecord()) !== undefined;) {
    found.push(record.sequence);
    assert(record.acknowledge());
  }
  return found;
}

Deno.test("consumer: keeps its place, gives back what was not acknowledged, and forgets what was", () =>
  withLog((log) => {
    append(log, 1, 10);
    {
      using consumer = log.consumer("worker");
      const records = count(1, 6).map(() => consumer.tryReceiveRecord()!);
      assertEquals(records.map(({ sequence }) => sequence), count(1, 6));
      for (const index of [0, 1, 4]) assert(records[index]!.acknowledge());
      assertEquals(records[4]!.acknowledge(), false);
      assertEquals(log.stat().consumers, [{ name: "worker", position: 3, waiting: 4, out: 3 }]);
      records[2]!.release();
      assertEquals(consumer.tryReceiveRecord()?.sequence, 3);
    }
    assertEquals(drain(log, "worker"), [3, 4, 6, 7, 8, 9, 10]);
    assertEquals(drain(log, "worker"), []);
    assertEquals(drain(log, "other"), count(1, 10));
    log.removeConsumer("worker");
    assertThrows(() => log.removeConsumer("worker"), NotFoundError);
    assertEquals(drain(log, "worker"), count(1, 10));
    using late = log.consumer("late", { from: "end" });
    assertEquals(late.tryReceive(), undefined);
    append(log, 11, 11);
    assertEquals(late.tryReceiveRecord()?.sequence, 11);
  }));

Deno.test("consumer: receive acknowledges what it gave before, a batch too", () =>
  withLog(async (log) => {
    append(log, 1, 10);
    {
      using consumer = log.consumer("worker");
      assertEquals(numberOf((await consumer.receive())!), 1);
      assertEquals((await consumer.receiveBatch({ max: 4 })).map(numberOf), [2, 3, 4, 5]);
      assertEquals(log.stat().consumers[0]?.position, 2);
      assertEquals(numberOf((await consumer.receive())!), 6);
    }
    assertEquals(drain(log, "worker"), [6, 7, 8, 9, 10]);
  }));

Deno.test("consumer: a receive that waits gets a record that this member releases", () =>
  withLog(async (log) => {
    append(log, 1, 1);
    using consumer = log.consumer("worker");
    const record = consumer.tryReceiveRecord()!;
    const waiting = consumer.receiveRecord(CEILING);
    await new Promise((resolve) => setTimeout(resolve, 20));
    record.release();
    assertEquals((await waiting)?.sequence, 1);
  }));

Deno.test("consumer: no more than 4096 records behind the oldest that is out, and none is skipped", () =>
  withLog(async (log) => {
    const all = 4096 + 50;
    using writer = log.writer();
    await writer.sendBatch(count(1, all).map(() => new Uint8Array(1)));
    using consumer = log.consumer("worker");
    const first = consumer.tryReceiveRecord()!;
    for (let sequence = 2; sequence <= 4096; sequence++) {
      const record = consumer.tryReceiveRecord()!;
      assertEquals(record.sequence, sequence);
      record.acknowledge();
    }
    assertEquals(consumer.tryReceiveRecord(), undefined);
    const waiting = consumer.receiveRecord(CEILING);
    await new Promise((resolve) => setTimeout(resolve, 10));
    first.acknowledge();
    assertEquals((await waiting)?.sequence, 4097);
    assertEquals(consumer.tryReceiveRecord()?.sequence, 4098);
  }));

Deno.test("consumer: damage that one member meets costs no record that another has out", () =>
  withLog((log) => {
    append(log, 1, 9, 40);
    using one = log.consumer("worker");
    using two = log.consumer("worker");
    assertEquals(one.tryReceiveRecord()?.sequence, 1);
    const [file] = segmentFiles(log) as [string];
    const content = Deno.readFileSync(file);
    content[4 * 68 + 30]! ^= 1;
    Deno.writeFileSync(file, content);
    const found: (number | string)[] = [];
    for (let more = true; more;) {
      try {
        const record = two.tryReceiveRecord();
        record?.acknowledge();
        if (record === undefined) more = false;
        else found.push(record.sequence);
      } catch (error) {
        found.push((error as Error).name);
      }
    }
    assertEquals(found, [2, 3, 4, "DecodeError", 6, 7, 8, 9]);
    assertEquals(log.stat().consumers[0]?.position, 1);
    one.close();
    assertEquals(two.tryReceiveRecord()?.sequence, 1);
  }));

Deno.test("consumer: a place that is torn, foreign or beyond the log loses no record", () =>
  withLog((log) => {
    append(log, 1, 5);
    assertEquals(drain(log, "worker"), count(1, 5));
    const file = `${log.path}/consumers/worker`;
    const content = Deno.readFileSync(file);
    for (
      const odd of [content.slice(0, 100), new Uint8Array(5000), crypto.getRandomValues(new Uint8Array(1080))]
    ) {
      Deno.writeFileSync(file, odd);
      assertEquals(log.stat().consumers.length, 1);
      assertEquals(drain(log, "worker"), count(1, 5));
    }
    // One slot torn: the other holds, which is one step older.
    const slot = content.length / 2;
    for (const from of [0, slot]) {
      Deno.writeFileSync(file, content.with(from + 20, 0xff));
      const found = drain(log, "worker");
      assert(found.length <= 1, `${found}`);
    }
    // The place is on the disk, the records are not: what is appended instead is new.
    Deno.writeFileSync(file, content);
    Deno.truncateSync(segmentFiles(log)[0]!, 2 * 32);
    append(log, 30, 33);
    assertEquals(drain(log, "worker"), [3, 4, 5, 6]);
    Deno.writeFileSync(file, content);
    Deno.truncateSync(segmentFiles(log)[0]!, 2 * 32);
    using consumer = log.consumer("worker");
    append(log, 40, 43);
    assertEquals(numberOf(consumer.tryReceive()!), 40);
  }));

Deno.test("consumer: begins at the end or before, and keeps that place", () =>
  withLog((log) => {
    append(log, 1, 5);
    assertThrows(() => log.consumer("late", { from: 7 }), RangeError, "ends before 6");
    assertEquals(log.stat().consumers, []);
    log.consumer("late", { from: 6 }).close();
    log.consumer("late", { from: 7 }).close();
    append(log, 6, 7);
    assertEquals(log.stat().consumers, [{ name: "late", position: 6, waiting: 2, out: 0 }]);
    assertEquals(drain(log, "late"), [6, 7]);
  }));

Deno.test("file log: a batch ends with the message that makes it 4 MiB, whatever others send", () =>
  withLog(async (log) => {
    append(log, 1, 12, 1024 * 1024);
    using reader = log.reader();
    using consumer = log.consumer("worker");
    for (const receiver of [reader, consumer]) {
      for (let first = 1; first <= 12; first += 4) {
        assertEquals((await receiver.receiveBatch(CEILING)).map(numberOf), count(first, first + 3));
      }
    }
  }));

Deno.test("consumer: a record that comes again is read where it lies, and the others come after it in order", () =>
  withLog((log) => {
    append(log, 1, 2000, 1000);
    using consumer = log.consumer("worker");
    const records = count(1, 1500).map(() => consumer.tryReceiveRecord()!);
    let bytes = 0;
    interceptCalls((symbol, args, real) => {
      const result = real(...args);
      if (symbol === "pread" && Number(result) > 8192) bytes += Number(result);
      return result;
    });
    try {
      for (let sequence = 1500; sequence > 1490; sequence--) {
        records[sequence - 1]!.release();
        assertEquals(consumer.tryReceiveRecord()?.sequence, sequence);
      }
      assertEquals(consumer.tryReceiveRecord()?.sequence, 1501);
    } finally {
      interceptCalls(undefined);
    }
    // Of each what follows it, and that again where reading goes on; a search would begin with the segment.
    assert(bytes <= 22 * 256 * 1024, `${bytes} bytes were read`);
    consumer.close();
    assertEquals(drain(log, "worker"), count(1, 2000));
  }));

Deno.test("consumer: a wait that is woken for nothing looks no more often than before", () =>
  withLog(async (log) => {
    append(log, 1, 1);
    using other = log.consumer("group");
    other.tryReceiveRecord();
    using consumer = log.consumer("group");
    const controller = new AbortController();
    const waiting = consumer.receive({ signal: controller.signal }).catch(() => {});
    const pause = (time: number) => new Promise((resolve) => setTimeout(resolve, time));
    for (const number of count(1, 30)) {
      Deno.writeTextFileSync(`${log.path}/repair.${number}`, "");
      await pause(5);
    }
    let locks = 0;
    interceptCalls((symbol, args, real) => {
      if (symbol.startsWith("fcntl")) locks++;
      return real(...args);
    });
    try {
      await pause(800);
    } finally {
      interceptCalls(undefined);
    }
    controller.abort();
    await waiting;
    // Four looks of three or four calls each.
    assert(locks > 0 && locks < 50, `${locks} calls`);
  }));

Deno.test("consumer: a batch after a select is not acknowledged before its user has it", () =>
  withLog(async (log) => {
    append(log, 1, 3);
    using consumer = log.consumer("worker");
    using control = new BaseReceiver<string>({
      take: () => "now",
      ended: false,
      park: () => () => {},
      close: () => {},
    });
    assertEquals((await select({ control, consumer })).from, "control");
    const batch = await consumer.receiveBatch(CEILING);
    consumer.close();
    assertEquals(numberOf(batch[0]!), 1);
    assertEquals(drain(log, "worker"), count(1, 3));
  }));

Deno.test("consumer: who asks again in the turn in which a wait was given up is told what comes back", () =>
  withLog(async (log) => {
    append(log, 1, 2);
    using consumer = log.consumer("worker");
    const [first, second] = count(1, 2).map(() => consumer.tryReceiveRecord()!);
    // Turns of the event loop that have not paid: waits park at once from then on.
    for (const _ of count(1, 12)) await consumer.receiveRecord({ timeout: 3 }).catch(() => {});
    const controller = new AbortController();
    const given = consumer.receiveRecord({ signal: controller.signal }).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    first!.acknowledge();
    controller.abort();
    const waiting = consumer.receiveRecord(CEILING);
    await new Promise((resolve) => setTimeout(resolve, 20));
    second!.release();
    assertEquals((await waiting)?.sequence, 2);
    await given;
  }));

/** Takes records and says which, at a random pace; some it gives back first. */
const member = (path: string) => `
import { FileLog } from ${MOD};
using log = FileLog.open(${JSON.stringify(path)});
using consumer = log.consumer("group");
console.log("ready");
for (;;) {
  const record = await consumer.receiveRecord();
  if (Math.random() < 0.1) {
    record.release();
    continue;
  }
  if (Math.random() < 0.3) await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  console.log(record.sequence);
  record.acknowledge();
}
`;

Deno.test("consumer: three processes share one, each record goes to exactly one of them", () =>
  withLog(async (log) => {
    const all = Math.max(200, scaled(3000));
    const processes = count(1, 3).map(() => new TestProcess(member(log.path)));
    try {
      for (const process of processes) assertEquals(await process.line(), "ready");
      const found: number[] = [];
      const shares = processes.map(async (process) => {
        let share = 0;
        for (let line; found.length < all && (line = await process.line()) !== undefined; share++) {
          found.push(Number(line));
          if (found.length === all) { for (const each of processes) await each.kill(); }
        }
        return share;
      });
      using writer = log.writer();
      for (const number of count(1, all)) await writer.send(new Uint8Array([number]));
      const counts = await Promise.all(shares);
      assertEquals(found.sort((a, b) => a - b), count(1, all));
      assert(counts.every((share) => share > 0), `${counts}`);
    } finally {
      for (const process of processes) await process[Symbol.asyncDispose]();
    }
  }));

Deno.test("consumer: kill -9 of members at random: every record is given, to more than one only for a death", () =>
  withLog(async (log) => {
    const kills = Math.max(4, scaled(60));
    const seen = new Map<number, number>();
    let killed = 0;
    let sent = 0;
    const lane = async () => {
      while (killed < kills) {
        await using process = new TestProcess(member(log.path));
        assertEquals(await process.line(), "ready");
        const reading = (async () => {
          for (let line; (line = await process.line()) !== undefined;) {
            seen.set(Number(line), (seen.get(Number(line)) ?? 0) + 1);
          }
        })();
        await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 60));
        await process.kill();
        await reading;
        killed++;
      }
    };
    const sending = (async () => {
      using writer = log.writer();
      while (killed < kills) {
        await writer.send(new Uint8Array(10), CEILING);
        sent++;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    await Promise.all([lane(), lane(), sending]);
    using last = log.consumer("group");
    for (;;) {
      try {
        const record = (await last.receiveRecord({ timeout: 1000 }))!;
        seen.set(record.sequence, (seen.get(record.sequence) ?? 0) + 1);
        record.acknowledge();
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        break;
      }
    }
    assertEquals([...seen.keys()].sort((a, b) => a - b), count(1, sent));
    const twice = [...seen.values()].reduce((sum, times) => sum + times - 1, 0);
    assert(twice <= killed, `${twice} came again after ${killed} deaths`);
  }));
