import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IpcError, LimitError, select, TimeoutError } from "@ipc/core";
import { diagnostics } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { MessageQueue } from "./mod.ts";
import { mq_setattr } from "./sys.ts";
import { TestProcess } from "./testdata/process.ts";
import { CEILING, discard, MOD, ownName, waitsEnded, withQueue } from "./testdata/queues.ts";

leakCheck();

const NOTHING = new Uint8Array();
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const numbered = (number: number) => new Uint8Array(new Uint32Array([number]).buffer);
const numberOf = (message: Uint8Array) => new DataView(message.buffer, message.byteOffset).getUint32(0, true);

Deno.test("MessageQueue: 1,000 queues waited for at once leave files readable, and each wakes its own wait", async () => {
  const queues: MessageQueue[] = [];
  const names: string[] = [];
  try {
    while (queues.length < 1000) {
      const name = ownName();
      try {
        queues.push(MessageQueue.create(name, { maxMessages: 1, maxMessageSize: 4 }));
        names.push(name);
      } catch (error) {
        // A user without privileges may have 256; the waits are shared among those.
        discard(name);
        if (!(error instanceof LimitError) || queues.length < 10) throw error;
        break;
      }
    }
    const waits = Array.from({ length: 1000 }, (_, index) => queues[index % queues.length]!.receive(CEILING));
    await pause(20);
    assert(diagnostics().poolThreads <= 1);
    const file = await Deno.makeTempFile();
    assertEquals(await Deno.readTextFile(file), "");
    await Deno.remove(file);
    for (let number = 999; number >= 0; number--) {
      if (number < 500) await queues[number % queues.length]!.send(numbered(number % queues.length), CEILING);
    }
    const served = await Promise.all(waits.slice(0, Math.min(500, queues.length)));
    assertEquals(served.map((message) => numberOf(message!)), served.map((_, index) => index));
    for (const queue of queues) queue.close();
    for (const message of await Promise.all(waits)) {
      assert(message === undefined || message.byteLength === 4);
    }
  } finally {
    for (const queue of queues) queue.close();
    for (const name of names) discard(name);
    await waitsEnded();
  }
});

Deno.test("MessageQueue: 1,000 waits on one queue are served in their order, or aborted", () =>
  withQueue(async (queue) => {
    const controller = new AbortController();
    const waits = Array.from({ length: 1000 }, (_, index) => {
      const options = index % 2 === 0 ? CEILING : { signal: controller.signal };
      return queue.receive(options);
    });
    const outcomes = Promise.allSettled(waits);
    await pause(10);
    const reason = new Error("Enough");
    controller.abort(reason);
    for (let number = 0; number < 500; number++) await queue.send(numbered(number), CEILING);
    let next = 0;
    for (const [index, outcome] of (await outcomes).entries()) {
      if (index % 2 === 1) assert(outcome.status === "rejected" && outcome.reason === reason);
      else {
        assert(outcome.status === "fulfilled" && outcome.value !== undefined);
        assertEquals(numberOf(outcome.value), next++);
      }
    }
  }));

Deno.test("MessageQueue: waits end in time, for messages and for room", () =>
  withQueue(async (queue) => {
    const signal = AbortSignal.abort(new Error("Enough"));
    await assertRejects(() => queue.receive({ timeout: 5 }), TimeoutError, "within 5 ms");
    await assertRejects(() => queue.receiveMessage({ timeout: 0 }), TimeoutError);
    assertThrows(() => queue.receiveSync({ timeout: 5 }), TimeoutError);
    assertThrows(() => queue.receiveMessageSync({ timeout: 5 }), TimeoutError);
    await assertRejects(() => queue.receiveMessage({ signal }), Error, "Enough");
    while (queue.trySend(NOTHING));
    await assertRejects(() => queue.send(NOTHING, { timeout: 5, priority: 9 }), TimeoutError);
    assertThrows(() => queue.sendSync(NOTHING, { timeout: 5 }), TimeoutError);
    await assertRejects(() => queue.send(NOTHING, { signal }), Error, "Enough");
    const pending = queue.send(NOTHING);
    const rejected = assertRejects(() => pending, ClosedError);
    assertEquals(queue.attributes().messages, 8);
    queue.close();
    await rejected;
  }));

Deno.test("MessageQueue: blocking calls wait for another process, also where the descriptor does not block", () =>
  withQueue((there) =>
    withQueue(async (back) => {
      await using echo = new TestProcess(`
        import { MessageQueue } from ${MOD};
        const there = MessageQueue.open("${there.name}"), back = MessageQueue.open("${back.name}");
        console.log("ready");
        for (;;) {
          const { priority, data } = await there.receiveMessage();
          await new Promise((resolve) => setTimeout(resolve, 5));
          back.sendSync(data, { priority });
        }`);
      assertEquals(await echo.line(), "ready");
      for (const mq_flags of [0, 0o4000]) {
        mq_setattr(back.fd, { mq_flags });
        for (let number = 0; number < 3; number++) {
          there.sendSync(numbered(number), { priority: number });
          if (number === 2) assertEquals(back.receiveMessageSync(), { priority: 2, data: numbered(2) });
          else assertEquals(back.receiveSync(), numbered(number));
        }
        // More than both queues hold together.
        for (let number = 0; number < 12; number++) there.sendSync(numbered(number), CEILING);
        for (let number = 0; number < 12; number++) assertEquals(back.receiveSync(CEILING), numbered(number));
      }
    })
  ));

Deno.test("MessageQueue: a blocking receive beside a pending one is refused, a watcher is not in the way", () =>
  withQueue((one) =>
    withQueue(async (two) => {
      const pending = one.receive(CEILING);
      assertThrows(() => one.receiveSync(), IpcError, "an asynchronous receive is pending");
      assertThrows(() => one.tryReceiveMessage(), IpcError);
      one.sendSync(numbered(1));
      assertEquals(await pending, numbered(1));
      setTimeout(() => two.sendSync(numbered(2)), 5);
      const { from, message } = await select({ one, two }, CEILING);
      assertEquals([from, message], ["two", numbered(2)]);
      assertEquals(two.attributes().messages, 0);
    })
  ));

Deno.test("MessageQueue: sends against aborts: nothing is lost, twice, or out of order", () =>
  withQueue(async (queue) => {
    using other = MessageQueue.open(queue.name);
    const count = scaled(3000);
    const sending = (async () => {
      for (let number = 0; number < count; number++) {
        await other.send(numbered(number), CEILING);
        if (Math.random() < 0.3) await pause(Math.random());
      }
    })();
    for (let number = 0; number < count;) {
      const controller = new AbortController();
      const options = Math.random() < 0.5 ? { timeout: Math.random() } : { signal: controller.signal };
      const receiving = queue.receive(options).catch((error) => {
        if (!(error instanceof TimeoutError) && error !== controller.signal.reason) throw error;
      });
      for (let turns = Math.random() * 80; turns > 0; turns--) {
        await new Promise((done) => setImmediate(done));
      }
      controller.abort();
      const got = await receiving;
      if (got) assertEquals(numberOf(got), number++);
    }
    await sending;
    assertEquals(queue.tryReceive(), undefined);
  }));
