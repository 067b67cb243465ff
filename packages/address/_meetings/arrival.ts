/** How the near end of a channel learns that the far one is there. */

import { BrokenPipeError, type SyncChannel, type WaitOptions } from "@ipc/core";

/** How long the near end waits for the far end to open, in milliseconds. */
const OPENING = 10_000;

/** Waits for what the far end does when it has opened; `ended` resolves should that end before. */
export async function arrival<T>(
  acquire: (options: WaitOptions) => Promise<T>,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<T> {
  const stop = new AbortController();
  ended.then(() => stop.abort(new BrokenPipeError("Cannot open the channel: the far end has ended")));
  return await acquire({ timeout: OPENING, signal: AbortSignal.any([signal, stop.signal]) });
}

/** The near end as soon as the far one is there; it is closed should that not come. */
export async function met(channel: SyncChannel, arrival: Promise<void>): Promise<SyncChannel> {
  try {
    await arrival;
    return channel;
  } catch (error) {
    channel.close();
    throw error;
  }
}
