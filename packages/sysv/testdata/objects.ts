/** Objects for tests, which are gone afterwards. */

import { assertThrows } from "@std/assert";
import { IPC_PRIVATE, IpcError, type Key } from "@ipc/core";
import { constants } from "../_abi.ts";
import { type Kind, memoryKind, queueKind, setKind } from "../_kinds.ts";

/** The kinds with a size that each accepts. */
export const kinds: readonly [kind: Kind, size: number][] = [[queueKind, 0], [setKind, 1], [memoryKind, 100]];

/** A key that nobody has, for no kind of object. */
export function freeKey(): Key {
  for (;;) {
    const key = crypto.getRandomValues(new Int32Array(1))[0]! as Key;
    if (key !== IPC_PRIVATE && kinds.every(([kind]) => kind.get(key, 0, 0) === -1)) return key;
  }
}

/** Removes whatever has this key. */
export function removeKey(key: Key): void {
  for (const [kind] of kinds) {
    const id = kind.get(key, 0, 0);
    if (id !== -1) kind.control(id, constants.IPC_RMID, null);
  }
}

/** Runs a test with a free key, and removes what it made under that key. */
export async function withKey(test: (key: Key) => unknown): Promise<void> {
  const key = freeKey();
  try {
    await test(key);
  } finally {
    removeKey(key);
  }
}

/** Runs a test with a new object, and removes it. */
export async function withObject(
  kind: Kind,
  size: number,
  test: (id: number, key: Key) => unknown,
  mode = 0o600,
): Promise<void> {
  await withKey(async (key) => {
    const id = kind.get(key, size, constants.IPC_CREAT | constants.IPC_EXCL | mode);
    if (id === -1) throw new Error(`Cannot create a ${kind.object} to test with`);
    await test(id, key);
  });
}

/** The code of the error that a call throws. */
export function code(call: () => unknown): string {
  return assertThrows(call, IpcError).code;
}

/** Until the kernel writes another second into its structs; its clock is some milliseconds behind. */
export async function nextSecond(): Promise<void> {
  const next = Math.floor(Date.now() / 1000 + 1) * 1000 + 50;
  while (Date.now() < next) await new Promise((resolve) => setTimeout(resolve, 20));
}
