/** The sending half of a queue. */

import type { SyncOptions, WaitOptions } from "@ipc/core";
import { BaseSender, type BaseSenderOptions } from "@ipc/core/base";
import { constants } from "./_abi.ts";
import type { OpenQueue } from "./_queue_open.ts";
import { QueueSink } from "./_queue_sink.ts";

/** The priority of a message. */
export interface PriorityOptions {
  /** An integer from 0 to 32,767, of which the highest is received first; 0 unless told. */
  priority?: number | undefined;
}

/** A sender whose messages have priorities. */
export class QueueSender extends BaseSender {
  constructor(queue: OpenQueue, options: BaseSenderOptions) {
    super(new QueueSink(queue), options);
  }

  override send(message: Uint8Array, options?: WaitOptions & PriorityOptions): Promise<void> {
    try {
      checkPriority(options?.priority);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.sendWith(message, options, options?.priority);
  }

  override trySend(message: Uint8Array, options?: PriorityOptions): boolean {
    checkPriority(options?.priority);
    return this.trySendWith(message, options?.priority);
  }

  override sendSync(message: Uint8Array, options: SyncOptions & PriorityOptions = {}): void {
    checkPriority(options.priority);
    this.sendSyncWith(message, options, options.priority);
  }
}

function checkPriority(priority: number | undefined): void {
  if (priority === undefined) return;
  if (Number.isInteger(priority) && priority >= 0 && priority < constants.MQ_PRIO_MAX) return;
  throw new RangeError(
    `Cannot send a message of priority ${priority}: a priority is an integer from 0 to ${
      constants.MQ_PRIO_MAX - 1
    }`,
  );
}
