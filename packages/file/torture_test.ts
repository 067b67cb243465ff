import { assertEquals } from "@std/assert";
import { leakCheck, torture } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { TestProcess } from "../core/testdata/process.ts";
import { CEILING, MOD, withLog } from "./testdata/logs.ts";
import { log } from "./testdata/torture.ts";

leakCheck();

// Opening one means making files.
torture(log, { only: ["open"], share: 0.1 });
torture(log, { only: ["1,000"] });

/** Sends back what it gets, in turns by blocking and by waiting. */
const echo = (there: string, back: string) => `
import { FileLog } from ${MOD};
const reader = FileLog.open(${JSON.stringify(there)}).reader();
const writer = FileLog.open(${JSON.stringify(back)}).writer();
for (let number = 0;; number++) {
  const message = number % 3 === 0 ? reader.receiveSync() : await reader.receive();
  if (number % 2 === 0) writer.sendSync(message);
  else await writer.send(message);
}
`;

Deno.test("file log under torture: garbage collection all the time at the other end", () =>
  withLog((there) =>
    withLog(async (back) => {
      const flags = ["-A", "--v8-flags=--gc-interval=100,--stress-compaction"];
      await using _ = new TestProcess(echo(there.path, back.path), { flags });
      using writer = there.writer();
      using reader = back.reader();
      const kept: { sent: Uint8Array; got: Uint8Array }[] = [];
      for (let round = 0; round < scaled(2000); round++) {
        const sent = crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() ** 3 * 40_000)));
        await writer.send(sent, CEILING);
        kept.push({ sent, got: (await reader.receive(CEILING))! });
      }
      for (const { sent, got } of kept) assertEquals(got, sent);
    })
  ));
