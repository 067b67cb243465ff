import { assertEquals } from "@std/assert";
import { leakCheck, torture } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { MOD } from "./testdata/semaphore_sets.ts";
import { TestProcess } from "./testdata/process.ts";
import { withQueue } from "./testdata/queue_pair.ts";
import { queue } from "./testdata/torture.ts";

leakCheck();

torture(queue);

/** Sends back what it gets, in turns by blocking and by waiting. */
const echo = (id: number) => `
import { MessageQueue } from ${MOD};
const queue = MessageQueue.open({ id: ${id} });
const channel = queue.duplex({ send: 2, receive: 1 });
for (let number = 0;; number++) {
  const message = number % 3 === 0 ? channel.receiveSync() : await channel.receive();
  if (number % 2 === 0) channel.sendSync(message);
  else await channel.send(message);
}
`;

Deno.test("System V message queue under torture: garbage collection all the time at the other end", () =>
  withQueue(async (queue) => {
    const flags = ["-A", "--v8-flags=--gc-interval=100,--stress-compaction"];
    await using _ = new TestProcess(echo(queue.id), { flags });
    const channel = queue.duplex({ send: 1, receive: 2 });
    const kept: { sent: Uint8Array; got: Uint8Array }[] = [];
    for (let round = 0; round < scaled(5000); round++) {
      const sent = crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() ** 3 * 8000)));
      await channel.send(sent);
      kept.push({ sent, got: (await channel.receive({ timeout: 20_000 }))! });
    }
    for (const { sent, got } of kept) assertEquals(got, sent);
  }));
