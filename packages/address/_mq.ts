/** `mq:/name`: the driver of POSIX message queues. */

import { ERRNO, errnoError, PermissionError, type Receiver, type Sender } from "@ipc/core";
import { BaseSender } from "@ipc/core/base";
import {
  limits as allLimits,
  type ListedMessageQueue,
  listMessageQueues,
  MessageQueue,
  type MessageQueueOpenOptions,
} from "@ipc/posix";
import { type Address, formatAddress } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { KernelLimit } from "./limits.ts";
import type { ListenOptions } from "./listen.ts";
import type { MakeOptions } from "./make.ts";
import type { NamedQueueStatus } from "./stat.ts";
import { holdersOf } from "./_holders.ts";
import { finite } from "./_posix.ts";
import { PrioritySink } from "./_priority_sink.ts";
import { ANYBODY, trustOf } from "./_trust.ts";

/** Opens a queue that exists; its mode need not permit the other direction. */
export function connect(
  address: Address,
  direction: Direction,
  _options: ConnectOptions,
): Promise<Sender | Receiver> {
  return Promise.try(() => {
    const access = direction === "send" ? "write" : "read";
    return endOf(address, direction, MessageQueue.open(address.target, { ...trustOf(address), access }));
  });
}

/** Opens a queue, and creates what is missing. */
export function listen(
  address: Address,
  direction: Direction,
  { mode, removeOnClose }: ListenOptions,
): Promise<Sender | Receiver> {
  return Promise.try(() => {
    const options = { ...trustOf(address), mode, unlinkOnClose: removeOnClose };
    return endOf(address, direction, MessageQueue.openOrCreate(address.target, options));
  });
}

/** Creates a queue. */
export function make({ target }: Address, { mode, maxMessages, maxMessageSize }: MakeOptions): Promise<void> {
  return Promise.try(() => MessageQueue.create(target, { mode, maxMessages, maxMessageSize }).close());
}

/** Unlinks a queue; who has it open goes on with it. */
export function remove({ target }: Address): Promise<void> {
  return Promise.try(() => MessageQueue.unlink(target));
}

/** Looks at a queue and its users. */
export function stat({ text, target }: Address): Promise<NamedQueueStatus> {
  return Promise.try(() => {
    try {
      const { file, ...status } = look(target, { ...ANYBODY, access: "read" });
      return { address: text, type: "mq", ...status, ...holdersOf(file) };
    } catch (error) {
      if (!(error instanceof PermissionError)) throw error;
    }
    // What everybody may see is in its folder, where there is one.
    const listed = listMessageQueues().find(({ name }) => name === target);
    if (listed !== undefined) return { address: text, type: "mq", ...seen(listed) };
    throw errnoError(ERRNO.ENOENT, {
      syscall: "mq_open",
      action: `look at message queue "${target}"`,
      object: "message queue",
      target,
    });
  });
}

/** Lists all queues. */
export function list(): NamedQueueStatus[] {
  return listMessageQueues().map((listed) => {
    return { address: formatAddress("mq", listed.name), type: "mq", ...seen(listed) };
  });
}

/** The limits of queues. */
export function limits(): KernelLimit[] {
  return allLimits().filter(({ name }) => !["SEM_VALUE_MAX", "/dev/shm"].includes(name)).map(finite);
}

function endOf({ params }: Address, direction: Direction, queue: MessageQueue): Sender | Receiver {
  if (direction === "receive" || params.priority === undefined) return queue;
  return new BaseSender(new PrioritySink(queue, Number(params.priority)));
}

/** What a queue tells of itself, and which file it is. */
function look(name: string, options: MessageQueueOpenOptions) {
  using queue = MessageQueue.open(name, options);
  return { ...queue.stat(), file: Deno.statSync(`/proc/self/fd/${queue.fd}`) };
}

/** What is known of a listed queue. */
function seen({ status, ...everybody }: ListedMessageQueue) {
  return status ?? everybody;
}
