import { assert, assertEquals, assertInstanceOf, assertNotEquals, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ClosedError,
  LimitError,
  NotFoundError,
  NotSupportedError,
  PermissionError,
  TruncatedError,
  UntrustedError,
} from "@ipc/core";
import { FileMapping, Mapping } from "@ipc/core/sys";
import { leakCheck, trackLeaks } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { SharedMemory } from "./shared_memory.ts";
import { answer, asUser, canBeAnother, NOBODY, TestProcess } from "./testdata/process.ts";
import { OwnName } from "./testdata/shared_memory_objects.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const SIZES = [1, 100, 4096, 4097];

Deno.test("SharedMemory is a mapping of exactly its size, the same for all who open it", () => {
  for (const size of SIZES) {
    using own = new OwnName();
    using memory = SharedMemory.create(own.name, size);
    assertInstanceOf(memory, Mapping);
    assertInstanceOf(memory, FileMapping);
    assertEquals([memory.name, memory.byteLength, memory.readOnly], [own.name, size, false]);
    assert(memory.bytes.every((byte) => byte === 0));
    using same = SharedMemory.open(own.name);
    assertEquals([same.byteLength, same.stat().ino], [size, memory.stat().ino]);
    memory.bytes[size - 1] = 7;
    assertEquals(same.bytes[size - 1], 7);
    assertEquals(Deno.statSync(own.path).size, size);
  }
});

Deno.test("SharedMemory: create, open, openOrCreate and unlink throw by meaning", () => {
  using own = new OwnName();
  const missing = assertThrows(() => SharedMemory.open(own.name), NotFoundError);
  assertEquals(missing.message, `Cannot open shared memory "${own.name}": no such shared memory`);
  assertEquals([missing.code, missing.target], ["ENOENT", own.name]);
  assertThrows(() => SharedMemory.unlink(own.name), NotFoundError, "Cannot unlink shared memory");
  using memory = SharedMemory.create(own.name, 100);
  const taken = assertThrows(() => SharedMemory.create(own.name, 100), AlreadyExistsError);
  assertEquals([taken.code, taken.target], ["EEXIST", own.name]);
  for (
    const open of [
      () => SharedMemory.open(own.name, { size: 101 }),
      () => SharedMemory.openOrCreate(own.name, 101),
    ]
  ) {
    assertThrows(open, RangeError, `Cannot open shared memory "${own.name}": it has 100 bytes, not 101`);
  }
  using open = SharedMemory.open(own.name, { size: 100 });
  using same = SharedMemory.openOrCreate(own.name, 1);
  assertEquals([open.byteLength, same.byteLength, same.stat().ino], [100, 100, memory.stat().ino]);
});

Deno.test("SharedMemory: bad arguments are refused before anything is made", () => {
  using own = new OwnName();
  for (const size of [0, -1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => SharedMemory.create(own.name, size), RangeError, "a size is an integer from 1");
    assertThrows(() => SharedMemory.openOrCreate(own.name, size), RangeError);
    assertThrows(() => SharedMemory.open(own.name, { size }), RangeError);
  }
  for (const mode of [-1, 0o1000, 0.5]) {
    assertThrows(() => SharedMemory.create(own.name, 1, { mode }), RangeError, "nine bits");
    assertThrows(() => SharedMemory.openOrCreate(own.name, 1, { mode }), RangeError, "nine bits");
  }
  for (const name of ["memory", "/", "/a/b", "/..", `/${"x".repeat(256)}`, "/a\0b"]) {
    for (
      const call of [
        () => SharedMemory.create(name, 1),
        () => SharedMemory.open(name),
        () => SharedMemory.openOrCreate(name, 1),
        () => SharedMemory.unlink(name),
      ]
    ) assertThrows(call, TypeError);
  }
  assertThrows(() => SharedMemory.open(own.name, { access: "read", reserve: true }), TypeError);
  assertThrows(() => SharedMemory.open(own.name, { access: "all" as "read" }), TypeError);
  assertEquals(own.taken, false);
});

Deno.test("SharedMemory: two processes see what the other writes, and Atomics are exact", async () => {
  using own = new OwnName();
  using memory = SharedMemory.create(own.name, 64);
  const words = new Int32Array(memory.buffer);
  const times = scaled(1_000_000);
  await using other = new TestProcess(`
    import { SharedMemory } from ${MOD};
    const words = new Int32Array(SharedMemory.open("${own.name}").buffer);
    Atomics.store(words, 1, 1);
    for (let i = 0; i < ${times}; i++) Atomics.add(words, 0, 1);
    console.log(words[2]);`);
  words[2] = 42;
  while (Atomics.load(words, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < times; i++) Atomics.add(words, 0, 1);
  assertEquals(await other.line(), "42");
  assertEquals(Atomics.load(words, 0), 2 * times);
});

Deno.test("SharedMemory: --allow-ffi is enough, and nothing else is asked for", async () => {
  using own = new OwnName();
  const source = `
    import { SharedMemory } from ${MOD};
    using memory = SharedMemory.create("${own.name}", 100);
    memory.write(0, new Uint8Array([5]));
    memory.resize(200);
    using same = SharedMemory.openOrCreate("${own.name}", 1);
    console.log(JSON.stringify([same.read(0, 1)[0], same.stat().size]));
    memory.unlink();`;
  assertEquals(await answer(source, { flags: ["--allow-ffi"] }), [5, 200]);
  assertEquals(own.taken, false);
});

Deno.test("SharedMemory stays when its creator is killed, and unlinkOnClose is not for that", async () => {
  using own = new OwnName();
  await using creator = new TestProcess(`
    import { SharedMemory } from ${MOD};
    const memory = SharedMemory.create("${own.name}", 100, { unlinkOnClose: true });
    memory.bytes[0] = 5;
    console.log("created");
    setInterval(() => {}, 1000);`);
  assertEquals(await creator.line(), "created");
  await creator.kill();
  using memory = SharedMemory.open(own.name);
  assertEquals(memory.bytes[0], 5);
});

Deno.test("SharedMemory: a name that was unlinked is free, and the memory stays for who has it", () => {
  using own = new OwnName();
  using memory = SharedMemory.create(own.name, 100);
  using other = SharedMemory.open(own.name);
  memory.unlink();
  assertThrows(() => memory.unlink(), NotFoundError, "it was unlinked already");
  using next = SharedMemory.create(own.name, 100);
  assertThrows(() => memory.unlink(), NotFoundError, "it was unlinked already");
  other.bytes[0] = 3;
  assertEquals([memory.bytes[0], next.bytes[0]], [3, 0]);
  assertNotEquals(memory.stat().ino, next.stat().ino);
});

Deno.test("SharedMemory: unlinkOnClose is the creator's, and bears that somebody else was faster", () => {
  using own = new OwnName();
  const options = { unlinkOnClose: true };
  const memory = SharedMemory.openOrCreate(own.name, 100, options);
  SharedMemory.openOrCreate(own.name, 100, options).close();
  assertEquals(own.taken, true);
  memory.close();
  memory.close();
  assertEquals(own.taken, false);

  const first = SharedMemory.create(own.name, 100, options);
  first.unlink();
  using second = SharedMemory.create(own.name, 100);
  first[Symbol.dispose]();
  assertEquals([own.taken, second.stat().nlink], [true, 1]);
});

Deno.test("SharedMemory: after close every view is empty and every call refuses", () => {
  using own = new OwnName();
  const memory = SharedMemory.create(own.name, 100);
  const { bytes } = memory;
  const words = new Int32Array(memory.buffer);
  memory.close();
  assertEquals([bytes.length, words.length, memory.byteLength, memory.closed], [0, 0, 0, true]);
  for (
    const call of [
      () => memory.bytes,
      () => memory.buffer,
      () => memory.fd,
      () => memory.stat(),
      () => memory.read(0, 1),
      () => memory.write(0, new Uint8Array(1)),
      () => memory.resize(10),
      () => memory.unlink(),
      () => memory.pin(),
    ]
  ) assertThrows(call, ClosedError);
});

Deno.test("SharedMemory: resize gives new memory with the old content, and empties older views", () => {
  using own = new OwnName();
  using memory = SharedMemory.create(own.name, 5000);
  using other = SharedMemory.open(own.name);
  using reader = SharedMemory.open(own.name, { access: "read" });
  memory.bytes.fill(7);
  const { bytes, buffer } = memory;
  memory.resize(100_000);
  assertEquals([bytes.length, buffer.byteLength, memory.byteLength], [0, 0, 100_000]);
  assertThrows(() => Atomics.load(new Int32Array(buffer), 0), TypeError);
  assert(memory.read(0, 5000).every((byte) => byte === 7));
  assert(memory.read(5000, 95_000).every((byte) => byte === 0));
  assertEquals([other.byteLength, other.bytes[4999]], [5000, 7], "who has it open keeps what it maps");
  other.resize(other.stat().size);
  reader.resize(reader.stat().size);
  memory.bytes[99_999] = 9;
  assertEquals([other.bytes[99_999], reader.bytes[99_999]], [9, 9]);
  assertThrows(() => reader.resize(5), TypeError, "it was opened for reading");

  memory.resize(10);
  assertEquals([memory.byteLength, memory.stat().size], [10, 10]);
  assertThrows(() => memory.read(5, 6), RangeError);
  const short = assertThrows(() => other.read(5, 6), TruncatedError);
  assertEquals(short.message, `Cannot read 6 bytes at 5 of "${own.name}": it has 10 bytes now`);
  assertThrows(() => other.write(10, new Uint8Array(1)), TruncatedError);
  assertEquals([...other.read(0, 2)], [7, 7]);
  for (const size of [0, -1, 1.5]) assertThrows(() => memory.resize(size), RangeError);
});

Deno.test("SharedMemory: resize leaves the memory where it is pinned", () => {
  using own = new OwnName();
  using memory = SharedMemory.create(own.name, 100);
  memory.bytes.fill(7);
  const pointer = Deno.UnsafePointer.of(memory.bytes)!;
  const pin = memory.pin();
  memory.resize(200);
  memory.bytes[0] = 8;
  assertEquals(new Deno.UnsafePointerView(pointer).getUint8(0), 8);
  pin[Symbol.dispose]();
  assertEquals(memory.bytes[0], 8);
});

Deno.test("SharedMemory: what is no shared memory, or not ours, is refused unopened", () => {
  using target = new OwnName();
  using memory = SharedMemory.create(target.name, 100);
  memory.bytes.fill(1);
  using own = new OwnName();
  Deno.symlinkSync(target.path, own.path);
  assertThrows(() => SharedMemory.open(own.name), UntrustedError, "it is a symbolic link");
  assertThrows(() => SharedMemory.create(own.name, 5), AlreadyExistsError);
  assertThrows(() => SharedMemory.openOrCreate(own.name, 5), UntrustedError);
  assert(memory.bytes.every((byte) => byte === 1));
  assertEquals(memory.stat().size, 100);

  using folder = new OwnName();
  Deno.mkdirSync(folder.path);
  try {
    for (const access of ["read", "write"] as const) {
      assertThrows(() => SharedMemory.open(folder.name, { access }), NotSupportedError, "it is a directory");
    }
  } finally {
    Deno.removeSync(folder.path);
  }
  using fifo = new OwnName();
  new Deno.Command("mkfifo", { args: [fifo.path] }).outputSync();
  assertThrows(() => SharedMemory.open(fifo.name), NotSupportedError, "it is a fifo");
  for (const allowOwner of ["0", "any ", NaN, ["0"]] as unknown as number[]) {
    const says = `"${target.name}": allowOwner is a user's number`;
    assertThrows(() => SharedMemory.open(target.name, { allowOwner }), TypeError, says);
  }
});

Deno.test("SharedMemory without a size, as its creator in C has made it a moment ago", () => {
  using own = new OwnName();
  Deno.writeFileSync(own.path, new Uint8Array());
  assertThrows(() => SharedMemory.open(own.name), TruncatedError, "it has no size, or none yet");
  assertThrows(() => SharedMemory.openOrCreate(own.name, 5), TruncatedError, "it has no size, or none yet");
});

Deno.test({
  name: "SharedMemory of another user is trusted only by name, and used as far as its mode permits",
  ignore: !canBeAnother,
  fn: () => {
    using own = new OwnName();
    using memory = SharedMemory.create(own.name, 100, { mode: 0o644 });
    memory.bytes[0] = 9;
    asUser(NOBODY, () => {
      const untrusted = () => SharedMemory.open(own.name, { access: "read" });
      assertThrows(untrusted, UntrustedError, "it belongs to uid 0, and has mode 0644");
      using readable = SharedMemory.open(own.name, { access: "read", allowOwner: 0 });
      assertEquals(readable.bytes[0], 9);
      const denied = assertThrows(() => SharedMemory.open(own.name, { allowOwner: 0 }), PermissionError);
      assertEquals([denied.code, denied.target], ["EACCES", own.name]);
      assertThrows(() => SharedMemory.unlink(own.name), PermissionError);
    });
    assertEquals(own.taken, true);
  },
});

Deno.test("SharedMemory: the mode is exact, whatever the umask", () => {
  const umask = Deno.umask(0o077);
  try {
    for (const mode of [undefined, 0o600, 0o640, 0o666, 0o400]) {
      using own = new OwnName();
      using memory = SharedMemory.create(own.name, 1, mode === undefined ? {} : { mode });
      assertEquals(memory.stat().mode, mode ?? 0o600);
    }
  } finally {
    Deno.umask(umask);
  }
});

Deno.test("SharedMemory leaves maps, descriptors and names as they were after many cycles", async () => {
  using own = new OwnName();
  await using _leaks = await trackLeaks();
  for (let cycle = 0; cycle < scaled(100_000); cycle++) {
    using memory = SharedMemory.create(own.name, 4096, { unlinkOnClose: true });
    memory.bytes[0] = cycle;
  }
  assertEquals(own.taken, false);
});

Deno.test("SharedMemory of a hostile size is an error", () => {
  using own = new OwnName();
  using file = Deno.openSync(own.path, { createNew: true, read: true, write: true });
  for (const [size, kind] of [[2 ** 47, LimitError], [2 ** 62, LimitError]] as const) {
    file.truncateSync(size);
    assertThrows(() => SharedMemory.open(own.name), kind, "Cannot reserve");
    assertThrows(() => SharedMemory.open(own.name, { reserve: false }), kind, "Cannot map");
  }
});
