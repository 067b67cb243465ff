/** Semaphores for tests, which are gone afterwards, and processes that use them. */

import { cString, wordDiagnostics } from "@ipc/core/sys";
import { libc } from "../_libc.ts";
import { Semaphore, type SemaphoreCreateOptions } from "../mod.ts";
import { TestProcess } from "./process.ts";

/** Generous: nothing that works takes so long. */
export const CEILING = { timeout: 20_000 };

/** How a process imports this package. */
export const MOD: string = JSON.stringify(new URL("../mod.ts", import.meta.url).href);
/** The same of the calls by their C names. */
export const SYS: string = JSON.stringify(new URL("../sys.ts", import.meta.url).href);

/** The file of a semaphore. */
export function fileOf(name: string): string {
  return `/dev/shm/sem.${name.slice(1)}`;
}

/** Runs a test with a name that is free, and removes what has it in the end. */
export async function withName(test: (name: string) => unknown): Promise<void> {
  const name = `/ipc-test-${crypto.randomUUID()}`;
  const path = cString(fileOf(name));
  try {
    await test(name);
    await settled();
  } finally {
    libc.unlink(path);
  }
}

/** Runs a test with a new semaphore, of the value 0 unless told. */
export function withSemaphore(
  test: (semaphore: Semaphore & { name: string }) => unknown,
  options?: SemaphoreCreateOptions,
): Promise<void> {
  return withName(async (name) => {
    using semaphore = Semaphore.create(name, options);
    await test(semaphore as Semaphore & { name: string });
  });
}

/** A process with a handle of this semaphore as `semaphore`; it has started when this resolves. */
export async function processWith(
  { name }: { name: string },
  source: string,
  before?: readonly string[],
): Promise<TestProcess> {
  const process = new TestProcess(
    `import { Semaphore } from ${MOD};
     const semaphore = Semaphore.open(${JSON.stringify(name)});
     console.log("started");
     ${source}`,
    { before },
  );
  if (await process.line() !== "started") throw new Error("The process has not started");
  return process;
}

/** Until waits that began before are parked. */
export function parked(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/** Waits until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + CEILING.timeout; !condition();) {
    if (performance.now() > end) throw new Error(`Not within ${CEILING.timeout} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Until the thread that waited for words has learned that nobody does any more. */
export function settled(): Promise<void> {
  return until(() => wordDiagnostics().poolThreads === 0);
}

/** The outcomes of promises, by name. */
export async function outcomes(promises: Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((each) => each.status === "fulfilled" ? "done" : each.reason.name);
}
