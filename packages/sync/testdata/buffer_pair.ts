/** Pairs for the contract's checks; in a module of their own, for some run in a process of their own. */

import type { ChannelPair } from "@ipc/core/testing";
import { settled } from "./memory.ts";
import * as torture from "./torture.ts";

export const openLocked = (): Promise<ChannelPair> => opened(torture.locked.open!);
export const openCounted = (): Promise<ChannelPair> => opened(torture.counted.open!);

/** One after which the threads that wait for words have ended too. */
async function opened(open: () => ChannelPair | Promise<ChannelPair>): Promise<ChannelPair> {
  const pair = await open();
  const cleanup = async () => {
    await pair.cleanup?.();
    await settled();
  };
  return { ...pair, cleanup };
}
