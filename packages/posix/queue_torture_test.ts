import { assertEquals } from "@std/assert";
import { leakCheck, torture } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { TestProcess } from "./testdata/process.ts";
import { queue } from "./testdata/torture.ts";
import { CEILING, MOD, withQueue } from "./testdata/queues.ts";

leakCheck();

torture(queue);

/** Sends back what it gets, in turns by blocking and by waiting. */
const echo = (there: string, back: string) => `
import { MessageQueue } from ${MOD};
const [there, back] = [MessageQueue.open("${there}"), MessageQueue.open("${back}")];
for (let number = 0;; number++) {
  const message = number % 3 === 0 ? there.receiveSync() : await there.receive();
  if (number % 2 === 0) back.sendSync(message);
  else await back.send(message);
}
`;

Deno.test("POSIX message queue under torture: garbage collection all the time at the other end", () =>
  withQueue((there) =>
    withQueue(async (back) => {
      const flags = ["-A", "--v8-flags=--gc-interval=100,--stress-compaction"];
      await using _ = new TestProcess(echo(there.name, back.name), { flags });
      const kept: { sent: Uint8Array; got: Uint8Array }[] = [];
      for (let round = 0; round < scaled(5000); round++) {
        const sent = crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() ** 3 * 1025)));
        await there.send(sent, CEILING);
        kept.push({ sent, got: (await back.receive(CEILING))! });
      }
      for (const { sent, got } of kept) assertEquals(got, sent);
    })
  ));
