/** What all near ends have in common, of Deno and of Node: how calls are measured, and who asks for it. */

import process from "node:process";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** CPU time of this process with all its threads, in microseconds. */
export function cpuTime() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** The lines of a stream of Node; those of the program's standard input unless told. */
export function linesOf(input = process.stdin) {
  return createInterface({ input });
}

/** Starts this program once more with other arguments, as the far end. */
export function startFar(args, stdio = ["pipe", "pipe", "inherit"]) {
  return spawn(process.execPath, [process.argv[1], ...args], { stdio });
}

/** The first line that a far end prints: it is ready, and where. */
export async function firstLine(child) {
  for await (const line of linesOf(child.stdout)) return line;
}

/**
 * Obeys lines, `CALLERS SIZE COUNT`, until their end: calls `echo` with a text so many times, so many at a time.
 * `there` asks the far end for its CPU time.
 *
 * @param {AsyncIterable<string>} lines
 * @param {(text: string) => Promise<unknown>} echo
 * @param {() => Promise<number>} there
 * @param {number} pid
 */
export async function obey(lines, echo, there, pid) {
  console.log(JSON.stringify({ ready: true, pids: [pid] }));
  for await (const line of lines) {
    const [callers, size, count] = line.split(" ").map(Number);
    const text = "a".repeat(size);
    const times = new Float64Array(count);
    let begun = 0;
    let done = 0;
    const caller = async () => {
      while (begun < count) {
        begun++;
        const from = performance.now();
        const answer = await echo(text);
        times[done++] = performance.now() - from;
        if (answer !== text) throw new Error("The answer is another one");
      }
    };
    const before = cpuTime() + await there();
    const began = performance.now();
    await Promise.all(Array.from({ length: callers }, caller));
    const nanoseconds = Math.round((performance.now() - began) * 1e6);
    const cpu = (cpuTime() + await there() - before) / count;
    times.sort();
    const at = (part) => times[Math.floor(count * part)] * 1000;
    console.log(JSON.stringify({ nanoseconds, cpu, p50: at(0.5), p99: at(0.99) }));
  }
}
