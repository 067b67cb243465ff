/** Semaphore sets for tests, which are gone afterwards, and processes that use them. */

import { IPC_PRIVATE } from "@ipc/core";
import { constants } from "../_abi.ts";
import { setKind } from "../_kinds.ts";
import { SemaphoreSet } from "../semaphore_set.ts";
import { TestProcess } from "./process.ts";

/** Generous: nothing that works takes so long. */
export const CEILING = { timeout: 20_000 };

/** How a process imports this package. */
export const MOD = JSON.stringify(new URL("../mod.ts", import.meta.url).href);

/** Runs a test with a set of these values, and removes it. */
export async function withSet(
  initial: readonly number[],
  test: (set: SemaphoreSet) => unknown,
): Promise<void> {
  using set = SemaphoreSet.create(IPC_PRIVATE, { initial });
  try {
    await test(set);
  } finally {
    setKind.control(set.id, constants.IPC_RMID, null);
  }
}

/** A process with the set as `set` and its first semaphore as `semaphore`; it has started when this resolves. */
export async function processWith(
  { id }: SemaphoreSet,
  source: string,
  before?: readonly string[],
): Promise<TestProcess> {
  const process = new TestProcess(
    `import { Semaphore, SemaphoreSet } from ${MOD};
     const set = SemaphoreSet.open({ id: ${id} });
     const semaphore = set.at(0);
     console.log("started");
     ${source}`,
    { before },
  );
  if (await process.line() !== "started") throw new Error("The process has not started");
  return process;
}

/** Waits until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + CEILING.timeout; !condition();) {
    if (performance.now() > end) throw new Error(`Not within ${CEILING.timeout} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
