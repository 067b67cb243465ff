/** Waits that are given up at any moment: nothing is lost, nothing comes twice, nothing is left waiting. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../../core/testdata/child.ts";
import { waitForMessage, waitForRoom, waitForSemaphore, waitingDiagnostics, warmUpWaiting } from "./mod.ts";
import { Slots } from "./slots.ts";
import { begun, pause, sembufs, sender, TestQueue, TestSet, within } from "./testdata/objects.ts";

await warmUpWaiting();
leakCheck();

const nothing = () => {};

/** Who receives with waits that it gives up, as often as not before they are over. */
class Receiver {
  /** The types of the messages, in their order. */
  readonly got: number[] = [];
  givenUp = 0;
  readonly #queue: TestQueue;
  readonly #taken = (type: number) => void this.got.push(type);

  constructor(queue: TestQueue) {
    this.#queue = queue;
  }

  /** Waits for at most so many turns of the event loop, then takes what is there. */
  async receive(turns: number): Promise<void> {
    const wait = begun((wake) => waitForMessage(this.#queue.id, 0, 0, this.#taken, wake));
    for (let turn = 0; turn < turns && !wait.isWoken(); turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (!wait.isWoken()) this.givenUp++;
    wait.giveUp();
    this.drain();
  }

  drain(): void {
    for (let message; (message = this.#queue.receive()) !== undefined;) this.got.push(message[0]!);
  }
}

function occupied(queue: TestQueue): () => void {
  const waits = Array.from({ length: Slots.BLOCKED }, () => waitForMessage(queue.id, 2, 0, nothing, nothing));
  return () => waits.forEach((giveUp) => giveUp());
}

for (const hand of ["a blocked worker", "the polling worker"]) {
  Deno.test(`give up: messages come once and in order whenever ${hand} is called off`, async () => {
    using queue = new TestQueue();
    using other = new TestQueue();
    const free = hand === "a blocked worker" ? nothing : occupied(other);
    try {
      const count = scaled(10_000);
      const sending = sender([queue], count);
      const receiver = new Receiver(queue);
      let ended = false;
      sending.finally(() => ended = true);
      while (!ended) await receiver.receive(Math.random() * 20);
      await sending;
      receiver.drain();
      assertEquals(receiver.got, Array.from({ length: count }, (_, index) => index + 1));
      assert(receiver.givenUp > count / 20, `only ${receiver.givenUp} waits were given up`);
    } finally {
      free();
    }
  });

  Deno.test(`give up: an empty message that ${hand} took just before is handed over, not woken for`, async () => {
    using queue = new TestQueue();
    using other = new TestQueue();
    const free = hand === "a blocked worker" ? nothing : occupied(other);
    try {
      const sends = scaled(1000);
      let taken = 0;
      for (let round = 0; round < sends; round++) {
        let woken = false;
        const giveUp = waitForMessage(queue.id, 0, 0, () => taken++, () => woken = true);
        if (round % 10 === 0) await pause(1);
        queue.send(1);
        for (let spin = Math.random() * 1000; spin > 0; spin--);
        const before = woken;
        giveUp();
        if (queue.receive() !== undefined) taken++;
        assertEquals(taken, round + 1);
        await new Promise((resolve) => setImmediate(resolve));
        assertEquals(woken, before, "woken after it was given up");
      }
    } finally {
      free();
    }
  });
}

Deno.test("give up: no thread waits for a semaphore any more, and its worker is used again", async () => {
  using set = new TestSet(1);
  const before = waitingDiagnostics();
  for (let round = 0; round < scaled(1000); round++) {
    const giveUp = waitForSemaphore(set.id, sembufs([0, -1]), nothing);
    if (round % 10 === 0) {
      await pause(1);
      assertEquals(waitingDiagnostics(), { ...before, blocked: 1 });
    }
    giveUp();
    giveUp();
    assertEquals(set.waiters(0), 0);
  }
  assertEquals(waitingDiagnostics(), before);
  const wait = begun((wake) => waitForSemaphore(set.id, sembufs([0, -1]), wake));
  set.operate([0, 1]);
  await within(wait.woken, "a wake-up after many waits were given up");
});

Deno.test("give up: one wake-up may give up the others that came with it", async () => {
  using queue = new TestQueue();
  const waits: (() => void)[] = [];
  let woken = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (let count = 0; count < Slots.BLOCKED + 3; count++) {
    waits.push(waitForMessage(queue.id, 0, 0, nothing, () => {
      woken++;
      waits.forEach((giveUp) => giveUp());
      resolve();
    }));
  }
  queue.send(1, [1]);
  await within(promise, "a wake-up");
  await pause(20);
  assertEquals([woken, waitingDiagnostics().blocked + waitingDiagnostics().polled], [1, 0]);
});

Deno.test("give up: waits for room leave nothing", () => {
  using queue = new TestQueue();
  while (queue.send(1, [1]));
  const before = waitingDiagnostics();
  for (let round = 0; round < scaled(1000); round++) waitForRoom(queue.id, 1, nothing)();
  assertEquals(waitingDiagnostics(), before);
});
