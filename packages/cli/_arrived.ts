/** What a receiver has when it is told to stop. */

import type { Address } from "@ipc/address";
import { type Bytes, type Receiver, TimeoutError } from "@ipc/core";
import { schemeOf } from "./_address.ts";

/**
 * The messages that are there now, without waiting for more.
 *
 * A receiver of a stream takes from the kernel as much as one read brings. What it has taken would be lost with it,
 * so a signal ends the wait for messages, not the way of those that have come. A queue keeps its messages for others.
 */
export async function arrived(address: Address, receiver: Receiver, max: number): Promise<Bytes[]> {
  if (!schemeOf(address).readsAhead) return [];
  try {
    return await receiver.receiveBatch({ timeout: 0, ...max < Infinity && { max } });
  } catch (error) {
    if (error instanceof TimeoutError) return [];
    throw error;
  }
}
