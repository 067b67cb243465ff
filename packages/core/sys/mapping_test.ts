import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { ClosedError, IpcError, LimitError, NotSupportedError, PermissionError } from "../errors.ts";
import { everyFault, leakCheck, resources, trackLeaks, withFault } from "../testing/mod.ts";
import { runChild, scaled } from "../testdata/child.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { check } from "./errno.ts";
import { OwnedFd } from "./fd.ts";
import { Mapping, type MappingAccess, pageSize } from "./mapping.ts";

leakCheck();

class File implements Disposable {
  readonly path = Deno.makeTempFileSync();
  readonly #fd: OwnedFd;

  constructor(size: number, flags = abi.O_RDWR) {
    Deno.truncateSync(this.path, size);
    this.#fd = new OwnedFd(check(libc.open(cString(this.path), flags | abi.O_CLOEXEC, 0), "open", "open"));
  }

  get fd(): number {
    return this.#fd.fd;
  }

  [Symbol.dispose](): void {
    this.#fd.close();
    Deno.removeSync(this.path);
  }
}

/** The lines of the memory map that name a file. */
function mapped(path: string): number {
  return Deno.readTextFileSync("/proc/self/maps").split("\n").filter((line) => line.endsWith(path)).length;
}

Deno.test("Mapping has the exact length and shows the file, also from an offset inside a page", () => {
  using file = new File(3 * pageSize());
  const content = new Uint8Array(3 * pageSize()).map((_, index) => index % 251);
  Deno.writeFileSync(file.path, content);
  for (
    const [offset, length] of [[0, 1], [1, 4095], [pageSize(), 7], [pageSize() - 3, pageSize() + 9]] as const
  ) {
    using mapping = Mapping.map(file.fd, { offset, length });
    assertEquals(mapping.byteLength, length);
    assertEquals(mapping.bytes, content.slice(offset, offset + length));
  }
  using rest = Mapping.map(file.fd, { offset: pageSize() + 5 });
  assertEquals(rest.byteLength, 2 * pageSize() - 5);
  rest.bytes[0] = 255;
  assertEquals(Deno.readFileSync(file.path)[pageSize() + 5], 255);
});

Deno.test("Mapping has one buffer and one array of bytes", () => {
  using mapping = Mapping.anonymous(10);
  assertStrictEquals(mapping.buffer, mapping.buffer);
  assertStrictEquals(mapping.bytes, mapping.bytes);
  assertStrictEquals(mapping.bytes.buffer, mapping.buffer);
});

Deno.test("Mapping stays when its descriptor is closed", () => {
  let mapping: Mapping;
  {
    using file = new File(100);
    mapping = Mapping.map(file.fd);
  }
  mapping.bytes.fill(1);
  mapping.close();
});

Deno.test("Mapping.map refuses what is not inside the file, before anything can be touched", () => {
  using file = new File(5000);
  const outside = [{ length: 5001 }, { offset: 5000 }, { offset: 4999, length: 2 }, {
    offset: 2 ** 40,
    length: 1,
  }];
  for (const options of outside) {
    assertThrows(() => Mapping.map(file.fd, options), RangeError, "it has 5000 bytes");
  }
  for (const length of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => Mapping.map(file.fd, { length }), RangeError);
    assertThrows(() => Mapping.anonymous(length), RangeError);
  }
  for (const offset of [-1, 0.5, NaN]) assertThrows(() => Mapping.map(file.fd, { offset }), RangeError);
  using empty = new File(0);
  assertThrows(() => Mapping.map(empty.fd), RangeError, "it has 0 bytes");
});

Deno.test("Mapping.map throws what the kernel says", () => {
  using file = new File(100, abi.O_RDONLY);
  assertInstanceOf(assertThrows(() => Mapping.map(file.fd)), PermissionError);
  using readable = Mapping.map(file.fd, { access: "read" });
  assertEquals(readable.readOnly, true);
  const ends = new Int32Array(2);
  check(libc.pipe2(ends, abi.O_CLOEXEC), "pipe2", "create pipe");
  using pipe = new OwnedFd(ends[0]!);
  using _writer = new OwnedFd(ends[1]!);
  assertEquals(
    assertThrows(() => Mapping.map(pipe.fd, { length: 1, access: "read" }), IpcError).code,
    "ENODEV",
  );
  assertEquals(assertThrows(() => Mapping.map(-1), IpcError).code, "EBADF");
  assertThrows(() => Mapping.anonymous(2 ** 52), LimitError);
});

Deno.test("Mapping.map refuses an access that there is not, which could have meant reading", () => {
  using file = new File(100);
  for (const access of ["readonly", "", null] as unknown as MappingAccess[]) {
    assertThrows(
      () => Mapping.map(file.fd, { access }),
      TypeError,
      'it is "read", "write" or "copy-on-write"',
    );
  }
});

Deno.test("Mapping by access: reading refuses write(), copy-on-write keeps what is written", async () => {
  using file = new File(100);
  Deno.writeFileSync(file.path, new Uint8Array(100).fill(1));
  using shared = Mapping.map(file.fd);
  using readable = Mapping.map(file.fd, { access: "read" });
  using copy = Mapping.map(file.fd, { access: "copy-on-write" });
  shared.write(10, new Uint8Array([2, 3]));
  assertEquals([...readable.read(9, 4)], [1, 2, 3, 1]);
  copy.write(0, new Uint8Array([9]));
  assertEquals([copy.bytes[0], shared.bytes[0], readable.bytes[0]], [9, 1, 1]);
  assertThrows(() => readable.write(0, new Uint8Array([1])), TypeError, "for reading");
  assertEquals([shared.readOnly, readable.readOnly, copy.readOnly], [false, true, false]);

  // Why write() asks: memory for reading has no other defence.
  const { signal } = await runChild(
    `
    import { libc } from "@core/sys/_libc.ts";
    import { cString, Mapping } from "@core/sys/mod.ts";
    const fd = libc.open(cString(Deno.args[0]), 0, 0);
    Mapping.map(fd, { access: "read" }).bytes[0] = 1;
    `,
    { args: [file.path] },
  );
  assertEquals(signal, "SIGSEGV");
});

Deno.test("Mapping.read and write check the range that typed arrays would cut in silence", () => {
  using mapping = Mapping.anonymous(10);
  mapping.write(6, new Uint8Array([1, 2, 3, 4]));
  assertEquals([...mapping.read(5, 5)], [0, 1, 2, 3, 4]);
  assertEquals(mapping.read(10, 0).length, 0);
  for (const [offset, length] of [[0, 11], [10, 1], [-1, 1], [0, -1], [0.5, 1], [NaN, 1]] as const) {
    assertThrows(() => mapping.read(offset, length), RangeError);
  }
  assertThrows(() => mapping.write(7, new Uint8Array(4)), RangeError);
});

Deno.test("Mapping.write takes bytes alone: other views would be converted, or vanish", () => {
  using mapping = Mapping.anonymous(32);
  for (const view of [new DataView(new ArrayBuffer(4)), new Uint16Array([1]), new ArrayBuffer(4), [1]]) {
    assertThrows(() => mapping.write(0, view as unknown as Uint8Array), TypeError, "no Uint8Array");
  }
  assertEquals(mapping.read(0, 32), new Uint8Array(32));
});

Deno.test("CORE-001 Mapping closes twice without harm and empties every view", () => {
  using file = new File(100);
  const mapping = Mapping.map(file.fd);
  const { buffer, bytes } = mapping;
  const words = new Int32Array(buffer);
  const view = new DataView(buffer, 8, 16);
  assertEquals(mapped(file.path), 1);
  mapping.close();
  mapping.close();
  mapping[Symbol.dispose]();
  assertEquals(mapped(file.path), 0);
  assertEquals([mapping.closed, mapping.byteLength, bytes.length, words.length, buffer.byteLength], [
    true,
    0,
    0,
    0,
    0,
  ]);
  assertEquals(words[0], undefined);
  assertThrows(() => Atomics.load(words, 0));
  assertThrows(() => bytes.fill(1), TypeError);
  assertThrows(() => view.getInt8(0), TypeError);
  assertThrows(() => mapping.buffer, ClosedError);
  assertThrows(() => mapping.bytes, ClosedError);
  assertThrows(() => mapping.read(0, 1), ClosedError);
  assertThrows(() => mapping.write(0, new Uint8Array(1)), ClosedError);
  assertThrows(() => mapping.pin(), ClosedError);
});

Deno.test("Mapping is shared with another process, and Atomics on it are exact", async () => {
  using file = new File(8192);
  using mapping = Mapping.map(file.fd, { offset: 4096 });
  const words = new Int32Array(mapping.buffer, 0, 2);
  const times = scaled(1_000_000);
  const child = runChild(
    `
    import { libc } from "@core/sys/_libc.ts";
    import { cString, Mapping } from "@core/sys/mod.ts";
    const fd = libc.open(cString(Deno.args[0]), 2, 0);
    using mapping = Mapping.map(fd, { offset: 4096 });
    const words = new Int32Array(mapping.buffer, 0, 2);
    Atomics.store(words, 1, 1);
    for (let i = 0; i < ${times}; i++) Atomics.add(words, 0, 1);
    `,
    { args: [file.path] },
  );
  const deadline = performance.now() + 20_000;
  while (Atomics.load(words, 1) === 0 && performance.now() < deadline) {
    await new Promise((go) => setTimeout(go));
  }
  for (let i = 0; i < times; i++) Atomics.add(words, 0, 1);
  const { code, stderr } = await child;
  assertEquals([code, stderr], [0, ""]);
  assertEquals(Atomics.load(words, 0), 2 * times);
});

Deno.test("Mapping takes the file away from a transferred buffer, and leaves its content alone", () => {
  using file = new File(4096);
  const mapping = Mapping.map(file.fd);
  mapping.bytes.fill(5);
  const view = new Uint8Array(mapping.buffer.transfer());
  mapping.close();
  view.fill(6);
  assertEquals(mapped(file.path), 0);
  assert(Deno.readFileSync(file.path).every((byte) => byte === 5));
});

Deno.test("Mapping gives the addresses back when the last pin goes", () => {
  const size = 64 * pageSize();
  const address = (mapping: Mapping) => {
    using _pin = mapping.pin();
    return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(mapping.bytes)));
  };
  const covers = (at: number) =>
    Deno.readTextFileSync("/proc/self/maps").trimEnd().split("\n").some((line) => {
      const [from = 0, to = 0] = line.split(" ")[0]!.split("-").map((hex) => parseInt(hex, 16));
      return from <= at && at < to;
    });
  const mapping = Mapping.anonymous(size);
  const at = address(mapping);
  const first = mapping.pin();
  const second = mapping.pin();
  mapping.close();
  assertEquals(mapping.byteLength, 0);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert(covers(at));
  second[Symbol.dispose]();
  assert(!covers(at));

  const unpinned = Mapping.anonymous(size);
  unpinned.pin()[Symbol.dispose]();
  const where = address(unpinned);
  unpinned.close();
  assert(!covers(where));
});

Deno.test("Mapping of a region that another package mapped calls its unmap once", () => {
  const pointer = libc.mmap(
    null,
    8192n,
    abi.PROT_READ | abi.PROT_WRITE,
    abi.MAP_PRIVATE | abi.MAP_ANONYMOUS,
    -1,
    0n,
  );
  assert(pointer !== null);
  let calls = 0;
  const unmap = (at: Deno.PointerObject) => {
    calls++;
    libc.munmap(at, 8192n);
  };
  const mapping = new Mapping({ pointer, byteLength: 5000, offset: 100, unmap });
  assertEquals(mapping.byteLength, 5000);
  mapping.close();
  mapping.close();
  assertEquals(calls, 1);

  const again = libc.mmap(null, 8192n, abi.PROT_READ, abi.MAP_PRIVATE | abi.MAP_ANONYMOUS, -1, 0n);
  assert(again !== null);
  assertThrows(() => new Mapping({ pointer: again, byteLength: 0, unmap }), RangeError);
  assertEquals(calls, 2);
});

Deno.test("Mapping bears every fault: a typed error, and nothing stays mapped or open", async () => {
  using file = new File(10_000);
  await using leaks = await trackLeaks();
  const report = await everyFault(() => {
    using mapping = Mapping.map(file.fd, { offset: 5000 });
    mapping.bytes[0] = 1;
  }, { errnos: [4, 11, 12, 24], symbols: ["fstat", "mmap"], verify: () => leaks.check() });
  // mmap is tried again at EAGAIN, which the collector may have left there.
  assertEquals(report, { faults: 8, errors: 7, hits: { fstat: 4, mmap: 4 } });

  const run = await withFault({ nth: 1, symbols: "mmap", errno: 12 }, () => Mapping.anonymous(1));
  assertInstanceOf(run.error, LimitError);
});

Deno.test("CORE-007 Mapping leaves nothing behind after many cycles", async () => {
  const cycles = scaled(100_000);
  const { code, stdout, stderr } = await runChild(
    `
    import { libc } from "@core/sys/_libc.ts";
    import { cString, Mapping } from "@core/sys/mod.ts";
    const count = (path) => path.endsWith("fd") ? [...Deno.readDirSync(path)].length : Deno.readTextFileSync(path).split("\\n").length;
    const fd = libc.open(cString("${Deno.execPath()}"), 0x80000, 0);
    const cycle = (i) => {
      using mapping = Mapping.map(fd, { length: 1000 + i % 5000, offset: i % 9000, access: i % 2 ? "read" : "copy-on-write" });
      if (mapping.bytes.length !== 1000 + i % 5000) throw new Error("wrong length");
    };
    for (let i = 0; i < 5000; i++) cycle(i);
    globalThis.gc();
    const before = [count("/proc/self/fd"), count("/proc/self/maps"), Deno.memoryUsage().rss];
    for (let i = 0; i < ${cycles}; i++) cycle(i);
    globalThis.gc();
    const after = [count("/proc/self/fd"), count("/proc/self/maps"), Deno.memoryUsage().rss];
    console.log(JSON.stringify(after.map((value, index) => value - before[index])));
  `,
    { flags: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals([code, stderr], [0, ""]);
  const [fds, maps, rss] = JSON.parse(stdout) as [number, number, number];
  assertEquals(fds, 0);
  // The collector's own regions come and go; ours would be as many as the cycles.
  assert(maps < 50, `${maps} more regions`);
  assert(rss < 10 * 2 ** 20, `${rss} bytes more`);
});

Deno.test("Mapping that is forgotten is not unmapped under the feet of its views", async () => {
  const result = await runChild(
    `
    import { Mapping } from "@core/sys/mod.ts";
    const views = Array.from({ length: 200 }, () => new Uint8Array(Mapping.anonymous(65536).buffer));
    for (let i = 0; i < 20; i++) { globalThis.gc(); new Array(1e5).fill(i); await 0; }
    for (const view of views) view.fill(1);
  `,
    { flags: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals(result, { code: 0, signal: null, stdout: "", stderr: "" });
});

Deno.test("resources() sees a mapping that is open", () => {
  using file = new File(4096);
  using _mapping = Mapping.map(file.fd);
  assertEquals(resources().get(`mapping rw-s ${file.path}`), 1);
});

Deno.test("Mapping: who lives in it hears of its end while the memory is still there", () => {
  const mapping = Mapping.anonymous(64);
  const seen: number[] = [];
  mapping.onClose(() => {
    seen.push(mapping.byteLength);
    mapping.close();
  });
  const takeBack = mapping.onClose(() => seen.push(-1));
  takeBack();
  mapping.close();
  mapping.close();
  assertEquals(seen, [64]);
  assertThrows(() => mapping.onClose(() => {}), ClosedError);
});

Deno.test("Mapping: one who fails to end with it keeps nobody else from ending, nor the memory mapped", () => {
  const mapping = Mapping.anonymous(64);
  const seen: string[] = [];
  for (const name of ["one", "two"]) {
    mapping.onClose(() => {
      seen.push(name);
      throw new Error(name);
    });
  }
  assertThrows(() => mapping.close(), Error, "one");
  assertEquals([seen, mapping.closed, mapping.byteLength], [["one", "two"], true, 0]);
});

Deno.test("Mapping.openFile: nothing behind memory without a name; behind others it has to be known", () => {
  using anonymous = Mapping.anonymous(64);
  assertEquals([anonymous.openFile(), anonymous.shared], [undefined, true]);
  using file = new File(4096);
  using mapping = Mapping.map(file.fd);
  assertThrows(() => mapping.openFile(), NotSupportedError, "kept no descriptor");
  using copy = Mapping.map(file.fd, { access: "copy-on-write" });
  assertEquals([mapping.shared, copy.shared], [true, false]);
});
