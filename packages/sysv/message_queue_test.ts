import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ClosedError,
  IPC_PRIVATE,
  NotFoundError,
  PermissionError,
  RemovedError,
  UntrustedError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { MessageQueue, type MessageSelector } from "./mod.ts";
import { freeKey, withKey } from "./testdata/objects.ts";
import { asUser, canBeAnother, NOBODY } from "./testdata/process.ts";
import { discard, makeQueue, withQueue } from "./testdata/queue_pair.ts";

await warmUpWaiting();
leakCheck();

const bytes = (...values: number[]) => new Uint8Array(values);

Deno.test("MessageQueue: create makes a queue with its mode and limit, and open finds it by key and by id", () =>
  withKey((key) => {
    using queue = MessageQueue.create(key, { mode: 0o640, maxBytes: 5000 });
    const { id, key: shown, mode, maxBytes, messages, bytes: filled, lastSendPid, lastReceiveTime } = queue
      .stat();
    assertEquals([id, shown, mode, maxBytes], [queue.id, key, 0o640, 5000]);
    assertEquals([messages, filled, lastSendPid, lastReceiveTime], [0, 0, 0, undefined]);
    for (const same of [MessageQueue.open(key), MessageQueue.open({ id }), MessageQueue.openOrCreate(key)]) {
      assertEquals([same.id, same.key], [id, key]);
      same.close();
    }
    assertThrows(() => MessageQueue.create(key), AlreadyExistsError, "exists already");
  }));

Deno.test("MessageQueue: one without a key is another each time, and has the key 0", () => {
  const [one, other] = [makeQueue(), makeQueue()];
  try {
    assert(one.id !== other.id);
    assertEquals([one.key, one.stat().key], [IPC_PRIVATE, IPC_PRIVATE]);
    using same = MessageQueue.open({ id: one.id });
    assertEquals(same.key, IPC_PRIVATE);
  } finally {
    for (const queue of [one, other]) {
      queue.close();
      discard(queue.id);
    }
  }
});

Deno.test("MessageQueue: what cannot be opened says why", () => {
  const key = freeKey();
  assertThrows(() => MessageQueue.open(key), NotFoundError, "no such message queue");
  assertThrows(() => MessageQueue.open({ id: -1 }), TypeError);
  assertThrows(() => MessageQueue.create(key, { mode: 0o1000 }), RangeError);
  for (const maxBytes of [-1, 0.5, NaN, 2 ** 60]) {
    assertThrows(() => MessageQueue.create(key, { maxBytes }), RangeError, "it is an integer from 0");
    assertThrows(() => MessageQueue.openOrCreate(key, { maxBytes }), RangeError);
  }
  assertThrows(() => MessageQueue.open(key), NotFoundError);
});

Deno.test({
  name: "MessageQueue: a limit that this user may not have leaves no queue behind",
  ignore: !canBeAnother,
  fn: () => {
    const key = freeKey();
    const error = asUser(NOBODY, () => assertThrows(() => MessageQueue.create(key, { maxBytes: 2 ** 31 })));
    assertInstanceOf(error, PermissionError);
    assertThrows(() => MessageQueue.open(key), NotFoundError);
  },
});

Deno.test({
  name: "MessageQueue: somebody else's is not trusted unless allowed, nor used without permission",
  ignore: !canBeAnother,
  fn: () =>
    withKey((key) => {
      using _ = MessageQueue.create(key, { mode: 0o600 });
      asUser(NOBODY, () => {
        assertThrows(() => MessageQueue.open(key), UntrustedError, "belongs to uid 0");
        using queue = MessageQueue.open(key, { allowOwner: 0 });
        const denied = assertThrows(() => queue.trySend(bytes(1)), PermissionError);
        assertEquals([denied.code, denied.syscall], ["EACCES", "msgsnd"]);
        assertThrows(() => queue.tryReceive(), PermissionError, "Cannot receive from message queue");
        assertThrows(() => queue.set({ mode: 0o666 }), PermissionError);
        assertThrows(() => queue.remove(), PermissionError);
        assertEquals(queue.stat().uid, 0);
      });
    }),
});

Deno.test("MessageQueue: messages carry all bytes, and none", () =>
  withQueue(async (queue) => {
    const all = Uint8Array.from({ length: 256 }, (_, value) => value);
    queue.sendSync(all);
    queue.sendSync(bytes());
    await queue.send(all.subarray(250));
    assertEquals(queue.receiveSync(), all);
    assertEquals(await queue.receive(), bytes());
    assertEquals(queue.tryReceive(), all.subarray(250).slice());
    assertEquals(queue.tryReceive(), undefined);
    assertEquals(queue.ended, false);
  }));

Deno.test("MessageQueue: each message has a type, 1 unless told, in every way of sending", () =>
  withQueue(async (queue) => {
    const big = 0x1234_5678_9abc;
    await queue.send(bytes(1));
    await queue.send(bytes(2), { type: 2, timeout: 1000 });
    assertEquals(queue.trySend(bytes(3), { type: 2 ** 31 }), true);
    queue.sendSync(bytes(4), { type: Number.MAX_SAFE_INTEGER });
    queue.sendSync(bytes(5), { type: big, timeout: 1000 });
    await queue.sendBatch([bytes(6)]);
    // Those of one turn leave together, each with its own type.
    await Promise.all([
      queue.send(bytes(7), { type: 7 }),
      queue.send(bytes(8)),
      queue.send(bytes(9), { type: 9 }),
    ]);
    const types = [];
    for (let message; (message = queue.tryReceiveMessage()) !== undefined;) types.push(message.type);
    assertEquals(types, [1, 2, 2 ** 31, Number.MAX_SAFE_INTEGER, big, 1, 7, 1, 9]);
  }));

Deno.test("MessageQueue: a type that no message can have is a RangeError, and sends nothing", () =>
  withQueue(async (queue) => {
    for (const type of [0, -1, 1.5, NaN, 2 ** 53]) {
      await assertRejects(() => queue.send(bytes(1), { type }), RangeError, "an integer from 1");
      assertThrows(() => queue.trySend(bytes(1), { type }), RangeError);
      assertThrows(() => queue.sendSync(bytes(1), { type }), RangeError);
      for (const selector of [{ type }, { atMost: type }, { except: type }] as MessageSelector[]) {
        await assertRejects(() => queue.receiveMessage(selector), RangeError, "an integer from 1");
        assertThrows(() => queue.tryReceiveMessage(selector), RangeError);
        assertThrows(() => queue.receiveMessageSync(selector), RangeError);
      }
      assertThrows(() => queue.duplex({ send: 1, receive: type }), RangeError);
      assertThrows(() => queue.duplex({ send: type, receive: 1 }), RangeError);
    }
    const both = { type: 1, except: 1 } as unknown as MessageSelector;
    assertThrows(() => queue.tryReceiveMessage(both), TypeError, "one at most");
    assertEquals(queue.stat().messages, 0);
  }));

/** Types in the order in which receives with this selector give them. */
function taken(queue: MessageQueue, selector: MessageSelector): number[] {
  const types = [];
  for (let message; (message = queue.tryReceiveMessage(selector)) !== undefined;) types.push(message.type);
  return types;
}

Deno.test("MessageQueue: selectors take one type, the lowest first, or all but one", () =>
  withQueue((queue) => {
    const fill = () => {
      for (const type of [5, 2, 9, 2, 1, 7]) queue.sendSync(bytes(type), { type });
    };
    for (
      const [selector, wanted, rest] of [
        [{}, [5, 2, 9, 2, 1, 7], []],
        [{ type: 2 }, [2, 2], [5, 9, 1, 7]],
        [{ type: 3 }, [], [5, 2, 9, 2, 1, 7]],
        [{ atMost: 5 }, [1, 2, 2, 5], [9, 7]],
        [{ atMost: Number.MAX_SAFE_INTEGER }, [1, 2, 2, 5, 7, 9], []],
        [{ except: 2 }, [5, 9, 1, 7], [2, 2]],
      ] as [MessageSelector, number[], number[]][]
    ) {
      fill();
      assertEquals(taken(queue, selector), wanted);
      assertEquals(taken(queue, {}), rest);
    }
  }));

Deno.test("MessageQueue: the three ways to receive with a type give type and bytes", () =>
  withQueue(async (queue) => {
    const message = { type: 4, data: bytes(1, 2, 3) };
    const options = { type: 4 };
    const ways = [
      () => queue.receiveMessage(options),
      () => queue.receiveMessage({ ...options, timeout: 1000 }),
      () => queue.tryReceiveMessage(options),
      () => queue.receiveMessageSync(options),
      () => queue.receiveMessageSync({ ...options, timeout: 1000 }),
    ];
    for (const receive of ways) {
      queue.sendSync(bytes(9), { type: 5 });
      queue.sendSync(message.data, options);
      assertEquals(await receive(), message);
      assertEquals(queue.receiveSync(), bytes(9));
    }
  }));

Deno.test("MessageQueue: peek leaves messages where they are", () =>
  withQueue((queue) => {
    assertEquals(queue.peek(), undefined);
    for (const type of [3, 1, 2]) queue.sendSync(bytes(type, type), { type });
    assertEquals([0, 1, 2, 3].map((index) => queue.peek(index)?.type), [3, 1, 2, undefined]);
    assertEquals(queue.peek(1)?.data, bytes(1, 1));
    for (const index of [-1, 0.5, NaN]) assertThrows(() => queue.peek(index), RangeError, "the first is 0");
    assertEquals(taken(queue, {}), [3, 1, 2]);
  }));

Deno.test("MessageQueue: stat tells what is in it and who used it last", () =>
  withQueue((queue) => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    queue.sendSync(bytes(1, 2, 3));
    queue.sendSync(bytes());
    const full = queue.stat();
    assertEquals([full.messages, full.bytes, full.lastSendPid, full.lastReceivePid], [2, 3, Deno.pid, 0]);
    assert(full.lastSendTime!.getTime() >= before - 1000);
    queue.receiveSync();
    const { messages, bytes: left, lastReceivePid, lastReceiveTime } = queue.stat();
    assertEquals([messages, left, lastReceivePid], [1, 0, Deno.pid]);
    assert(lastReceiveTime!.getTime() >= before - 1000);
  }));

Deno.test("MessageQueue: set changes what it is told and nothing else", () =>
  withQueue((queue) => {
    const { uid, gid, maxBytes } = queue.stat();
    queue.set({ mode: 0o660 });
    assertEquals(queue.stat().maxBytes, maxBytes);
    queue.set({ maxBytes: 100 });
    const changed = queue.stat();
    assertEquals([changed.uid, changed.gid, changed.mode, changed.maxBytes], [uid, gid, 0o660, 100]);
    assertThrows(() => queue.set({ maxBytes: -1 }), RangeError);
    assertThrows(() => queue.set({ mode: 0o1000 }), RangeError);
    assertEquals(queue.stat().maxBytes, 100);
  }));

Deno.test("MessageQueue: closing leaves the queue, unless its creator asked otherwise", () =>
  withKey(async (key) => {
    {
      using queue = MessageQueue.create(key);
      queue.sendSync(bytes(1));
    }
    {
      await using queue = MessageQueue.openOrCreate(key, { removeOnClose: true });
      assertEquals(await queue.receive(), bytes(1));
      // It flushes at the end.
      queue.send(bytes(2));
    }
    const found = MessageQueue.open(key);
    assertEquals(found.receiveSync(), bytes(2));
    found.remove();
    const { id } = found;
    found.close();
    using removing = MessageQueue.openOrCreate(key, { removeOnClose: true });
    assert(removing.id !== id);
    removing.close();
    assertThrows(() => MessageQueue.open(key), NotFoundError);
    assertThrows(() => MessageQueue.open({ id: removing.id }), RemovedError);
  }));

Deno.test("MessageQueue: a closed handle says so, whatever is asked of it", () =>
  withQueue(async (queue) => {
    const view = queue.duplex({ send: 1, receive: 2 });
    const pending = view.receive();
    queue.close();
    assertEquals(await pending, undefined);
    await assertRejects(() => view.send(bytes(1)), ClosedError);
    const calls = [
      () => queue.peek(),
      () => queue.stat(),
      () => queue.set({ mode: 0o600 }),
      () => queue.remove(),
      () => queue.duplex({ send: 1, receive: 2 }),
      () => queue.trySend(bytes(1)),
      () => queue.sendSync(bytes(1)),
      () => queue.tryReceive(),
      () => queue.tryReceiveMessage(),
      () => queue.receiveMessageSync(),
    ];
    for (const call of calls) assertThrows(call, ClosedError);
    await assertRejects(() => queue.receiveMessage(), ClosedError);
    await assertRejects(() => queue.send(bytes(1)), ClosedError);
  }));

Deno.test("MessageQueue: after removal every call says so", () =>
  withQueue(async (queue) => {
    queue.remove();
    const calls = [
      () => queue.peek(),
      () => queue.stat(),
      () => queue.set({ mode: 0o600 }),
      () => queue.remove(),
      () => queue.trySend(bytes(1)),
      () => queue.sendSync(bytes(1)),
      () => queue.tryReceive(),
      () => queue.receiveSync(),
      () => queue.receiveSync({ timeout: 10 }),
      () => queue.receiveMessageSync({ type: 1 }),
      () => queue.tryReceiveMessage(),
    ];
    for (const call of calls) {
      const error = assertThrows(call, RemovedError);
      assertEquals([error.code, error.target], ["EIDRM", `id ${queue.id}`]);
    }
    await assertRejects(() => queue.send(bytes(1)), RemovedError, "it was removed");
    await assertRejects(() => queue.receive(), RemovedError);
    await assertRejects(() => queue.receiveBatch(), RemovedError);
    await assertRejects(() => queue.receiveMessage({ type: 5 }), RemovedError);
  }));
