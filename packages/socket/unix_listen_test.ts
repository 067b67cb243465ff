import { assert, assertEquals, assertRejects } from "@std/assert";
import { AlreadyExistsError, ClosedError, NotFoundError, TimeoutError } from "@ipc/core";
import { interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { bindUnixDatagram, connect, listen } from "./mod.ts";
import {
  answer,
  bytes,
  CEILING,
  exists,
  MOD,
  TestProcess,
  text,
  until,
  withPath,
} from "./testdata/process.ts";

leakCheck();

const modeOf = (path: string) => Deno.lstatSync(path).mode! & 0o777;

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

for (
  const [umask, mode] of [[0, 0o600], [0o022, 0o666], [0o077, 0o620], [0o777, 0o640], [
    0o022,
    undefined,
  ]] as const
) {
  Deno.test(`the mode is exact under umask ${umask.toString(8)}: ${mode?.toString(8) ?? "the default"}`, () =>
    withPath(async (path) => {
      // A process of its own, for the umask is all of a process's; it looks at each moment of the making.
      const found = await answer(`
        import { listen, bindUnixDatagram } from ${MOD};
        import { interceptCalls } from "@ipc/core/sys";
        Deno.umask(${umask});
        const modes = [];
        const path = ${JSON.stringify(path)};
        interceptCalls((symbol, args, real) => {
          const result = real(...args);
          try {
            modes.push(Deno.lstatSync(path).mode & 0o777);
          } catch {
            // Nothing yet.
          }
          return result;
        });
        const options = ${JSON.stringify(mode === undefined ? {} : { mode })};
        for (const make of [() => listen({ type: "unix", path }, options), () => bindUnixDatagram(path, options)]) {
          using socket = await make();
          modes.push(-1 - (Deno.lstatSync(path).mode & 0o777));
        }
        console.log(JSON.stringify(modes));
      `) as number[];
      const wanted = mode ?? 0o600;
      assertEquals(found.filter((each) => each < 0), [-1 - wanted, -1 - wanted]);
      assert(found.length > 8, "no moment of the making was seen");
      for (const each of found) assert(each < 0 || (each & ~wanted) === 0, `${each.toString(8)} was wider`);
    }));
}

Deno.test("a dead server's path is taken over, a live one's and whatever else is there never", () =>
  withPath(async (path) => {
    const address = JSON.stringify({ type: "unix", path });
    await using process = new TestProcess(`
      import { listen } from ${MOD};
      const listener = await listen(${address});
      console.log("listening");
      await listener.accept();
    `);
    assertEquals(await process.line(), "listening");
    const { ino } = Deno.lstatSync(path);
    const error = await assertRejects(() => listen({ type: "unix", path }), AlreadyExistsError);
    assertEquals(error.code, "EADDRINUSE");
    await assertRejects(() => bindUnixDatagram(path), AlreadyExistsError);
    assertEquals(Deno.lstatSync(path).ino, ino);
    await process.kill();
    {
      using listener = await listen({ type: "unix-seqpacket", path }, { mode: 0o640 });
      assertEquals(modeOf(path), 0o640);
      assertEquals(listener.tryAccept(), undefined);
      await assertRejects(
        () => listen({ type: "unix", path }),
        AlreadyExistsError,
        "another socket is bound",
      );
    }
    assert(!exists(path));
    await Deno.writeTextFile(path, "precious");
    await assertRejects(() => listen({ type: "unix", path }), AlreadyExistsError, "not a socket");
    assertEquals(await Deno.readTextFile(path), "precious");
    await Deno.remove(path);
    await Deno.symlink("/nowhere", path);
    await assertRejects(() => listen({ type: "unix", path }), AlreadyExistsError, "a symlink, not a socket");
    assertEquals(await Deno.readLink(path), "/nowhere");
  }));

Deno.test("a path that is another's by now stays when the listener is closed", () =>
  withPath(async (path) => {
    const first = await listen({ type: "unix", path });
    await Deno.remove(path);
    using second = await listen({ type: "unix", path });
    first.close();
    assert(exists(path));
    await using channel = await connect({ type: "unix", path });
    (await second.accept(CEILING))!.close();
    assertEquals(await channel.receive(), undefined);
  }));

Deno.test("of two who start at the same time over a dead server's path one wins, and stays", () =>
  withPath(async (path) => {
    const address = JSON.stringify({ type: "unix", path });
    // Each tries when told the round, and says what came of it; the winner serves until the next round.
    const program = `
      import { connect, listen } from ${MOD};
      const address = ${address};
      const lines = await listen({ type: "unix", path: Deno.args[0] ?? ${
      JSON.stringify(path)
    } + "." + Deno.pid });
      console.log(Deno.pid);
      const control = await lines.accept();
      for await (const _ of control) {
        let listener;
        try {
          listener = await listen(address);
        } catch (error) {
          await control.send(new TextEncoder().encode(error.name + " " + error.code));
          continue;
        }
        await control.send(new TextEncoder().encode("won"));
        const [, channel] = await Promise.all([control.receive(), listener.accept()]);
        channel.close();
        // As a death leaves it: the path stays, and nobody listens.
        Deno.renameSync(address.path, address.path + ".old");
        listener.close();
        Deno.renameSync(address.path + ".old", address.path);
        await control.send(new TextEncoder().encode("gone"));
      }
      lines.close();
    `;
    await using first = new TestProcess(program);
    await using second = new TestProcess(program);
    const controls = [];
    try {
      for (const process of [first, second]) {
        controls.push(await connect({ type: "unix", path: `${path}.${await process.line()}` }));
      }
      const tally = new Map<string, number>();
      for (let round = scaled(1000); round > 0; round--) {
        const told = await Promise.all(controls.map(async (control) => {
          await control.send(bytes("go"));
          return text(await control.receive(CEILING));
        }));
        const winners = controls.filter((_, index) => told[index] === "won");
        assertEquals(winners.length, 1, `${told}`);
        assert(told.includes("AlreadyExistsError EADDRINUSE"), `${told}`);
        // The winner is who answers at the path.
        const [answering] = await Promise.all([
          connect({ type: "unix", path }),
          winners[0]!.send(bytes("die")),
        ]);
        assertEquals(await answering.receive(CEILING), undefined);
        answering.close();
        assertEquals(text(await winners[0]!.receive(CEILING)), "gone");
        const winner = String(controls.indexOf(winners[0]!));
        tally.set(winner, (tally.get(winner) ?? 0) + 1);
      }
    } finally {
      for (const control of controls) control.close();
    }
  }));

Deno.test("while who closes removes the path, nobody can take it over", () =>
  withPath(async (path) => {
    const listener = await listen({ type: "unix", path });
    // Another process starts in the very moment in which the path is dead and not yet removed.
    const program = `
      import { listen } from ${MOD};
      const signal = AbortSignal.timeout(500);
      const outcome = await listen({ type: "unix", path: ${JSON.stringify(path)} }, { signal })
        .then(() => "took it over", (error) => error.name);
      console.log(outcome);
      Deno.exit();
    `;
    const config = new URL("./deno.json", import.meta.url).pathname;
    let outcome: string | undefined;
    interceptCalls((symbol, args, real) => {
      if (symbol === "unlink") {
        const { stdout } = new Deno.Command(Deno.execPath(), {
          args: ["eval", "--quiet", "--no-lock", "--config", config, program],
        }).outputSync();
        outcome = new TextDecoder().decode(stdout).trim();
      }
      return real(...args);
    });
    try {
      listener.close();
    } finally {
      interceptCalls(undefined);
    }
    assertEquals(outcome, "TimeoutError");
    assert(!exists(path));
  }));

Deno.test("who holds the lock of the directory is waited for, and an aborted start leaves nothing", () =>
  withPath(async (path) => {
    const dead = await listen({ type: "unix", path });
    await Deno.rename(path, `${path}.old`);
    dead.close();
    await Deno.rename(`${path}.old`, path);
    const folder = path.slice(0, path.lastIndexOf("/"));
    const lock = await Deno.open(folder);
    try {
      await lock.lock(true);
      const reason = new Error("Enough");
      const aborting = new AbortController();
      const aborted = listen({ type: "unix", path }, { signal: aborting.signal });
      setTimeout(() => aborting.abort(reason), 10);
      assertEquals(await aborted.catch((error) => error), reason);
      assert(exists(path));
      let listening = false;
      const waiting = listen({ type: "unix", path }).then((listener) => {
        listening = true;
        return listener;
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert(!listening);
      await lock.unlock();
      (await waiting).close();
    } finally {
      lock.close();
    }
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
