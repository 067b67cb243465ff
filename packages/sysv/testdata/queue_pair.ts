/** Queues for tests, and pairs for the contract's checks; in a module of their own, for some run in a process of their own. */

import type { ChannelPair } from "@ipc/core/testing";
import { constants } from "../_abi.ts";
import { libc } from "../_libc.ts";
import { IPC_PRIVATE, MessageQueue, type MessageQueueCreateOptions } from "../mod.ts";

const made = new Set<number>();

// A process that ends before its tests do leaves nothing on the machine either.
globalThis.addEventListener("unload", () => made.forEach(discard));

/** Makes a queue of no key, which {@linkcode discard} removes, or the end of the process. */
export function makeQueue(options?: MessageQueueCreateOptions): MessageQueue {
  const queue = MessageQueue.create(IPC_PRIVATE, options);
  made.add(queue.id);
  return queue;
}

/** Removes a queue, if it is still there. */
export function discard(id: number): void {
  made.delete(id);
  // Twice, for one call may be meant to fail.
  if (libc.msgctl(id, constants.IPC_RMID, null) === -1) libc.msgctl(id, constants.IPC_RMID, null);
}

/** Runs a test with a queue of its own. */
export async function withQueue(
  test: (queue: MessageQueue) => Promise<void> | void,
  options?: MessageQueueCreateOptions,
): Promise<void> {
  const queue = makeQueue(options);
  try {
    await test(queue);
  } finally {
    queue.close();
    discard(queue.id);
  }
}

/** Two handles of a new queue. */
export function openQueue(): ChannelPair & { sender: MessageQueue; receiver: MessageQueue } {
  const sender = makeQueue();
  const cleanup = () => discard(sender.id);
  try {
    return { sender, receiver: MessageQueue.open({ id: sender.id }), cleanup };
  } catch (error) {
    sender.close();
    cleanup();
    throw error;
  }
}

/**
 * The same, made to end as a channel does whose sender can be missed: when the sender has ended and all is received,
 * the receiver closes.
 */
export function openEnding(): ChannelPair {
  const pair = openQueue();
  const { sender, receiver } = pair;
  const end = sender.end.bind(sender);
  sender.end = async () => {
    try {
      await end();
    } finally {
      if (!receiver.closed) closeWhenEmpty(receiver);
    }
  };
  return pair;
}

/** Looks in /proc, so that no call of this package is made when it must not. */
async function closeWhenEmpty(queue: MessageQueue): Promise<void> {
  const row = new RegExp(`^ *-?\\d+ +${queue.id} +\\d+ +\\d+ +[1-9]`, "m");
  let left = true;
  while (left) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    left = row.test(Deno.readTextFileSync("/proc/sysvipc/msg"));
  }
  queue.close();
}

/** Both ends of a channel over one queue. */
export function openDuplex(): ChannelPair {
  const { sender, receiver, cleanup } = openQueue();
  return {
    sender: sender.duplex({ send: 1, receive: 2 }),
    receiver: receiver.duplex({ send: 2, receive: 1 }),
    cleanup: () => {
      sender.close();
      receiver.close();
      cleanup?.();
    },
  };
}
