/** `sysv-msg:KEY`: the driver of System V message queues. */

import type { Bytes, Channel, SyncChannel, WaitOptions } from "@ipc/core";
import { limits as allLimits, list as listAll, MessageQueue, type QueueMessage } from "@ipc/sysv";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { KernelLimit } from "./limits.ts";
import type { ListenOptions } from "./listen.ts";
import type { MakeOptions } from "./make.ts";
import type { QueueStatus } from "./stat.ts";
import { closeAlso } from "./_close_also.ts";
import { addressed, newKeyOf, privateAddress, targetOf } from "./_sysv.ts";
import { ANYBODY, trustOf } from "./_trust.ts";

/** Opens a queue that exists. */
export function connect(address: Address, direction: Direction, _options: ConnectOptions): Promise<Channel> {
  return Promise.try(() => {
    const types = typesOf(address, direction, "connect to");
    return endOf(MessageQueue.open(targetOf(address, "connect to"), trustOf(address)), direction, types);
  });
}

/** Opens a queue, and creates what is missing. */
export function listen(address: Address, direction: Direction, options: ListenOptions): Promise<Channel> {
  return Promise.try(() => {
    const { mode, removeOnClose } = options;
    const types = typesOf(address, direction, "listen at");
    const key = newKeyOf(address, "listen at");
    const queue = MessageQueue.openOrCreate(key, { ...trustOf(address), mode, removeOnClose });
    return endOf(queue, direction, types);
  });
}

/** Creates a queue. */
export function make(address: Address, { mode, maxBytes }: MakeOptions): Promise<string | undefined> {
  return Promise.try(() => {
    const key = newKeyOf(address);
    using queue = MessageQueue.create(key, { mode, maxBytes });
    return privateAddress(address, key, queue.id);
  });
}

/** Removes a queue, with the messages in it. */
export function remove(address: Address): Promise<void> {
  return Promise.try(() => {
    using queue = MessageQueue.open(targetOf(address, "remove"), ANYBODY);
    queue.remove();
  });
}

/** Looks at a queue. */
export function stat(address: Address): Promise<QueueStatus> {
  return Promise.try(() => {
    using queue = MessageQueue.open(targetOf(address, "look at"), ANYBODY);
    return { address: address.text, type: "sysv-msg", ...queue.stat() };
  });
}

/** Lists all queues. */
export function list(): QueueStatus[] {
  return listAll().queues.map((status) => addressed("sysv-msg", status));
}

/** The limits of queues. */
export function limits(): KernelLimit[] {
  return allLimits().filter(({ name }) => name.startsWith("MSG"));
}

/** The types of what is sent and received; `undefined`: type 1, and any. */
interface Types {
  readonly send?: number | undefined;
  readonly receive?: number | undefined;
}

function typesOf({ text, params }: Address, direction: Direction, tried: string): Types {
  const [send, receive] = [params.send, params.receive].map((type) =>
    type === undefined ? type : Number(type)
  );
  if (direction === "both" && (send === undefined || receive === undefined || send === receive)) {
    throw new AddressError(
      text,
      "in both directions it needs two types, or one would receive what it sends itself: ?send=1&receive=2; " +
        'or give direction: "send" or "receive"',
      tried,
    );
  }
  return { send, receive };
}

/** What a handle of its own sends and receives. */
function endOf(queue: MessageQueue, direction: Direction, { send, receive }: Types): Channel {
  if (direction === "receive" ? receive === undefined : send === undefined) return queue;
  const view = queue.duplex({ send: send ?? 1, receive: receive ?? 1 });
  const end = closeAlso(view, () => queue.close());
  return receive === undefined ? end : Object.assign(end, receivingOf(view, receive));
}

/** What a queue has for messages with their types, where these are known. */
function receivingOf(view: SyncChannel, type: number) {
  const described = (data: Bytes | undefined): QueueMessage | undefined => data && { type, data };
  return {
    receiveMessage: async (options?: WaitOptions) => described(await view.receive(options)),
    tryReceiveMessage: () => described(view.tryReceive()),
  };
}
