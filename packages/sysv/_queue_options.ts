/** What a message queue's calls are told and give. */

import type { Bytes } from "@ipc/core";
import type { CreateOptions, OwnershipChange, TrustOptions } from "./_object.ts";
import { type MessageSelector, type Wanted, wantedBy } from "./_queue_selector.ts";

/** How the sending half of a handle is made. */
export interface QueuedBytesOptions {
  /** The most bytes that wait in this process before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/** How a message queue is created. */
export interface MessageQueueCreateOptions extends CreateOptions, QueuedBytesOptions {
  /** The most bytes that the queue takes; MSGMNB unless told, and only a privileged process may ask for more. */
  maxBytes?: number | undefined;
}

/** How a message queue is opened. */
export interface MessageQueueOpenOptions extends TrustOptions, QueuedBytesOptions {}

/** What may be changed of a message queue. What is left out stays. */
export interface MessageQueueChange extends OwnershipChange {
  /** The most bytes that the queue takes (qbytes); only a privileged process may go beyond MSGMNB. */
  maxBytes?: number | undefined;
}

/** The type of a message that is sent. */
export interface MessageTypeOptions {
  /** An integer from 1; 1 unless told. */
  type?: number | undefined;
}

/** How long a message that is received may be. */
export interface MessageSizeOptions {
  /** The most bytes; as many as there are unless told. A longer message is an error, and stays in the queue. */
  maxSize?: number | undefined;
  /** Whether a longer message is cut to `maxSize` bytes instead (MSG_NOERROR). */
  noError?: boolean | undefined;
}

/** Which message is received, and how long it may be. */
export type ReceiveMessageOptions = MessageSelector & MessageSizeOptions;

/** A message with its type. */
export interface QueueMessage {
  /** From 1; beyond 2^53, which only other programs send, the nearest number. */
  readonly type: number;
  /** Its bytes. */
  readonly data: Bytes;
}

/** What is wanted, checked. */
export function wantedWith(options: ReceiveMessageOptions): Wanted {
  const { maxSize } = options;
  if (maxSize !== undefined && !(Number.isSafeInteger(maxSize) && maxSize >= 0)) {
    throw new RangeError(`Cannot receive a message of at most ${maxSize} bytes: it is an integer from 0`);
  }
  return wantedBy(options);
}

/** A limit as a queue can have it. */
export function checkMaxBytes(maxBytes: number | undefined): void {
  if (maxBytes === undefined || Number.isSafeInteger(maxBytes) && maxBytes >= 0) return;
  throw new RangeError(`Cannot let a message queue take ${maxBytes} bytes: it is an integer from 0`);
}
