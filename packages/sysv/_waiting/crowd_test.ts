/** A thousand waits at once. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { waitForMessage, waitForSemaphore, waitingDiagnostics, warmUpWaiting } from "./mod.ts";
import { begun, sembufs, TestQueue, TestSet, within } from "./testdata/objects.ts";

await warmUpWaiting();
leakCheck();

const nothing = () => {};
const MANY = 1000;

Deno.test("crowd: 1,000 waits on 1,000 queues leave file I/O working, and each is woken by its own message", async () => {
  using stack = new DisposableStack();
  const queues: TestQueue[] = [];
  for (let queue; queues.length < MANY && (queue = new TestQueue()).id !== -1;) queues.push(stack.use(queue));
  assert(queues.length > 100, `only ${queues.length} queues`);
  const waits = queues.map(({ id }) => begun((wake) => waitForMessage(id, 0, 0, nothing, wake)));
  stack.defer(() => waits.forEach((wait) => wait.giveUp()));
  const { blocked, polled } = waitingDiagnostics();
  assertEquals(blocked + polled, queues.length);
  const path = Deno.makeTempFileSync({ prefix: "ipc-waiting-" });
  stack.defer(() => Deno.removeSync(path));
  await within(Promise.all(Array.from({ length: 64 }, () => Deno.readTextFile(path))), "reading files");
  assertEquals(waits.filter((wait) => wait.isWoken()).length, 0);
  for (const index of [queues.length - 1, 0, 500 % queues.length]) {
    queues[index]!.send(1, [index % 256]);
    await within(waits[index]!.woken, `wake-up ${index}`);
  }
  assertEquals(waits.filter((wait) => wait.isWoken()).length, 3);
  for (const queue of queues) queue.send(1, [1]);
  await within(Promise.all(waits.map((wait) => wait.woken)), "every wake-up");
});

Deno.test("crowd: 1,000 waits for one semaphore are woken together, and given up together", async () => {
  using set = new TestSet(2);
  const waits = Array.from(
    { length: 2 * MANY },
    (_, index) => begun((wake) => waitForSemaphore(set.id, sembufs([index % 2, -1]), wake)),
  );
  set.operate([0, 1]);
  await within(
    Promise.all(waits.filter((_, index) => index % 2 === 0).map((wait) => wait.woken)),
    "wake-ups",
  );
  assertEquals(waits.filter((wait) => wait.isWoken()).length, MANY);
  for (const { giveUp } of waits) giveUp();
  assertEquals([set.waiters(0), set.waiters(1), set.value(0)], [0, 0, 1]);
});
