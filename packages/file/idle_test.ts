/** What waiting costs while nothing happens. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { TestProcess } from "../core/testdata/process.ts";
import { CEILING, MOD, withLog } from "./testdata/logs.ts";

leakCheck();

/** Wake-ups within the quietest second. */
const MOST = 3;

/** How often the threads of a process were scheduled away, because they waited or not. */
function switches(pid: number): number {
  let sum = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
    for (const [, count] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) sum += Number(count);
  }
  return sum;
}

const waits: Record<string, string> = {
  "a receive": "log.reader().receive()",
  "a receive that blocks": "log.reader().receiveSync()",
  "a member of a consumer": 'log.consumer("worker").receive()',
  "one that follows a text file": "follow(log.path + '.txt').receive()",
};

for (const [title, wait] of Object.entries(waits)) {
  Deno.test(`file: ${title} that waits costs nothing`, () =>
    withLog(async (log) => {
      const source = `
        import { FileLog, follow } from ${MOD};
        const log = FileLog.open(${JSON.stringify(log.path)});
        console.log("ready");
        await ${wait};
        console.log("done");
        Deno.exit();`;
      await using process = new TestProcess(source);
      assertEquals(await process.line(), "ready");
      // A second in which it sleeps is enough, and one comes: the runtime itself wakes now and then. A timer of half a
      // second would wake it four times in each.
      let woken = Infinity;
      for (let seconds = 0; seconds < 20 && woken > MOST; seconds++) {
        const before = switches(process.pid);
        await new Promise((resolve) => setTimeout(resolve, 1000));
        woken = switches(process.pid) - before;
      }
      assert(woken <= MOST, `woken ${woken} times within a second`);
      using writer = log.writer();
      await writer.send(new Uint8Array(1), CEILING);
      Deno.writeTextFileSync(`${log.path}.txt`, "a line\nanother\n");
      assertEquals(await process.line(), "done");
    }));
}

Deno.test("file log: 1,000 readers that wait leave file I/O working, and each gets the record", () =>
  withLog(async (log) => {
    const readers = Array.from({ length: 200 }, () => log.reader());
    try {
      const pending = readers.flatMap((reader) => Array.from({ length: 5 }, () => reader.receive(CEILING)));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = performance.now();
      await Deno.readTextFile(`${log.path}/settings`);
      assert(performance.now() - before < 2000);
      using writer = log.writer();
      await writer.sendBatch([1, 2, 3, 4, 5].map((byte) => new Uint8Array([byte])));
      const found = await Promise.all(pending);
      assertEquals(found.map((data) => data![0]), readers.flatMap(() => [1, 2, 3, 4, 5]));
    } finally {
      for (const reader of readers) reader.close();
    }
  }));
