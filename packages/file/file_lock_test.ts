import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, NotFoundError, TimeoutError, UntrustedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has, scaled } from "../core/testdata/child.ts";
import { TestProcess } from "../core/testdata/process.ts";
import { FileLock, type FileLockOptions } from "./mod.ts";
import { CEILING, count, MOD } from "./testdata/logs.ts";
import { withFolder } from "./testdata/pair.ts";

leakCheck();

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs a command to its end; its exit status. */
async function status(command: string, ...args: string[]): Promise<number> {
  return (await new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "inherit" })
    .output()).code;
}

/** What python's lock functions say: 0 when it got the lock, 1 when somebody has it. */
const python = (path: string, call: string) =>
  status(
    "python3",
    "-c",
    `import fcntl, sys
file = open(sys.argv[1], "r+")
try:
    fcntl.${call}
except BlockingIOError:
    sys.exit(1)`,
    path,
  );

const kinds: Record<string, FileLockOptions> = { "a file": {}, "a range": { offset: 10, length: 5 } };

for (const [kind, options] of Object.entries(kinds)) {
  Deno.test(`FileLock on ${kind}: exclusive, shared, tried, timed, aborted, in order`, () =>
    withFolder(async (folder) => {
      using lock = FileLock.open(`${folder}/lock`, options);
      using other = FileLock.open(`${folder}/lock`, options);
      {
        using held = lock.tryLock()!;
        assertEquals(held.shared, false);
        assertEquals(
          [lock.tryLock(), other.tryLock(), other.tryLock({ shared: true })],
          Array(3).fill(undefined),
        );
        await assertRejects(() => other.lock({ timeout: 10 }), TimeoutError);
        assertThrows(() => other.lockSync({ timeout: 10 }), TimeoutError);
        const reason = new Error("enough");
        await assertRejects(() => other.lock({ signal: AbortSignal.abort(reason) }), Error, "enough");
        const controller = new AbortController();
        const waiting = other.lock({ signal: controller.signal });
        await pause(5);
        controller.abort(reason);
        await assertRejects(() => waiting, Error, "enough");
        const error = assertThrows(() => lock.lockSync());
        assertEquals((error as { code?: string }).code, "EDEADLK");
      }
      {
        using _one = lock.lockSync({ shared: true });
        using _two = await other.lock({ shared: true });
        using third = FileLock.open(`${folder}/lock`, options);
        assertEquals(third.tryLock(), undefined);
      }
      const order: number[] = [];
      const first = other.lockSync();
      const waits = count(1, 3).map((number) => lock.withLock(() => void order.push(number), CEILING));
      await pause(5);
      first.unlock();
      first.unlock();
      // Free, and promised to those who wait.
      assertEquals(lock.tryLock(), undefined);
      assertEquals((assertThrows(() => lock.lockSync()) as { code?: string }).code, "EBUSY");
      await Promise.all(waits);
      assertEquals(order, [1, 2, 3]);
      await assertRejects(() => lock.withLock(() => Promise.reject(new Error("inside"))), Error, "inside");
      other.tryLock()!.unlock();
    }));

  Deno.test(`FileLock on ${kind}: closing gives it back, and ends waits`, () =>
    withFolder(async (folder) => {
      const lock = FileLock.open(`${folder}/lock`, options);
      using other = FileLock.open(`${folder}/lock`, options);
      const held = lock.lockSync();
      const waiting = lock.lock();
      lock.close();
      await assertRejects(() => waiting, ClosedError);
      await assertRejects(() => lock.lock(), ClosedError);
      assertThrows(() => lock.tryLock(), ClosedError);
      using _mine = other.lockSync();
      held.unlock();
      using third = FileLock.open(`${folder}/lock`, options);
      assertEquals(third.tryLock(), undefined);
    }));

  Deno.test(`FileLock on ${kind}: kill -9 of its holder frees it, and processes exclude each other`, () =>
    withFolder(async (folder) => {
      const path = `${folder}/lock`;
      const open = `FileLock.open(${JSON.stringify(path)}, ${JSON.stringify(options)})`;
      using lock = FileLock.open(path, options);
      {
        await using process = new TestProcess(`import { FileLock } from ${MOD};
          const held = ${open}.lockSync();
          console.log("held");
          await new Promise((resolve) => setTimeout(resolve, 1e6));`);
        assertEquals(await process.line(), "held");
        assertEquals(lock.tryLock(), undefined);
        const waiting = lock.lock(CEILING);
        await process.kill();
        (await waiting).unlock();
      }
      const rounds = Math.max(30, scaled(500));
      Deno.writeTextFileSync(`${folder}/count`, "0");
      const processes = count(1, 3).map(() =>
        new TestProcess(`import { FileLock } from ${MOD};
          using lock = ${open};
          for (let round = 0; round < ${rounds}; round++) {
            using held = round % 2 === 0 ? lock.lockSync() : await lock.lock();
            const value = Number(Deno.readTextFileSync("${folder}/count"));
            Deno.writeTextFileSync("${folder}/count", String(value + 1));
          }`)
      );
      for (const process of processes) {
        assert((await process.status).success);
        await process[Symbol.asyncDispose]();
      }
      assertEquals(Deno.readTextFileSync(`${folder}/count`), String(3 * rounds));
    }));
}

Deno.test({
  name: "FileLock and flock(1) of util-linux exclude each other",
  ignore: !has("flock"),
  fn: () =>
    withFolder(async (folder) => {
      const path = `${folder}/lock`;
      using lock = FileLock.open(path);
      {
        using _held = lock.lockSync();
        assertEquals(await status("flock", "-n", path, "true"), 1);
        assertEquals(await status("flock", "-n", "-s", path, "true"), 1);
      }
      {
        using _held = lock.lockSync({ shared: true });
        assertEquals(await status("flock", "-n", path, "true"), 1);
        assertEquals(await status("flock", "-n", "-s", path, "true"), 0);
      }
      const process = new Deno.Command("flock", {
        args: [path, "sh", "-c", "echo held; read end"],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const output = process.stdout.getReader();
      await output.read();
      assertEquals(lock.tryLock(), undefined);
      await process.stdin.close();
      (await lock.lock(CEILING)).unlock();
      await output.cancel();
      await process.status;
    }),
});

Deno.test({
  name: "FileLock and fcntl.flock and fcntl.lockf of python exclude each other, by their kinds",
  ignore: !has("python3"),
  fn: () =>
    withFolder(async (folder) => {
      const path = `${folder}/lock`;
      const whole = "flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)";
      const range = (length: number, offset: number) =>
        `lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, ${length}, ${offset})`;
      using file = FileLock.open(path);
      using part = FileLock.open(path, { offset: 10, length: 5 });
      using rest = FileLock.open(path, { offset: 100 });
      {
        using _held = file.lockSync();
        assertEquals(await python(path, whole), 1);
        assertEquals(await python(path, range(0, 0)), 0);
      }
      using _part = part.lockSync();
      using _rest = rest.lockSync();
      assertEquals(await python(path, whole), 0);
      assertEquals(await python(path, range(5, 5)), 0);
      assertEquals(await python(path, range(6, 5)), 1);
      assertEquals(await python(path, range(1, 14)), 1);
      assertEquals(await python(path, range(85, 15)), 0);
      assertEquals(await python(path, range(1, 1_000_000)), 1);
      using inside = FileLock.open(path, { offset: 14, length: 1 });
      assertEquals(inside.tryLock(), undefined);
      using beside = FileLock.open(path, { offset: 15, length: 1 });
      beside.tryLock()!.unlock();
    }),
});

Deno.test("FileLock: what can be opened, and how", () =>
  withFolder((folder) => {
    const path = `${folder}/lock`;
    assertThrows(() => FileLock.open(path, { create: false }), NotFoundError);
    assertThrows(() => FileLock.open(`${folder}/none/lock`), NotFoundError);
    for (const odd of [{ offset: -1 }, { length: 1.5 }, { offset: NaN }, { mode: 0o1000 }]) {
      assertThrows(() => FileLock.open(path, odd), RangeError);
    }
    const umask = Deno.umask(0o077);
    try {
      FileLock.open(path, { mode: 0o664 }).close();
    } finally {
      Deno.umask(umask);
    }
    assertEquals(Deno.statSync(path).mode! & 0o7777, 0o664);
    Deno.symlinkSync(path, `${folder}/link`);
    Deno.symlinkSync(`${folder}/nothing`, `${folder}/dangling`);
    for (const link of ["link", "dangling"]) {
      assertThrows(() => FileLock.open(`${folder}/${link}`), UntrustedError, "symbolic link");
    }
    // A directory by flock, not by a range.
    using directory = FileLock.open(folder);
    directory.tryLock()!.unlock();
    assertThrows(() => FileLock.open(folder, { length: 1 }), Error, "directory");
  }));
