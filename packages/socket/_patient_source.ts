/** A source that does not wait for ever for a peer that says nothing, or stops inside a message. */

import { type Bytes, TimeoutError } from "@ipc/core";
import type { Source } from "@ipc/core/base";

/** A source that tells how much of a message it has. */
interface Buffering extends Source<Bytes> {
  readonly buffered: number;
  takeMany(max: number | undefined): Bytes[] | undefined;
}

/** How long a peer is waited for, in milliseconds. */
export interface Patience {
  /** From the first byte of a message to its last; for ever unless told. */
  idleTimeout?: number | undefined;
  /** From one message, or the beginning, to the first byte of the next; for ever unless told. */
  silenceTimeout?: number | undefined;
}

/** Bounds how long a peer is waited for, where a bound is told. */
export function patient(source: Buffering, patience: Patience): Source<Bytes> {
  const { idleTimeout, silenceTimeout } = patience;
  const forEver = idleTimeout === undefined && silenceTimeout === undefined;
  return forEver ? source : new PatientSource(source, patience);
}

/** The longest time that a timer of the runtime takes. */
const LONGEST = 0x7fff_ffff;

/**
 * A {@linkcode Source} that gives a peer up which begins a message and does not end it, whatever dribbles in, or which
 * does not begin one.
 *
 * Only the time counts in which somebody waits for the message: what we did not read the peer could not send. Once the
 * time is over nothing more is read.
 */
class PatientSource implements Source<Bytes> {
  readonly #source: Buffering;
  readonly #inMessage: number;
  readonly #between: number;
  /** Whether a message has begun. */
  #began = false;
  /** Milliseconds that the peer still has. */
  #left: number;
  #gaveUp = false;
  /** Blocks this thread, where the source can. */
  readonly block?: (timeout: number | undefined) => void;

  constructor(source: Buffering, { idleTimeout = Infinity, silenceTimeout = Infinity }: Patience) {
    this.#source = source;
    this.#inMessage = idleTimeout;
    this.#left = this.#between = silenceTimeout;
    if (source.block !== undefined) {
      this.block = (timeout) => {
        if (this.#left === Infinity) return source.block!(timeout);
        const start = performance.now();
        source.block!(Math.min(Math.max(0, this.#left), timeout ?? Infinity));
        this.#left -= performance.now() - start;
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
    if (this.#left === Infinity) return this.#source.park(wake);
    const start = performance.now();
    const stop = () => {
      clearTimeout(timer);
      this.#left -= performance.now() - start;
    };
    const giveUp = this.#source.park(() => {
      stop();
      wake();
    });
    const timer = setTimeout(() => {
      giveUp();
      stop();
      wake();
    }, Math.min(Math.max(0, this.#left), LONGEST));
    return () => {
      giveUp();
      stop();
    };
  }

  close(): void {
    this.#source.close();
  }

  #watch<T>(taken: T | undefined): T | undefined {
    const began = taken === undefined && this.#source.buffered > 0;
    if (taken !== undefined || began !== this.#began) {
      this.#began = began;
      this.#left = began ? this.#inMessage : this.#between;
    } else if (this.#left <= 0 && !this.#source.ended) {
      this.#gaveUp = true;
      throw new TimeoutError(
        began
          ? `Cannot receive: the peer began a message and did not end it within ${this.#inMessage} ms`
          : `Cannot receive: the peer said nothing for ${this.#between} ms`,
      );
    }
    return taken;
  }
}
