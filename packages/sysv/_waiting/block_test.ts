/** Blocking this thread. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { blockForMessage, blockForRoom } from "./mod.ts";
import { TestQueue } from "./testdata/objects.ts";

const fail = () => {
  throw new Error("No message was empty");
};

leakCheck();

/** A process that makes one call on a queue after a while. */
function later(call: string): Deno.ChildProcess {
  const source = `
    const { msgsnd, msgrcv, msgctl, usleep } = Deno.dlopen("libc.so.6", {
      msgsnd: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
      msgrcv: { parameters: ["i32", "buffer", "usize", "i64", "i32"], result: "i32" },
      msgctl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
      usleep: { parameters: ["u32"], result: "i32" },
    }).symbols;
    const message = new BigInt64Array(1025).fill(1n);
    usleep(50_000);
    ${call};
  `;
  const args = ["eval", source];
  return new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "inherit" })
    .spawn();
}

/** Blocks, as often as it ends early, until `done` is true. */
function blockUntil(done: () => boolean, block: () => void): void {
  const ceiling = performance.now() + 20_000;
  while (!done()) {
    assert(performance.now() < ceiling, "blocked too long");
    block();
  }
}

for (const timeout of [undefined, 10_000]) {
  const limit = timeout === undefined ? "without" : "with";
  Deno.test(`block: ${limit} a time limit, until a message is there, which stays`, async () => {
    using queue = new TestQueue();
    const child = later(`msgsnd(${queue.id}, message, 8n, 0)`);
    blockForMessage(queue.id, 0, 0, timeout, fail);
    assertEquals(queue.receive(), [1, 1, 0, 0, 0, 0, 0, 0, 0]);
    assertEquals((await child.status).code, 0);
  });

  Deno.test(`block: ${limit} a time limit, until an empty message is there, which is handed over`, async () => {
    using queue = new TestQueue();
    const child = later(`msgsnd(${queue.id}, message, 0n, 0)`);
    const taken: number[] = [];
    blockForMessage(queue.id, -3, 0, timeout, (type) => taken.push(type));
    assertEquals([taken, queue.receive()], [[1], undefined]);
    assertEquals((await child.status).code, 0);
  });

  Deno.test(`block: ${limit} a time limit, until the queue is removed`, async () => {
    using queue = new TestQueue();
    const child = later(`msgctl(${queue.id}, 0, null)`);
    blockForMessage(queue.id, 0, 0, timeout, fail);
    blockForRoom(queue.id, 1, timeout);
    assertEquals((await child.status).code, 0);
  });

  Deno.test(`block: ${limit} a time limit, until there is room`, async () => {
    using queue = new TestQueue();
    while (queue.send(1, new Array(1000).fill(0)));
    const child = later(`msgrcv(${queue.id}, message, 8192n, 0n, 0)`);
    blockUntil(() => queue.send(1, new Array(1000).fill(0)), () => blockForRoom(queue.id, 1000, timeout));
    assertEquals((await child.status).code, 0);
  });
}

Deno.test("block: a time limit ends it, and no sooner", () => {
  using queue = new TestQueue();
  while (queue.send(2, new Array(1000).fill(0)));
  for (const timeout of [0.001, 1, 30]) {
    for (
      const block of [
        (left: number) => blockForMessage(queue.id, 1, 0, left, fail),
        (left: number) => blockForRoom(queue.id, 1000, left),
      ]
    ) {
      const end = performance.now() + timeout;
      blockUntil(() => performance.now() >= end, () => block(end - performance.now()));
    }
  }
});

Deno.test("block: after a time limit nothing interrupts this thread any more", () => {
  using queue = new TestQueue();
  blockForMessage(queue.id, 0, 0, 1, fail);
  const before = interruptions();
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(sleeper, 0, 0, 50);
  // An interval that was left running would have come some fifty times.
  assert(interruptions() - before < 20, `interrupted ${interruptions() - before} times`);
});

/** How often this thread gave the CPU up by itself. */
function interruptions(): number {
  const status = Deno.readTextFileSync("/proc/thread-self/status");
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)![1]);
}
