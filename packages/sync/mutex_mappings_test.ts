/** Mutexes in every kind of memory, and what else has to do with files and descriptors. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ERRNO, IPC_PRIVATE, IpcError, PermissionError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { everyFault, leakCheck, trackLeaks, withFault } from "@ipc/core/testing";
import { createMemfd, MappedFile } from "../mmap/mod.ts";
import { SharedMemory as PosixMemory } from "../posix/mod.ts";
import { SharedMemory as SystemVMemory } from "../sysv/mod.ts";
import { Mutex } from "./mutex.ts";
import { RwLock } from "./rw_lock.ts";
import { CEILING, MMAP, MOD, pause, settled, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const SYSV = JSON.stringify(new URL("../sysv/mod.ts", import.meta.url).href);
const POSIX = JSON.stringify(new URL("../posix/mod.ts", import.meta.url).href);

/** Memory, and what another process says to have it as `memory`. */
const kinds: Record<string, () => { memory: Mapping; opening: string }> = {
  "POSIX shared memory": () => {
    const name = `/ipc-sync-${crypto.randomUUID()}`;
    const memory = PosixMemory.create(name, 4096, { unlinkOnClose: true });
    return {
      memory,
      opening: `import { SharedMemory } from ${POSIX}; const memory = SharedMemory.open("${name}");`,
    };
  },
  "System V shared memory": () => {
    const memory = SystemVMemory.create(IPC_PRIVATE, 4096, { removeOnClose: true });
    return {
      memory,
      opening:
        `import { SharedMemory } from ${SYSV}; const memory = SharedMemory.open({ id: ${memory.id} });`,
    };
  },
  "System V shared memory that is marked for removal": () => {
    const memory = SystemVMemory.create(IPC_PRIVATE, 4096, { removeOnLastDetach: true });
    return {
      memory,
      opening:
        `import { SharedMemory } from ${SYSV}; const memory = SharedMemory.open({ id: ${memory.id} });`,
    };
  },
  "a sealed memfd, by a descriptor of the same description": () => {
    const memfd = createMemfd("locks", 4096);
    memfd.seal("shrink", "grow");
    const memory = memfd.map();
    memory.onClose(() => memfd.close());
    const path = `/proc/${Deno.pid}/fd/${memfd.fd}`;
    return {
      memory,
      opening: `import { MappedFile } from ${MMAP}; const memory = MappedFile.open("${path}");`,
    };
  },
};

for (const [kind, make] of Object.entries(kinds)) {
  Deno.test(`Mutex in ${kind}: another process holds it, is killed, and that is told`, async () => {
    const { memory, opening } = make();
    await using _end = {
      async [Symbol.asyncDispose]() {
        memory.close();
        await settled();
      },
    };
    using mutex = Mutex.initialize(memory, 64);
    mutex.lockSync().unlock();
    await using process = new TestProcess(`${opening}
      import { Mutex } from ${MOD};
      const guard = Mutex.at(memory, 64).lockSync();
      console.log(Deno.pid);
      setInterval(() => {}, 1000);`);
    const pid = Number(await process.line());
    assertEquals(mutex.tryLock(), undefined);
    const waiting = mutex.lock({ timeout: CEILING });
    await process.kill();
    using guard = await waiting;
    assertEquals([guard.abandoned, guard.previousOwner], [true, { pid }]);
    guard.markConsistent();
  });
}

Deno.test("Mutex: two mappings of one file in one program know one another", () =>
  withMemory((memory, path) => {
    using same = MappedFile.open(path);
    using mutex = Mutex.initialize(memory, 0);
    using other = Mutex.at(same, 0);
    {
      using _guard = mutex.lockSync();
      assertEquals(other.tryLock(), undefined);
      assertEquals((assertThrows(() => other.lockSync(), IpcError) as IpcError).code, "EDEADLK");
    }
    other.lockSync();
    same.close();
    assertEquals(mutex.lockSync().abandoned, true);
  }));

Deno.test("Mutex: descriptors of the memory that others have keep no dead owner alive", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    // The owner's child outlives it; what was opened for it was closed when it began.
    await using process = new TestProcess(`
      import { MappedFile } from ${MMAP};
      import { Mutex } from ${MOD};
      const memory = MappedFile.open(${JSON.stringify(path)});
      const guard = Mutex.at(memory, 0).lockSync();
      const child = new Deno.Command("sleep", { args: ["60"], stdin: "null", stdout: "null", stderr: "null" }).spawn();
      console.log(child.pid);
      setInterval(() => {}, 1000);`);
    const child = Number(await process.line());
    try {
      await process.kill();
      using guard = await mutex.lock({ timeout: CEILING });
      assertEquals(guard.abandoned, true);
      guard.markConsistent();
    } finally {
      Deno.kill(child, "SIGKILL");
    }
  }));

Deno.test("Mutex: processes that inherited one description of the file are told apart all the same", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    const folder = path.slice(0, path.lastIndexOf("/"));
    const opening = `
      import { FileMapping, OwnedFd } from ${JSON.stringify(import.meta.resolve("@ipc/core/sys"))};
      import { Mutex } from ${MOD};
      const memory = new FileMapping(new OwnedFd(9));
      const guard = Mutex.at(memory, 0).tryLock();`;
    await Deno.writeTextFile(
      `${folder}/holder.ts`,
      `${opening} console.log("held"); setInterval(() => {}, 1000);`,
    );
    await Deno.writeTextFile(`${folder}/asker.ts`, `${opening} console.log(guard?.abandoned);`);
    const config = new URL("deno.json", import.meta.url).pathname;
    const run = `"${Deno.execPath()}" run --quiet --no-lock --no-check -A --config "${config}"`;
    const script = `
      cd "$1"
      exec 9<>memory
      ${run} holder.ts >held &
      holder=$!
      until test -s held; do sleep 0.05; done
      ${run} asker.ts
      kill -9 $holder
      wait $holder 2>/dev/null
      ${run} asker.ts`;
    const { stdout } = await new Deno.Command("sh", { args: ["-c", script, "sh", folder] }).output();
    assertEquals(new TextDecoder().decode(stdout), "undefined\ntrue\n");
    assertEquals(mutex.tryLock()?.abandoned, true);
  }));

Deno.test("Mutex needs --allow-ffi, and nothing else, in a Worker too", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    const source = `
      import { MappedFile } from ${MMAP};
      import { Mutex } from ${MOD};
      const memory = MappedFile.open(${JSON.stringify(path)});
      Mutex.at(memory, 0).lockSync().unlock();`;
    const worker = `${source} globalThis.postMessage("done");`;
    await using process = new TestProcess(
      `${source}
      const blob = new Blob([${JSON.stringify(worker)}], { type: "application/typescript" });
      const worker = new Worker(URL.createObjectURL(blob), { type: "module" });
      worker.onmessage = ({ data }) => (console.log(data), worker.terminate());`,
      { flags: ["--allow-ffi", `--allow-import`, `--allow-read=${new URL("..", import.meta.url).pathname}`] },
    );
    assertEquals(await process.line(), "done");
    assertEquals(mutex.tryLock()?.abandoned, false);
  }));

Deno.test("Mutex: where somebody has locked the whole file nobody can be told from the dead, and it says so", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    await using process = new TestProcess(`
      import { bind } from ${JSON.stringify(import.meta.resolve("@ipc/core/sys"))};
      const { fcntl } = bind({ fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" } });
      const { openSync } = await import("node:fs");
      const lock = new Uint8Array(32);
      lock[0] = 1;
      console.log(fcntl(openSync(${JSON.stringify(path)}, "r+"), 37, lock));
      setInterval(() => {}, 1000);`);
    assertEquals(await process.line(), "0");
    const error = assertThrows(() => mutex.lockSync(), IpcError, "has locked the whole file");
    assertEquals((error as IpcError).code, "EBUSY");
    await process.kill();
    mutex.lockSync().unlock();
  }));

Deno.test("locks bear every fault: a typed error, no descriptor left, and the lock is free afterwards", () =>
  withMemory(async (memory, path) => {
    using same = MappedFile.open(path);
    using mutex = Mutex.initialize(same, 0);
    using lock = RwLock.initialize(same, 64);
    mutex.lockSync().unlock();
    lock.writeSync().unlock();
    const leaks = await trackLeaks();
    const report = await everyFault(async () => {
      using own = Mutex.at(memory, 0);
      own.lockSync().unlock();
      own.tryLock()!.unlock();
      await own.withLock(() => {});
      using both = RwLock.at(memory, 64);
      (await both.write()).unlock();
      both.readSync().unlock();
    }, {
      errnos: [ERRNO.EACCES, ERRNO.EMFILE, ERRNO.ENOLCK],
      verify: async () => {
        await leaks.check();
        for (const guard of [mutex.tryLock(), lock.tryWrite()]) {
          assert(guard !== undefined && !guard.abandoned);
          guard.unlock();
        }
      },
    });
    assert(report.errors > 0 && report.hits["open"]! > 0 && report.hits["fcntl"]! > 0);
  }));

Deno.test("a death that cannot be asked for is an error of the call, and of no other", () =>
  withMemory(async (memory) => {
    using same = Mutex.initialize(memory, 0);
    await using process = new TestProcess(`
      import { MappedFile } from ${MMAP};
      import { Mutex } from ${MOD};
      const memory = MappedFile.open(${JSON.stringify(`/proc/${Deno.pid}/fd/${memory.fd}`)});
      Mutex.at(memory, 0).lockSync();
      console.log("held");
      setInterval(() => {}, 1000);`);
    assertEquals(await process.line(), "held");
    assertEquals(same.tryLock(), undefined);
    for (const way of ["lock", "lockSync", "tryLock"] as const) {
      const run = await withFault(
        { nth: 1, symbols: "fcntl", errno: ERRNO.EIO },
        () => same[way]({ timeout: 100 }),
      );
      assert(run.error instanceof IpcError && run.error.code === "EIO", way);
    }
    const waiting = same.lock({ timeout: CEILING });
    await pause(5);
    await process.kill();
    assertEquals((await waiting).abandoned, true);
  }));

Deno.test("a lock needs a file that may be opened for writing", () =>
  withMemory(async (memory) => {
    using mutex = Mutex.initialize(memory, 0);
    const run = await withFault({ nth: 1, symbols: "open", errno: ERRNO.EACCES }, () => mutex.lockSync());
    assert(run.error instanceof PermissionError);
    mutex.lockSync().unlock();
  }));
