/** Named semaphores as files: whom to trust, exact modes, and what happens when things go wrong. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ERRNO,
  IpcError,
  LimitError,
  NotFoundError,
  PermissionError,
  UntrustedError,
} from "@ipc/core";
import { everyFault, leakCheck, trackLeaks, withFault } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { Semaphore } from "./mod.ts";
import { answer, asUser, canBeAnother, NOBODY, prepared, TestProcess } from "./testdata/process.ts";
import { fileOf, MOD, processWith, withName, withSemaphore } from "./testdata/semaphores.ts";

leakCheck();

/** Files of semaphores that a process has not given their name yet. */
function unfinished(pid = Deno.pid): string[] {
  const names = [...Deno.readDirSync("/dev/shm")].map(({ name }) => name);
  return names.filter((name) => name.startsWith(`sem.ipc-${pid}-`));
}

Deno.test("Semaphore.create: the mode is exact, whatever the umask", () =>
  withName((name) => {
    for (const mask of [0o022, 0o777, 0o000]) {
      const before = Deno.umask(mask);
      try {
        for (const mode of [0o600, 0o666, 0o640, 0o777, 0o200]) {
          using _semaphore = Semaphore.create(name, { mode, unlinkOnClose: true });
          const status = Deno.lstatSync(fileOf(name));
          assertEquals([status.mode! & 0o7777, status.size], [mode, 32]);
        }
        using _semaphore = Semaphore.create(name, { unlinkOnClose: true });
        assertEquals(Deno.lstatSync(fileOf(name)).mode! & 0o7777, 0o600);
      } finally {
        Deno.umask(before);
      }
    }
  }));

Deno.test("Semaphore.create: a name that is taken stays what it is", () =>
  withSemaphore((semaphore) => {
    const error = assertThrows(
      () => Semaphore.create(semaphore.name, { initial: 9, mode: 0o666 }),
      AlreadyExistsError,
    );
    assertEquals([error.code, error.target], ["EEXIST", semaphore.name]);
    assertEquals([semaphore.value, Deno.lstatSync(fileOf(semaphore.name)).mode! & 0o777], [3, 0o600]);
    assertEquals(unfinished(), []);
  }, { initial: 3 }));

Deno.test("Semaphore.openOrCreate: of many processes at once one creates, and all have the same value", () =>
  withName(async (name) => {
    for (let round = scaled(20); round > 0; round--) {
      const source = `
        import { Semaphore } from ${MOD};
        const at = ${Date.now() + 300};
        while (Date.now() < at);
        for (let round = 0; round < 50; round++) {
          const semaphore = Semaphore.openOrCreate("${name}-" + round, { initial: 7 });
          if (semaphore.value < 7) throw new Error("seen without its value");
          semaphore.release();
          semaphore.close();
        }
        console.log("null");`;
      try {
        await Promise.all([answer(source), answer(source), answer(source)]);
        for (let number = 0; number < 50; number++) {
          using semaphore = Semaphore.open(`${name}-${number}`);
          assertEquals(semaphore.value, 10);
        }
      } finally {
        for (let number = 0; number < 50; number++) {
          try {
            Semaphore.unlink(`${name}-${number}`);
          } catch {
            // It was not made.
          }
        }
      }
    }
  }));

Deno.test("Semaphore.openOrCreate: created, opened and unlinked by many at once, it is always whole", () =>
  withName(async (name) => {
    const source = `
      import { Semaphore } from ${MOD};
      for (let round = 0; round < ${scaled(2000)}; round++) {
        using semaphore = Semaphore.openOrCreate("${name}", { initial: 5, unlinkOnClose: true });
        const { value } = semaphore;
        if (value !== 5) throw new Error("value " + value);
      }
      console.log("null");`;
    await Promise.all([answer(source), answer(source)]);
    assertThrows(() => Semaphore.open(name), NotFoundError);
  }));

/** What is found at the name, how it is made, and what is said of it. */
const WRONG: [what: string, make: (path: string, target: string) => void | Disposable, reason: string][] = [
  [
    "an empty file",
    (path) => Deno.writeFileSync(path, new Uint8Array(0)),
    "its file has 0 bytes, and a semaphore 32",
  ],
  [
    "a file that is too short",
    (path) => Deno.writeFileSync(path, new Uint8Array(31)),
    "its file has 31 bytes",
  ],
  [
    "a file of something else",
    (path) => Deno.writeFileSync(path, new Uint8Array(32).fill(0x11)),
    "this libc has initialized none for several processes there",
  ],
  ["a symbolic link", (path, target) => Deno.symlinkSync(target, path), "its file is a symbolic link"],
  ["a directory", (path) => Deno.mkdirSync(path), "it is not a regular file"],
  [
    "a FIFO",
    (path) => void new Deno.Command("mkfifo", { args: [path] }).outputSync(),
    "it is not a regular file",
  ],
  ["a socket", (path) => Deno.listen({ transport: "unix", path }), "it is not a regular file"],
];

for (const [what, make, reason] of WRONG) {
  Deno.test(`Semaphore: ${what} at the name is refused and left alone, and the process lives`, () =>
    withName((name) => {
      const path = fileOf(name);
      const target = Deno.makeTempFileSync();
      using stack = new DisposableStack();
      stack.defer(() => Deno.removeSync(target));
      Deno.writeFileSync(target, new Uint8Array(64).fill(1));
      const made = make(path, target);
      stack.defer(() => made ? made[Symbol.dispose]() : Deno.removeSync(path));
      const { isFile, isDirectory, isSymlink, size, mode } = Deno.lstatSync(path);
      for (const open of [() => Semaphore.open(name), () => Semaphore.openOrCreate(name, { initial: 1 })]) {
        const error = assertThrows(open, UntrustedError, reason);
        assertEquals([error.code, error.target], ["EUNTRUSTED", name]);
      }
      assertThrows(() => Semaphore.create(name), AlreadyExistsError);
      const after = Deno.lstatSync(path);
      assertEquals([after.isFile, after.isDirectory, after.isSymlink, after.size, after.mode], [
        isFile,
        isDirectory,
        isSymlink,
        size,
        mode,
      ]);
      assertEquals(Deno.readFileSync(target), new Uint8Array(64).fill(1));
    }));
}

Deno.test("Semaphore.create does not follow a link that points nowhere", () =>
  withName((name) => {
    const target = `/dev/shm/ipc-test-${crypto.randomUUID()}`;
    Deno.symlinkSync(target, fileOf(name));
    assertThrows(() => Semaphore.create(name), AlreadyExistsError);
    assertThrows(() => Semaphore.openOrCreate(name), UntrustedError);
    assertThrows(() => Deno.lstatSync(target), Deno.errors.NotFound);
  }));

Deno.test({
  name: "Semaphore: somebody else's is refused unless that user is allowed",
  ignore: !canBeAnother,
  fn: () =>
    withSemaphore((semaphore) => {
      const { name } = semaphore;
      Deno.chownSync(fileOf(name), NOBODY, null);
      for (const allowOwner of [undefined, 1, [1, 2]]) {
        const error = assertThrows(() => Semaphore.open(name, { allowOwner }), UntrustedError);
        assertEquals(
          error.message,
          `Cannot open semaphore "${name}": it belongs to uid ${NOBODY}, and has mode 0666`,
        );
        assertThrows(() => Semaphore.openOrCreate(name, { allowOwner }), UntrustedError);
      }
      for (const allowOwner of [NOBODY, [1, NOBODY], "any"] as const) {
        using other = Semaphore.open(name, { allowOwner });
        using same = Semaphore.openOrCreate(name, { allowOwner });
        assertEquals([other.value, same.value], [4, 4]);
      }
    }, { initial: 4, mode: 0o666 }),
});

Deno.test({
  name: "Semaphore: who has no permission gets a PermissionError",
  ignore: !canBeAnother,
  fn: () =>
    withSemaphore((semaphore) => {
      const { name } = semaphore;
      asUser(NOBODY, () => {
        const error = assertThrows(() => Semaphore.open(name, { allowOwner: "any" }), PermissionError);
        assertEquals([error.code, error.syscall, error.target], ["EACCES", "open", name]);
        assertThrows(() => Semaphore.unlink(name), PermissionError);
        assertThrows(() => semaphore.unlink(), PermissionError);
      });
      assertEquals(semaphore.value, 0);
    }),
});

const full = prepared(
  "mount -t tmpfs -o size=4k none /dev/shm && dd if=/dev/zero of=/dev/shm/x bs=4k count=1 2>/dev/null && " +
    "truncate -s 32 /dev/shm/sem.hole",
);

Deno.test({
  name: "Semaphore: on a full /dev/shm it is a LimitError that says what to do, and nothing is left",
  ignore: full === undefined,
  fn: async () => {
    for (const call of ["create('/x')", "open('/hole')", "openOrCreate('/x')"]) {
      const [name, code, hint, left] = await answer(
        `
        import { Semaphore } from ${MOD};
        let error;
        try { Semaphore.${call}.tryAcquire(); } catch (caught) { error = caught; }
        const left = [...Deno.readDirSync("/dev/shm")].map(({ name }) => name).sort();
        console.log(JSON.stringify([error.name, error.code, error.hint, left]));`,
        { before: full },
      ) as [string, string, string, string[]];
      assertEquals([name, code, left], [LimitError.name, "ENOSPC", ["sem.hole", "x"]]);
      assert(hint.includes("--shm-size"), hint);
    }
  },
});

Deno.test("Semaphore: whichever call fails, it ends in success or an IpcError, and leaves nothing", () =>
  withName(async (name) => {
    await using _leaks = await trackLeaks();
    const { EACCES, EIO, EMFILE, ENOMEM, ENOSPC, EPERM } = ERRNO;
    const report = await everyFault(() => {
      using _created = Semaphore.create(name, { mode: 0o640, initial: 2, unlinkOnClose: true });
      using opened = Semaphore.openOrCreate(name);
      opened.acquireSync();
      opened.release();
    }, {
      errnos: [EACCES, EIO, EMFILE, ENOMEM, ENOSPC, EPERM],
      // Not munmap: where that fails the memory is left.
      symbols:
        "open fstat fchmod write posix_fallocate mmap linkat unlink close sem_init sem_clockwait sem_trywait sem_post"
          .split(
            " ",
          ),
      verify: ({ error }) => {
        assert(
          error === undefined || error instanceof IpcError || error instanceof RangeError,
          String(error),
        );
        try {
          Semaphore.unlink(name);
        } catch (unlinking) {
          assert(unlinking instanceof NotFoundError);
        }
        for (const file of unfinished()) Deno.removeSync(`/dev/shm/${file}`);
      },
    });
    assert(report.faults >= 90 && report.errors >= 60, JSON.stringify(report));
  }));

// Without O_TMPFILE or without /proc the file is made under another name.
for (const [symbols, errno] of [["open", ERRNO.EOPNOTSUPP], ["linkat", ERRNO.ENOENT]] as const) {
  Deno.test(`Semaphore is created aside where ${symbols} cannot do better`, () =>
    withName(async (name) => {
      await using _leaks = await trackLeaks();
      const run = await withFault({ nth: 1, symbols, errno }, () => {
        using semaphore = Semaphore.create(name, { mode: 0o640, initial: 2, unlinkOnClose: true });
        assertEquals([semaphore.value, Deno.lstatSync(fileOf(name)).mode! & 0o777], [2, 0o640]);
        assertThrows(() => Semaphore.create(name), AlreadyExistsError);
      });
      assertEquals([run.hit, run.error, unfinished()], [symbols, undefined, []]);
    }));
}

Deno.test("Semaphore: a creator that is killed before the file has its name leaves nothing", () =>
  withName(async (name) => {
    await using creator = new TestProcess(`
      import { interceptCalls } from "@ipc/core/sys";
      import { Semaphore } from ${MOD};
      interceptCalls((symbol, args, real) => {
        if (symbol.startsWith("link")) Deno.kill(Deno.pid, "SIGKILL");
        return real(...args);
      });
      Semaphore.create("${name}");`);
    assertEquals((await creator.status).signal, "SIGKILL");
    assertEquals(unfinished(creator.pid), []);
    assertThrows(() => Semaphore.open(name), NotFoundError);
  }));

Deno.test("Semaphore: FFI is all that it needs", () =>
  withName(async (name) => {
    const source = `
      import { Semaphore } from ${MOD};
      using semaphore = Semaphore.create("${name}", { unlinkOnClose: true });
      const acquired = semaphore.acquire();
      setTimeout(() => semaphore.release(), 10);
      await acquired;
      console.log(semaphore.value);`;
    assertEquals(await answer(source, { flags: ["--allow-ffi", "--allow-import"] }), 0);
  }));

Deno.test("Semaphore: importing needs nothing, and using without permission says so", async () => {
  await using other = new TestProcess(
    `import { Semaphore } from ${MOD};
     try { Semaphore.open("/x"); } catch (error) { console.log(error.name); }`,
    { flags: ["--allow-import"] },
  );
  assertEquals(await other.line(), "NotCapable");
});

Deno.test("Semaphore: 100,000 times opened and closed, and nothing is left", () =>
  withSemaphore(async (semaphore) => {
    await using _leaks = await trackLeaks();
    for (let round = scaled(100_000); round > 0; round--) {
      using handle = Semaphore.open(semaphore.name);
      handle.release();
      handle.acquireSync();
    }
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: a process that is killed leaves the semaphore as it was", () =>
  withSemaphore(async (semaphore) => {
    await using other = await processWith(semaphore, `semaphore.acquireSync(); semaphore.acquireSync();`);
    await other.blocked();
    assertEquals(semaphore.value, 0);
    await other.kill();
    assertEquals(semaphore.tryAcquire(), false, "what a dead process took is lost");
    semaphore.release();
    assertEquals(semaphore.tryAcquire(), true);
  }, { initial: 1 }));
