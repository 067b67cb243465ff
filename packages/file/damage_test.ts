/** Records that were torn or changed on the disk: found, told, mended, and never given to anybody. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { DecodeError, TruncatedError } from "@ipc/core";
import { interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import * as fc from "fast-check";
import { scaled } from "../core/testdata/child.ts";
import { FileLog } from "./mod.ts";
import { append, count, drain, segmentFiles, withLog } from "./testdata/logs.ts";
import { withFolder } from "./testdata/pair.ts";

leakCheck();

const HEADER = 28;

Deno.test("file log: a torn end of every length is not read, and cut by who appends next", () =>
  withLog((log) => {
    append(log, 1, 3, 40);
    const [file] = segmentFiles(log) as [string];
    const whole = Deno.readFileSync(file);
    const two = 2 * (HEADER + 40);
    using waiting = log.reader({ from: 3 });
    for (let length = two; length < whole.length; length++) {
      for (const tail of [new Uint8Array(0), new Uint8Array(7), crypto.getRandomValues(new Uint8Array(90))]) {
        const torn = new Uint8Array(length + tail.length);
        torn.set(whole.subarray(0, length));
        torn.set(tail, length);
        Deno.writeFileSync(file, torn);
        using reader = log.reader();
        assertEquals(drain(reader), [1, 2], `${length}`);
        const damage = log.verify().damage;
        if (torn.length > two) {
          assertEquals(damage.map(({ kind, offset, lost }) => [kind, offset, lost]), [["torn", two, 0]]);
        } else assertEquals(damage, []);
        append(log, 30, 30);
        assertEquals(drain(reader), [30], `${length}`);
        assertEquals(log.verify(), { records: 3, damage: [] });
      }
    }
    drain(waiting);
  }));

Deno.test("file log: damage in the middle is told to a reader once, and stops writers until it is mended", () =>
  withLog((log) => {
    using writer = log.writer();
    append(log, 1, 9, 40);
    const [file] = segmentFiles(log) as [string];
    const content = Deno.readFileSync(file);
    content[3 * (HEADER + 40) + HEADER + 5]! ^= 1;
    content[4 * (HEADER + 40)]! ^= 0x80;
    Deno.writeFileSync(file, content);
    using reader = log.reader();
    assertEquals(drain(reader), [1, 2, 3, "DecodeError", 6, 7, 8, 9]);
    assertEquals(log.verify().damage, [
      {
        segment: 1,
        offset: 3 * (HEADER + 40),
        bytes: 2 * (HEADER + 40),
        kind: "damaged",
        sequence: 4,
        lost: 2,
      },
    ]);
    const error = assertThrows(() => writer.sendSync(new Uint8Array(1)), DecodeError, "others follow");
    assertEquals((error as DecodeError).hint, "repair() keeps what can be read");
    assertEquals(log.repair().cut, 2 * (HEADER + 40));
    writer.sendSync(new Uint8Array([10, 0, 0, 0]));
    assertEquals(drain(reader), [10]);
  }));

Deno.test("file log: after a repair readers go on where they were, writers behind the last, over the gap", () =>
  withLog((log) => {
    using writer = log.writer();
    append(log, 1, 9, 40);
    using early = log.reader();
    assertEquals(early.tryReceiveRecord()?.sequence, 1);
    using late = log.reader();
    assertEquals(drain(late), count(1, 9));
    const [file] = segmentFiles(log) as [string];
    const content = Deno.readFileSync(file);
    content[3 * (HEADER + 40) + HEADER + 5]! ^= 1;
    Deno.writeFileSync(file, content);
    const report = log.repair();
    assertEquals([report.records, report.cut, report.damage.length], [8, HEADER + 40, 1]);
    assertEquals(segmentFiles(log).length, 2);
    assertEquals(log.verify(), { records: 8, damage: [] });
    writer.sendSync(new Uint8Array([10, 0, 0, 0]));
    assertEquals(writer.last, 10);
    assertEquals(drain(late), [10]);
    // It has read all of the segment into memory, or it has not.
    const found = drain(early).filter((each) => each !== "TruncatedError");
    assertEquals(found.filter((each) => each !== 4 && each !== "RemovedError"), [2, 3, 5, 6, 7, 8, 9, 10]);
    using again = log.reader();
    assertEquals(drain(again), [1, 2, 3, "RemovedError", 5, 6, 7, 8, 9, 10]);
    for (const from of [4, 5]) {
      using at = log.reader({ from });
      assertEquals(drain(at), [...from === 4 ? ["RemovedError"] : [], 5, 6, 7, 8, 9, 10]);
    }
    assertEquals(log.repair(), { records: 9, damage: [], cut: 0 });
  }));

Deno.test("file log: a repair that dies in the middle can be made again, and loses nothing", () =>
  withLog((log) => {
    append(log, 1, 9, 40);
    const [file] = segmentFiles(log) as [string];
    const content = Deno.readFileSync(file);
    content[3 * (HEADER + 40) + HEADER]! ^= 1;
    Deno.writeFileSync(file, content);
    log.repair();
    // As it was just before the segment was cut; then others went on.
    Deno.writeFileSync(file, content);
    append(log, 10, 12);
    using reader = log.reader();
    assertEquals(drain(reader), [1, 2, 3, "DecodeError", 5, 6, 7, 8, 9, 10, 11, 12]);
    log.repair();
    using again = log.reader();
    assertEquals(drain(again), [1, 2, 3, "RemovedError", 5, 6, 7, 8, 9, 10, 11, 12]);
    assertEquals(log.verify(), { records: 11, damage: [] });
  }));

Deno.test("file log: who has read more than somebody left of it is told", () =>
  withLog((log) => {
    append(log, 1, 5, 40);
    using reader = log.reader();
    assertEquals(drain(reader), count(1, 5));
    Deno.truncateSync(segmentFiles(log)[0]!, 3 * (HEADER + 40));
    assertThrows(() => reader.tryReceive(), TruncatedError, "the next is 4");
    append(log, 40, 41);
    assertEquals(drain(reader), [40, 41]);
  }));

Deno.test("file log: whatever bits flip, every record that was not hit is read, before and after repair", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 4, max: 1500 }), { minLength: 1, maxLength: 30 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 6 }),
      (sizes, flips) =>
        withLog((log) => {
          sizes.forEach((size, index) => append(log, index + 1, index + 1, size));
          const hit = flip(log, sizes, flips);
          const intact = count(1, sizes.length).filter((number) => !hit.has(number));
          const numbers = (reader: ReturnType<FileLog["reader"]>) =>
            drain(reader).filter((each) => typeof each === "number");
          using before = log.reader();
          assertEquals(numbers(before), intact);
          assertEquals(log.verify().records, intact.length);
          const { records } = log.repair();
          assertEquals(records, intact.length);
          assertEquals(log.verify(), { records, damage: [] });
          using after = log.reader();
          assertEquals(numbers(after), intact);
          // What is appended comes behind all of it.
          append(log, 1000, 1001);
          assertEquals(numbers(after), [1000, 1001]);
          using all = log.reader();
          assertEquals(numbers(all), [...intact, 1000, 1001]);
        }, { fsync: "never", segmentBytes: 4096 }),
    ),
    { numRuns: scaled(1000) },
  ));

/** Flips bits of a log's files; returns the records that were hit. */
function flip(
  log: FileLog,
  sizes: readonly number[],
  flips: readonly (readonly [number, number])[],
): Set<number> {
  const files = segmentFiles(log);
  const contents = files.map((file) => Deno.readFileSync(file));
  const total = contents.reduce((sum, { length }) => sum + length, 0);
  const flipped = new Map<number, number>();
  for (const [place, bit] of flips) {
    const at = place % total;
    flipped.set(at, (flipped.get(at) ?? 0) ^ (1 << bit));
  }
  const hit = new Set<number>();
  for (const [at, mask] of flipped) {
    if (mask === 0) continue;
    let left = at;
    const content = contents.find(({ length }) => left < length || (left -= length, false))!;
    content[left]! ^= mask;
    left = at;
    hit.add(1 + sizes.findIndex((size) => left < HEADER + size || (left -= HEADER + size, false)));
  }
  files.forEach((file, index) => Deno.writeFileSync(file, contents[index]!));
  return hit;
}

Deno.test("file log: a message that holds records of its own log's form is a message", () =>
  withFolder((folder) => {
    using log = FileLog.create(`${folder}/log`, { fsync: "never" });
    append(log, 1, 20);
    const [file] = segmentFiles(log) as [string];
    using other = FileLog.create(`${folder}/other`, { fsync: "never" });
    using writer = other.writer();
    writer.sendSync(Deno.readFileSync(file));
    const [copy] = segmentFiles(other) as [string];
    // A writer that died within it.
    Deno.truncateSync(copy, Deno.statSync(copy).size - 1);
    using reader = other.reader();
    assertEquals(drain(reader), []);
    assertEquals(other.verify().damage.map(({ kind }) => kind), ["torn"]);
    append(other, 1, 1);
    assertEquals(drain(reader), [1]);
  }));

Deno.test("file log: a long record that is being written costs a look at its header each time", () =>
  withLog((log) => {
    using writer = log.writer();
    writer.sendSync(new Uint8Array(8 * 1024 * 1024).fill(7));
    const [file] = segmentFiles(log) as [string];
    const whole = Deno.readFileSync(file);
    Deno.writeFileSync(file, whole.subarray(0, 10));
    using reader = log.reader();
    let bytes = 0;
    interceptCalls((symbol, args, real) => {
      const result = real(...args);
      if (symbol === "pread") bytes += Math.max(0, Number(result));
      return result;
    });
    try {
      using growing = Deno.openSync(file, { append: true });
      for (let at = 10; at < whole.length; at += 131_072) {
        assertEquals(reader.tryReceive(), undefined);
        growing.writeSync(whole.subarray(at, at + 131_072));
      }
      assertEquals(reader.tryReceive()?.length, 8 * 1024 * 1024);
    } finally {
      interceptCalls(undefined);
    }
    // Reading all of it at each of the 64 looks would be 256 MiB.
    assert(bytes < 64 * 1024 * 1024, `${bytes} bytes were read`);
  }));
