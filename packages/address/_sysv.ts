/** What the addresses of System V objects have in common: how one is found. */

import { formatKey, IPC_PRIVATE, type Key, parseKey } from "@ipc/core";
import { type ById, ftok, type SystemVStatus } from "@ipc/sysv";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";

/** The key or the id of what exists. */
export function targetOf(address: Address, tried: string): Key | ById {
  const { id } = address.params;
  if (id !== undefined) return { id: Number(id) };
  const key = keyOf(address);
  if (key !== IPC_PRIVATE) return key;
  throw new AddressError(address.text, "a private object is found by its id: ?id=42, as ls shows it", tried);
}

/** The key of what is to be created; `tried` where that must be one by which others find it. */
export function newKeyOf(address: Address, tried?: string): Key {
  if (address.params.id !== undefined) {
    throw new AddressError(address.text, "ids are given by the system; give a key", tried ?? "create");
  }
  const key = keyOf(address);
  if (key !== IPC_PRIVATE || tried === undefined) return key;
  throw new AddressError(address.text, "nobody could find a private object; give a key", tried);
}

/** The address of an object by its id, where it has no key. */
export function privateAddress({ scheme }: Address, key: Key, id: number): string | undefined {
  return key === IPC_PRIVATE ? `${scheme}:?id=${id}` : undefined;
}

/** What an object of a list is called by. */
export function addressed<Type extends string, Status extends SystemVStatus>(
  type: Type,
  status: Status,
): Status & { address: string; type: Type } {
  const { key, id } = status;
  const address = key === IPC_PRIVATE ? `${type}:?id=${id}` : `${type}:${formatKey(key)}`;
  return { address, type, ...status };
}

function keyOf({ target, params: { proj } }: Address): Key {
  return proj === undefined ? parseKey(target) : ftok(target, /^\d/.test(proj) ? Number(proj) : proj);
}
