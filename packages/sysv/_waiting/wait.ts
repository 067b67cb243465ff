import { ERRNO } from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { constants, sembuf } from "../_abi.ts";
import { libc } from "../_libc.ts";
import { begin, startAll } from "./engine.ts";
import { roomFor } from "./room.ts";
import { Slots } from "./slots.ts";

/** Milliseconds between tries where a wait cannot be looked at, only tried. */
const PACE = 2;

/**
 * Waits until a message is there that msgrcv(2) would take with this type and these flags. System calls: `msgrcv`
 * of no bytes, which leaves a message where it is.
 *
 * An empty message is taken by that, and `taken` gets its type: before `wake`, or while the wait is being given up,
 * never later. Who closes a queue gives up its waits first, and then puts back what `taken` brought and nobody
 * received.
 */
export function waitForMessage(
  id: number,
  type: number,
  flags: number,
  taken: (type: number) => void,
  wake: () => void,
): () => void {
  return begin({ kind: Slots.MESSAGE, id, type, flags, count: 0, taken, wake });
}

/** Waits until a message of so many bytes may fit. System call: `msgctl`, again and again. */
export function waitForRoom(id: number, byteLength: number, wake: () => void): () => void {
  // Who may write to a queue may perhaps not look at it.
  if (roomFor(id, byteLength) === undefined) return tryLater(wake);
  return begin({ kind: Slots.ROOM, id, type: 0, flags: 0, count: byteLength, wake });
}

/**
 * Waits until these operations, `struct sembuf` as triples, could all succeed at once, without doing them.
 *
 * SEM_UNDO and IPC_NOWAIT in them are overlooked. System call: `semop` of the operations followed by their
 * opposites, which changes no value; but sem_otime and GETPID tell of it as of any other.
 */
export function waitForSemaphore(id: number, operations: Int16Array, wake: () => void): () => void {
  const there: number[] = [];
  const back: number[] = [];
  for (let at = 0; at < operations.length; at += 3) {
    const [num, op] = [operations[at + sembuf.num]!, operations[at + sembuf.op]!];
    there.push(num, op, constants.IPC_NOWAIT);
    if (op !== 0) back.unshift(num, -op, constants.IPC_NOWAIT);
  }
  const both = new Int16Array([...there, ...back]);
  const count = both.length / 3;
  const tooLong = count > Slots.MOST_OPERATIONS ||
    libc.semop(id, both, BigInt(count)) === -1 && errno() === ERRNO.E2BIG;
  if (tooLong) return tryLater(wake);
  return begin({ kind: Slots.SEMAPHORE, id, type: 0, flags: 0, count, operations: both, wake });
}

/**
 * Waits until these operations can succeed, and does them at that moment; `done` is told so before `wake`, or while
 * the wait is being given up, never later.
 *
 * Where others wait for the same, the thread that stands in the kernel's line has its turn, but not one that only
 * looks and comes back later. SEM_UNDO is heeded. System call: `semop`.
 */
export function waitToOperate(
  id: number,
  operations: Int16Array,
  done: () => void,
  wake: () => void,
): () => void {
  const count = operations.length / 3;
  if (count > Slots.MOST_OPERATIONS) return waitForSemaphore(id, operations, wake);
  return begin({ kind: Slots.TAKING, id, type: 0, flags: 0, count, operations, taken: done, wake });
}

/** Starts at once all that waiting starts at need, and then keeps: for tests that look for leaks. */
export async function warmUpWaiting(): Promise<void> {
  await startAll();
}

function tryLater(wake: () => void): () => void {
  const timer = setTimeout(wake, PACE);
  return () => clearTimeout(timer);
}
