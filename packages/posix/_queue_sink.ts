/** Messages into a queue. */

import { ERRNO, PermissionError } from "@ipc/core";
import type { Sink } from "@ipc/core/base";
import { abi, waitFor } from "@ipc/core/sys";
import { type Patience, sendMessage } from "./_queue_calls.ts";
import { queueFailure } from "./_queue_failure.ts";
import type { OpenQueue } from "./_queue_open.ts";

/** A {@linkcode Sink} over mq_timedsend(2), which takes a message whole or not at all; it owns nothing. */
export class QueueSink implements Sink {
  readonly begun = false;
  readonly maxMessageSize: number;
  readonly #queue: OpenQueue;
  readonly #fd: number;

  constructor(queue: OpenQueue) {
    this.#queue = queue;
    this.#fd = queue.descriptor.fd;
    this.maxMessageSize = queue.maxMessageSize;
  }

  /** `meta` is the priority, where it is told. */
  put(message: Uint8Array, meta?: unknown): boolean {
    return this.#send(message, meta, "try");
  }

  putSync(message: Uint8Array, meta?: unknown): void {
    while (!this.#send(message, meta, "wait")) this.block(undefined);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  readonly park = (wake: () => void): () => void => waitFor(this.#fd, "writable", wake);

  block(timeout: number | undefined): void {
    this.#queue.descriptor.poll(abi.POLLOUT, timeout);
  }

  end(): void {}

  close(): void {}

  /** False: there is no room. */
  #send(message: Uint8Array, meta: unknown, patience: Patience): boolean {
    const code = sendMessage(this.#fd, message, meta as number | undefined ?? 0, patience);
    if (code === 0) return true;
    // EAGAIN: somebody who shares the descriptor has made it non-blocking.
    if (code === ERRNO.ETIMEDOUT || code === ERRNO.EAGAIN) return false;
    const { name } = this.#queue;
    if (code !== ERRNO.EBADF) throw queueFailure(code, "mq_send", "send to", name);
    throw new PermissionError(`Cannot send to message queue "${name}": it is open for reading only`, {
      code: "EBADF",
      errno: code,
      syscall: "mq_send",
      target: name,
    });
  }
}
