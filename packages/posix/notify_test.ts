import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, IpcError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { MessageQueue } from "./mod.ts";
import { TestProcess } from "./testdata/process.ts";
import { CEILING, MOD, withQueue } from "./testdata/queues.ts";

leakCheck();

const NOTHING = new Uint8Array();
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Whether a promise is still open after the kernel had time to say something. */
async function pends(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol();
  return await Promise.race([promise, pause(30).then(() => open)]) === open;
}

Deno.test("notify resolves when a message of another process comes into the empty queue", () =>
  withQueue(async (queue) => {
    for (let round = 0; round < 2; round++) {
      const notified = queue.notify(CEILING);
      assertEquals(queue.stat().notifiedPid, Deno.pid);
      await using _ = new TestProcess(`
        import { MessageQueue } from ${MOD};
        MessageQueue.open("${queue.name}").sendSync(new Uint8Array([${round}]));`);
      await notified;
      assertEquals(queue.stat().notifiedPid, undefined);
      assertEquals(queue.tryReceive(), new Uint8Array([round]));
    }
  }));

Deno.test("notify does not count what is there already", () =>
  withQueue(async (queue) => {
    queue.sendSync(NOTHING);
    const notified = queue.notify(CEILING);
    queue.sendSync(NOTHING);
    assert(await pends(notified));
    while (queue.tryReceive() !== undefined);
    queue.sendSync(NOTHING);
    await notified;
  }));

Deno.test("notify leaves messages to receivers, who come first", () =>
  withQueue(async (queue) => {
    await using receiver = new TestProcess(`
      import { MessageQueue } from ${MOD};
      const queue = MessageQueue.open("${queue.name}");
      console.log("ready");
      queue.receiveSync();
      console.log("received");`);
    assertEquals(await receiver.line(), "ready");
    await receiver.blocked();
    const notified = queue.notify(CEILING);
    queue.sendSync(NOTHING);
    assertEquals(await receiver.line(), "received");
    assert(await pends(notified));
    // One that waits in the event loop is no blocking receive, and both learn of the message.
    const received = queue.receive(CEILING);
    queue.sendSync(NOTHING);
    await Promise.all([received, notified]);
  }));

Deno.test("notify: one call of one process at a time, and EBUSY says who has it", () =>
  withQueue(async (queue) => {
    const notified = queue.notify(CEILING);
    const says =
      `Cannot be notified of message queue "${queue.name}": process ${Deno.pid} is registered already`;
    const error = await assertRejects(() => queue.notify(), IpcError, says);
    assertEquals([error.code, error.syscall], ["EBUSY", "mq_notify"]);
    // The one that was refused has taken nothing from the one that was not.
    queue.sendSync(NOTHING);
    await notified;
    queue.receiveSync();

    await using other = new TestProcess(`
      import { MessageQueue } from ${MOD};
      const notified = MessageQueue.open("${queue.name}").notify();
      console.log("registered");
      await notified;`);
    assertEquals(await other.line(), "registered");
    await assertRejects(() => queue.notify(), IpcError, `process ${other.pid} is registered already`);
    await other.kill();
    // The kernel forgets the dead.
    const mine = queue.notify(CEILING);
    queue.sendSync(NOTHING);
    await mine;
  }));

Deno.test("notify ends by abort, timeout and close, and unregisters each time", () =>
  withQueue(async (queue) => {
    const controller = new AbortController();
    const reason = new Error("Enough");
    const aborted = assertRejects(() => queue.notify({ signal: controller.signal }), Error, "Enough");
    await pause(5);
    assertEquals(queue.stat().notifiedPid, Deno.pid);
    controller.abort(reason);
    await aborted;
    assertEquals(queue.stat().notifiedPid, undefined);
    await assertRejects(() => queue.notify({ signal: controller.signal }), Error, "Enough");
    await assertRejects(
      () => queue.notify({ timeout: 5 }),
      TimeoutError,
      "Cannot be notified of message queue",
    );
    await assertRejects(() => queue.notify({ timeout: -1 }), RangeError);
    assertEquals(queue.stat().notifiedPid, undefined);
    using other = MessageQueue.open(queue.name);
    const closed = assertRejects(() => queue.notify(), ClosedError);
    assertEquals(other.stat().notifiedPid, Deno.pid);
    queue.close();
    await closed;
    assertEquals(other.stat().notifiedPid, undefined);
  }));

Deno.test("notify: closing another handle is no message, whatever is in the queue", () =>
  withQueue(async (queue) => {
    queue.sendSync(NOTHING);
    const notified = queue.notify(CEILING);
    for (let round = 0; round < 3; round++) {
      MessageQueue.open(queue.name).close();
      assert(await pends(notified));
    }
    queue.receiveSync();
    queue.sendSync(NOTHING);
    await notified;
  }));

Deno.test("notify survives that this process closes another descriptor of the queue", () =>
  withQueue(async (queue) => {
    const notified = queue.notify(CEILING);
    for (let round = 0; round < 3; round++) {
      MessageQueue.open(queue.name).close();
      assert(await pends(notified));
      assertEquals(queue.stat().notifiedPid, Deno.pid);
    }
    const other = MessageQueue.open(queue.name);
    other.close();
    // Before it can be made again.
    queue.sendSync(NOTHING);
    await notified;
  }));
