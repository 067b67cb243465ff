/**
 * How a new semaphore set tells others that it has its values: by the time of its last operation (sem_otime).
 *
 * Creating a set and giving it values are two calls, and between them others may find it. The time is 0 until
 * the first semop(2), so the creator does one when the values are there, and who opens waits for it.
 */

import { TimeoutError } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { errno } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { setKind } from "./_kinds.ts";
import { status } from "./_object.ts";
import { MOST_SEMAPHORES, type OpenSet } from "./_open_set.ts";
import { semop } from "./_set_calls.ts";
import { checkValue } from "./_set_operations.ts";
import type { SemaphoreSetCreateOptions } from "./semaphore_set.ts";

/** The longest pause in milliseconds between two looks. */
const LONGEST_PAUSE = 32;

/** The values of a new set, checked. */
export function initialValues({ size, initial = 0 }: SemaphoreSetCreateOptions): readonly number[] {
  const describe = () => `create ${setKind.object}`;
  const count = size ?? (typeof initial === "number" ? 1 : initial.length);
  if (!Number.isInteger(count) || count < 1 || count > MOST_SEMAPHORES) {
    throw new RangeError(
      `Cannot ${describe()} of ${count}: a size is an integer from 1 to ${MOST_SEMAPHORES}`,
    );
  }
  const values = typeof initial === "number" ? new Array<number>(count).fill(initial) : initial;
  if (values.length !== count) {
    throw new RangeError(`Cannot ${describe()} of ${count} with ${values.length} initial values`);
  }
  for (const value of values) checkValue(value, describe);
  return values;
}

/** Gives a new set its values: SETALL, and an operation that leaves them as they are. */
export function initialise(set: OpenSet, values: readonly number[]): void {
  set.setValues(values, "initialise");
  const { SEMVMX, IPC_NOWAIT } = constants;
  const by = values[0] === SEMVMX ? -1 : 1;
  const nothing = new Int16Array([0, by, IPC_NOWAIT, 0, -by, IPC_NOWAIT]);
  if (semop(set.id, nothing) === -1) throw set.failure(errno(), "initialise");
}

/** How long to wait for the creator of a set. */
interface Patience {
  /** Milliseconds, for the error. */
  timeout: number;
  /** When they are over, on the clock of `performance.now()`. */
  deadline: number;
  signal: AbortSignal | undefined;
}

/** Waits until the creator of a set has given it its values. */
export async function initialised(set: OpenSet, { timeout, deadline, signal }: Patience): Promise<void> {
  let pause = 1;
  const line = new Waits({
    action: set.describe("open"),
    park(wake) {
      const timer = setTimeout(wake, pause);
      pause = Math.min(LONGEST_PAUSE, pause * 2);
      return () => clearTimeout(timer);
    },
  });
  try {
    await line.take(() => status(setKind, set.found).lastOperationTime, {
      timeout: Math.max(0, deadline - performance.now()),
      ...signal && { signal },
    });
  } catch (error) {
    if (!(error instanceof TimeoutError) || error === signal?.reason) throw error;
    throw new TimeoutError(
      `Cannot ${set.describe("open")}: nobody gave it its values within ${timeout} ms`,
      {
        code: "ETIMEDOUT",
        target: set.found.name,
        hint:
          `its creator may have died before it could: remove the set (ipcrm -s ${set.id}); if it was made by a program without this handshake, use SemaphoreSet.open`,
      },
    );
  }
}
