import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { ClosedError, IpcError, LimitError, TruncatedError } from "../errors.ts";
import { everyFault, leakCheck, trackLeaks } from "../testing/mod.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { check } from "./errno.ts";
import { OwnedFd, stat } from "./fd.ts";
import { FileMapping } from "./file_mapping.ts";
import { type MapOptions, pageSize } from "./mapping.ts";

leakCheck();

/** A class that changes its size, as those of the packages do. */
class Resizable extends FileMapping {
  resize(length: number | undefined, ready?: () => void): void {
    this.remap(length, ready);
  }

  wholePages(offset: number, length: number): [address: bigint, byteLength: number] {
    const { pointer, byteLength } = this.pages(offset, length);
    return [Deno.UnsafePointer.value(pointer), byteLength];
  }
}

/** A file of this many bytes, all 1. */
class File implements Disposable {
  readonly path = Deno.makeTempFileSync();

  constructor(size: number) {
    Deno.writeFileSync(this.path, new Uint8Array(size).fill(1));
  }

  open(): OwnedFd {
    return new OwnedFd(check(libc.open(cString(this.path), abi.O_RDWR | abi.O_CLOEXEC, 0), "open", "open"));
  }

  map(options: MapOptions = {}): Resizable {
    const file = this.open();
    try {
      return new Resizable(file, { target: this.path, ...options });
    } catch (error) {
      file.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

Deno.test("FileMapping owns its descriptor, and leaves it alone when it cannot map", () => {
  using file = new File(10);
  const fd = file.open();
  const mapping = new FileMapping(fd);
  assertEquals([mapping.fd, mapping.stat().size, mapping.access], [fd.fd, 10, "write"]);
  mapping.close();
  mapping.close();
  assertEquals([fd.closed, mapping.closed], [true, true]);
  assertThrows(() => mapping.fd, ClosedError);
  assertThrows(() => mapping.stat(), ClosedError);
  using refused = file.open();
  assertThrows(() => new FileMapping(refused, { length: 11 }), RangeError);
  assertEquals(stat(refused.fd).size, 10);
});

Deno.test("FileMapping: read and write notice a file that became shorter, before they touch it", () => {
  using file = new File(3 * pageSize());
  using mapping = file.map({ offset: pageSize() - 5 });
  Deno.truncateSync(file.path, pageSize() + 5);
  assertEquals(mapping.read(0, 10), new Uint8Array(10).fill(1));
  const error = assertThrows(() => mapping.read(0, 11), TruncatedError);
  assertEquals(
    error.message,
    `Cannot read 11 bytes at 0 of "${file.path}": it has ${pageSize() + 5} bytes now`,
  );
  assertEquals(error.target, file.path);
  assertThrows(() => mapping.write(9, new Uint8Array(2)), TruncatedError, "Cannot write 2 bytes at 9");
  assertThrows(() => mapping.read(2 * pageSize(), pageSize()), RangeError, "the mapping has");
  mapping.write(9, new Uint8Array([7]));
  Deno.truncateSync(file.path, 3 * pageSize());
  assertEquals([mapping.read(9, 1)[0], mapping.read(10, 1)[0]], [7, 0]);
});

Deno.test("FileMapping maps again: new views, the old ones empty, the file the same", () => {
  using file = new File(100);
  using mapping = file.map({ offset: 10 });
  const { buffer, bytes } = mapping;
  Deno.truncateSync(file.path, 20_000);
  mapping.resize(undefined);
  assertEquals([buffer.byteLength, bytes.length, mapping.byteLength], [0, 0, 19_990]);
  assertThrows(() => bytes.fill(1), TypeError);
  assertStrictEquals(mapping.bytes.buffer, mapping.buffer);
  mapping.bytes[19_989] = 7;
  assertEquals(Deno.readFileSync(file.path)[19_999], 7);
  mapping.resize(5);
  assertEquals(mapping.bytes, new Uint8Array(5).fill(1));
  mapping.close();
  assertThrows(() => mapping.resize(5), ClosedError);
});

Deno.test("FileMapping: where mapping again fails, or what comes with it, nothing changes", async () => {
  using file = new File(100);
  using mapping = file.map();
  const { bytes } = mapping;
  await using leaks = await trackLeaks();
  assertThrows(() => mapping.resize(101), RangeError);
  const refuse = () => {
    assertEquals(bytes[99], 1);
    throw new LimitError("Cannot do the rest");
  };
  assertThrows(() => mapping.resize(50, refuse), LimitError);
  const close = () => mapping.close();
  assertStrictEquals(mapping.bytes, bytes);
  const report = await everyFault(() => mapping.resize(100), {
    errnos: [12, 13],
    symbols: ["fstat", "mmap"],
    verify: () => leaks.check(),
  });
  assertEquals([report.errors, report.hits], [4, { fstat: 2, mmap: 2 }]);
  assertEquals(mapping.byteLength, 100);
  assertThrows(() => mapping.resize(50, close), ClosedError);
});

Deno.test("FileMapping: a pin keeps the addresses of memory that was mapped again", () => {
  using file = new File(64 * pageSize());
  using mapping = file.map();
  const pointer = Deno.UnsafePointer.of(mapping.bytes)!;
  const pin = mapping.pin();
  mapping.resize(10);
  const view = new Deno.UnsafePointerView(pointer);
  // What is gone from the file is not touched by anybody; what is left is the same memory.
  assertEquals([view.getUint8(0), view.getUint8(64 * pageSize() - 1)], [1, 0]);
  mapping.bytes[0] = 2;
  assertEquals(view.getUint8(0), 2);
  mapping.bytes[0] = 1;
  pin[Symbol.dispose]();
  pin[Symbol.dispose]();
  assertEquals(mapping.bytes, new Uint8Array(10).fill(1));
});

Deno.test("FileMapping knows the whole pages of a range", () => {
  using file = new File(4 * pageSize());
  using mapping = file.map({ offset: 100 });
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(mapping.bytes));
  const page = address - 100n;
  assertEquals(mapping.wholePages(0, 1), [page, 101]);
  assertEquals(mapping.wholePages(pageSize() - 101, 1), [page, pageSize()]);
  assertEquals(mapping.wholePages(pageSize() - 100, 1), [page + BigInt(pageSize()), 1]);
  for (const [offset, length] of [[-1, 1], [0, 4 * pageSize()], [0.5, 1]] as const) {
    assertThrows(() => mapping.wholePages(offset, length), RangeError);
  }
});

Deno.test("FileMapping of what cannot be mapped is an error", () => {
  const ends = new Int32Array(2);
  check(libc.pipe2(ends, abi.O_CLOEXEC), "pipe2", "create pipe");
  using pipe = new OwnedFd(ends[0]!);
  using _other = new OwnedFd(ends[1]!);
  assert(
    assertThrows(() => new FileMapping(pipe, { length: 1, access: "read" }), IpcError).code === "ENODEV",
  );
});

Deno.test("FileMapping: openFile gives an open file description of its own", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "hello");
    using mapping = new FileMapping(
      new OwnedFd(check(libc.open(cString(path), abi.O_RDWR, 0), "open", "open", path)),
    );
    using file = mapping.openFile();
    const description = (fd: number) => Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
    libc.read(file.fd, new Uint8Array(2), 2n);
    assertMatch(description(file.fd), /^pos:\t2$/m);
    assertMatch(description(mapping.fd), /^pos:\t0$/m);
    assertMatch(description(file.fd), /^flags:\t02\d*2$/m);
  } finally {
    await Deno.remove(path);
  }
});
