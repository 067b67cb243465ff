/** What the kernel and libc do with shared memory, at `@ipc/posix/sys`, and what `SharedMemory` makes of it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ERRNO, IpcError, NotFoundError } from "@ipc/core";
import { abi, check, errno, Mapping, OwnedFd, stat } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { libc } from "./_libc.ts";
import { SharedMemory } from "./shared_memory.ts";
import { constants, shm_open, shm_unlink } from "./sys.ts";
import { Cases, code } from "../core/testdata/cases.ts";
import { TestProcess } from "./testdata/process.ts";
import { OwnName } from "./testdata/shared_memory_objects.ts";

leakCheck();

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC } = constants;
const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const SYS = JSON.stringify(new URL("sys.ts", import.meta.url).href);
const cases = new Cases("posix-shm", new URL("testdata/conformance.json", import.meta.url));

function open(name: string, flags: number, mode = 0o600): OwnedFd {
  return new OwnedFd(shm_open(name, flags, mode));
}

/** A new object of this many bytes. */
function make(name: string, size: number): OwnedFd {
  const fd = open(name, O_CREAT | O_EXCL | O_RDWR);
  check(libc.ftruncate(fd.fd, BigInt(size)), "ftruncate", "resize", name);
  return fd;
}

cases.test("PSHM-001", () => {
  using own = new OwnName();
  assertEquals(code(() => shm_open(own.name, O_RDWR)), "ENOENT");
});

cases.test("PSHM-002", () => {
  using own = new OwnName();
  using _memory = make(own.name, 1);
  assertEquals(code(() => shm_open(own.name, O_CREAT | O_EXCL | O_RDWR, 0o600)), "EEXIST");
});

cases.test("PSHM-003", async () => {
  using own = new OwnName();
  const count = 4;
  const attempts = scaled(1000);
  using start = SharedMemory.create(`${own.name}-start`, 4, { unlinkOnClose: true });
  const gate = new Int32Array(start.buffer);
  const source = `
    import { SharedMemory } from ${MOD};
    import { constants, shm_open } from ${SYS};
    const { O_CREAT, O_EXCL, O_RDWR } = constants;
    const gate = new Int32Array(SharedMemory.open("${own.name}-start").buffer);
    Atomics.add(gate, 0, 1);
    while (Atomics.load(gate, 0) < ${count});
    let created = 0;
    for (let attempt = 0; attempt < ${attempts}; attempt++) {
      try { shm_open("${own.name}", O_CREAT | O_EXCL | O_RDWR, 0o600); created++; } catch (error) {
        if (error.code !== "EEXIST") throw error;
      }
    }
    console.log(created);`;
  const creators = Array.from({ length: count }, () => new TestProcess(source));
  try {
    const created = await Promise.all(creators.map((creator) => creator.line()));
    assertEquals(created.map(Number).reduce((sum, each) => sum + each, 0), 1);
    assertEquals(Atomics.load(gate, 0), count);
  } finally {
    for (const creator of creators) await creator[Symbol.asyncDispose]();
  }
});

cases.test("PSHM-004", () => {
  using own = new OwnName();
  using memory = open(own.name, O_CREAT | O_EXCL | O_RDWR);
  assertEquals(stat(memory.fd).size, 0);
  libc.ftruncate(memory.fd, 10_000n);
  using mapping = Mapping.map(memory.fd);
  assertEquals(mapping.byteLength, 10_000);
  assert(mapping.bytes.every((byte) => byte === 0));
});

cases.test("PSHM-005", () => {
  using own = new OwnName();
  using memory = make(own.name, 4096);
  const { mode, uid } = stat(memory.fd);
  using _again = open(own.name, O_RDWR | O_TRUNC);
  const after = stat(memory.fd);
  assertEquals([after.size, after.mode, after.uid], [0, mode, uid]);
});

cases.test("PSHM-006", () => {
  using own = new OwnName();
  using _memory = make(own.name, 4096);
  using readable = open(own.name, O_RDONLY);
  assertEquals([libc.ftruncate(readable.fd, 1n), errno()], [-1, ERRNO.EINVAL]);
  assertEquals(code(() => Mapping.map(readable.fd, { access: "write" })), "EACCES");
});

cases.test("PSHM-007", () => {
  using own = new OwnName();
  using memory = make(own.name, 1);
  using ours = SharedMemory.open(own.name);
  for (const fd of [memory.fd, ours.fd]) {
    assertEquals(flagsOf(fd) & abi.O_CLOEXEC, abi.O_CLOEXEC);
  }
});

/** The flags of a descriptor, which /proc tells with FD_CLOEXEC among them. */
function flagsOf(fd: number): number {
  const [, octal = ""] = /^flags:\s*(\d+)$/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`)) ?? [];
  return parseInt(octal, 8);
}

cases.test("PSHM-008", () => {
  const umask = Deno.umask(0o022);
  try {
    using own = new OwnName();
    using memory = open(own.name, O_CREAT | O_EXCL | O_RDWR, 0o666);
    assertEquals(stat(memory.fd).mode, 0o644);
    using other = new OwnName();
    using ours = SharedMemory.create(other.name, 1);
    assertEquals(ours.stat().mode, 0o600);
    using third = new OwnName();
    using exact = SharedMemory.create(third.name, 1, { mode: 0o666 });
    assertEquals(exact.stat().mode, 0o666);
  } finally {
    Deno.umask(umask);
  }
});

cases.test("PSHM-009", () => {
  using own = new OwnName();
  using memory = make(own.name, 100);
  using mapping = Mapping.map(memory.fd);
  using same = SharedMemory.open(own.name);
  shm_unlink(own.name);
  mapping.bytes[99] = 7;
  assertEquals(same.read(99, 1)[0], 7);
  assertEquals(code(() => shm_open(own.name, O_RDWR)), "ENOENT");
});

cases.test("PSHM-010", () => {
  using own = new OwnName();
  assertEquals(code(() => shm_unlink(own.name)), "ENOENT");
  assertThrows(() => SharedMemory.unlink(own.name), NotFoundError);
});

cases.test("PSHM-013", () => {
  const name = `/${"x".repeat(256)}`;
  assertThrows(() => shm_open(name, O_CREAT | O_RDWR, 0o600), TypeError, "256 bytes");
  assertThrows(() => SharedMemory.create(name, 1), TypeError, "256 bytes");
  using own = new OwnName();
  const longest = own.name.padEnd(256, "x");
  using memory = SharedMemory.create(longest, 1, { unlinkOnClose: true });
  assertEquals(memory.name.length, 256);
});

cases.test("PSHM-014", () => {
  using own = new OwnName();
  const name = `${own.name}\0more`;
  assertThrows(() => shm_open(name, O_CREAT | O_RDWR, 0o600), TypeError);
  assertThrows(() => SharedMemory.create(name, 1), TypeError);
  assertEquals(own.taken, false);
});

cases.test("PSHM-016", () => {
  const victim = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(victim, "precious");
    using own = new OwnName();
    Deno.symlinkSync(victim, own.path);
    assertEquals(code(() => shm_open(own.name, O_CREAT | O_RDWR | O_TRUNC, 0o600)), "ELOOP");
    for (
      const call of [
        () => SharedMemory.create(own.name, 3),
        () => SharedMemory.openOrCreate(own.name, 3),
        () => SharedMemory.open(own.name),
      ]
    ) assertThrows(call, IpcError);
    assertEquals(Deno.readTextFileSync(victim), "precious");
  } finally {
    Deno.removeSync(victim);
  }
});

cases.test("PSHM-017", () => {
  using own = new OwnName();
  for (const size of [0, -1]) {
    assertThrows(() => SharedMemory.create(own.name, size), RangeError);
    assertThrows(() => SharedMemory.openOrCreate(own.name, size), RangeError);
  }
  assertEquals(own.taken, false);
});

cases.test("PSHM-019", async () => {
  using own = new OwnName();
  using memory = SharedMemory.create(own.name, 64);
  const words = new Int32Array(memory.buffer);
  await using other = new TestProcess(`
    import { SharedMemory } from ${MOD};
    const words = new Int32Array(SharedMemory.open("${own.name}").buffer);
    while (Atomics.load(words, 0) === 0);
    words[2] = words[1] + 1;
    Atomics.store(words, 0, 2);
    console.log("written");`);
  words[1] = 41;
  Atomics.store(words, 0, 1);
  while (Atomics.load(words, 0) !== 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(words[2], 42);
  assertEquals(await other.line(), "written");
});

cases.complete();
