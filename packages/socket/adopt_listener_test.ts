import { assert, assertEquals } from "@std/assert";
import type { OwnedFd } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { adoptListener, connect, listen, socketPair, UnixStream } from "./mod.ts";
import { bytes, CEILING, MOD, own, TestProcess, text, withPath } from "./testdata/process.ts";

leakCheck();

for (const scheme of ["unix", "unix-seqpacket", "tcp"] as const) {
  Deno.test(`a ${scheme} listener goes on in another process, and nobody is refused`, () =>
    withPath(async (path) => {
      await using door = await listen(`unix-seqpacket:${path}-door`);
      const first = await listen(scheme === "tcp" ? "tcp:127.0.0.1:0" : `${scheme}:${path}`);
      await using _next = new TestProcess(
        `import { adoptListener, connect } from ${MOD};
        const channel = await connect("unix-seqpacket:${path}-door");
        const { handles } = await channel.receiveWithHandles();
        const listener = adoptListener(${JSON.stringify(scheme)}, handles[0]);
        await channel.send(new Uint8Array(0));
        for await (const each of listener) await each.send(new TextEncoder().encode("second"));`,
      );
      using next = await door.accept(CEILING);
      await next!.sendHandles(bytes("go on"), [first]);
      await next!.receive(CEILING);
      first.close();
      await using client = await connect(first.address, CEILING);
      assertEquals(text(await client.receive(CEILING)), "second");
      assertEquals(client instanceof UnixStream, scheme === "unix");
    }));
}

Deno.test("what is no listening socket of that kind is not adopted", async () => {
  await using listener = await listen("tcp:127.0.0.1:0");
  using file = own("/proc/self/status", "r");
  const refused = (type: "unix", fd: number, reason: string) => {
    const handle = { fd, take: () => fd } as OwnedFd;
    const error = (() => {
      try {
        adoptListener(type, handle).close();
      } catch (error) {
        return error as Error;
      }
    })();
    assert(error instanceof TypeError && error.message.includes(reason), `${error}`);
  };
  refused("unix", listener.fd!, "it is tcp");
  refused("unix", file.fd, "no socket");
  const [here, there] = socketPair("stream");
  using _here = here;
  using _there = there;
  refused("unix", here.fd, "does not listen");
});
