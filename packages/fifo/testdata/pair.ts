/** Pairs for the contract's checks; in a module of their own, for some run in a process of their own. */

import type { Sender } from "@ipc/core";
import type { ChannelPair } from "@ipc/core/testing";
import { Fifo, type FifoPairOptions, mkfifo } from "../mod.ts";

/** Opens both ends of a new FIFO, which has no name any more. */
export async function openFifo(options: FifoPairOptions = {}): Promise<ChannelPair> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/fifo`;
  mkfifo(path);
  const receiver = await Fifo.open(path, "read", options);
  const sender = await Fifo.open(path, "write", { maxQueuedBytes: 1024 * 1024, ...options });
  Deno.removeSync(folder, { recursive: true });
  return { sender, receiver, truncate: () => dieInside(sender) };
}

/** Opens both ends of a channel over two FIFOs. */
export async function openDuplex(): Promise<ChannelPair> {
  const folder = await Deno.makeTempDir();
  const options = { create: true, maxQueuedBytes: 1024 * 1024 };
  const [sender, receiver] = await Promise.all([
    Fifo.openPair(`${folder}/back`, `${folder}/there`, options),
    Fifo.openPair(`${folder}/there`, `${folder}/back`, options),
  ]);
  Deno.removeSync(folder, { recursive: true });
  return { sender, receiver, truncate: () => dieInside(sender) };
}

/** Sends more than there is room for, and closes with the rest unsent. */
async function dieInside(sender: Sender): Promise<void> {
  await sender.send(new Uint8Array(300_000), { timeout: 0 }).catch(() => {});
  sender.close();
}
