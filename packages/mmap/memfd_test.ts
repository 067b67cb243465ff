import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  ClosedError,
  ERRNO,
  IpcError,
  LimitError,
  NotFoundError,
  PermissionError,
  UntrustedError,
} from "@ipc/core";
import { check, cString, dupCloexec, OwnedFd, stat } from "@ipc/core/sys";
import { everyFault, leakCheck, trackLeaks, withFault } from "@ipc/core/testing";
import { TestProcess } from "../core/testdata/process.ts";
import { libc } from "./_libc.ts";
import { createMemfd } from "./create_memfd.ts";
import { FileWindow } from "./file_window.ts";
import { Memfd, type Seal } from "./memfd.ts";
import { OwnFile } from "./testdata/own_file.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const SYS = JSON.stringify(new URL("../core/sys/mod.ts", import.meta.url).href);

/** Another descriptor of the same memory, as if it had come from another process. */
const received = (memory: Memfd) => new OwnedFd(dupCloexec(memory.fd));

/** Those of the seals that a caller can know of: the kernel adds `exec` where it can. */
const sealsOf = (memory: Memfd) => memory.seals.filter((seal) => seal !== "exec");

function truncate(memory: Memfd, size: number): void {
  check(libc.ftruncate(memory.fd, BigInt(size)), "ftruncate", "resize");
}

Deno.test("createMemfd: memory of exactly its size, shared by its descriptor alone", () => {
  using memory = createMemfd("frames", 5000);
  using mapped = memory.map();
  assertInstanceOf(mapped, FileWindow);
  assertEquals([memory.size, mapped.byteLength, mapped.path], [5000, 5000, "memfd:frames"]);
  assert(mapped.bytes.every((byte) => byte === 0));
  using same = new Memfd(received(memory));
  using part = same.map({ offset: 4990, access: "read" });
  mapped.bytes[4999] = 7;
  assertEquals([part.byteLength, part.bytes[9]], [10, 7]);
  assertEquals(Deno.readLinkSync(`/proc/self/fd/${memory.fd}`), "/memfd:frames (deleted)");
  assertEquals(stat(memory.fd).mode, 0o600);
  memory.close();
  memory.close();
  assertEquals(part.bytes[9], 7);
  for (
    const call of [
      () => memory.fd,
      () => memory.size,
      () => memory.seals,
      () => memory.seal("grow"),
      () => memory.map(),
      () => memory.openReadOnly(),
    ]
  ) assertThrows(call, ClosedError);
});

Deno.test("createMemfd: bad arguments are refused", () => {
  for (const size of [0, -1, 1.5, NaN, 2 ** 53]) {
    assertThrows(() => createMemfd("test", size), RangeError, "a size is an integer from 1");
  }
  assertThrows(() => createMemfd("x".repeat(250), 1), TypeError, "250 bytes");
  assertThrows(() => createMemfd("a\0b", 1), TypeError);
  assertThrows(() => createMemfd("test", 1, { seals: ["all" as Seal] }), TypeError, `"all"`);
  createMemfd("x".repeat(249), 1).close();
  createMemfd("", 1).close();
});

Deno.test("createMemfd: more than there is, and the descriptor is closed again", async () => {
  await using _leaks = await trackLeaks();
  for (const errno of [ERRNO.ENOMEM, ERRNO.ENOSPC]) {
    const { error } = await withFault(
      { nth: 1, symbols: "posix_fallocate", errno },
      () => createMemfd("test", 9),
    );
    assertInstanceOf(error, LimitError);
    assert(error.message.startsWith('Cannot make room for 9 bytes in memfd "test"'), error.message);
  }
});

Deno.test("Memfd seals: neither shrinks nor grows unless told", () => {
  using memory = createMemfd("test", 5000);
  assertEquals(sealsOf(memory), ["shrink", "grow"]);
  for (const size of [0, 4999, 5001]) {
    assertEquals(assertThrows(() => truncate(memory, size), IpcError).code, "EPERM");
  }
  using free = createMemfd("test", 5000, { seals: [] });
  assertEquals(sealsOf(free), []);
  truncate(free, 6000);
  free.seal("shrink");
  truncate(free, 7000);
  assertThrows(() => truncate(free, 6999), IpcError);
  free.seal("grow", "seal");
  assertThrows(() => truncate(free, 7001), IpcError);
  assertEquals(sealsOf(free), ["shrink", "grow", "seal"]);
  const sealed = assertThrows(() => free.seal("write"), PermissionError, "Cannot seal");
  assertEquals(sealed.hint, "it was sealed for good, or the descriptor is for reading");
});

Deno.test("Memfd sealed against writing: not while it is written, and then by nobody", () => {
  using memory = createMemfd("test", 100);
  const mapped = memory.map();
  mapped.bytes[0] = 7;
  const busy = assertThrows(() => memory.seal("write"), IpcError);
  assertEquals([busy.code, busy.hint], [
    "EBUSY",
    'close every mapping for writing first, or seal against "future-write"',
  ]);
  mapped.close();
  memory.seal("write");
  assertThrows(() => memory.map(), PermissionError);
  using reader = memory.map({ access: "read" });
  using copy = memory.map({ access: "copy-on-write" });
  copy.bytes[0] = 8;
  assertEquals([reader.bytes[0], copy.bytes[0]], [7, 8]);
});

Deno.test("Memfd sealed against future writing: mappings that exist go on, and nobody makes another", () => {
  using memory = createMemfd("test", 100);
  using writer = memory.map();
  memory.seal("future-write");
  using other = new Memfd(received(memory), { seals: ["shrink", "future-write"] });
  assertThrows(() => other.map(), PermissionError);
  assertThrows(() => memory.map(), PermissionError);
  using reader = other.map({ access: "read" });
  writer.bytes[0] = 7;
  assertEquals(reader.bytes[0], 7);
  using file = new OwnedFd(open(memory.fd, 2));
  assertThrows(() => new Memfd(file).map(), PermissionError);
});

/** Opens the same memory through /proc. */
function open(fd: number, flags: number): number {
  return check(libc.open(cString(`/proc/self/fd/${fd}`), flags | 0o2000000, 0), "open", "open");
}

Deno.test("Memfd.openReadOnly: no mapping for writing, but who may open it again can have one", () => {
  using memory = createMemfd("test", 100);
  using writer = memory.map();
  using readable = memory.openReadOnly();
  using other = new Memfd(readable, { name: "received" });
  assertThrows(() => other.map(), PermissionError, 'Cannot map "memfd:received": permission denied');
  assertThrows(() => other.seal("write"), PermissionError);
  using reader = other.map({ access: "read" });
  writer.bytes[0] = 7;
  assertEquals(reader.bytes[0], 7);
  // Which is what the seal is for.
  using again = new Memfd(new OwnedFd(open(readable.fd, 2)));
  using back = again.map();
  back.bytes[0] = 8;
  assertEquals(writer.bytes[0], 8);
});

Deno.test("new Memfd takes only what it must be", () => {
  using memory = createMemfd("test", 100, { seals: ["grow"] });
  using file = received(memory);
  const told = assertThrows(() => new Memfd(file), UntrustedError);
  assertEquals(
    told.message,
    `Cannot open memfd "/proc/self/fd/${file.fd}": it is not sealed against "shrink"`,
  );
  assertThrows(
    () => new Memfd(file, { seals: ["shrink", "grow", "write"] }),
    UntrustedError,
    '"shrink" and "write"',
  );
  assertThrows(() => new Memfd(file, { seals: [], size: 101 }), RangeError, "it has 100 bytes, not 101");
  assertThrows(() => new Memfd(file, { seals: ["all" as Seal] }), TypeError);
  for (const size of [NaN, "x" as unknown as number, -1, 0, 1.5]) {
    assertThrows(() => new Memfd(file, { seals: [], size }), RangeError, "a size is an integer from 1");
  }
  assertEquals(new Memfd(file, { seals: ["grow"], size: 100 }).fd, file.fd);
  using own = OwnFile.of("hello");
  using disk = new OwnedFd(check(libc.open(cString(own.path), 2, 0), "open", "open"));
  assertThrows(() => new Memfd(disk, { seals: [] }), UntrustedError);
});

Deno.test("Memfd.map for an access that there is not is no mapping that can be written", () => {
  using memory = createMemfd("test", 100);
  assertThrows(() => memory.map({ access: "readonly" as "read" }), TypeError, 'Cannot map for "readonly"');
});

Deno.test("Memfd that was not sealed: read and write notice that it became shorter", () => {
  using memory = createMemfd("test", 10_000, { seals: [] });
  using mapped = memory.map();
  truncate(memory, 10);
  assertThrows(() => mapped.read(5, 6), Error, 'of "memfd:test": it has 10 bytes now');
});

Deno.test("Memfd in another process, which opens it through /proc, and is gone with both", async () => {
  const memory = createMemfd("test", 4096);
  await using other = new TestProcess(`
    import { Memfd } from ${MOD};
    import { OwnedFd } from ${SYS};
    import { openSync } from "node:fs";
    using memory = new Memfd(new OwnedFd(openSync("/proc/${Deno.pid}/fd/${memory.fd}", "r+")), { size: 4096 });
    const words = new Int32Array(memory.map().buffer);
    Atomics.store(words, 0, 42);
    console.log(memory.seals.includes("shrink"));`);
  assertEquals(await other.line(), "true");
  using mapped = memory.map();
  assertEquals(new Int32Array(mapped.buffer, 0, 1)[0], 42);
  memory.close();
});

Deno.test("Memfd bears every fault: a typed error, and nothing stays mapped or open", async () => {
  await using leaks = await trackLeaks();
  const report = await everyFault(() => {
    using memory = createMemfd("test", 5000);
    using _window = memory.map();
    using _readable = memory.openReadOnly();
  }, {
    errnos: [ERRNO.EMFILE, ERRNO.ENOMEM],
    symbols: ["memfd_create", "fchmod", "posix_fallocate", "fcntl", "open", "mmap"],
    verify: () => leaks.check(),
  });
  // Without /proc/meminfo, which is opened too, memory is only set aside.
  assertEquals([report.errors, Object.keys(report.hits).length], [report.faults - 2, 6]);
  // An older kernel refuses the youngest flag, and no /proc leaves nothing to open.
  const old = await withFault({ nth: 1, symbols: "memfd_create", errno: ERRNO.EINVAL }, () => {
    using memory = createMemfd("test", 1);
    return memory.seals;
  });
  assertEquals([old.hit, old.result], ["memfd_create", ["shrink", "grow"]]);
  const bare = await withFault({ nth: 2, symbols: "open", errno: ERRNO.ENOENT }, () => {
    using memory = createMemfd("test", 1);
    memory.openReadOnly();
  });
  assertInstanceOf(bare.error, NotFoundError);
  await leaks.check();
});
