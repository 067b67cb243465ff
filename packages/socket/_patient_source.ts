/** A source that does not wait for ever inside a message. */

import { type Bytes, TimeoutError } from "@ipc/core";
import type { Source } from "@ipc/core/base";

/** A source that tells how much of a message it has. */
interface Buffering extends Source<Bytes> {
  readonly buffered: number;
  takeMany(max: number | undefined): Bytes[] | undefined;
}

/**
 * A {@linkcode Source} that gives up a peer which begins a message and does not end it.
 *
 * The time counts from the first byte of the message, whatever dribbles in behind it, and only while somebody
 * waits for the message. Once it is over nothing more is read.
 */
export class PatientSource implements Source<Bytes> {
  readonly #source: Buffering;
  readonly #limit: number;
  /** When the message that has begun must be there. */
  #deadline: number | undefined;
  #gaveUp = false;
  /** Blocks this thread, where the source can. */
  readonly block?: (timeout: number | undefined) => void;

  /** Gives each message `limit` milliseconds from its first byte to its last. */
  constructor(source: Buffering, limit: number) {
    this.#source = source;
    this.#limit = limit;
    if (source.block !== undefined) {
      this.block = (timeout) => {
        const left = Math.max(0, (this.#deadline ?? Infinity) - performance.now());
        source.block!(left === Infinity ? timeout : Math.min(left, timeout ?? Infinity));
      };
    }
  }

  get ended(): boolean {
    return this.#gaveUp || this.#source.ended;
  }

  take(): Bytes | undefined {
    if (this.#gaveUp) return undefined;
    return this.#watch(this.#source.take());
  }

  takeMany(max?: number): Bytes[] | undefined {
    if (this.#gaveUp) return undefined;
    return this.#watch(this.#source.takeMany(max));
  }

  park(wake: () => void): () => void {
    if (this.#deadline === undefined) return this.#source.park(wake);
    const giveUp = this.#source.park(() => {
      clearTimeout(timer);
      wake();
    });
    const timer = setTimeout(() => {
      giveUp();
      wake();
    }, Math.max(0, this.#deadline - performance.now()));
    return () => {
      clearTimeout(timer);
      giveUp();
    };
  }

  close(): void {
    this.#source.close();
  }

  #watch<T>(taken: T | undefined): T | undefined {
    if (taken !== undefined || this.#source.buffered === 0) this.#deadline = undefined;
    else if (this.#deadline === undefined) this.#deadline = performance.now() + this.#limit;
    else if (performance.now() >= this.#deadline) {
      this.#gaveUp = true;
      throw new TimeoutError(
        `Cannot receive: the peer began a message and did not end it within ${this.#limit} ms`,
      );
    }
    return taken;
  }
}
