/** Queues for tests, and pairs for the contract's checks; in a module of their own, for some run in a process of their own. */

import { LimitError } from "@ipc/core";
import { diagnostics } from "@ipc/core/sys";
import type { ChannelPair } from "@ipc/core/testing";
import { mqAttr, syscalls } from "../_abi.ts";
import { kernelName } from "../_libc.ts";
import { MessageQueue, type MessageQueueCreateOptions } from "../mod.ts";

/** All queues of a user share one limit: those of a test are small, and not more at a time than this. */
const MOST = 60;

// A table of its own: where calls of the package are made to fail, these are not, nor do they count.
const own = Deno.dlopen(Deno.build.env === "musl" ? `libc.musl-${Deno.build.arch}.so.1` : "libc.so.6", {
  mq_unlink: { name: "syscall", parameters: ["i64", "buffer"], result: "i32" },
  mq_getsetattr: { name: "syscall", parameters: ["i64", "i32", "buffer", "buffer"], result: "i32" },
}).symbols;

const made = new Set<string>();

// A process that ends before its tests do leaves nothing on the machine either.
globalThis.addEventListener("unload", () => made.forEach(discard));

/** A module as a specifier in a program's source. */
export const MOD: string = JSON.stringify(new URL("../mod.ts", import.meta.url).href);
/** The same of the calls by their C names. */
export const SYS: string = JSON.stringify(new URL("../sys.ts", import.meta.url).href);

/** Generous: nothing that works takes so long. */
export const CEILING = { timeout: 20_000 };

/** A name that nobody has; what is made of it goes away with this process. */
export function ownName(): string {
  const name = `/ipc-test-${crypto.randomUUID()}`;
  made.add(name);
  return name;
}

/** Makes a small queue, which {@linkcode discard} unlinks, or the end of the process. */
export function makeQueue(options: MessageQueueCreateOptions = {}): MessageQueue {
  if (made.size >= MOST) throw new LimitError("Cannot make another queue: the others need room too");
  const name = ownName();
  try {
    return MessageQueue.create(name, { maxMessages: 8, maxMessageSize: 1024, ...options });
  } catch (error) {
    made.delete(name);
    throw error;
  }
}

/** Unlinks a queue, if it still has its name. */
export function discard(name: string): void {
  made.delete(name);
  own.mq_unlink(syscalls.mq_unlink, kernelName(name));
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
    discard(queue.name);
    await waitsEnded();
  }
}

/** The thread that waits for all takes a moment to learn that there are no more waits. */
export async function waitsEnded(): Promise<void> {
  while (diagnostics().poolThreads > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Runs a test with a name that is free, and unlinks what has it in the end. */
export async function withName(test: (name: string) => Promise<void> | void): Promise<void> {
  const name = ownName();
  try {
    await test(name);
  } finally {
    discard(name);
  }
}

/** Two handles of a new queue. */
export function openQueue(
  options?: MessageQueueCreateOptions,
): ChannelPair & { sender: MessageQueue; receiver: MessageQueue } {
  const sender = makeQueue(options);
  const cleanup = () => discard(sender.name);
  try {
    return { sender, receiver: MessageQueue.open(sender.name), cleanup };
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
  const pair = openQueue({ maxMessageSize: 4096 });
  const { sender, receiver } = pair;
  const end = sender.end.bind(sender);
  sender.end = async () => {
    await end().finally(() => void closeWhenEmpty(receiver));
  };
  return pair;
}

/** Closes only after a turn in which nothing was there: by then a receive waits for the end. */
async function closeWhenEmpty(queue: MessageQueue): Promise<void> {
  const attributes = new DataView(new ArrayBuffer(mqAttr.size));
  for (let empty = false; !empty && !queue.closed;) {
    own.mq_getsetattr(syscalls.mq_getsetattr, queue.fd, null, attributes);
    empty = attributes.getBigInt64(mqAttr.mq_curmsgs, true) === 0n;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  queue.close();
}
