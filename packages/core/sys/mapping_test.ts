import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { ClosedError, IpcError, LimitError, PermissionError } from "../errors.ts";
import { everyFault, leakCheck, resources, trackLeaks, withFault } from "../testing/mod.ts";
import { runChild, scaled } from "../testdata/child.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { check } from "./errno.ts";
import { OwnedFd } from "./fd.ts";
import { Mapping, pageSize } from "./mapping.ts";

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

/** Each of these must end with exit code 0: what they do afterwards would be a SIGSEGV on unmapped memory. */
const survivals: Record<string, string> = {
  "close under optimised loops": `
    function fill(view) { for (let i = 0; i < view.length; i++) view[i] = i; }
    function sum(view) { let s = 0; for (let i = 0; i < 64; i++) s += view[i]; return s; }
    function add(view) { return Atomics.add(view, 3, 1); }
    for (let round = 0; round < 300; round++) {
      const mapping = Mapping.anonymous(65536);
      const view = new Int32Array(mapping.buffer);
      for (let i = 0; i < 20; i++) { fill(view); sum(view); add(view); }
      mapping.close();
      fill(view); sum(view);
      try { add(view); throw new Error("Atomics on a closed mapping"); } catch (e) { if (!(e instanceof TypeError || e instanceof RangeError)) throw e; }
      for (const call of [() => view.sort(), () => view.fill(1), () => view.copyWithin(0, 1)]) {
        try { call(); } catch (e) { if (!(e instanceof TypeError)) throw e; }
      }
    }`,
  "close inside a callback of an array method": `
    const mapping = Mapping.anonymous(65536);
    const view = new Int32Array(mapping.buffer);
    view.forEach((_, index) => { if (index === 9) mapping.close(); });
    const other = Mapping.anonymous(65536);
    const words = new Int32Array(other.buffer);
    words.sort((a, b) => { other.close(); return a - b; });
    const third = Mapping.anonymous(65536);
    const target = new Uint8Array(third.buffer);
    try { target.fill({ valueOf() { third.close(); return 1; } }); } catch (e) { if (!(e instanceof TypeError)) throw e; }`,
  "the buffer was transferred away": `
    const mapping = Mapping.anonymous(65536);
    const moved = mapping.buffer.transfer();
    const view = new Uint8Array(moved);
    view.fill(7);
    mapping.close();
    if (view.length !== 65536 || view.some((byte) => byte !== 0)) throw new Error("not zero pages");
    view.fill(1);`,
  "the buffer was transferred by postMessage": `
    const mapping = Mapping.anonymous(65536);
    const { port1, port2 } = new MessageChannel();
    const arrived = new Promise((resolve) => port2.onmessage = (event) => resolve(event.data));
    port1.postMessage(mapping.buffer, [mapping.buffer]);
    mapping.close();
    const view = new Uint8Array(await arrived);
    view.fill(1);
    port1.close(); port2.close();`,
  "the buffer was transferred to a Worker that goes on writing": `
    const source = "onmessage = (e) => { const v = new Int32Array(e.data); postMessage(0); for (;;) v.fill(1); }";
    const worker = new Worker("data:text/javascript," + encodeURIComponent(source), { type: "module" });
    const mapping = Mapping.anonymous(65536);
    const running = new Promise((resolve) => worker.onmessage = resolve);
    worker.postMessage(mapping.buffer, [mapping.buffer]);
    await running;
    mapping.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    worker.terminate();
    Deno.exit(0);`,
  "a part was transferred away with another length": `
    const mapping = Mapping.anonymous(65536);
    const moved = mapping.buffer.transferToFixedLength();
    const smaller = structuredClone(moved, { transfer: [moved] });
    mapping.close();
    new Uint8Array(smaller).fill(1);`,
  "a pinned mapping is closed while a call on another thread writes into it": `
    import { libc } from "@core/sys/_libc.ts";
    import { bind } from "@core/sys/mod.ts";
    const parked = bind({ parked: { name: "read", parameters: ["i32", "buffer", "usize"], result: "i32", nonblocking: true } });
    const ends = new Int32Array(2);
    libc.pipe2(ends, 0x80000);
    const mapping = Mapping.anonymous(65536);
    const pin = mapping.pin();
    const call = parked.parked(ends[0], mapping.bytes, 65536n);
    await new Promise((resolve) => setTimeout(resolve, 20));
    mapping.close();
    libc.write(ends[1], new Uint8Array(100).fill(1), 100n);
    if (await call !== 100) throw new Error("the call had no memory to write to");
    pin[Symbol.dispose]();`,
};

for (const [name, source] of Object.entries(survivals)) {
  Deno.test(`Mapping survives: ${name}`, async () => {
    const result = await runChild(`import { Mapping } from "@core/sys/mod.ts";\n${source}`);
    assertEquals(result, { code: 0, signal: null, stdout: "", stderr: "" });
  });
}

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
