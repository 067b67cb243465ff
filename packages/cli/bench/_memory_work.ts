/** What a process of ours does that is measured alone: it reads and writes words of memory. */

import { createMemfd } from "@ipc/mmap";
import { cpuTime, linesOf, parseCommand } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

/** The most bytes that are read and written. */
const MOST = 1024 * 1024;

/** Where the memory is from: mapped, so that others see it as well, or the runtime's own. */
export type Memory = "memory" | "own-memory";

/** Obeys standard input until its end. */
export async function memoryWork(memory: Memory): Promise<void> {
  using mapped = memory === "memory" ? createMemfd("ipc-bench", MOST).map() : undefined;
  const buffer = mapped?.buffer ?? new ArrayBuffer(MOST);
  console.log(JSON.stringify({ ready: true, pids: [], maxMessageSize: MOST }));
  for await (const line of linesOf(Deno.stdin.readable)) {
    const { size, count } = parseCommand(line);
    console.log(
      JSON.stringify(measure(new Int32Array(buffer, 0, size / Int32Array.BYTES_PER_ELEMENT), count)),
    );
  }
}

/** Adds 1 to each word, so many times. */
function measure(words: Int32Array, count: number): Figures {
  const before = cpuTime();
  const began = performance.now();
  for (let left = count; left > 0; left--) {
    for (let at = 0; at < words.length; at++) words[at]!++;
  }
  const time = performance.now() - began;
  return { nanoseconds: Math.round(time * 1e6), cpu: (cpuTime() - before) / count };
}
