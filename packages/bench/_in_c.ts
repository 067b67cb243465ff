/** A program in C that measures the same as one of ours, and is asked in turn with it. */

import { linesOf } from "../cli/bench/_wire.ts";

/** The program, which obeys lines. */
export interface InC {
  /** Does what `test` says, so many times with so many; nanoseconds for all of it. */
  ask(test: string, size: number, count: number): Promise<number>;
  /** Ends it. */
  end(): Promise<void>;
}

/** Compiles a program under `c` into a folder and starts it; `undefined`: there is no cc. */
export async function startInC(folder: string, name: string, args: string[] = []): Promise<InC | undefined> {
  const source = new URL(`./c/${name}.c`, import.meta.url).pathname;
  const path = `${folder}/${name}`;
  try {
    const compiling = new Deno.Command("cc", { args: ["-O2", "-Wall", "-o", path, source], stdin: "null" });
    if (!(await compiling.output()).success) return undefined;
  } catch {
    return undefined;
  }
  const process = new Deno.Command(path, { args, stdin: "piped", stdout: "piped" }).spawn();
  const lines = linesOf(process.stdout)[Symbol.asyncIterator]();
  const writer = process.stdin.getWriter();
  await lines.next(); // it is ready
  return {
    async ask(test, size, count) {
      await writer.write(new TextEncoder().encode(`${test} ${size} ${count}\n`));
      return JSON.parse((await lines.next()).value!).nanoseconds;
    },
    async end() {
      await writer.close();
      await lines.next(); // the end
      await process.status;
    },
  };
}
