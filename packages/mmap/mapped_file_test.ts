import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ClosedError,
  NotFoundError,
  NotSupportedError,
  TruncatedError,
  UntrustedError,
} from "@ipc/core";
import { Mapping, pageSize } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { answer } from "../core/testdata/process.ts";
import { FileWindow } from "./file_window.ts";
import { MappedFile, type MappedFileOptions } from "./mapped_file.ts";
import { OwnFile } from "./testdata/own_file.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const GIB = 2 ** 30;

const numbered = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251);

Deno.test("MappedFile is exactly the part of the file that was asked for, at any offset", () => {
  const content = numbered(3 * pageSize() + 7);
  using own = OwnFile.of(content);
  using whole = MappedFile.open(own.path);
  assertInstanceOf(whole, Mapping);
  assertEquals([whole.path, whole.access, whole.bytes], [own.path, "write", content]);
  for (
    const [offset, length] of [[0, 1], [1, 4095], [pageSize(), 7], [pageSize() - 3, pageSize() + 9]] as const
  ) {
    using part = MappedFile.open(own.path, { offset, length });
    assertEquals(part.bytes, content.slice(offset, offset + length));
    using mapped = whole.window(offset, length);
    assertEquals(mapped.bytes, part.bytes);
  }
  using rest = MappedFile.open(own.path, { offset: pageSize() + 5, access: "read" });
  assertEquals(rest.bytes, content.slice(pageSize() + 5));
});

Deno.test("MappedFile by access: writing changes the file, copy-on-write and reading do not", () => {
  using own = OwnFile.of("hello, world");
  using file = MappedFile.open(own.path, { access: "write" });
  using copy = MappedFile.open(own.path, { access: "copy-on-write" });
  using reader = MappedFile.open(own.path, { access: "read" });
  file.write(0, new TextEncoder().encode("HELLO"));
  assertEquals(own.text, "HELLO, world");
  assertEquals(new TextDecoder().decode(reader.read(0, 5)), "HELLO");
  copy.bytes.fill(33);
  assertEquals(own.text, "HELLO, world");
  assertThrows(() => reader.write(0, new Uint8Array(1)), TypeError, "for reading");
  assertEquals([file.readOnly, copy.readOnly, reader.readOnly], [false, false, true]);
});

Deno.test("MappedFile.open makes a file: its size, its mode whatever the umask, and only where it was asked to", () => {
  const umask = Deno.umask(0o077);
  try {
    for (const mode of [undefined, 0o600, 0o664, 0o777]) {
      using own = new OwnFile();
      using file = MappedFile.open(own.path, { create: true, size: 5000, mode });
      assertEquals([file.byteLength, file.stat().mode], [5000, mode ?? 0o600]);
      assert(file.bytes.every((byte) => byte === 0));
    }
  } finally {
    Deno.umask(umask);
  }
  using own = OwnFile.of("hello");
  using there = MappedFile.open(own.path, { create: true, size: 3, mode: 0o600 });
  assertEquals([there.byteLength, own.text], [5, "hello"]);
  using longer = MappedFile.open(own.path, { create: true, size: 8 });
  assertEquals([longer.byteLength, own.text], [8, "hello\0\0\0"]);
  const taken = assertThrows(
    () => MappedFile.open(own.path, { createNew: true, size: 8 }),
    AlreadyExistsError,
  );
  assertEquals([taken.code, taken.target], ["EEXIST", own.path]);
  using other = new OwnFile();
  const missing = assertThrows(() => MappedFile.open(other.path), NotFoundError);
  assertEquals(missing.message, `Cannot open file "${other.path}": no such file`);
  MappedFile.open(other.path, { createNew: true, size: 8 }).close();
  assertEquals(other.status.size, 8);
});

Deno.test("MappedFile: a new file is there only if it could be mapped", () => {
  using own = new OwnFile();
  for (const options of [{ offset: 100 }, { length: 101 }, { offset: 1, length: 100 }]) {
    assertThrows(() => MappedFile.open(own.path, { create: true, size: 100, ...options }), RangeError);
    assertEquals(own.exists, false);
  }
});

Deno.test("MappedFile follows a link to a file, and makes none through a link to nowhere", () => {
  using own = OwnFile.of("hello");
  const link = `${own.folder}/link`;
  Deno.symlinkSync(own.path, link);
  using file = MappedFile.open(link);
  using same = MappedFile.open(link, { create: true, size: 1, followLinks: true });
  assertEquals([file.byteLength, same.byteLength], [5, 5]);
  const refused = () => MappedFile.open(link, { create: true, size: 100 });
  assertThrows(refused, UntrustedError, `Cannot open file "${link}": it is a symbolic link`);
  assertThrows(() => MappedFile.open(link, { followLinks: false }), UntrustedError);
  assertEquals(own.text, "hello");
  Deno.removeSync(own.path);
  assertThrows(refused, UntrustedError);
  for (const how of [{ create: true, followLinks: true }, { createNew: true }]) {
    assertThrows(() => MappedFile.open(link, { ...how, size: 1 }), AlreadyExistsError);
  }
  assertEquals(own.exists, false);
});

Deno.test({
  name: "MappedFile of somebody else: opened, but not where it was to be made, unless they are named",
  ignore: Deno.uid() !== 0,
  fn: () => {
    using own = OwnFile.of("hello");
    Deno.chownSync(own.path, 65534, 65534);
    MappedFile.open(own.path).close();
    const create = { create: true, size: 1 };
    for (const allowOwner of [undefined, 1, [1, 2], []]) {
      const open = () => MappedFile.open(own.path, { ...create, allowOwner });
      assertThrows(open, UntrustedError, "it belongs to uid 65534");
    }
    assertThrows(() => MappedFile.open(own.path, { allowOwner: 1 }), UntrustedError);
    for (const allowOwner of [65534, [1, 65534], "any"] as const) {
      MappedFile.open(own.path, { ...create, allowOwner }).close();
    }
  },
});

Deno.test("MappedFile: what is outside of the file, or makes no sense, is refused", () => {
  using own = OwnFile.of(new Uint8Array(5000));
  const refuse = (options: unknown, kind: ErrorConstructor, reason: string) => {
    assertThrows(() => MappedFile.open(own.path, options as MappedFileOptions), kind, reason);
  };
  for (const [offset, length] of [[0, 5001], [5000], [4999, 2], [2 ** 40, 1]]) {
    refuse({ offset, length }, RangeError, "it has 5000 bytes");
  }
  for (const length of [0, -1, 1.5, NaN, Infinity]) refuse({ length }, RangeError, "from 1");
  for (const offset of [-1, 0.5, NaN]) refuse({ offset }, RangeError, "an offset");
  for (const size of [0, -1, 1.5, NaN, 2 ** 53]) refuse({ size }, RangeError, "a size is");
  for (const mode of [-1, 0o1000, 1.5]) refuse({ create: true, size: 1, mode }, RangeError, "nine bits");
  refuse({ create: true }, TypeError, "its size is missing");
  refuse({ createNew: true }, TypeError, "its size is missing");
  refuse({ access: "all" }, TypeError, `for "all"`);
  refuse({ reserve: "some" }, TypeError, `reserve "some"`);
  for (const access of ["read", "copy-on-write"]) {
    for (const change of [{ size: 9000 }, { create: true, size: 1 }, { reserve: "all" }]) {
      refuse({ access, ...change }, TypeError, `its access is "${access}"`);
    }
  }
  assertEquals(own.status.size, 5000);
  using empty = OwnFile.of("");
  assertThrows(() => MappedFile.open(empty.path), RangeError, "it has 0 bytes");
  assertThrows(() => MappedFile.open("a\0b"), TypeError);
  for (const path of [new URL(`file://${own.path}`), 5, undefined] as unknown as string[]) {
    assertThrows(() => MappedFile.open(path), TypeError, "a path is a string");
  }
  for (const allowOwner of ["65534", NaN, ["0"]] as unknown as number[]) {
    assertThrows(() => MappedFile.open(own.path, { allowOwner }), TypeError, "allowOwner");
  }
});

Deno.test("MappedFile of what is no file is an error, and nothing waits", () => {
  using own = new OwnFile();
  assertThrows(() => MappedFile.open(own.folder, { access: "read" }), NotSupportedError, "a directory");
  const folder = assertThrows(() => MappedFile.open(own.folder), NotSupportedError, "it is a directory");
  assertEquals([folder.code, folder.target], ["EISDIR", own.folder]);
  const socket = `${own.folder}/socket`;
  using _server = Deno.listen({ transport: "unix", path: socket });
  assertThrows(() => MappedFile.open(socket), NotSupportedError, "it is a socket");
  new Deno.Command("mkfifo", { args: [own.path] }).outputSync();
  for (const access of ["read", "write"] as const) {
    assertThrows(() => MappedFile.open(own.path, { access }), NotSupportedError, "it is a fifo");
  }
  assertThrows(() => MappedFile.open("/dev/null"), NotSupportedError, "a character-device");
});

Deno.test("MappedFile.grow: more of the file in new memory, and older views are empty", () => {
  using own = OwnFile.of("hello");
  using file = MappedFile.open(own.path, { offset: 1 });
  using part = MappedFile.open(own.path, { length: 3 });
  using reader = MappedFile.open(own.path, { access: "read" });
  const { bytes, buffer } = file;
  const { bytes: same } = part;
  file.grow(5);
  assertStrictEquals(file.bytes, bytes, "nothing to do");
  file.grow(10_000);
  assertEquals([bytes.length, buffer.byteLength, file.byteLength, own.status.size], [0, 0, 9_999, 10_000]);
  file.bytes[9_998] = 7;
  assertEquals(new TextDecoder().decode(file.read(0, 5)), "ello\0");
  part.grow(20_000);
  assertStrictEquals(part.bytes, same, "it has a length of its own");
  assertEquals(reader.byteLength, 5);
  reader.grow(reader.stat().size);
  assertEquals([reader.byteLength, reader.bytes[9_999]], [20_000, 7]);
  assertThrows(() => reader.grow(20_001), TypeError, "it was opened for reading");
  for (const size of [0, -1, 1.5, NaN, 19_999]) {
    assertThrows(() => file.grow(size), RangeError, "it has 20000");
  }
  using copy = MappedFile.open(own.path, { access: "copy-on-write" });
  assertThrows(() => copy.grow(30_000), TypeError, "copy-on-write");
  assertEquals(own.status.size, 20_000);
});

Deno.test("MappedFile: reserve says what takes room on the disk", () => {
  const blocks = (own: OwnFile) => own.status.blocks! * 512;
  const size = 2 ** 20;
  using filled = new OwnFile();
  MappedFile.open(filled.path, { create: true, size }).close();
  assert(blocks(filled) >= size);
  using sparse = new OwnFile();
  using file = MappedFile.open(sparse.path, { create: true, size, reserve: "none" });
  assert(blocks(sparse) < size / 2);
  file.grow(2 * size);
  assertEquals(file.byteLength, 2 * size);
  assert(blocks(sparse) < size / 2);
  MappedFile.open(sparse.path, { size: 3 * size }).close();
  assert(blocks(sparse) >= size && blocks(sparse) < 2 * size, "only what is new");
  MappedFile.open(sparse.path, { reserve: "all" }).close();
  assert(blocks(sparse) >= 3 * size);
});

Deno.test("MappedFile: windows beyond 4 GiB of a file of 6, and all of it at once", () => {
  using own = new OwnFile();
  using file = MappedFile.open(own.path, {
    create: true,
    size: 6 * GIB,
    reserve: "none",
    length: pageSize(),
  });
  for (const offset of [0, 4 * GIB - 3, 4 * GIB + 21, 6 * GIB - 10]) {
    using mapped = file.window(offset, 10);
    assertInstanceOf(mapped, FileWindow);
    assertEquals([mapped.byteLength, mapped.path, mapped.access], [10, own.path, "write"]);
    mapped.bytes.fill(offset % 251);
  }
  using whole = MappedFile.open(own.path, { access: "read" });
  assertEquals(whole.byteLength, 6 * GIB);
  for (const offset of [4 * GIB - 3, 4 * GIB + 21, 6 * GIB - 10]) {
    assertEquals(whole.read(offset + 9, 1)[0], offset % 251);
    assertEquals(whole.bytes[offset + 9], offset % 251);
  }
  using rest = file.window(6 * GIB - 10);
  assertEquals(rest.byteLength, 10);
  assertThrows(() => file.window(6 * GIB - 10, 11), RangeError, `it has ${6 * GIB} bytes`);
  assertThrows(() => file.window(6 * GIB), RangeError);
});

Deno.test("MappedFile: a window stays when the file is closed, and the other way round", () => {
  using own = OwnFile.of("hello");
  const file = MappedFile.open(own.path);
  using mapped = file.window(1, 3);
  const other = file.window(0);
  other.close();
  assertEquals(file.bytes[0], "h".charCodeAt(0));
  file.close();
  mapped.write(0, new TextEncoder().encode("ELL"));
  assertEquals(own.text, "hELLo");
  assertThrows(() => file.window(0), ClosedError);
});

Deno.test("MappedFile: a file that became shorter is noticed by read, write, window, lock and grow", () => {
  using own = OwnFile.of(new Uint8Array(3 * pageSize()).fill(1));
  using file = MappedFile.open(own.path);
  Deno.truncateSync(own.path, 10);
  const told = `"${own.path}": it has 10 bytes now`;
  assertThrows(() => file.read(10, 1), TruncatedError, `Cannot read 1 bytes at 10 of ${told}`);
  assertThrows(() => file.write(pageSize(), new Uint8Array(5)), TruncatedError, "Cannot write 5 bytes");
  assertThrows(() => file.lock(), TruncatedError, "Cannot lock");
  assertThrows(() => file.window(0, 11), RangeError, "it has 10 bytes");
  assertEquals(file.read(0, 10), new Uint8Array(10).fill(1));
  file.flush();
  assert(file.resident() <= 1);
  file.grow(3 * pageSize());
  assertEquals([file.bytes[9], file.bytes[10], file.bytes[2 * pageSize()]], [1, 0, 0]);
  Deno.truncateSync(own.path, 10);
  file.grow(pageSize());
  assertEquals([file.byteLength, file.bytes.length], [pageSize(), pageSize()], "no more than there is");
});

Deno.test("MappedFile: after close every view is empty and every call refuses", () => {
  using own = OwnFile.of("hello");
  const file = MappedFile.open(own.path);
  const { bytes } = file;
  const view = new DataView(file.buffer);
  file.close();
  file.close();
  file[Symbol.dispose]();
  assertEquals([bytes.length, file.byteLength, file.closed], [0, 0, true]);
  assertThrows(() => view.getInt8(0), TypeError);
  assertThrows(() => bytes.fill(1), TypeError);
  for (
    const call of [
      () => file.bytes,
      () => file.buffer,
      () => file.fd,
      () => file.stat(),
      () => file.read(0, 1),
      () => file.write(0, new Uint8Array(1)),
      () => file.grow(10),
      () => file.window(0),
      () => file.flush(),
      () => file.advise("random"),
      () => file.lock(),
      () => file.unlock(),
      () => file.resident(),
      () => file.pin(),
    ]
  ) assertThrows(call, ClosedError);
  assertEquals(own.text, "hello");
});

Deno.test("MappedFile: --allow-ffi is enough, and nothing else is asked for", async () => {
  using own = new OwnFile();
  const source = `
    import { MappedFile, createMemfd } from ${MOD};
    using file = MappedFile.open("${own.path}", { create: true, size: 100 });
    file.write(0, new Uint8Array([5]));
    file.grow(200);
    file.flush();
    using mapped = file.window(0, 1);
    using memory = createMemfd("test", 10);
    using other = memory.map();
    console.log(JSON.stringify([mapped.read(0, 1)[0], file.stat().size, other.byteLength]));`;
  assertEquals(await answer(source, { flags: ["--allow-ffi"] }), [5, 200, 10]);
});
