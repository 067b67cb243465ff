/** What blocking costs beside waits that do not block: counted by the calls that a process makes. */

import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { listenUnix } from "./mod.ts";
import { bytes, CEILING, MOD, TestProcess } from "./testdata/process.ts";

leakCheck();

const SYS = JSON.stringify(new URL("../core/sys/mod.ts", import.meta.url).href);

for (const scheme of ["unix", "unix-seqpacket"] as const) {
  Deno.test(`${scheme}: a receive that blocks is one call, also after waits that did not block`, async () => {
    const path = `@ipc-test-${crypto.randomUUID()}`;
    await using listener = await listenUnix({ type: scheme, path }, { sameUser: true });
    await using process = new TestProcess(`
      import { connect } from ${MOD};
      import { interceptCalls } from ${SYS};
      const message = new Uint8Array(64);
      const channel = await connect("${scheme}:${path}");
      const blocks = () => {
        const [, flags] = /flags:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/fdinfo/" + channel.fd));
        return (parseInt(flags, 8) & 0o4000) === 0;
      };
      await channel.receive();
      for (const round of [1, 2]) {
        let receives = 0;
        let polls = 0;
        interceptCalls((symbol, args, real) => {
          if (symbol.startsWith("recv")) receives++;
          if (symbol === "poll") polls++;
          return real(...args);
        });
        for (let left = 10; left > 0; left--) {
          channel.sendSync(message);
          if (channel.receiveSync()?.length !== 64) throw new Error("not what was sent");
        }
        interceptCalls(undefined);
        // One more tells that the wait before has made it non-blocking.
        console.log(receives <= 11, polls, blocks());
        const pending = channel.receive();
        // The runtime waits for it soon, and must not block then.
        if ("${scheme}" === "unix") while (blocks()) await new Promise((resolve) => setTimeout(resolve, 5));
        await channel.send(message);
        await pending;
      }
      channel.close();
    `);
    await using channel = (await listener.accept(CEILING))!;
    await channel.send(bytes("begin"));
    for (let message; (message = await channel.receive(CEILING)) !== undefined;) {
      // By then the other end waits.
      await new Promise((resolve) => setTimeout(resolve, 5));
      await channel.send(message);
    }
    assertEquals([await process.line(), await process.line()], ["true 0 true", "true 0 true"]);
    assertEquals((await process.status).code, 0);
  });
}
