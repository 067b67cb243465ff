/** Memory that test processes share: a mapped file of a folder of its own. */

import { wordDiagnostics } from "@ipc/core/sys";
import { MappedFile } from "../../mmap/mod.ts";

export { TestProcess } from "../../core/testdata/process.ts";

/** Modules for the other process. */
export const MOD: string = JSON.stringify(new URL("../mod.ts", import.meta.url).href);
export const MMAP: string = JSON.stringify(new URL("../../mmap/mod.ts", import.meta.url).href);

/** A liveness ceiling, in milliseconds; longer where the environment's `IPC_TEST_CEILING` has more than 2,000. */
export const CEILING: number = 10 * Number(Deno.env.get("IPC_TEST_CEILING") ?? 2000);

/** Runs a test with a file of 4,096 bytes mapped; its folder is removed in the end. */
export async function withMemory(test: (memory: MappedFile, path: string) => unknown): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ipc-sync-" });
  const path = `${folder}/memory`;
  const memory = MappedFile.open(path, { create: true, size: 4096 });
  try {
    await test(memory, path);
  } finally {
    memory.close();
    await settled();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Waits until no thread waits for words any more. */
export function settled(): Promise<void> {
  return until(() => wordDiagnostics().poolThreads === 0, "threads end");
}

/** What another process begins with: `memory` is the same file, mapped there, and `words` its words. */
export function opening(path: string): string {
  return `
    import { MappedFile } from ${MMAP};
    import * as sync from ${MOD};
    const { Mutex, RwLock } = sync;
    const memory = MappedFile.open(${JSON.stringify(path)});
    const words = new Int32Array(memory.buffer);
    const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));`;
}

/** Waits until something is so. */
export async function until(seen: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + CEILING;
  while (!seen()) {
    if (performance.now() > deadline) throw new Error(`Timed out: ${what}`);
    await pause(1);
  }
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
