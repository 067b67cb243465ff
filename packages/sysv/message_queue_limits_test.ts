import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MessageTooLongError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { answer, inNamespaces } from "./testdata/process.ts";
import { MOD } from "./testdata/semaphore_sets.ts";
import { withQueue } from "./testdata/queue_pair.ts";

await warmUpWaiting();
leakCheck();

const CEILING = { timeout: 20_000 };

Deno.test("MessageQueue: a message longer than the whole queue is an error, not a wait", () =>
  withQueue(async (queue) => {
    const message = new Uint8Array(101);
    const says = "the message has 101 bytes, the queue holds 100";
    await assertRejects(() => queue.send(message), MessageTooLongError, says);
    await assertRejects(() => queue.send(message, { timeout: 10 }), MessageTooLongError, says);
    await assertRejects(() => queue.sendBatch([message]), MessageTooLongError, says);
    assertThrows(() => queue.trySend(message), MessageTooLongError, says);
    assertThrows(() => queue.sendSync(message), MessageTooLongError, says);
    assertThrows(() => queue.sendSync(message, { timeout: 10 }), MessageTooLongError, says);
    assertEquals(queue.stat().messages, 0);
    // The limit is asked for each time: others may change it.
    queue.set({ maxBytes: 101 });
    queue.sendSync(message);
    queue.set({ maxBytes: 50 });
    assertThrows(() => queue.sendSync(message), MessageTooLongError, "the queue holds 50");
    assertEquals(queue.receiveSync(), message);
  }, { maxBytes: 100 }));

Deno.test("MessageQueue: a queue is full by bytes, and by messages without any", () =>
  withQueue((queue) => {
    assertEquals([3, 2, 1].map((length) => queue.trySend(new Uint8Array(length))), [true, false, true]);
    while (queue.tryReceive() !== undefined);
    assertEquals([1, 2, 3, 4, 5].map(() => queue.trySend(new Uint8Array(0))), [
      true,
      true,
      true,
      true,
      false,
    ]);
    assertThrows(() => queue.sendSync(new Uint8Array(0), { timeout: 5 }), TimeoutError);
  }, { maxBytes: 4 }));

Deno.test("MessageQueue: a message longer than maxSize stays, or is cut", () =>
  withQueue(async (queue) => {
    const message = Uint8Array.of(1, 2, 3, 4);
    queue.sendSync(message);
    for (const maxSize of [0, 3]) {
      const error = assertThrows(() => queue.tryReceiveMessage({ maxSize }), MessageTooLongError);
      assertEquals([error.code, error.syscall, error.target], ["E2BIG", "msgrcv", `id ${queue.id}`]);
      assertThrows(
        () => queue.receiveMessageSync({ maxSize }),
        MessageTooLongError,
        `more than ${maxSize} bytes`,
      );
      assertThrows(() => queue.receiveMessageSync({ maxSize, ...CEILING }), MessageTooLongError);
      await assertRejects(() => queue.receiveMessage({ maxSize }), MessageTooLongError);
    }
    assertEquals(queue.tryReceiveMessage({ maxSize: 4 })?.data, message);
    for (const [maxSize, length] of [[0, 0], [3, 3], [4, 4], [1e9, 4]] as const) {
      queue.sendSync(message);
      assertEquals(queue.tryReceiveMessage({ maxSize, noError: true })?.data, message.slice(0, length));
    }
    assertEquals(queue.stat().messages, 0);
    for (const maxSize of [-1, 0.5, NaN]) {
      assertThrows(() => queue.tryReceiveMessage({ maxSize }), RangeError);
      await assertRejects(() => queue.receiveMessage({ maxSize }), RangeError, "an integer from 0");
    }
  }));

Deno.test("MessageQueue: a message that is too long for one who waits is left to the next", () =>
  withQueue(async (queue) => {
    const refusing = queue.receiveMessage({ maxSize: 2, ...CEILING });
    const taking = queue.receiveMessage({ ...CEILING });
    await queue.send(Uint8Array.of(1, 2, 3));
    await assertRejects(() => refusing, MessageTooLongError);
    assertEquals((await taking)?.data, Uint8Array.of(1, 2, 3));
  }));

/** Runs in a namespace of its own, where limits of the kernel may be changed. */
const program = `
import { MessageQueue, IPC_PRIVATE } from ${MOD};
const limit = (name, value) => Deno.writeTextFileSync("/proc/sys/kernel/" + name, String(value));
const message = (length) => Uint8Array.from({ length }, (_, index) => index * 7);
const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);
const failure = (call) => { try { call(); } catch (error) { return error.name + ": " + error.message.replace(/id \\d+/, "id"); } };
limit("msgmax", 8192);
limit("msgmnb", 1_000_000);
using queue = MessageQueue.create(IPC_PRIVATE);
const told = [queue.maxMessageSize, failure(() => queue.sendSync(message(8193)))];
limit("msgmax", 300_000);
// Without having been asked for the limit again.
queue.sendSync(message(70_000));
await queue.send(message(300_000), { type: 2 });
told.push(queue.maxMessageSize, failure(() => queue.sendSync(message(300_001))));
limit("msgmax", 1000);
told.push(failure(() => queue.sendSync(message(2000))), queue.maxMessageSize);
queue.sendSync(message(1000));
// What was sent before is received all the same.
const cut = queue.tryReceiveMessage({ type: 2, maxSize: 20_000, noError: true });
told.push(cut.data.length, same(cut.data, message(20_000)));
told.push(same(queue.receiveSync(), message(70_000)), same(await queue.receive(), message(1000)));
queue.remove();
console.log(JSON.stringify(told));
`;

Deno.test({
  name: "MessageQueue: MSGMAX is read at run time, and a message that came under a higher one is whole",
  ignore: inNamespaces === undefined,
  fn: async () => {
    const tooLong = (bytes: number, limit: number) =>
      `MessageTooLongError: Cannot send: the message has ${bytes} bytes, the limit is ${limit}`;
    assertEquals(await answer(program, { before: inNamespaces }), [
      8192,
      tooLong(8193, 8192),
      300_000,
      tooLong(300_001, 300_000),
      "MessageTooLongError: Cannot send to message queue id: the message has 2000 bytes, the system's limit is 1000",
      1000,
      20_000,
      true,
      true,
      true,
    ]);
  },
});
