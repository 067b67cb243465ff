/** Words that processes share, and processes that use them. */

import { libc } from "../sys/_libc.ts";
import { abi } from "../sys/abi.ts";
import { cString } from "../sys/c_string.ts";
import { check } from "../sys/errno.ts";
import { OwnedFd } from "../sys/fd.ts";
import { Mapping } from "../sys/mapping.ts";
import { wordDiagnostics } from "../sys/word_waiter.ts";
import { type ChildOptions, type ChildResult, runChild } from "./child.ts";

/** Generous: nothing that works takes so long. */
const CEILING = 60_000;

/** Maps a file for reading and writing. */
export function mapFile(path: string): Mapping {
  const name = cString(path);
  using file = new OwnedFd(check(libc.open(name, abi.O_RDWR | abi.O_CLOEXEC, 0), "open", "open", path));
  return Mapping.map(file.fd);
}

/** A file of words, all 0 at first; gone in the end. */
export class Words implements Disposable {
  readonly path: string = Deno.makeTempFileSync({ prefix: "ipc-words-" });
  readonly mapping: Mapping;
  readonly words: Int32Array<ArrayBuffer>;

  constructor(count = 1024) {
    Deno.truncateSync(this.path, 4 * count);
    this.mapping = mapFile(this.path);
    this.words = new Int32Array(this.mapping.buffer);
  }

  /** Runs another process to its end; it has `mapping` and `words`, and what there is in core/sys. */
  run(source: string, options: ChildOptions = {}): Promise<ChildResult> {
    return runChild(
      `
      import * as sys from "@core/sys/mod.ts";
      import { mapFile } from "@core/testdata/words.ts";
      const { blockOnWord, interceptCalls, lookAgain, setErrno, waitForWord, wakeWord, wordDiagnostics } = sys;
      const mapping = mapFile(Deno.args[0]);
      const words = new Int32Array(mapping.buffer);
      ${source}`,
      { ...options, args: [this.path] },
    );
  }

  [Symbol.dispose](): void {
    this.mapping.close();
    Deno.removeSync(this.path);
  }
}

/** Waits until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + CEILING; !condition();) {
    if (performance.now() > end) throw new Error(`Not within ${CEILING} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Waits until the main thread of a process sleeps, and goes on doing so: it is blocked in a call. */
export async function blocked(pid: number): Promise<void> {
  for (let asleep = 0; asleep < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const state = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/stat`).split(") ")[1]?.[0];
    asleep = state === "S" ? asleep + 1 : 0;
  }
}

/** Waits until nothing waits for words any more. */
export function settled(): Promise<void> {
  return until(() => {
    const { poolThreads, parked, looked } = wordDiagnostics();
    return poolThreads + parked + looked === 0;
  });
}
