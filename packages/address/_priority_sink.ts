/** Sending into a POSIX queue with one priority. */

import type { Sink } from "@ipc/core/base";
import { abi, Descriptor, waitFor } from "@ipc/core/sys";
import type { MessageQueue } from "@ipc/posix";

/** A {@linkcode Sink} of a handle, which it closes. */
export class PrioritySink implements Sink {
  readonly begun = false;
  readonly #queue: MessageQueue;
  readonly #priority: { readonly priority: number };
  readonly #fd: Descriptor;

  constructor(queue: MessageQueue, priority: number) {
    this.#queue = queue;
    this.#priority = { priority };
    this.#fd = new Descriptor(queue.fd, { shared: true, target: queue.name });
  }

  get maxMessageSize(): number {
    return this.#queue.maxMessageSize;
  }

  put(message: Uint8Array): boolean {
    return this.#queue.trySend(message, this.#priority);
  }

  putSync(message: Uint8Array): void {
    this.#queue.sendSync(message, this.#priority);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  readonly park = (wake: () => void): () => void => waitFor(this.#fd.fd, "writable", wake);

  block(timeout: number | undefined): void {
    this.poll(timeout);
  }

  /** Blocks this thread until there is room, and tells whether there is. */
  poll(timeout: number | undefined): boolean {
    return this.#fd.poll(abi.POLLOUT, timeout) !== 0;
  }

  end(): void {}

  close(): void {
    this.#queue.close();
  }
}
