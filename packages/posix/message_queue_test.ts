import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ClosedError,
  MessageTooLongError,
  NotFoundError,
  PermissionError,
  UntrustedError,
} from "@ipc/core";
import { bind, stat } from "@ipc/core/sys";
import { leakCheck, trackLeaks } from "@ipc/core/testing";
import { MessageQueue } from "./mod.ts";
import { mq_setattr } from "./sys.ts";
import { asUser, canBeAnother, NOBODY } from "./testdata/process.ts";
import { CEILING, withName, withQueue } from "./testdata/queues.ts";

leakCheck();

const SMALL = { maxMessages: 4, maxMessageSize: 64 };
const NOTHING = new Uint8Array();
const bytes = (text: string) => new TextEncoder().encode(text);
const libc = bind({ umask: { parameters: ["u32"], result: "u32" } });

Deno.test("MessageQueue: create makes a queue of its size and exact mode, and open finds it", () =>
  withName((name) => {
    for (const [mask, mode] of [[0o077, 0o666], [0, 0o640], [0o777, 0o600], [0o022, undefined]] as const) {
      const before = libc.umask(mask);
      try {
        using queue = MessageQueue.create(name, { ...SMALL, mode, unlinkOnClose: true });
        assertEquals(queue.stat(), {
          name,
          messages: 0,
          ...SMALL,
          uid: Deno.uid()!,
          gid: Deno.gid()!,
          mode: mode ?? 0o600,
          bytes: 0,
          notifiedPid: undefined,
        });
        if (mode === 0o666) continue;
        using same = MessageQueue.open(name);
        assertEquals([same.name, same.maxMessageSize], [name, 64]);
        assertEquals(same.attributes(), { messages: 0, ...SMALL });
        assertEquals(stat(same.fd).ino, stat(queue.fd).ino);
      } finally {
        libc.umask(before);
      }
    }
  }));

Deno.test("MessageQueue: one of the two sizes is enough, the other is the system's", () =>
  withName((name) => {
    const setting = (each: string) => Number(Deno.readTextFileSync(`/proc/sys/fs/mqueue/${each}`));
    using few = MessageQueue.create(name, { maxMessages: 2, unlinkOnClose: true });
    assertEquals(few.maxMessageSize, setting("msgsize_default"));
    few.close();
    using short = MessageQueue.create(name, { maxMessageSize: 10, unlinkOnClose: true });
    assertEquals(short.attributes().maxMessages, setting("msg_default"));
  }));

Deno.test("MessageQueue: what cannot be made or opened says why", () =>
  withName((name) => {
    const missing = assertThrows(() => MessageQueue.open(name), NotFoundError);
    assertEquals(missing.message, `Cannot open message queue "${name}": no such message queue`);
    assertEquals([missing.code, missing.syscall, missing.target], ["ENOENT", "mq_open", name]);
    assertThrows(() => MessageQueue.unlink(name), NotFoundError, `Cannot unlink message queue "${name}"`);
    using _ = MessageQueue.create(name, SMALL);
    assertThrows(() => MessageQueue.create(name, SMALL), AlreadyExistsError, "exists already");
    for (const value of [0, -1, 1.5, NaN, 2 ** 53]) {
      assertThrows(
        () => MessageQueue.create(name, { maxMessages: value }),
        RangeError,
        `maxMessages ${value}`,
      );
      assertThrows(() => MessageQueue.openOrCreate(name, { maxMessageSize: value }), RangeError);
    }
    for (const mode of [-1, 0o1000, 0.5]) {
      assertThrows(() => MessageQueue.openOrCreate(name, { mode }), RangeError, `the mode ${mode}`);
    }
    assertThrows(() => MessageQueue.open(name, { access: "both" as "read" }), TypeError, 'for "both"');
  }));

Deno.test("MessageQueue: openOrCreate gives everybody the same queue, as its creator made it", () =>
  withName((name) => {
    using first = MessageQueue.openOrCreate(name, SMALL);
    using second = MessageQueue.openOrCreate(name, { maxMessages: 7, mode: 0o666, unlinkOnClose: true });
    second.sendSync(NOTHING);
    assertEquals([first.attributes(), first.stat().mode], [{ messages: 1, ...SMALL }, 0o600]);
    second.close();
    // Only who created it has it unlinked.
    MessageQueue.open(name).close();
  }));

Deno.test({
  name: "MessageQueue: somebody else's is not trusted unless allowed, nor used without permission",
  ignore: !canBeAnother,
  fn: () =>
    withName((name) => {
      asUser(NOBODY, () => MessageQueue.create(name, { ...SMALL, mode: 0o644 }).close());
      const error = assertThrows(() => MessageQueue.open(name), UntrustedError);
      assertEquals(
        error.message,
        `Cannot open message queue "${name}": it belongs to uid ${NOBODY}, and has mode 0644`,
      );
      assertThrows(() => MessageQueue.openOrCreate(name, SMALL), UntrustedError);
      assertThrows(() => MessageQueue.open(name, { allowOwner: 12 }), UntrustedError);
      for (const allowOwner of [NOBODY, [7, NOBODY], "any"] as const) {
        MessageQueue.open(name, { allowOwner }).close();
        MessageQueue.openOrCreate(name, { allowOwner }).close();
      }
      asUser(12, () => {
        assertThrows(() => MessageQueue.open(name, { allowOwner: "any" }), PermissionError);
        MessageQueue.open(name, { access: "read", allowOwner: "any" }).close();
        assertThrows(() => MessageQueue.unlink(name), PermissionError);
      });
    }),
});

Deno.test("MessageQueue: what it was not opened for is a PermissionError", () =>
  withQueue(async (queue) => {
    using reader = MessageQueue.open(queue.name, { access: "read" });
    using writer = MessageQueue.open(queue.name, { access: "write" });
    const reading = `Cannot send to message queue "${queue.name}": it is open for reading only`;
    assertThrows(() => reader.sendSync(NOTHING), PermissionError, reading);
    assertThrows(() => reader.trySend(NOTHING), PermissionError, reading);
    await assertRejects(() => reader.send(NOTHING), PermissionError, reading);
    const writing = `Cannot receive from message queue "${queue.name}": it is open for writing only`;
    writer.sendSync(NOTHING);
    assertThrows(() => writer.receiveSync(), PermissionError, writing);
    assertThrows(() => writer.tryReceiveMessage(), PermissionError, writing);
    await assertRejects(() => writer.receive(), PermissionError, writing);
    assertEquals([writer.attributes().messages, writer.stat().bytes], [1, undefined]);
    assertEquals(await reader.receive(), NOTHING);
  }));

Deno.test("MessageQueue: messages carry all bytes, and none", () =>
  withQueue(async (queue) => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const message of [all, NOTHING, all.subarray(3, 8), crypto.getRandomValues(new Uint8Array(1024))]) {
      queue.sendSync(message);
      assertEquals(queue.receiveSync(), message);
      await queue.send(message);
      assertEquals(await queue.receive(), message);
    }
  }));

Deno.test("MessageQueue: a received message is its receiver's alone, whatever is done to it", () =>
  withQueue((queue) => {
    const lengths = [0, 1, 3, 64, 0, 1024, 5];
    const messages = lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
    for (const message of messages) {
      queue.sendSync(message);
      const got = queue.receiveSync()!;
      assertEquals([...got], [...message]);
      got.fill(99);
      got.buffer.transfer();
    }
    // Aligned, so that it can be viewed as numbers.
    queue.sendSync(new Uint8Array(new Float64Array([0.5]).buffer));
    const { buffer, byteOffset } = queue.receiveSync()!;
    assertEquals(new Float64Array(buffer, byteOffset, 1)[0], 0.5);
  }));

Deno.test("MessageQueue: the highest priority comes first, in every way of sending and receiving", () =>
  withQueue(async (queue) => {
    await queue.send(bytes("none"));
    await queue.send(bytes("highest"), { priority: 32_767 });
    queue.sendSync(bytes("two"), { priority: 2 });
    assert(queue.trySend(bytes("two again"), { priority: 2 }));
    queue.sendSync(bytes("three"), { priority: 3, ...CEILING });
    const take = [
      () => queue.receiveMessage(CEILING),
      () => queue.receiveMessageSync(),
      () => queue.tryReceiveMessage(),
      () => queue.receiveMessageSync(CEILING),
      async () => ({ priority: -1, data: (await queue.receive())! }),
    ];
    const got: [number, string][] = [];
    for (const each of take) {
      const { priority, data } = (await each())!;
      got.push([priority, new TextDecoder().decode(data)]);
    }
    assertEquals(got, [[32_767, "highest"], [3, "three"], [2, "two"], [2, "two again"], [-1, "none"]]);
    assertEquals(queue.tryReceiveMessage(), undefined);
  }));

Deno.test("MessageQueue: a priority that no message can have is a RangeError, and sends nothing", () =>
  withQueue(async (queue) => {
    for (const priority of [-1, 32_768, 1.5, NaN, 2 ** 32]) {
      const says = `Cannot send a message of priority ${priority}`;
      assertThrows(() => queue.sendSync(NOTHING, { priority }), RangeError, says);
      assertThrows(() => queue.trySend(NOTHING, { priority }), RangeError, says);
      await assertRejects(() => queue.send(NOTHING, { priority }), RangeError, says);
    }
    assertEquals(queue.attributes().messages, 0);
  }));

Deno.test("MessageQueue: a message that is too long sends nothing", () =>
  withQueue(async (queue) => {
    const message = new Uint8Array(1025);
    const says = "the message has 1025 bytes, the limit is 1024";
    assertThrows(() => queue.sendSync(message), MessageTooLongError, says);
    assertThrows(() => queue.trySend(message), MessageTooLongError, says);
    await assertRejects(() => queue.send(message), MessageTooLongError, says);
    const error = await assertRejects(() => queue.sendBatch([NOTHING, message]), MessageTooLongError, says);
    assertEquals([error.sent, queue.attributes().messages], [1, 1]);
  }));

Deno.test("MessageQueue: an unlinked queue goes on, and its name is free", () =>
  withQueue((queue) => {
    queue.sendSync(bytes("old"));
    queue.unlink();
    assertThrows(() => MessageQueue.open(queue.name), NotFoundError);
    using other = MessageQueue.create(queue.name, SMALL);
    // It is another's name now, and stays.
    assertThrows(() => queue.unlink(), NotFoundError, "it was unlinked already");
    MessageQueue.open(other.name).close();
    assertEquals([queue.receiveSync(), other.tryReceive()], [bytes("old"), undefined]);
    other.unlink();
  }));

Deno.test("MessageQueue: closing leaves the name, unless its creator asked otherwise", () =>
  withName((name) => {
    MessageQueue.create(name, SMALL).close();
    const opened = MessageQueue.openOrCreate(name, { unlinkOnClose: true });
    opened.close();
    opened.close();
    MessageQueue.unlink(name);
    const created = MessageQueue.create(name, { ...SMALL, unlinkOnClose: true });
    created.unlink();
    using other = MessageQueue.create(name, SMALL);
    created.close();
    other.unlink();
    MessageQueue.openOrCreate(name, { ...SMALL, unlinkOnClose: true }).close();
    assertThrows(() => MessageQueue.open(name), NotFoundError);
  }));

Deno.test("MessageQueue: a closed handle says so, whatever is asked of it", () =>
  withQueue(async (queue) => {
    const waiting = queue.receiveMessage();
    queue.close();
    assertEquals(await waiting, undefined);
    const calls: (() => unknown)[] = [
      () => queue.sendSync(NOTHING),
      () => queue.trySend(NOTHING, { priority: 1 }),
      () => queue.send(NOTHING),
      () => queue.sendBatch([]),
      () => queue.end(),
      () => queue.receive(),
      () => queue.receiveBatch(),
      () => queue.receiveMessage(),
      () => queue.tryReceive(),
      () => queue.tryReceiveMessage(),
      () => queue.receiveSync(),
      () => queue.receiveMessageSync(),
      () => queue.notify(),
      () => queue.attributes(),
      () => queue.stat(),
      () => queue.unlink(),
      () => queue.fd,
    ];
    for (const call of calls) await assertRejects(async () => void await call(), ClosedError);
    assert(queue.closed && queue.ended);
  }));

Deno.test("MessageQueue: who shares its descriptor may make it non-blocking", () =>
  withQueue((queue) => {
    mq_setattr(queue.fd, { mq_flags: 0o4000 });
    const late = setTimeout(() => {}, 0);
    const worker = MessageQueue.open(queue.name);
    try {
      worker.sendSync(bytes("x"));
      assertEquals(queue.receiveSync(), bytes("x"));
      assertEquals(queue.tryReceive(), undefined);
      while (queue.trySend(NOTHING));
      assertEquals(worker.attributes().messages, 8);
    } finally {
      worker.close();
      clearTimeout(late);
    }
  }));

Deno.test("MessageQueue: bad options leave nothing open, and nothing behind", async () => {
  await using _leaks = await trackLeaks();
  await withName((name) => {
    for (const maxQueuedBytes of [-1, NaN, "x" as unknown as number]) {
      assertThrows(
        () => MessageQueue.create(name, { ...SMALL, maxQueuedBytes }),
        RangeError,
        "maxQueuedBytes",
      );
      assertThrows(() => MessageQueue.open(name), NotFoundError);
    }
    using queue = MessageQueue.create(name, { ...SMALL, maxQueuedBytes: 0 });
    assertThrows(() => MessageQueue.open(name, { maxQueuedBytes: -1 }), RangeError);
    const allowOwner = "0" as unknown as number;
    assertThrows(() => MessageQueue.open(name, { allowOwner }), TypeError, "allowOwner is a user's number");
    queue.sendSync(NOTHING);
    assertEquals(queue.receiveSync(), NOTHING);
  });
});

Deno.test("MessageQueue: what was received stays what it is, whatever lengths follow and whoever transfers it", () =>
  withQueue((queue) => {
    const lengths = [Array(70).fill(8), [5, 8, 8, 0, 0, 0, 8, 64, 63], Array(41).fill(64), [1, 2, 1, 2, 0]]
      .flat();
    const received: { data: Uint8Array<ArrayBuffer>; fill: number }[] = [];
    for (let round = 0; round < 12; round++) {
      for (const length of lengths) {
        const fill = (received.length % 255) + 1;
        queue.sendSync(new Uint8Array(length).fill(fill));
        const data = queue.receiveSync()!;
        assertEquals(data, new Uint8Array(length).fill(fill));
        assertEquals(data.byteOffset % 8, 0);
        received.push({ data, fill });
      }
      // Those that share its memory are emptied, and nothing else.
      if (round === 2 || round === 5) received.at(-60)!.data.buffer.transfer();
    }
    const kept = received.filter(({ data }) => !data.buffer.detached);
    for (const { data, fill } of kept) assert(data.every((byte) => byte === fill));
    assert(kept.length >= 6 * lengths.length && kept.length < received.length);
  }, SMALL));
