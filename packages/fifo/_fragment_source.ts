/** Messages out of a FIFO with several writers, each of which may die in the middle. */

import type { Bytes } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import { abi, ByteSource } from "@ipc/core/sys";
import { type FifoDescriptor, fifoWaiting } from "./_fifo_descriptor.ts";
import type { FragmentDecoder } from "./_fragments.ts";
import { isHeld } from "./_lifeline.ts";

/** While a message is open, its writer is looked after so often, in milliseconds, if nothing comes. */
const SLICE = 50;

/** A {@linkcode Source} over a FIFO's reading end; owns the descriptor until it is closed. */
export class FragmentSource implements Source<Bytes> {
  readonly #descriptor: FifoDescriptor;
  readonly #decoder: FragmentDecoder;
  readonly #bytes: ByteSource;

  constructor(descriptor: FifoDescriptor, decoder: FragmentDecoder) {
    this.#descriptor = descriptor;
    this.#decoder = decoder;
    this.#bytes = new ByteSource(descriptor, decoder, {
      ...fifoWaiting(descriptor),
      goesOn: () => !decoder.lost,
    });
    descriptor.beforeBlocking = () => this.#keepVigil();
  }

  get ended(): boolean {
    return this.#bytes.ended && this.#decoder.open === 0;
  }

  take(): Bytes | undefined {
    while (true) {
      const message = this.#bytes.take();
      if (message !== undefined || !this.#mourn()) return message;
    }
  }

  takeMany(max?: number): Bytes[] | undefined {
    while (true) {
      const messages = this.#bytes.takeMany(max);
      if (messages !== undefined || !this.#mourn()) return messages;
    }
  }

  takeSync(): Bytes | undefined {
    while (true) {
      const message = this.#bytes.takeSync();
      if (message !== undefined || !this.#mourn()) return message;
    }
  }

  block(timeout: number | undefined): void {
    this.#bytes.block(this.#decoder.awaiting ? Math.min(timeout ?? Infinity, SLICE) : timeout);
  }

  park(wake: () => void): () => void {
    if (!this.#decoder.awaiting) return this.#bytes.park(wake);
    const giveUp = this.#bytes.park(() => {
      clearTimeout(timer);
      wake();
    });
    const timer = setTimeout(() => {
      giveUp();
      wake();
    }, SLICE);
    return () => {
      clearTimeout(timer);
      giveUp();
    };
  }

  close(): void {
    this.#bytes.close();
  }

  /**
   * Looks after those who are inside of a message, now that nothing is there: throws the error for one that has
   * gone. True: more has come, which is to be read first.
   */
  #mourn(): boolean {
    const { ended } = this.#bytes;
    if (!this.#decoder.awaiting) return false;
    for (const writer of this.#decoder.writers()) {
      if (!ended) {
        if (isHeld(this.#descriptor.fd, writer)) continue;
        // It may have written the rest just before it went.
        if ((this.#descriptor.poll(abi.POLLIN, 0) & abi.POLLIN) !== 0) return true;
      }
      const error = this.#decoder.abandon(writer);
      if (error !== undefined) throw error;
    }
    return false;
  }

  /** Blocks until something is there to read, and looks after the writers meanwhile. */
  #keepVigil(): void {
    while (this.#decoder.awaiting && this.#descriptor.poll(abi.POLLIN, SLICE) === 0) this.#mourn();
  }
}
