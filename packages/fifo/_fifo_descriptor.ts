/** A descriptor of a FIFO's reading end, which knows what a read of nothing means. */

import { abi, type ByteSourceOptions, Descriptor, type Memory } from "@ipc/core/sys";

/** The reading end of a FIFO. */
export class FifoDescriptor extends Descriptor {
  #hasWriter = false;
  /** Called before a read that may block: stays as long as something has to be looked after meanwhile. */
  beforeBlocking: (() => void) | undefined;

  /** Whether a writer was there at the last read, so that there was something, or might have been soon. */
  get hasWriter(): boolean {
    return this.#hasWriter;
  }

  /** Whether writers have come, all of them have gone, and everything of theirs was read. */
  get ended(): boolean {
    // Linux tells the first writer's absence (nothing) from the last one's (POLLHUP).
    return (this.poll(abi.POLLIN, 0) & (abi.POLLIN | abi.POLLHUP)) === abi.POLLHUP;
  }

  override read(into: Memory): number {
    const count = super.read(into);
    this.#hasWriter = count !== 0;
    return count;
  }

  override readBlocking(into: Memory): number {
    this.beforeBlocking?.();
    const count = super.readBlocking(into);
    this.#hasWriter = count !== 0;
    return count;
  }
}

/** How a {@linkcode FifoDescriptor} waits: the runtime's reactor takes a FIFO without a writer for one that ended. */
export function fifoWaiting(descriptor: FifoDescriptor): ByteSourceOptions {
  return { reactor: () => descriptor.hasWriter, isEnd: () => descriptor.ended };
}
