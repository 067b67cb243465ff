/** Many processes at once, and processes that are killed at any moment. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { TestProcess } from "../core/testdata/process.ts";
import type { FileLog } from "./mod.ts";
import { CEILING, count, MOD, numberOf, withLog } from "./testdata/logs.ts";

leakCheck();

const options = { fsync: "never", segmentBytes: 65_536 } as const;

/** Appends messages in all the ways there are, each of its own number, the lane's and a filling; says what was acknowledged. */
const writer = (path: string, lane: number, end: number) => `
import { FileLog } from ${MOD};
using log = FileLog.open(${JSON.stringify(path)});
using writer = log.writer();
let number = 0;
const message = () => {
  const words = new Uint32Array(2 + Math.floor(Math.random() ** 4 * 5000)).fill(number++);
  words[0] = ${lane};
  return new Uint8Array(words.buffer);
};
while (number < ${end}) {
  const way = Math.random();
  if (way < 0.4) writer.sendSync(message());
  else if (way < 0.6) await writer.send(message());
  else if (way < 0.8) await Promise.all([1, 2, 3].map(() => writer.send(message())));
  else await writer.sendBatch([message(), message(), message(), message()]);
  console.log(number);
}
`;

/** Checks that messages are whole, and each lane's in their order; returns how many each has. */
function lanesOf(log: FileLog): Map<number, number> {
  using reader = log.reader();
  const lanes = new Map<number, number>();
  for (let record, sequence = 1; (record = reader.tryReceiveRecord()) !== undefined; sequence++) {
    assertEquals(record.sequence, sequence);
    const [lane = 0, ...numbers] = new Uint32Array(record.data.slice().buffer);
    const expected = lanes.get(lane) ?? 0;
    assert(
      numbers.length > 0 && numbers.every((number) => number === expected),
      `lane ${lane}: ${numbers[0]}`,
    );
    lanes.set(lane, expected + 1);
  }
  return lanes;
}

Deno.test("file log: four processes append at once, and a reader sees each record whole, once and in order", () =>
  withLog(async (log) => {
    const each = Math.max(200, scaled(5000));
    using reader = log.reader();
    const processes = count(1, 4).map((lane) => new TestProcess(writer(log.path, lane, each)));
    try {
      const ended = Promise.all(processes.map(async (process) => {
        let last = 0;
        for (let line; (line = await process.line()) !== undefined;) last = Number(line);
        assert((await process.status).success);
        return last;
      }));
      let all: number | undefined;
      const lasts = ended.then((numbers) => {
        all = numbers.reduce((sum, number) => sum + number, 0);
        return numbers;
      });
      let received = 0;
      for (; all === undefined || received < all; received++) {
        const record = await reader.receiveRecord({ timeout: 50 }).catch(() => undefined);
        if (record === undefined) received--;
        else assertEquals(record.sequence, received + 1);
      }
      const numbers = await lasts;
      const lanes = lanesOf(log);
      assertEquals(count(1, 4).map((lane) => lanes.get(lane)), numbers);
    } finally {
      for (const process of processes) await process[Symbol.asyncDispose]();
    }
  }, options));

Deno.test("file log: kill -9 of writers at random: nothing acknowledged is lost, nothing torn is read", () =>
  withLog(async (log) => {
    const kills = Math.max(6, scaled(100));
    const acknowledged = new Map<number, number>();
    let lanes = 0;
    /** The last of all records, once nobody appends any more. */
    let end = Infinity;
    const lane = async () => {
      while (lanes < kills) {
        const mine = ++lanes;
        // Not without end: where the machine is slow to kill them, they would fill it.
        await using process = new TestProcess(writer(log.path, mine, 500));
        const reading = (async () => {
          for (let line; (line = await process.line()) !== undefined;) acknowledged.set(mine, Number(line));
        })();
        while (!acknowledged.has(mine)) await new Promise((resolve) => setTimeout(resolve, 5));
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
        await process.kill();
        await reading;
      }
    };
    // One that reads all the time sees neither a gap nor an error.
    const reading = (async () => {
      using reader = log.reader();
      for (let sequence = 1; sequence <= end; sequence++) {
        const record = await reader.receiveRecord({ timeout: 100 }).catch((error) => {
          if (error.name !== "TimeoutError") throw error;
        });
        if (record === undefined) sequence--;
        else assertEquals(record.sequence, sequence);
      }
    })();
    await Promise.all([lane(), lane(), lane()]).finally(() => end = log.stat().last);
    await reading;
    const found = lanesOf(log);
    for (const [mine, number] of acknowledged) {
      assert(
        (found.get(mine) ?? 0) >= number,
        `writer ${mine} was told of ${number}, there are ${found.get(mine)}`,
      );
    }
    assertEquals(log.verify().damage.filter(({ kind }) => kind === "damaged"), []);
    using next = log.writer();
    next.sendSync(new Uint8Array(1));
    assertEquals(log.verify().damage, []);
  }, options));

const TESTING = JSON.stringify(import.meta.resolve("@ipc/core/testing"));

/** Is killed before its n-th call into libc while it appends three records. */
const doomed = (path: string, nth: number) => `
import { FileLog } from ${MOD};
import { withFault } from ${TESTING};
using log = FileLog.open(${JSON.stringify(path)});
const writer = log.writer();
const run = await withFault({ nth: ${nth}, kill: "before" }, async () => {
  for (const number of [1, 2, 3]) {
    await writer.send(new Uint8Array(new Uint32Array(500).fill(number).buffer));
    console.log(number);
  }
  writer.close();
});
if (run.error !== undefined) throw run.error;
`;

Deno.test("file log: a writer that is killed before each of its calls keeps nobody from writing or reading", async () => {
  let next = 1;
  let through = false;
  const lane = async () => {
    while (!through) {
      const nth = next++;
      assert(nth < 300, "the calls do not end");
      await withLog(async (log) => {
        await using process = new TestProcess(doomed(log.path, nth));
        let told = 0;
        for (let line; (line = await process.line()) !== undefined;) told = Number(line);
        const { signal, success } = await process.status;
        if (success) through = true;
        else assertEquals(signal, "SIGKILL");
        using writer = log.writer();
        writer.sendSync(new Uint8Array(new Uint32Array(500).fill(9).buffer));
        using reader = log.reader();
        const found: number[] = [];
        for (let data; (data = reader.tryReceive()) !== undefined;) found.push(numberOf(data));
        assertEquals(found, [...count(1, found.length - 1), 9]);
        assert(found.length - 1 >= told);
        assertEquals(log.verify().damage, []);
      }, { fsync: "always", segmentBytes: 4096 });
    }
  };
  const lanes = await Promise.allSettled(count(1, 4).map(lane));
  for (const outcome of lanes) if (outcome.status === "rejected") throw outcome.reason;
  assert(next > 20);
});

/** Has the lock of those who append, and is killed a while after it has said so. */
const holder = (path: string) => `
import { FileLock } from ${MOD};
const lock = FileLock.open(${JSON.stringify(path)} + "/lock", { offset: 0, length: 1 });
lock.lockSync();
console.log("locked");
setTimeout(() => Deno.kill(Deno.pid, "SIGKILL"), 300);
`;

Deno.test("file log: who waits to append, blocking or not, goes on when the one that has the lock is killed", () =>
  withLog(async (log) => {
    using writer = log.writer();
    for (
      const append of [
        () => writer.sendSync(new Uint8Array(1)),
        () => writer.send(new Uint8Array(1), CEILING),
      ]
    ) {
      await using process = new TestProcess(holder(log.path));
      assertEquals(await process.line(), "locked");
      assertEquals(writer.trySend(new Uint8Array(2)), false);
      assertThrows(() => writer.sendSync(new Uint8Array(3), { timeout: 10 }), TimeoutError);
      await append();
      assertEquals((await process.status).signal, "SIGKILL");
    }
    using reader = log.reader();
    assertEquals([reader.tryReceive()?.length, reader.tryReceive()?.length, reader.tryReceive()], [
      1,
      1,
      undefined,
    ]);
  }, options));

/** Reads all the time, and says what it got. */
const reader = (path: string) => `
import { FileLog } from ${MOD};
using log = FileLog.open(${JSON.stringify(path)});
using reader = log.reader();
for (let next = 1;; next++) {
  const record = next % 2 === 0 ? reader.receiveRecordSync() : await reader.receiveRecord();
  if (record.sequence !== next) throw new Error("Expected " + next + ", got " + record.sequence);
  console.log(next);
}
`;

Deno.test("file log: readers in other processes get all there is, and kill -9 of one costs the others nothing", () =>
  withLog(async (log) => {
    const processes = count(1, 3).map(() => new TestProcess(reader(log.path)));
    try {
      using writer = log.writer();
      const all = Math.max(300, scaled(3000));
      const upTo = async (process: TestProcess, end: number) => {
        for (let line; (line = await process.line()) !== undefined;) if (Number(line) === end) return;
        throw new Error("It ended");
      };
      for (let number = 1; number <= all; number++) {
        await writer.send(new Uint8Array(300), CEILING);
        if (number === all / 2) await processes[2]!.kill();
      }
      await Promise.all(processes.slice(0, 2).map((process) => upTo(process, all)));
    } finally {
      for (const process of processes) await process[Symbol.asyncDispose]();
    }
  }, options));
