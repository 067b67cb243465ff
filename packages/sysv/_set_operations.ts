/** From what a program asks of a semaphore set to what semop(2) takes. */

import { constants, sembuf } from "./_abi.ts";
import type { Operations } from "./_set_calls.ts";
import type { SemaphoreOperation } from "./semaphore_set.ts";

const { IPC_NOWAIT, SEM_UNDO, SEMVMX } = constants;
const WORDS = sembuf.size / 2;

/** Checks operations on a set of so many semaphores, and encodes them. */
export function encode(
  operations: readonly SemaphoreOperation[],
  size: number,
  describe: () => string,
): Operations {
  if (operations.length === 0) throw new RangeError(`Cannot ${describe()}: there are no operations`);
  const encoded = new Int16Array(operations.length * WORDS);
  for (const [at, { index, by, undo, nowait }] of operations.entries()) {
    checkIndex(index, size, describe);
    if (!Number.isInteger(by) || by < -SEMVMX || by > SEMVMX) {
      throw new RangeError(`Cannot ${describe()}: ${by} is no integer from -${SEMVMX} to ${SEMVMX}`);
    }
    encoded[at * WORDS + sembuf.num] = index;
    encoded[at * WORDS + sembuf.op] = by;
    encoded[at * WORDS + sembuf.flg] = (undo ? SEM_UNDO : 0) | (nowait ? IPC_NOWAIT : 0);
  }
  return encoded;
}

/** Checks the number of a semaphore in a set of so many. */
export function checkIndex(index: number, size: number, describe: () => string): void {
  if (Number.isInteger(index) && index >= 0 && index < size) return;
  throw new RangeError(`Cannot ${describe()}: there is no semaphore ${index}, the set has ${size}`);
}

/** Checks what a semaphore is to be set to. */
export function checkValue(value: number, describe: () => string): void {
  if (Number.isInteger(value) && value >= 0 && value <= SEMVMX) return;
  throw new RangeError(`Cannot ${describe()}: ${value} is no value from 0 to ${SEMVMX}`);
}

/** The same operations, of which none waits. */
export function withoutWaiting(operations: Operations): Operations {
  const copy = operations.slice();
  for (let at = sembuf.flg; at < copy.length; at += WORDS) copy[at]! |= IPC_NOWAIT;
  return copy;
}

/** Whether operation number `at` must not wait. */
export function mustNotWait(operations: Operations, at: number): boolean {
  return (operations[at * WORDS + sembuf.flg]! & IPC_NOWAIT) !== 0;
}

/** The operations up to number `at`, and that one. */
export function upTo(operations: Operations, at: number): Operations {
  return operations.subarray(0, (at + 1) * WORDS);
}

/** Whether there is an operation that must not wait. */
export function someMustNotWait(operations: Operations): boolean {
  return operations.some((word, at) => at % WORDS === sembuf.flg && (word & IPC_NOWAIT) !== 0);
}

/** The number of the operation that would have to wait if these were the values, which it changes; -1: none. */
export function waitsAt(operations: Operations, values: Uint16Array): number {
  for (let at = 0; at < operations.length; at += WORDS) {
    const index = operations[at + sembuf.num]! & 0xffff;
    const by = operations[at + sembuf.op]!;
    if (by === 0 ? values[index] !== 0 : values[index]! + by < 0) return at / WORDS;
    values[index]! += by;
  }
  return -1;
}

/** Whether all of them take, and may wait for that: undone they never wait. */
export function onlyTake(operations: Operations): boolean {
  return operations.every((word, at) => {
    if (at % WORDS === sembuf.op) return word < 0;
    return at % WORDS !== sembuf.flg || (word & IPC_NOWAIT) === 0;
  });
}

/** Whether all of them wait for 0: they change nothing. */
export function onlyForZero(operations: Operations): boolean {
  return operations.every((word, at) => {
    if (at % WORDS === sembuf.op) return word === 0;
    return at % WORDS !== sembuf.flg || (word & IPC_NOWAIT) === 0;
  });
}

/** What undoes them, without waiting. */
export function opposite(operations: Operations): Operations {
  const copy = withoutWaiting(operations);
  for (let at = sembuf.op; at < copy.length; at += WORDS) copy[at] = -copy[at]!;
  return copy;
}
