/** Whose objects an address allows. */

import type { Address } from "./address.ts";

/** Users who may own an object besides the one of this process. */
export interface Trust {
  allowOwner?: number | "any";
}

/** Whose objects the address allows. */
export function trustOf({ params: { "allow-owner": owner } }: Address): Trust {
  if (owner === undefined) return {};
  return { allowOwner: owner === "any" ? owner : Number(owner) };
}

/** Looking and removing take nobody's word for anything. */
export const ANYBODY: Trust = { allowOwner: "any" };
