/** Segments: who finds what, and headers that lie. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  AlreadyExistsError,
  ClosedError,
  IpcError,
  LayoutMismatchError,
  NotFoundError,
  UntrustedError,
} from "@ipc/core";
import { isAlive, Mapping, processIdentity } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../../core/testdata/child.ts";
import { TestProcess } from "../../core/testdata/process.ts";
import { createMemfd } from "../create_memfd.ts";
import { MappedFile } from "../mapped_file.ts";
import { OwnFile } from "../testdata/own_file.ts";
import {
  array,
  atomic,
  f32,
  f64,
  type Fields,
  Segment,
  struct,
  type StructType,
  u32,
  u64,
  u8,
} from "./mod.ts";

leakCheck();

const Inner = struct({ a: u8, b: u32 });
const State = struct({ seq: atomic.u32, x: f64, inner: Inner, many: array(Inner, 3) });

Deno.test("a segment that was made is found by another mapping, with its values", () => {
  using memory = createMemfd("ipc-segment", 4096);
  using mapping = memory.map();
  const many = [1, 2, 3].map((a) => ({ a, b: 10 * a }));
  const value = { seq: 1, x: 0.5, inner: { a: 2, b: 3 }, many };
  const made = Segment.create(mapping, State, { value, offset: 64 });
  using there = memory.map({ access: "read" });
  const found = Segment.attach(there, State, { offset: 64 });
  assertEquals(State.read(found.view), value);
  assertEquals([found.creator, found.generation, found.current], [processIdentity(), 0, true]);
  assertEquals([found.offset % 64, found.offset], [0, made.offset]);
  made.view.inner.b = 77;
  assertEquals(found.view.inner.b, 77);
  assertEquals(mapping.bytes.subarray(0, 64), new Uint8Array(64));
});

Deno.test("a segment takes as many bytes as it says, and no more", () => {
  const length = Segment.byteLength(State);
  using small = Mapping.anonymous(length - 1);
  assertThrows(() => Segment.create(small, State), RangeError, `a segment of ${length} bytes at 0`);
  assertThrows(() => Segment.attach(small, State), NotFoundError);
  using mapping = Mapping.anonymous(length + 100);
  mapping.bytes.fill(0xff, length);
  Segment.create(mapping, State);
  assert(mapping.bytes.subarray(length).every((byte) => byte === 0xff));
  for (const offset of [-64, 1, 32, 0.5, NaN, 2 ** 40]) {
    assertThrows(() => Segment.create(mapping, State, { offset }), RangeError);
    assertThrows(() => Segment.attach(mapping, State, { offset }), RangeError);
  }
});

Deno.test("where something is, nothing is made, unless it is to be replaced", () => {
  using mapping = Mapping.anonymous(4096);
  const first = Segment.create(mapping, State, { value: undefined });
  first.view.x = 1.5;
  assertThrows(() => Segment.create(mapping, State), AlreadyExistsError);
  assertEquals([first.view.x, first.current], [1.5, true]);
  const Other = struct({ y: u64 });
  assertThrows(() => Segment.create(mapping, Other, { replace: true, value: { y: -1n } }), RangeError);
  assert(first.current, "a value that does not fit leaves all as it was");
  const second = Segment.create(mapping, Other, { replace: true, value: { y: 5n } });
  assertEquals([first.current, second.current, second.generation], [false, true, 1]);
  assertThrows(() => Segment.attach(mapping, State), LayoutMismatchError);
  assertEquals(Segment.attach(mapping, Other).view.y, 5n);
  using used = Mapping.anonymous(4096);
  used.bytes[1] = 1;
  assertThrows(() => Segment.create(used, State), AlreadyExistsError);
  assertEquals(Segment.create(used, State, { replace: true }).view.x, 0);
});

Deno.test("where nothing is, or no segment, none is found", () => {
  using mapping = Mapping.anonymous(4096);
  assertThrows(() => Segment.attach(mapping, State), NotFoundError, "nobody has made one there yet");
  mapping.bytes.fill(0xab);
  assertThrows(() => Segment.attach(mapping, State), UntrustedError, "what is there is no segment");
});

Deno.test("a mapping that is for reading, or closed", () => {
  using memory = createMemfd("ipc-segment", 4096);
  using reading = memory.map({ access: "read" });
  assertThrows(() => Segment.create(reading, State), TypeError, "for reading");
  const mapping = memory.map();
  const segment = Segment.create(mapping, State);
  mapping.close();
  assertThrows(() => segment.current, TypeError);
  assertThrows(() => segment.view.x, TypeError);
  assertThrows(() => Segment.create(mapping, State), ClosedError);
  assertThrows(() => Segment.attach(mapping, State), ClosedError);
});

Deno.test("another struct is refused, and the error names what differs, field by field", () => {
  using mapping = Mapping.anonymous(8192);
  Segment.create(mapping, State);
  const differ = <Own extends Fields>(other: StructType<Own>) => {
    const { message } = assertThrows(() => Segment.attach(mapping, other), LayoutMismatchError);
    assert(message.startsWith("Cannot attach the segment at byte 0: it is another struct: "));
    return message.slice(message.indexOf("struct: ") + 8).split("; ");
  };
  const { many } = { many: array(Inner, 3) };
  assertEquals(differ(struct({ seq: atomic.u32, x: f32, inner: Inner, many })), [
    "the whole is struct of 48 at 0 there and struct of 40 at 0 here",
    "x is f64 at 8 there and f32 at 4 here",
    "inner is struct of 8 at 16 there and struct of 8 at 8 here",
    "inner.a is u8 at 16 there and u8 at 8 here",
    "inner.b is u32 at 20 there and u32 at 12 here",
    "many is array of 3 times 8 at 24 there and array of 3 times 8 at 16 here",
    "many[] is struct of 8 at 24 there and struct of 8 at 16 here",
    "many[].a is u8 at 24 there and u8 at 16 here",
    "and 1 more",
  ]);
  assertEquals(differ(struct({ seq: u32, x: f64, inner: Inner, many })), [
    "seq is atomic.u32 at 0 there and u32 at 0 here",
  ]);
  assertEquals(differ(struct({ seq: atomic.u32, y: f64, inner: Inner, many })), [
    "x is f64 at 8 there and missing here",
    "y is f64 at 8 here and missing there",
  ]);
});

Deno.test("a header that lies ends in an error, and never in memory that is not its own", () => {
  const length = Segment.byteLength(State);
  using mapping = Mapping.anonymous(length);
  Segment.create(mapping, State);
  const right = mapping.bytes.slice();
  const header = fc.array(fc.tuple(fc.nat(length - State.byteLength - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 6,
  });
  let refused = 0;
  fc.assert(
    fc.property(header, (changes) => {
      mapping.bytes.set(right);
      for (const [at, byte] of changes) mapping.bytes[at] = byte;
      let segment;
      try {
        segment = Segment.attach(mapping, State);
      } catch (error) {
        refused++;
        assert(error instanceof IpcError || error instanceof RangeError, String(error));
        assert(error.message.length < 3000);
        return;
      }
      assert(segment.offset >= 64 && segment.offset + State.byteLength <= length);
      State.read(segment.view);
      isAlive(segment.creator);
    }),
    { numRuns: scaled(20_000) },
  );
  assert(refused > 0);
});

for (
  const [what, at, size, value, message] of [
    ["a version", 4, 4, 2n, "its header is of version 2, not 1"],
    ["a begin beyond the mapping", 16, 4, 4096n, "larger than the mapping"],
    ["a begin in the header", 16, 4, 0n, "is odd"],
    ["a begin between two lines", 16, 4, 200n, "is odd"],
    ["a description beyond the begin", 20, 4, 2n ** 32n - 1n, "is odd"],
    ["a size beyond the mapping", 24, 8, 2n ** 64n - 1n, "larger than the mapping"],
    ["a size of another struct", 24, 8, 8n, "its header gives it 8 bytes, its layout 48"],
    ["a fingerprint of the same description", 8, 8, 1n, "it is another struct"],
  ] as const
) {
  Deno.test(`a header with ${what} is refused`, () => {
    using mapping = Mapping.anonymous(4096);
    Segment.create(mapping, State);
    const view = new DataView(mapping.buffer);
    if (size === 4) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, value, true);
    const error = assertThrows(() => Segment.attach(mapping, State), IpcError, message);
    assert(error instanceof LayoutMismatchError || error instanceof UntrustedError);
  });
}

Deno.test("a description of rubbish is not shown to anybody", () => {
  using mapping = Mapping.anonymous(4096);
  const { offset } = Segment.create(mapping, State);
  new DataView(mapping.buffer).setBigUint64(8, 1n, true);
  for (const rubbish of ["\x1b[31mred", "0 x u8\n0 y \x07", "0 " + "x".repeat(100) + "\x00 u8", "\xff\xfe"]) {
    mapping.bytes.fill(0, 64, offset);
    mapping.bytes.set(new TextEncoder().encode(rubbish), 64);
    const { message } = assertThrows(() => Segment.attach(mapping, State), LayoutMismatchError);
    assertEquals(message, "Cannot attach the segment at byte 0: it is another struct");
  }
});

/** A process that makes a segment, and stays. */
function makerIn(path: string): TestProcess {
  return new TestProcess(`
    import { MappedFile } from ${JSON.stringify(import.meta.resolve("../mapped_file.ts"))};
    import { atomic, f64, Segment, struct } from ${JSON.stringify(import.meta.resolve("./mod.ts"))};
    const file = MappedFile.open(${JSON.stringify(path)});
    const { view } = Segment.create(file, struct({ seq: atomic.u32, x: f64 }));
    view.x = 2.5;
    view.seq.store(1);
    console.log("made");
    setInterval(() => {}, 1000);`);
}

Deno.test("a segment that another process has made is found, also when that was killed", async () => {
  using own = new OwnFile();
  using file = MappedFile.open(own.path, { create: true, size: 4096 });
  await using maker = makerIn(own.path);
  assertEquals(await maker.line(), "made");
  await maker.kill();
  const { view, creator } = Segment.attach(file, struct({ seq: atomic.u32, x: f64 }));
  assertEquals([view.seq.load(), view.x, creator.pid], [1, 2.5, maker.pid]);
});

Deno.test("the creator of a segment is known to live, and to be dead", async () => {
  using own = new OwnFile();
  using file = MappedFile.open(own.path, { create: true, size: 4096 });
  await using maker = makerIn(own.path);
  assertEquals(await maker.line(), "made");
  const { creator } = Segment.attach(file, struct({ seq: atomic.u32, x: f64 }));
  assertEquals([creator, isAlive(creator)], [processIdentity(maker.pid), "alive"]);
  await maker.kill();
  assertEquals(isAlive(creator), "dead");
});

Deno.test("of processes that make segments in the same places each place has one maker", async () => {
  using own = new OwnFile();
  const places = 200;
  const slot = Math.ceil(Segment.byteLength(struct({ maker: u32 })) / 64) * 64;
  using file = MappedFile.open(own.path, { create: true, size: places * slot + 8 });
  const Start = struct({ ready: atomic.u32, go: atomic.u32 });
  const start = Start.at(file, places * slot);
  const source = (maker: number) => `
    import { AlreadyExistsError } from ${JSON.stringify(import.meta.resolve("@ipc/core"))};
    import { MappedFile } from ${JSON.stringify(import.meta.resolve("../mapped_file.ts"))};
    import { atomic, Segment, struct, u32 } from ${JSON.stringify(import.meta.resolve("./mod.ts"))};
    using file = MappedFile.open(${JSON.stringify(own.path)});
    const start = struct({ ready: atomic.u32, go: atomic.u32 }).at(file, ${places * slot});
    start.ready.add(1);
    start.ready.notify();
    start.go.waitSync(0);
    let made = 0;
    for (let at = 0; at < ${places * slot}; at += ${slot}) {
      try {
        Segment.create(file, struct({ maker: u32 }), { offset: at, value: { maker: ${maker} } });
        made++;
      } catch (error) {
        if (!(error instanceof AlreadyExistsError)) throw error;
      }
    }
    console.log(made);`;
  await using first = new TestProcess(source(1));
  await using second = new TestProcess(source(2));
  for (let ready = 0; ready < 2;) ready = await start.ready.wait(ready, { timeout: 60_000 });
  start.go.store(1);
  start.go.notify();
  const made = [Number(await first.line()), Number(await second.line())];
  const found = [0, 0];
  for (let offset = 0; offset < places * slot; offset += slot) {
    found[Segment.attach(file, struct({ maker: u32 }), { offset }).view.maker - 1]!++;
  }
  assertEquals(found, made);
  assertEquals(made[0]! + made[1]!, places);
});

Deno.test("a maker that died over it leaves nothing that is found, and can be replaced", () => {
  using mapping = Mapping.anonymous(4096);
  new Uint32Array(mapping.buffer)[0] = 1; // as create leaves it until the rest is there
  assertThrows(() => Segment.attach(mapping, State), NotFoundError);
  assertThrows(() => Segment.create(mapping, State), AlreadyExistsError);
  Segment.create(mapping, State, { replace: true });
  assert(Segment.attach(mapping, State).current);
});

Deno.test("a segment that is replaced while it is attached is not taken for the one before", () => {
  const One = struct({ x: f64 });
  const Other = struct({ y: u32, z: u32 });
  using mapping = Mapping.anonymous(4096);
  Segment.create(mapping, One);
  const late = Object.create(One, {
    fingerprint: {
      get() {
        Segment.create(mapping, Other, { replace: true });
        return One.fingerprint;
      },
    },
  }) as typeof One;
  assertThrows(() => Segment.attach(mapping, late), NotFoundError, "just being replaced");
});
