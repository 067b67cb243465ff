import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, ERRNO, LimitError, NotFoundError, TimeoutError } from "@ipc/core";
import { leakCheck, withFault } from "@ipc/core/testing";
import { connect, listen } from "./mod.ts";
import { bytes, CEILING, exists, MOD, TestProcess, text, until, withPath } from "./testdata/process.ts";

leakCheck();

Deno.test("a listener gives each connection as a channel, and its path goes away with it", () =>
  withPath(async (path) => {
    const listener = await listen(`unix:${path}`);
    assertEquals(listener.address, `unix:${path}`);
    assertEquals(listener.tryAccept(), undefined);
    await using first = await connect(`unix:${path}`);
    await using second = await connect(`unix:${path}`);
    await using one = await listener.accept(CEILING);
    using two = listener.acceptSync(CEILING);
    assertEquals(listener.connections, 2);
    await first.send(bytes("first"));
    await second.send(bytes("second"));
    assertEquals(text(await two!.receive()), "second");
    assertEquals(text(await one!.receive()), "first");
    two!.close();
    assertEquals(listener.connections, 1);
    const waiting = listener.accept();
    listener.close();
    assertEquals(await waiting, undefined);
    assert(!exists(path));
    await assertRejects(() => listener.accept(), ClosedError);
    // Who was accepted outlives the listener.
    await one!.send(bytes("still"));
    assertEquals(text(await first.receive()), "still");
  }));

Deno.test("a listener is iterated over until it is closed; accepting waits no longer than told", () =>
  withPath(async (path) => {
    await using listener = await listen(`unix-seqpacket:${path}`);
    await assertRejects(() => listener.accept({ timeout: 1 }), TimeoutError);
    const reason = new Error("Enough");
    const rejected = await listener.accept({ signal: AbortSignal.abort(reason) }).catch((error) => error);
    assertEquals(rejected, reason);
    const seen: string[] = [];
    const serving = (async () => {
      for await (const channel of listener) {
        seen.push(text(await channel.receive()));
        channel.close();
      }
    })();
    for (const word of ["a", "b", "c"]) {
      await using channel = await connect(`unix-seqpacket:${path}`);
      await channel.send(bytes(word));
      assertEquals(await channel.receive(CEILING), undefined);
    }
    listener.close();
    await serving;
    assertEquals(seen, ["a", "b", "c"]);
  }));

Deno.test("who iterates over a listener loses one connection to an error, and waits where descriptors are short", () =>
  withPath(async (path) => {
    let asked = 0;
    const authorize = () => {
      if (++asked === 1) throw new Error("Not this one");
      return true;
    };
    await using listener = await listen({ type: "unix", path }, { authorize });
    const seen: string[] = [];
    const serving = (async () => {
      for await (const channel of listener) {
        seen.push(text(await channel.receive()));
        channel.close();
      }
    })();
    const say = async (word: string) => {
      await using channel = await connect({ type: "unix", path });
      await channel.send(bytes(word)).catch(() => {});
      await channel.receive(CEILING);
    };
    await say("bad");
    assertEquals([asked, listener.refused], [1, 1]);
    // Its descriptors are used up when somebody comes.
    const { hit } = await withFault(
      { nth: 1, symbols: "accept4", errno: ERRNO.EMFILE },
      () => say("one"),
    );
    assertEquals(hit, "accept4");
    await say("two");
    listener.close();
    await serving;
    assertEquals(seen, ["one", "two"]);
    await using second = await listen({ type: "unix", path }, { authorize: () => JSON.parse("") });
    using _client = await connect({ type: "unix", path });
    await assertRejects(() => second.accept(CEILING), SyntaxError);
  }));

Deno.test("no more connections are open than may be; those who wait are accepted as others close", () =>
  withPath(async (path) => {
    using listener = await listen({ type: "unix", path }, { maxConnections: 2 });
    const clients = await Promise.all([1, 2, 3].map(() => connect({ type: "unix", path })));
    try {
      using first = await listener.accept(CEILING);
      using _second = await listener.accept(CEILING);
      assertEquals(listener.tryAccept(), undefined);
      await assertRejects(() => listener.accept({ timeout: 20 }), TimeoutError);
      assertThrows(() => listener.acceptSync(), LimitError);
      const third = listener.accept(CEILING);
      first!.close();
      (await third)!.close();
      assertEquals(listener.connections, 1);
    } finally {
      for (const client of clients) client.close();
    }
  }));

Deno.test("connecting waits while the backlog is full, and no longer than told", () =>
  withPath(async (path) => {
    using listener = await listen({ type: "unix", path }, { backlog: 0 });
    await using _first = await connect({ type: "unix", path });
    await assertRejects(() => connect({ type: "unix", path }, { timeout: 20 }), TimeoutError);
    const second = connect({ type: "unix", path }, CEILING);
    (await listener.accept(CEILING))!.close();
    (await second).close();
    await assertRejects(
      () => connect({ type: "unix", path: `${path}.none` }),
      NotFoundError,
      "no such socket",
    );
  }));

Deno.test("a listener that nobody waits at lets the process end", () =>
  withPath(async (path) => {
    const address = JSON.stringify({ type: "unix", path });
    await using process = new TestProcess(`
      import { connect, listen } from ${MOD};
      const listener = await listen(${address});
      const channel = await connect(${address});
      const accepted = await listener.accept();
      console.log("open");
    `);
    assertEquals(await process.line(), "open");
    assertEquals((await process.status).code, 0);
    await until(() => exists(path), "that the path is left");
  }));
