/** What the kernel does with mapped memory, and what the classes here make of it. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ClosedError, ERRNO, IpcError, PermissionError, TruncatedError } from "@ipc/core";
import { abi, bind, check, cString, errno, Mapping, OwnedFd, pageSize } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { Cases, code } from "../core/testdata/cases.ts";
import { prepared, TestProcess } from "../core/testdata/process.ts";
import { libc } from "./_libc.ts";
import { createMemfd } from "./create_memfd.ts";
import { MappedFile } from "./mapped_file.ts";
import { OwnFile } from "./testdata/own_file.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const cases = new Cases("mmap", new URL("testdata/conformance.json", import.meta.url));
const { PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, O_RDONLY, O_RDWR, O_WRONLY } = abi;
const MAP_FAILED = 2n ** 64n - 1n;
const PAGE = pageSize();

const raw = bind({
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
  },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
});

/** Maps as C does, and returns the address, or the errno. */
function mmap(length: number, protection: number, flags: number, fd: number, offset = 0): bigint | number {
  const [bytes, from] = [BigInt(length), BigInt(offset)];
  const pointer = raw.mmap(null, bytes, protection, flags, fd, from);
  const number = errno();
  const address = Deno.UnsafePointer.value(pointer);
  return address === MAP_FAILED ? number : address;
}

const pointerTo = (address: bigint | number) => Deno.UnsafePointer.create(BigInt(address));

function open(own: OwnFile, flags: number): OwnedFd {
  return new OwnedFd(check(libc.open(cString(own.path), flags | abi.O_CLOEXEC, 0), "open", "open"));
}

cases.test("MMAP-001", () => {
  using own = OwnFile.of("hello");
  using file = open(own, O_RDWR);
  assertEquals(mmap(0, PROT_READ, MAP_SHARED, file.fd), ERRNO.EINVAL);
  assertThrows(() => MappedFile.open(own.path, { length: 0 }), RangeError);
});

cases.test("MMAP-002", () => {
  using own = OwnFile.of("hello");
  using file = open(own, O_RDWR);
  assertEquals(mmap(1, PROT_READ, MAP_SHARED, file.fd, 1), ERRNO.EINVAL);
  using mapped = MappedFile.open(own.path, { offset: 1, length: 1 });
  assertEquals(mapped.bytes[0], "e".charCodeAt(0));
});

cases.test("MMAP-003", () => {
  const bytes = BigInt(PAGE);
  const pointer = raw.mmap(null, bytes, PROT_READ, MAP_SHARED, -1, 0n);
  assertEquals(errno(), ERRNO.EBADF);
  assertNotEquals(pointer, null);
  assertEquals(Deno.UnsafePointer.value(pointer), MAP_FAILED);
  assertEquals(code(() => Mapping.map(-1)), "EBADF");
});

cases.test("MMAP-004", () => {
  using own = OwnFile.of("hello");
  using writable = open(own, O_WRONLY);
  using readable = open(own, O_RDONLY);
  assertEquals(mmap(5, PROT_READ, MAP_SHARED, writable.fd), ERRNO.EACCES);
  assertEquals(mmap(5, PROT_WRITE, MAP_SHARED, readable.fd), ERRNO.EACCES);
  assertThrows(() => Mapping.map(readable.fd), PermissionError);
});

cases.test("MMAP-005", () => {
  using own = OwnFile.of("hello");
  using file = open(own, O_RDWR);
  assertEquals(mmap(5, PROT_READ, 0, file.fd), ERRNO.EINVAL);
});

cases.test("MMAP-007", () => {
  using own = OwnFile.of("hello");
  using file = MappedFile.open(own.path);
  file.bytes[0] = "j".charCodeAt(0);
  assertEquals(own.text, "jello");
});

cases.test("MMAP-008", () => {
  using own = OwnFile.of("hello");
  using file = MappedFile.open(own.path, { access: "copy-on-write" });
  file.bytes[0] = "j".charCodeAt(0);
  assertEquals(new TextDecoder().decode(file.bytes), "jello");
  assertEquals(own.text, "hello");
});

cases.test("MMAP-009", () => {
  using own = OwnFile.of(new Uint8Array(100).fill(1));
  using file = open(own, O_RDWR);
  const address = mmap(4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd);
  const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointerTo(address)!, 4096));
  assert(bytes.subarray(100).every((byte) => byte === 0));
  bytes[100] = 7;
  bytes.buffer.transfer(0);
  assertEquals(raw.munmap(pointerTo(address), 4096n), 0);
  assertEquals(own.content, new Uint8Array(100).fill(1));
  using mapped = MappedFile.open(own.path);
  assertEquals(mapped.byteLength, 100, "no byte beyond the end is given to anybody");
});

cases.test("MMAP-010", () => {
  using own = OwnFile.of("hello");
  using file = MappedFile.open(own.path);
  assertEquals([file.byteLength, file.stat().size], [5, 5]);
});

cases.test("MMAP-011", () => {
  using own = OwnFile.of("hello");
  for (const options of [{ length: 6 }, { offset: 5 }, { offset: 1, length: 5 }]) {
    assertThrows(() => MappedFile.open(own.path, options), RangeError, "it has 5 bytes");
  }
  using file = MappedFile.open(own.path);
  assertThrows(() => file.window(0, 6), RangeError, "it has 5 bytes");
});

cases.test("MMAP-012", async () => {
  using own = OwnFile.of(new Uint8Array(2 * PAGE));
  using file = MappedFile.open(own.path);
  Deno.truncateSync(own.path, 0);
  assertThrows(() => file.read(0, 1), TruncatedError);
  assertThrows(() => file.write(0, new Uint8Array(1)), TruncatedError);
  // The boundary that the documentation tells of: a view cannot know.
  await using view = new TestProcess(`
    import { MappedFile } from ${MOD};
    using file = MappedFile.open("${own.path}", { size: 10 });
    Deno.truncateSync("${own.path}", 0);
    console.log(file.bytes[0]);`);
  assertEquals((await view.status).signal, "SIGBUS");
  using memory = createMemfd("test", PAGE);
  assertEquals(code(() => check(libc.ftruncate(memory.fd, 0n), "ftruncate", "resize")), "EPERM");
});

cases.test("MMAP-015", () => {
  using own = OwnFile.of("hello");
  const file = MappedFile.open(own.path);
  const { bytes, buffer } = file;
  const words = new Int32Array(buffer, 0, 1);
  file.close();
  file.close();
  assertEquals([bytes.byteLength, words.byteLength, buffer.byteLength], [0, 0, 0]);
  for (
    const call of [
      () => file.read(0, 1),
      () => file.write(0, new Uint8Array(1)),
      () => file.flush(),
      () => file.bytes,
    ]
  ) assertThrows(call, ClosedError);
  assertThrows(() => Atomics.load(words, 0));
});

cases.test("MMAP-016", () => {
  using own = OwnFile.of(new Uint8Array(PAGE));
  using file = open(own, O_RDWR);
  const address = mmap(PAGE, PROT_READ, MAP_SHARED, file.fd);
  const inside = pointerTo(BigInt(address) + 1n);
  const bytes = BigInt(PAGE);
  assertEquals([raw.munmap(inside, bytes), errno()], [-1, ERRNO.EINVAL]);
  assertEquals([libc.msync(inside, bytes, abi.MS_SYNC), errno()], [-1, ERRNO.EINVAL]);
  assertEquals(raw.munmap(pointerTo(address), bytes), 0);
  using mapped = MappedFile.open(own.path);
  mapped.flush({ range: { offset: 1, length: 1 } });
});

cases.test("MMAP-017", () => {
  using own = OwnFile.of(new Uint8Array(PAGE));
  using file = open(own, O_RDWR);
  const address = mmap(PAGE, PROT_READ, MAP_SHARED, file.fd);
  const [pointer, bytes] = [pointerTo(address), BigInt(PAGE)];
  assertEquals([libc.msync(pointer, bytes, abi.MS_SYNC | abi.MS_ASYNC), errno()], [-1, ERRNO.EINVAL]);
  assertEquals(raw.munmap(pointer, bytes), 0);
});

cases.test("MMAP-019", () => {
  const address = mmap(10 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  const view = new Deno.UnsafePointerView(pointerTo(address)!);
  assertEquals([view.getUint8(0), view.getUint8(10 * PAGE - 1)], [0, 0]);
  raw.munmap(pointerTo(address), BigInt(10 * PAGE));
  using anonymous = Mapping.anonymous(10 * PAGE);
  assert(anonymous.bytes.every((byte) => byte === 0));
  using memory = createMemfd("test", 10 * PAGE);
  using mapped = memory.map();
  assert(mapped.bytes.every((byte) => byte === 0));
});

cases.test("MMAP-020", async () => {
  const { stdout } = await new Deno.Command("getconf", { args: ["PAGESIZE"] }).output();
  assertEquals(PAGE, Number(new TextDecoder().decode(stdout)));
  using own = OwnFile.of(new Uint8Array(3 * PAGE).map((_, index) => index % 251));
  for (const offset of [PAGE - 1, PAGE, PAGE + 1, 4096, 16_384, 65_536].filter((at) => at < 3 * PAGE)) {
    using file = MappedFile.open(own.path, { offset, length: 1 });
    assertEquals(file.bytes[0], offset % 251);
  }
});

const small = prepared("mount -t tmpfs -o size=1m none /mnt");
cases.test("MMAP-021", async () => {
  const create = `
    import { MappedFile } from ${MOD};
    const size = 4 * 2 ** 20;`;
  await using reserved = new TestProcess(
    `${create}
    try { MappedFile.open("/mnt/file", { create: true, size }); } catch ({ name, code, errno }) {
      console.log(name, code, errno, [...Deno.readDirSync("/mnt")].length);
    }`,
    { before: small },
  );
  assertEquals(await reserved.line(), "LimitError ENOSPC 28 0");
  assertEquals((await reserved.status).code, 0);
  await using sparse = new TestProcess(
    `${create}
    MappedFile.open("/mnt/file", { create: true, size, reserve: "none" }).bytes.fill(1);`,
    { before: small },
  );
  assertEquals((await sparse.status).signal, "SIGBUS");
}, { ignore: small === undefined });

cases.test("MMAP-022", () => {
  using memory = createMemfd("test", PAGE, { seals: ["shrink", "grow", "seal"] });
  for (const size of [0n, 2n * BigInt(PAGE)]) {
    assertEquals([libc.ftruncate(memory.fd, size), errno()], [-1, ERRNO.EPERM]);
  }
});

cases.test("MMAP-024", () => {
  using memory = createMemfd("test", PAGE);
  using _window = memory.map();
  assertEquals([libc.fcntl(memory.fd, abi.F_ADD_SEALS, abi.F_SEAL_WRITE), errno()], [-1, ERRNO.EBUSY]);
  assertEquals(assertThrows(() => memory.seal("write"), IpcError).code, "EBUSY");
});

cases.complete();
