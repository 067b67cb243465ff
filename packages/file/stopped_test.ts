/** A member of a consumer, or a writer, that has a lock and does not run: nobody hangs with it. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { TestProcess } from "../core/testdata/process.ts";
import type { FileLog } from "./mod.ts";
import { append, CEILING, count, MOD, numberOf, withLog } from "./testdata/logs.ts";

leakCheck();

/** A process that has the lock of a file of the log, and is stopped. */
async function stopped(log: FileLog, file: string): Promise<TestProcess> {
  const process = new TestProcess(`
    import { FileLock } from ${MOD};
    const lock = FileLock.open(${JSON.stringify(`${log.path}/${file}`)}, { offset: 0, length: 1 });
    lock.lockSync();
    console.log("locked");
    setInterval(() => {}, 1000);`);
  assertEquals(await process.line(), "locked");
  Deno.kill(process.pid, "SIGSTOP");
  return process;
}

Deno.test("consumer: while a member that has the place is stopped, others can be timed out and aborted, and go on after", () =>
  withLog(async (log) => {
    append(log, 1, 5);
    using consumer = log.consumer("group");
    const given = consumer.tryReceiveRecord()!;
    await using other = await stopped(log, "consumers/group");
    assertEquals(consumer.tryReceive(), undefined);
    assertThrows(() => consumer.receiveSync({ timeout: 20 }), TimeoutError);
    await assertRejects(() => consumer.receive({ timeout: 20 }), TimeoutError);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const controller = new AbortController();
    const aborted = assertRejects(
      () => consumer.receiveRecord({ signal: controller.signal }),
      Error,
      "enough",
    );
    while (turns < 10) await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort(new Error("enough"));
    await aborted;
    clearInterval(timer);
    assertThrows(() => given.acknowledge(), TimeoutError, "another member has had it");
    // Who comes needs the lock for a first place only.
    using member = log.consumer("group");
    assertEquals(log.stat().consumers.map(({ position, out }) => [position, out]), [[1, 1]]);
    const waiting = [consumer.receive(CEILING), member.receive(CEILING)];
    await other.kill();
    const numbers = (await Promise.all(waiting)).map((data) => numberOf(data!));
    assertEquals(numbers.sort(), [2, 3]);
    assert(given.acknowledge());
    assertEquals(await consumer.receiveBatch(CEILING).then((batch) => batch.map(numberOf)), count(4, 5));
  }));

Deno.test("file log: a repair beside a writer that is stopped can be timed out", () =>
  withLog(async (log) => {
    append(log, 1, 1);
    await using _other = await stopped(log, "lock");
    assertThrows(() => log.repair({ timeout: 20 }), TimeoutError);
    assertEquals(log.verify().records, 1);
  }));
