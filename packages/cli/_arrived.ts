/** What a receiver has when it is told to stop. */

import { type Bytes, type Receiver, TimeoutError } from "@ipc/core";

/**
 * The messages that are there now, without waiting for more.
 *
 * A receiver takes from the kernel as much as one read brings. What it has taken would be lost with it, so a
 * signal ends the wait for messages, not the way of those that have come.
 */
export async function arrived(receiver: Receiver, max: number): Promise<Bytes[]> {
  try {
    return await receiver.receiveBatch({ timeout: 0, ...max < Infinity && { max } });
  } catch (error) {
    if (error instanceof TimeoutError) return [];
    throw error;
  }
}
