/** Each kind of wait, in each hand: this thread's at first, then a blocked worker's, then the polling worker's. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { runChild, scaled } from "../../core/testdata/child.ts";
import { constants } from "../_abi.ts";
import { begun, pause, sembufs, TestQueue, TestSet, within } from "./testdata/objects.ts";
import { waitForMessage, waitForRoom, waitForSemaphore, waitingDiagnostics, warmUpWaiting } from "./mod.ts";
import { Slots } from "./slots.ts";

const nothing = () => {};
const fail = () => {
  throw new Error("No message was empty");
};

/** This thread looks after the first waits of a process: what comes now is woken by its timer. */
const early = begunAndWoken();
async function begunAndWoken(): Promise<number> {
  using queue = new TestQueue();
  const wait = begun((wake) => waitForMessage(queue.id, 0, 0, fail, wake));
  const { workers } = waitingDiagnostics();
  queue.send(1, [1]);
  await within(wait.woken, "a wake-up by this thread");
  return workers;
}
const workersAtFirst = await early;
await warmUpWaiting();
leakCheck();

/** Keeps the blocked workers busy, so that others are polled. */
function occupied(): Disposable & { queue: TestQueue } {
  const queue = new TestQueue();
  const waits = Array.from(
    { length: Slots.BLOCKED },
    () => begun((wake) => waitForMessage(queue.id, 0, 0, fail, wake)),
  );
  return {
    queue,
    [Symbol.dispose]: () => {
      for (const { giveUp } of waits) giveUp();
      queue.remove();
    },
  };
}

const hands: [name: string, prepare: () => Disposable][] = [
  ["a blocked worker", () => ({ [Symbol.dispose]: nothing })],
  ["the polling worker", occupied],
];

Deno.test("waiting: this thread looks after the first wait of a process", () => {
  assertEquals(workersAtFirst, 0);
});

Deno.test("waiting: workers are started once, and idle when nothing waits", async () => {
  const idle = { blocked: 0, polled: 0, workers: Slots.BLOCKED + 1 };
  assertEquals(waitingDiagnostics(), idle);
  await warmUpWaiting();
  assertEquals(waitingDiagnostics(), idle);
  using _others = occupied();
  assertEquals(waitingDiagnostics(), { ...idle, blocked: Slots.BLOCKED });
});

for (const [hand, prepare] of hands) {
  Deno.test(`waiting: a message wakes ${hand}, and stays in the queue`, async () => {
    using _others = prepare();
    using queue = new TestQueue();
    const wait = begun((wake) => waitForMessage(queue.id, 0, 0, fail, wake));
    await pause(20);
    assertEquals(wait.isWoken(), false);
    queue.send(7, [1, 2]);
    await within(wait.woken, "a wake-up");
    assertEquals(queue.receive(), [7, 1, 2]);
  });

  Deno.test(`waiting: a message that was there before wakes ${hand}`, async () => {
    using _others = prepare();
    using queue = new TestQueue();
    queue.send(7, [1]);
    await within(begun((wake) => waitForMessage(queue.id, 0, 0, fail, wake)).woken, "a wake-up");
  });

  Deno.test(`waiting: only a message of the type waited for wakes ${hand}`, async () => {
    using _others = prepare();
    const { MSG_EXCEPT } = constants;
    const big = 2 ** 40 + 1;
    for (
      const [type, flags, others, wanted] of [
        [3, 0, [1, 2, 4], 3],
        [-3, 0, [4, 5], 2],
        [3, MSG_EXCEPT, [3, 3], 4],
        [big, 0, [1, 2 ** 40], big],
      ] as const
    ) {
      using queue = new TestQueue();
      for (const each of others) queue.send(each, [0]);
      const wait = begun((wake) => waitForMessage(queue.id, type, flags, fail, wake));
      await pause(20);
      assertEquals(wait.isWoken(), false);
      queue.send(wanted, [9]);
      await within(wait.woken, `a wake-up by type ${wanted}`);
      assertEquals(queue.receive(type, flags), [wanted, 9]);
    }
  });

  Deno.test(`waiting: an empty message is taken by ${hand}, and handed over before the wake-up`, async () => {
    using _others = prepare();
    using queue = new TestQueue();
    const events: (number | string)[] = [];
    for (const type of [5, 2 ** 40]) {
      const wait = begun((wake) =>
        waitForMessage(queue.id, 0, 0, (type) => events.push(type), () => {
          events.push("woken");
          wake();
        })
      );
      queue.send(type);
      await within(wait.woken, "a wake-up");
      assertEquals(queue.receive(), undefined);
    }
    assertEquals(events, [5, "woken", 2 ** 40, "woken"]);
  });

  Deno.test(`waiting: semaphores wake ${hand}, and keep their values`, async () => {
    using _others = prepare();
    using set = new TestSet(3);
    const acquire = begun((wake) => waitForSemaphore(set.id, sembufs([0, -2]), wake));
    const both = begun((wake) => waitForSemaphore(set.id, sembufs([1, -1], [2, -1], [1, 3]), wake));
    set.operate([0, 1], [1, 1]);
    await pause(20);
    assertEquals([acquire.isWoken(), both.isWoken()], [false, false]);
    set.operate([0, 1]);
    await within(acquire.woken, "a wake-up by the second unit");
    set.operate([2, 1]);
    await within(both.woken, "a wake-up by the second semaphore");
    const zero = begun((wake) => waitForSemaphore(set.id, sembufs([0, 0], [2, -1]), wake));
    await pause(20);
    assertEquals(zero.isWoken(), false);
    assertEquals([0, 1, 2].map((index) => set.value(index)), [2, 1, 1]);
    set.operate([0, -2]);
    await within(zero.woken, "a wake-up by zero");
    assertEquals([0, 1, 2].map((index) => set.value(index)), [0, 1, 1]);
  });

  Deno.test(`waiting: a second process wakes ${hand}`, async () => {
    using _others = prepare();
    using queue = new TestQueue();
    using set = new TestSet(1);
    const message = begun((wake) => waitForMessage(queue.id, 0, 0, fail, wake));
    const semaphore = begun((wake) => waitForSemaphore(set.id, sembufs([0, -1]), wake));
    const { stderr } = await runChild(`
      import { bind } from "@core/sys/libc.ts";
      const libc = bind({
        msgsnd: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
        semop: { parameters: ["i32", "buffer", "usize"], result: "i32" },
      });
      libc.msgsnd(${queue.id}, new BigInt64Array([3n, 0x0201n]), 2n, 0);
      libc.semop(${set.id}, new Int16Array([0, 1, 0]), 1n);
    `);
    assertEquals(stderr, "");
    await within(Promise.all([message.woken, semaphore.woken]), "wake-ups by another process");
    assertEquals([queue.receive(), set.value(0)], [[3, 1, 2], 1]);
  });

  Deno.test(`waiting: what is removed wakes all, ${hand} too`, async () => {
    using _others = prepare();
    using queue = new TestQueue();
    using set = new TestSet(1);
    for (let sent = true; sent;) sent = queue.send(1, new Array(1000).fill(0));
    const waits = [
      begun((wake) => waitForMessage(queue.id, 2, 0, fail, wake)),
      begun((wake) => waitForMessage(queue.id, 3, 0, fail, wake)),
      begun((wake) => waitForRoom(queue.id, 1000, wake)),
      begun((wake) => waitForSemaphore(set.id, sembufs([0, -1]), wake)),
    ];
    await pause(20);
    assertEquals(waits.map((wait) => wait.isWoken()), [false, false, false, false]);
    queue.remove();
    set.remove();
    await within(Promise.all(waits.map((wait) => wait.woken)), "wake-ups by removal");
  });

  Deno.test(`waiting: what does not exist wakes ${hand}`, async () => {
    using _others = prepare();
    const waits = [
      begun((wake) => waitForMessage(-1, 0, 0, fail, wake)),
      begun((wake) => waitForRoom(-1, 1, wake)),
      begun((wake) => waitForSemaphore(-1, sembufs([0, -1]), wake)),
    ];
    await within(Promise.all(waits.map((wait) => wait.woken)), "wake-ups by errors");
  });
}

Deno.test("waiting: of thousands of wake-ups by another process, on more queues than workers, none is lost", async () => {
  using stack = new DisposableStack();
  const queues = Array.from({ length: Slots.BLOCKED + 2 }, () => stack.use(new TestQueue()));
  const go = stack.use(new TestQueue());
  // On each message it sends one to every queue, some microseconds apart; it ends when a queue is gone.
  const sending = runChild(`
    import { bind } from "@core/sys/libc.ts";
    const { msgrcv, msgsnd } = bind({
      msgrcv: { parameters: ["i32", "buffer", "usize", "i64", "i32"], result: "i32" },
      msgsnd: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
    });
    const message = new BigInt64Array([1n, 0n]);
    while (msgrcv(${go.id}, message, 8n, 0n, 0) !== -1) {
      for (const id of ${JSON.stringify(queues.map(({ id }) => id))}) {
        msgsnd(id, message, 1n, 0);
        for (let spin = Math.random() * 10_000; spin > 0; spin--);
      }
    }
  `);
  for (let round = 0; round < scaled(5000); round++) {
    const waits = queues.map(({ id }) => begun((wake) => waitForMessage(id, 0, 0, fail, wake)));
    go.send(1);
    await within(Promise.all(waits.map((wait) => wait.woken)), `the wake-ups of round ${round}`);
    for (const queue of queues) assertEquals(queue.receive()?.length, 2);
  }
  go.remove();
  assertEquals((await sending).stderr, "");
});

Deno.test("waiting: room in a queue wakes when enough was received", async () => {
  using queue = new TestQueue();
  while (queue.send(1, new Array(1000).fill(0)));
  const wait = begun((wake) => waitForRoom(queue.id, 1500, wake));
  queue.receive();
  await pause(20);
  assertEquals(wait.isWoken(), false);
  queue.receive();
  await within(wait.woken, "a wake-up by room");
  assert(queue.send(1, new Array(1500).fill(0)));
});

Deno.test("waiting: more operations than one call may have are tried again and again", async () => {
  using set = new TestSet(30);
  const operations = sembufs(...Array.from({ length: 30 }, (_, index): [number, number] => [index, -1]));
  const wait = begun((wake) => waitForSemaphore(set.id, operations, wake));
  await within(wait.woken, "a wake-up after a while");
});
