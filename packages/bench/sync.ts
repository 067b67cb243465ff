/**
 * Measures what locks and semaphores in shared memory cost as long as nobody has to wait, and where two processes do
 * nothing but lock and unlock, against libc's own in C, all in turns. The best of many rounds counts, and of two
 * processes the one in the middle, for the best is the one in which they never met. What it costs to wait for one
 * another, `deno task bench sync-semaphores` measures.
 *
 * ```sh
 * deno run -A packages/bench/sync.ts
 * deno run -A packages/bench/sync.ts --quick
 * ```
 *
 * @module
 */

import { array, f64, struct, u32 } from "@ipc/mmap/struct";
import { SharedMemory } from "@ipc/posix";
import { Mutex, PthreadMutex, RwLock, Semaphore, SeqLock } from "@ipc/sync";
import { linesOf } from "../cli/bench/_wire.ts";
import { startInC } from "./_in_c.ts";

const quick = Deno.args.includes("--quick");
const ROUNDS = quick ? 2 : 20;
const TIMES = quick ? 2_000 : 100_000;

const Numbers = struct({ count: u32, numbers: array(f64, 7) });
const BYTES = { byteLength: 64 };
/** Where each is, in cache lines of its own. */
const [MUTEX, PTHREAD, RW, SEMAPHORE, BYTES_CELL, STRUCT_CELL] = [0, 128, 256, 512, 640, 1024];

type Work = Record<string, () => void>;

/** What is measured: once of each, in memory where somebody has made everything. */
function workIn(memory: SharedMemory): Work {
  const mutex = Mutex.at(memory, MUTEX);
  const pthread = PthreadMutex.at(memory, PTHREAD);
  const rw = RwLock.at(memory, RW);
  const semaphore = Semaphore.at(memory, SEMAPHORE);
  const bytes = SeqLock.at(memory, BYTES_CELL, BYTES);
  const cell = SeqLock.at(memory, STRUCT_CELL, Numbers);
  const value = cell.read();
  const sixtyFour = bytes.read();
  return {
    "Mutex": () => mutex.lockSync().unlock(),
    "PthreadMutex": () => pthread.lockSync().unlock(),
    "RwLock, read": () => rw.readSync().unlock(),
    "RwLock, write": () => rw.writeSync().unlock(),
    "Semaphore": () => {
      semaphore.release();
      semaphore.acquireSync();
    },
    "SeqLock, read 64 bytes": () => void bytes.read(),
    "SeqLock, write 64 bytes": () => bytes.write(sixtyFour),
    "SeqLock, read a struct": () => void cell.read(),
    "SeqLock, write a struct": () => cell.write(value),
  };
}

/** Those that C does too, and by which name. */
const inC: Record<string, string> = { "Mutex": "mutex", "PthreadMutex": "mutex", "Semaphore": "semaphore" };

/** Milliseconds. */
function measure(once: () => void): number {
  const began = performance.now();
  for (let time = 0; time < TIMES; time++) once();
  return performance.now() - began;
}

function initialize(memory: SharedMemory): void {
  Mutex.initialize(memory, MUTEX).close();
  PthreadMutex.initialize(memory, PTHREAD).close();
  RwLock.initialize(memory, RW).close();
  Semaphore.initialize(memory, SEMAPHORE).close();
  SeqLock.initialize(memory, BYTES_CELL, BYTES).close();
  SeqLock.initialize(memory, STRUCT_CELL, Numbers).close();
}

/** The other process: does what it is told as often as we do, and says so. */
async function help(name: string): Promise<void> {
  using memory = SharedMemory.open(name);
  const work = workIn(memory);
  for await (const what of linesOf(Deno.stdin.readable)) {
    measure(work[what]!);
    console.log(what);
  }
}

async function main(folder: string): Promise<void> {
  using memory = SharedMemory.create(`/ipc-bench-${crypto.randomUUID()}`, 4096, { unlinkOnClose: true });
  initialize(memory);
  const work = workIn(memory);
  const c = await startInC(folder, "sync", ["locks"]);
  const other = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", import.meta.filename!, "--help-with", memory.name],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const order = other.stdin.getWriter();
  const answers = linesOf(other.stdout)[Symbol.asyncIterator]();

  const rounds: Record<string, Record<string, number[]>> = {};
  const note = (what: string, how: string, nanoseconds: number) => {
    ((rounds[what] ??= {})[how] ??= []).push(nanoseconds / TIMES);
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [what, once] of Object.entries(work)) {
      note(what, "ours", measure(once) * 1e6);
      const { [what]: name } = inC;
      if (name === undefined) continue;
      if (c !== undefined) note(what, "C", await c.ask(name, 1, TIMES));
      const together = performance.now();
      await order.write(new TextEncoder().encode(`${what}\n`));
      measure(once);
      await answers.next();
      note(what, "ours, two", (performance.now() - together) * 1e6 / 2);
      if (c !== undefined) note(what, "C, two", await c.ask(name, 2, TIMES) / 2);
    }
  }
  await order.close();
  await answers.next(); // the end
  await other.status;
  await c?.end();

  const columns = ["ours", "C", "ours, two", "C, two"];
  console.log("ns for each".padEnd(24), ...columns.map((column) => column.padStart(10)));
  for (const [what, found] of Object.entries(rounds)) {
    const figures = columns.map((how) => {
      const sorted = found[how]?.toSorted((a, b) => a - b) ?? [];
      return sorted[how.endsWith("two") ? sorted.length >> 1 : 0]?.toFixed(0) ?? "";
    });
    console.log(what.padEnd(24), ...figures.map((figure) => figure.padStart(10)));
  }
}

if (import.meta.main) {
  if (Deno.args[0] === "--help-with") await help(Deno.args[1]!);
  else {
    const folder = await Deno.makeTempDir();
    try {
      await main(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}
