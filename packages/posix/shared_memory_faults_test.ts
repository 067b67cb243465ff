/** What goes wrong around shared memory: a full /dev/shm, calls that fail, processes that are killed or come together. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { AlreadyExistsError, ERRNO, LimitError, NotFoundError, PermissionError } from "@ipc/core";
import { everyFault, leakCheck, trackLeaks, withFault } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { SharedMemory } from "./shared_memory.ts";
import { answer, prepared, TestProcess } from "./testdata/process.ts";
import { OwnName } from "./testdata/shared_memory_objects.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);

/** Somewhere with 1 MiB of room for shared memory. */
const small = prepared("mount -t tmpfs -o size=1m none /dev/shm");

Deno.test({
  name: "SharedMemory where /dev/shm is full: LimitError at once, nothing left behind, and no SIGBUS ever",
  ignore: small === undefined,
  fn: async () => {
    const source = `
      import { SharedMemory } from ${MOD};
      const told = [];
      const attempt = (call) => {
        try { return call(); } catch ({ name, code, syscall, hint }) {
          told.push([name, code, syscall, /--shm-size/.test(hint)]);
        }
      };
      attempt(() => SharedMemory.create("/large", 4 * 2 ** 20));
      attempt(() => SharedMemory.openOrCreate("/large", 4 * 2 ** 20));
      told.push([...Deno.readDirSync("/dev/shm")].length);
      using half = SharedMemory.create("/half", 600_000);
      half.bytes.fill(1);
      attempt(() => SharedMemory.create("/other", 600_000));
      attempt(() => half.resize(2_000_000));
      told.push(half.byteLength, half.stat().size, half.bytes[599_999]);
      attempt(() => SharedMemory.create("/half", 4 * 2 ** 20));
      // As other languages create it: with a size, but without memory.
      Deno.writeFileSync("/dev/shm/sparse", new Uint8Array());
      Deno.truncateSync("/dev/shm/sparse", 800_000);
      attempt(() => SharedMemory.open("/sparse"));
      attempt(() => SharedMemory.openOrCreate("/sparse", 1));
      half.unlink();
      half.close();
      using whole = SharedMemory.open("/sparse");
      whole.bytes.fill(1);
      told.push([...Deno.readDirSync("/dev/shm")].length);
      console.log(JSON.stringify(told));`;
    await using process = new TestProcess(source, { before: small });
    const full = ["LimitError", "ENOSPC", "posix_fallocate", true];
    assertEquals(JSON.parse(await process.line() ?? "null"), [
      full,
      full,
      0,
      full,
      full,
      600_000,
      600_000,
      1,
      ["AlreadyExistsError", "EEXIST", "open", false],
      full,
      full,
      1,
    ]);
    assertEquals((await process.status).code, 0);
  },
});

Deno.test({
  name: "SharedMemory that was only given a size is a SIGBUS where /dev/shm is full: why `reserve` is there",
  ignore: small === undefined,
  fn: async () => {
    const source = `
      import { SharedMemory } from ${MOD};
      Deno.writeFileSync("/dev/shm/sparse", new Uint8Array(1));
      Deno.truncateSync("/dev/shm/sparse", 4 * 2 ** 20);
      SharedMemory.open("/sparse", { reserve: false }).bytes.fill(1);`;
    await using process = new TestProcess(source, { before: small });
    assertEquals((await process.status).signal, "SIGBUS");
  },
});

Deno.test("SharedMemory bears every fault: a typed error, and nothing stays mapped, open or behind", async () => {
  using own = new OwnName();
  const leaks = await trackLeaks();
  const report = await everyFault(() => {
    using memory = SharedMemory.create(own.name, 5000, { mode: 0o666, unlinkOnClose: true });
    using same = SharedMemory.openOrCreate(own.name, 5000);
    same.bytes[0] = 1;
    memory.resize(9000);
    memory.resize(10);
  }, {
    errnos: [ERRNO.EACCES, ERRNO.ENOMEM, ERRNO.EINVAL],
    symbols: ["fchmod", "posix_fallocate", "mmap", "ftruncate"],
    verify: () => leaks.check(),
  });
  assertEquals(Object.keys(report.hits).sort(), ["fchmod", "ftruncate", "mmap", "posix_fallocate"]);
  assertEquals(report.errors, report.faults);
});

Deno.test("SharedMemory: an interrupted reservation is made again", async () => {
  using own = new OwnName();
  const run = await withFault({ nth: 1, symbols: "posix_fallocate", errno: ERRNO.EINTR }, () => {
    using memory = SharedMemory.create(own.name, 100);
    return memory.byteLength;
  });
  assertEquals([run.hit, run.result], ["posix_fallocate", 100]);
});

// Without O_TMPFILE or without /proc the file is made under its name.
for (const [symbols, nth, errno] of [["open", 2, ERRNO.EOPNOTSUPP], ["linkat", 1, ERRNO.ENOENT]] as const) {
  Deno.test(`SharedMemory is created by name where ${symbols} cannot do better`, async () => {
    using own = new OwnName();
    await using _leaks = await trackLeaks();
    const run = await withFault({ nth, symbols, errno }, () => {
      using memory = SharedMemory.create(own.name, 100, { mode: 0o640, unlinkOnClose: true });
      assertEquals([memory.stat().mode, memory.byteLength, own.taken], [0o640, 100, true]);
    });
    assertEquals([run.hit, run.error], [symbols, undefined]);
  });
}

Deno.test("SharedMemory made by name leaves nothing behind when there is no room", async () => {
  using own = new OwnName();
  await using _leaks = await trackLeaks();
  const run = await withFault({ nth: 2, symbols: "open", errno: ERRNO.EOPNOTSUPP }, () => {
    SharedMemory.create(own.name, 2 ** 45);
  });
  assertInstanceOf(run.error, LimitError);
  assertEquals(own.taken, false);
});

Deno.test("SharedMemory: whoever was faster between looking and linking has the name", async () => {
  using own = new OwnName();
  const taken = await withFault({ nth: 1, symbols: "linkat", errno: ERRNO.EEXIST }, () => {
    SharedMemory.create(own.name, 1);
  });
  assertInstanceOf(taken.error, AlreadyExistsError);
  assertEquals(own.taken, false);
  const denied = await withFault({ nth: 1, symbols: "unlink", errno: ERRNO.EACCES }, () => {
    SharedMemory.unlink(own.name);
  });
  assertInstanceOf(denied.error, PermissionError);
});

Deno.test("SharedMemory: openOrCreate by many processes at once gives one, always whole", async () => {
  using own = new OwnName();
  const rounds = scaled(500);
  const source = `
    import { SharedMemory } from ${MOD};
    for (let round = 0; round < ${rounds}; round++) {
      using memory = SharedMemory.openOrCreate("${own.name}", 100_000, { unlinkOnClose: round % 2 === 0 });
      if (memory.byteLength !== 100_000) throw new Error("not whole");
      memory.bytes.fill(round);
    }
    console.log(\`"\${SharedMemory.openOrCreate("${own.name}", 1).stat().ino}"\`);`;
  const seen = await Promise.all(Array.from({ length: 4 }, () => answer(source)));
  using memory = SharedMemory.open(own.name);
  assert(seen.includes(`${memory.stat().ino}`), `${seen} has no ${memory.stat().ino}`);
});

Deno.test("SharedMemory: a creator that is killed at any moment leaves all of it or nothing", async () => {
  using own = new OwnName();
  await using _leaks = await trackLeaks();
  const size = 2 ** 26;
  for (let round = 0; round < scaled(100); round++) {
    await using creator = new TestProcess(`
      import { SharedMemory } from ${MOD};
      console.log("ready");
      for (;;) SharedMemory.create("${own.name}", ${size}, { unlinkOnClose: true }).close();`);
    assertEquals(await creator.line(), "ready");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
    await creator.kill();
    try {
      using memory = SharedMemory.open(own.name);
      assertEquals(memory.byteLength, size);
      memory.unlink();
    } catch (error) {
      assertInstanceOf(error, NotFoundError);
    }
  }
});
