/** Pairs for the contract's checks; in a module of their own, for some run in a process of their own. */

import type { Receiver } from "@ipc/core";
import type { ChannelPair } from "@ipc/core/testing";
import { FileLog, type FileLogReader, type FileLogWriter, type LogCreateOptions } from "../mod.ts";

/** Where tests write that need no disk: in memory, where there is such a place. */
const MEMORY = "/dev/shm";

/** A folder that is this test's. */
export async function withFolder(test: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: MEMORY });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A writer and a reader of a fresh log. */
export function openLog(
  options: LogCreateOptions = { fsync: "never" },
): ChannelPair & { sender: FileLogWriter; receiver: FileLogReader } {
  const path = `${MEMORY}/ipc-test-${crypto.randomUUID()}`;
  using log = FileLog.create(path, options);
  const cleanup = () => FileLog.remove(path);
  let sender: FileLogWriter | undefined;
  try {
    sender = log.writer();
    return { sender, receiver: log.reader(), cleanup };
  } catch (error) {
    sender?.close();
    cleanup();
    throw error;
  }
}

/** The same in a process of its own, which may end without more ado. */
export function openInChild(): ChannelPair {
  const { sender, receiver, cleanup } = openLog();
  addEventListener("unload", () => void cleanup?.());
  return { sender, receiver };
}

/** The same with the disk at each step, and a segment for each few records. */
export function openDurable(): ChannelPair {
  return openLog({ fsync: "always", segmentBytes: 4096 });
}

/** A writer, and a member of a consumer. */
export function openConsumer(): ChannelPair {
  const path = `${MEMORY}/ipc-test-${crypto.randomUUID()}`;
  using log = FileLog.create(path, { fsync: "never" });
  return { sender: log.writer(), receiver: log.consumer("worker"), cleanup: () => FileLog.remove(path) };
}

/** Made to end as a channel does whose sender can be missed: when the sender has ended and all is received, it closes. */
export function ending<R extends Receiver & { closed: boolean }>(
  pair: ChannelPair & { sender: FileLogWriter; receiver: R },
  isEmpty: () => boolean,
): ChannelPair {
  const { sender, receiver } = pair;
  const end = sender.end.bind(sender);
  sender.end = async () => {
    await end().finally(() => void closeWhenEmpty(receiver, isEmpty));
  };
  return pair;
}

/** Closes only after a turn in which nothing was there: by then a receive waits for the end. */
async function closeWhenEmpty(
  receiver: Receiver & { closed: boolean },
  isEmpty: () => boolean,
): Promise<void> {
  for (let empty = false; !empty && !receiver.closed;) {
    empty = isEmpty();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  receiver.close();
}

/** {@linkcode openLog}, made to end. */
export function openEnding(options?: LogCreateOptions): ChannelPair {
  const pair = openLog(options);
  return ending(pair, () => pair.receiver.position > pair.sender.last);
}
