import { assert, assertEquals, assertRejects } from "@std/assert";
import { AlreadyExistsError, ERRNO, LimitError, UntrustedError } from "@ipc/core";
import { interceptCalls } from "@ipc/core/sys";
import { leakCheck, withFault } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { bindUnixDatagram, connect, listen } from "./mod.ts";
import {
  answer,
  asUser,
  bytes,
  canBeAnother,
  CEILING,
  exists,
  MOD,
  NOBODY,
  TestProcess,
  text,
  withPath,
} from "./testdata/process.ts";

leakCheck();

const modeOf = (path: string) => Deno.lstatSync(path).mode! & 0o777;
const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

/** Leaves a path as a server does that was killed. */
async function leaveDead(path: string): Promise<void> {
  const dead = await listen({ type: "unix", path });
  await Deno.rename(path, `${path}.old`);
  dead.close();
  await Deno.rename(`${path}.old`, path);
}

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
      // The first: another one removes the lock.
      if (symbol === "unlink" && outcome === undefined) {
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

Deno.test("who holds the lock of a path is waited for, and an aborted start leaves nothing", () =>
  withPath(async (path) => {
    await leaveDead(path);
    const folder = path.slice(0, path.lastIndexOf("/"));
    const lock = await Deno.open(`${folder}/.socket.lock`, { create: true, write: true, mode: 0o600 });
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
      assertEquals(namesIn(folder), []);
    } finally {
      lock.close();
    }
  }));

Deno.test("who may only read the directory holds neither a start up nor an end", () =>
  withPath(async (path) => {
    await leaveDead(path);
    const folder = path.slice(0, path.lastIndexOf("/"));
    using stranger = await Deno.open(folder);
    await stranger.lock(false);
    (await listen({ type: "unix", path })).close();
    assertEquals(namesIn(folder), []);
  }));

Deno.test({
  name: "a lock that is somebody else's is not trusted, and no reason to wait",
  ignore: !canBeAnother,
  fn: () =>
    withPath(async (path) => {
      await leaveDead(path);
      const folder = path.slice(0, path.lastIndexOf("/"));
      await Deno.chmod(folder, 0o777);
      asUser(NOBODY, () => Deno.writeTextFileSync(`${folder}/.socket.lock`, ""));
      const error = await assertRejects(() => listen({ type: "unix", path }), AlreadyExistsError);
      assert(error.cause instanceof UntrustedError);
      assertEquals(namesIn(folder).toSorted(), [".socket.lock", "socket"]);
    }),
});

Deno.test("a start that fails once the socket has its path leaves no path", () =>
  withPath(async (path) => {
    const makes = [() => listen({ type: "unix", path }), () => bindUnixDatagram(path)];
    for (const make of makes) {
      // What looks at the new path needs a descriptor.
      const { hit, error } = await withFault(
        { nth: 1, symbols: "open", errno: ERRNO.EMFILE },
        async () => (await make()).close(),
      );
      assertEquals(hit, "open");
      assert(error instanceof LimitError);
      assert(!exists(path));
    }
  }));

Deno.test("of those who start and close in turns at one path none loses it to another", () =>
  withPath(async (path) => {
    const program = `
      import { AlreadyExistsError } from "@ipc/core";
      import { listen } from ${MOD};
      const address = ${JSON.stringify({ type: "unix", path })};
      const look = () => {
        try {
          return Deno.lstatSync(address.path).ino;
        } catch {
          return undefined;
        }
      };
      let lost = 0;
      for (let round = 0; round < ${scaled(300)}; round++) {
        try {
          using listener = await listen(address);
          const mine = look();
          for (let turn = 0; turn < 10 && lost === 0; turn++) {
            await new Promise((resolve) => setTimeout(resolve, 0));
            if (mine === undefined || look() !== mine) lost++;
          }
        } catch (error) {
          if (!(error instanceof AlreadyExistsError)) throw error;
        }
      }
      console.log(lost);
    `;
    const processes = [1, 2, 3].map(() => new TestProcess(program));
    try {
      for (const process of processes) assertEquals(await process.line(), "0");
    } finally {
      for (const process of processes) await process.kill();
    }
    assertEquals(namesIn(path.slice(0, path.lastIndexOf("/"))), []);
  }));
