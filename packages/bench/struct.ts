/**
 * Measures what it costs to read a field of a struct in mapped memory and to write it, against a typed array over the
 * same memory and against C, all in turns: the best of many rounds counts, in nanoseconds for both.
 *
 * ```sh
 * deno run -A packages/bench/struct.ts
 * deno run -A packages/bench/struct.ts --quick
 * ```
 *
 * @module
 */

import { createMemfd } from "@ipc/mmap";
import { array, atomic, f64, struct, u32, u64, u8 } from "@ipc/mmap/struct";
import { startInC } from "./_in_c.ts";

const RECORDS = 512;
const TIMES = 200;
const ROUNDS = Deno.args.includes("--quick") ? 2 : 40;

const Record = struct({ u8, u32, u64, f64, atomic: atomic.u32 });
const Table = struct({ rows: array(Record, RECORDS), numbers: array(f64, RECORDS) });

using memory = createMemfd("ipc-bench", Table.byteLength);
using mapping = memory.map();
const size = Record.byteLength;
const table = Table.at(mapping);
const { numbers } = table;
const views = [...table.rows];
const atomics = views.map(({ atomic }) => atomic);
const bytes = mapping.bytes;
const words = new Uint32Array(mapping.buffer);
const longs = new BigUint64Array(mapping.buffer);
const doubles = new Float64Array(mapping.buffer);

// Programs have more than one struct: the compiler then knows less of each.
for (let other = 0; other < 10; other++) {
  const Other = struct({ [`before${other}`]: u32, u8, u32, u64, f64 });
  const view = Other.at(mapping);
  for (let time = 0; time < 10_000; time++) {
    view.u8 = (view.u8 + 1) & 0xff;
    view.u32 = (view.u32 + 1) >>> 0;
    view.u64 = BigInt.asUintN(64, view.u64 + 1n);
    view.f64 = 1;
  }
}
Table.at(mapping).numbers.typed().fill(0);

/** What walks through all records once, by what and how. */
const walks: { [what: string]: { [how: string]: () => void } } = {
  "u8": {
    struct: () => {
      for (const view of views) view.u8 = (view.u8 + 1) & 0xff;
    },
    typed: () => {
      for (let at = Record.fields.u8.offset; at < RECORDS * size; at += size) bytes[at]!++;
    },
  },
  "u32": {
    struct: () => {
      for (const view of views) view.u32 = (view.u32 + 1) >>> 0;
    },
    typed: () => {
      for (let at = Record.fields.u32.offset / 4; at < RECORDS * size / 4; at += size / 4) words[at]!++;
    },
  },
  "u64": {
    struct: () => {
      for (const view of views) view.u64 = BigInt.asUintN(64, view.u64 + 1n);
    },
    typed: () => {
      for (let at = Record.fields.u64.offset / 8; at < RECORDS * size / 8; at += size / 8) {
        longs[at] = BigInt.asUintN(64, longs[at]! + 1n);
      }
    },
  },
  "f64": {
    struct: () => {
      for (const view of views) view.f64 = view.f64 + 1;
    },
    typed: () => {
      for (let at = Record.fields.f64.offset / 8; at < RECORDS * size / 8; at += size / 8) doubles[at]!++;
    },
  },
  "atomic": {
    struct: () => {
      for (const atomic of atomics) atomic.add(1);
    },
    typed: () => {
      for (let at = Record.fields.atomic.offset / 4; at < RECORDS * size / 4; at += size / 4) {
        Atomics.add(words, at, 1);
      }
    },
  },
  "f64, of an array": {
    struct: () => {
      for (let index = 0; index < RECORDS; index++) numbers.set(index, numbers.at(index) + 1);
    },
    typed: () => {
      const typed = numbers.typed();
      for (let index = 0; index < RECORDS; index++) typed[index]!++;
    },
  },
  "u32, of a new view": {
    struct: () => {
      for (let index = 0; index < RECORDS; index++) {
        const view = table.rows.at(index);
        view.u32 = (view.u32 + 1) >>> 0;
      }
    },
  },
  "all, read()": {
    struct: () => {
      for (const view of views) Record.read(view);
    },
  },
  "all, write()": {
    struct: () => {
      for (const view of views) Record.write(view, 0, value);
    },
  },
};
const value = Record.read(views[0]!);

/** Nanoseconds for each record. */
function measure(walk: () => void): number {
  const began = performance.now();
  for (let time = 0; time < TIMES; time++) walk();
  return (performance.now() - began) * 1e6 / (TIMES * RECORDS);
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir();
  try {
    const c = await startInC(folder, "struct");
    const best: { [what: string]: { [how: string]: number } } = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const [what, ways] of Object.entries(walks)) {
        const own = best[what] ??= {};
        for (const [how, walk] of Object.entries(ways)) {
          own[how] = Math.min(own[how] ?? Infinity, measure(walk));
        }
        if (c === undefined || !(what in Record.fields)) continue;
        own.C = Math.min(own.C ?? Infinity, await c.ask(what, RECORDS, TIMES) / (TIMES * RECORDS));
      }
    }
    await c?.end();
    console.log("ns to read and write".padEnd(20), "struct", "typed array".padStart(13), "C".padStart(5));
    for (const [what, { struct, typed, C }] of Object.entries(best)) {
      const [own, other, peer] = [struct, typed, C].map((figure) => figure?.toFixed(1) ?? "");
      console.log(what.padEnd(20), own!.padStart(6), other!.padStart(13), peer!.padStart(5));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
