// A table that is larger than the heap: the system keeps the parts of the file that are used in memory, and JavaScript
// sees them through windows. The file is sparse, so that it takes room only where something was written.
// Run: deno run -A --v8-flags=--max-old-space-size=64 examples/mmap_table.ts
import { MappedFile } from "@ipc/mmap";
import { getHeapStatistics } from "node:v8";

const ROWS = 100_000_000;
const ROW = 24; // float64 price, float64 amount, int64 time
const PART = 1_000_000; // rows of a window

const path = await Deno.makeTempFile();
using table = MappedFile.open(path, { size: ROWS * ROW, reserve: "none", length: ROW });
const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
console.log(`the table has ${mebibytes(ROWS * ROW)} MiB`);
console.log(`it fits into the heap: ${ROWS * ROW < getHeapStatistics().heap_size_limit}`);

/** Gives each part of the table to a function, as numbers. */
function eachPart(use: (numbers: Float64Array, index: number) => void): void {
  for (let index = 0; index < ROWS / PART; index++) {
    using part = table.window(index * PART * ROW, PART * ROW);
    part.advise("random"); // else the system reads ahead what nobody asks for
    use(new Float64Array(part.buffer), index);
  }
}

eachPart((numbers, index) => numbers.set([0.5, index], 3 * index)); // one row of each part
let worth = 0;
eachPart((numbers, index) => worth += numbers[3 * index]! * numbers[3 * index + 1]!);
console.log(`its rows are worth ${worth}`);
await Deno.remove(path);
