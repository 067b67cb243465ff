/** Messages out of a queue. */

import { type Bytes, ERRNO, PermissionError } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import { abi, waitFor } from "@ipc/core/sys";
import { type Patience, PriorityBuffer, receivedBytes, receiveMessage } from "./_queue_calls.ts";
import { queueFailure } from "./_queue_failure.ts";
import type { OpenQueue } from "./_queue_open.ts";

/** The most messages of one batch: a fast sender must not keep a receiver for ever. */
const MOST_AT_ONCE = 1024;

/** A message with its priority. */
export interface QueueMessage {
  /** From 0 to 32,767, the highest first. */
  readonly priority: number;
  /** Its bytes. */
  readonly data: Bytes;
}

/** A {@linkcode Source} over mq_timedreceive(2); it owns nothing. */
export class QueueSource implements Source<Bytes> {
  /** A queue does not know who sends into it, so there is no end. */
  readonly ended = false;
  readonly #queue: OpenQueue;
  readonly #fd: number;
  readonly #longest: number;
  readonly #priority = new PriorityBuffer();

  constructor(queue: OpenQueue) {
    this.#queue = queue;
    this.#fd = queue.descriptor.fd;
    this.#longest = queue.maxMessageSize;
  }

  take(): Bytes | undefined {
    const length = this.#receive("try");
    return length === undefined ? undefined : receivedBytes(length);
  }

  takeMany(max: number = MOST_AT_ONCE): Bytes[] | undefined {
    const batch: Bytes[] = [];
    while (batch.length < max) {
      let message: Bytes | undefined;
      try {
        message = this.take();
      } catch (error) {
        // What was taken is not lost; a lasting reason is told next time.
        if (batch.length === 0) throw error;
      }
      if (message === undefined) break;
      batch.push(message);
    }
    return batch.length > 0 ? batch : undefined;
  }

  takeSync(): Bytes {
    for (;;) {
      const length = this.#receive("wait");
      if (length !== undefined) return receivedBytes(length);
      this.block(undefined);
    }
  }

  /** Takes a message with its priority, without waiting. */
  takeMessage(): QueueMessage | undefined {
    const length = this.#receive("try", this.#priority);
    return length === undefined ? undefined : { priority: this.#priority.value, data: receivedBytes(length) };
  }

  ready(): boolean {
    return this.#queue.descriptor.poll(abi.POLLIN, 0) !== 0;
  }

  park(wake: () => void): () => void {
    return waitFor(this.#fd, "readable", wake);
  }

  block(timeout: number | undefined): void {
    this.#queue.descriptor.poll(abi.POLLIN, timeout);
  }

  close(): void {}

  /** The length of what was received; `undefined`: there is nothing. */
  #receive(patience: Patience, priority?: PriorityBuffer): number | undefined {
    const length = receiveMessage(this.#fd, this.#longest, patience, priority);
    if (length >= 0) return length;
    const code = -length;
    // EAGAIN: somebody who shares the descriptor has made it non-blocking.
    if (code === ERRNO.ETIMEDOUT || code === ERRNO.EAGAIN) return undefined;
    const { name } = this.#queue;
    if (code !== ERRNO.EBADF) throw queueFailure(code, "mq_receive", "receive from", name);
    throw new PermissionError(`Cannot receive from message queue "${name}": it is open for writing only`, {
      code: "EBADF",
      errno: code,
      syscall: "mq_receive",
      target: name,
    });
  }
}
