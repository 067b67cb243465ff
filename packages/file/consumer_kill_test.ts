/** A member of a consumer that is killed at each of its calls into libc, one after the other. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { TestProcess } from "../core/testdata/process.ts";
import { append, count, MOD, withLog } from "./testdata/logs.ts";

leakCheck();

const TESTING = JSON.stringify(import.meta.resolve("@ipc/core/testing"));
const RECORDS = 4;

/** Becomes a member, takes records, and says which it has acknowledged. */
const member = (path: string, nth: number) => `
import { FileLog } from ${MOD};
import { withFault } from ${TESTING};
using log = FileLog.open(${JSON.stringify(path)});
const run = await withFault({ nth: ${nth}, kill: "before" }, async () => {
  using consumer = log.consumer("worker");
  for (let left = ${RECORDS}; left > 0; left--) {
    const record = await consumer.receiveRecord();
    record.acknowledge();
    console.log(record.sequence);
  }
});
if (run.error !== undefined) throw run.error;
`;

Deno.test("consumer: a member that is killed before each of its calls skips nothing, and repeats nothing", async () => {
  let next = 1;
  let through = false;
  const lane = async () => {
    while (!through) {
      const nth = next++;
      assert(nth < 300, "the calls do not end");
      await withLog(async (log) => {
        append(log, 1, RECORDS);
        await using process = new TestProcess(member(log.path, nth));
        const told: number[] = [];
        for (let line; (line = await process.line()) !== undefined;) told.push(Number(line));
        const { signal, success } = await process.status;
        if (success) through = true;
        else assertEquals(signal, "SIGKILL");
        using consumer = log.consumer("worker");
        const left: number[] = [];
        for (let record; (record = consumer.tryReceiveRecord()) !== undefined;) left.push(record.sequence);
        // What was acknowledged, perhaps without having been told, does not come again.
        const from = RECORDS - left.length + 1;
        assertEquals(left, count(from, RECORDS));
        assert(from - 1 === told.length || from - 2 === told.length, `told of ${told}, ${left} are left`);
      });
    }
  };
  const lanes = await Promise.allSettled(count(1, 4).map(lane));
  for (const outcome of lanes) if (outcome.status === "rejected") throw outcome.reason;
  assert(next > 20);
});
