/** Messages of all who connect, as one receiver. */

import { BrokenPipeError, type Bytes, LimitError, type Receiver } from "@ipc/core";
import { hasReadiness, READY, type Source } from "@ipc/core/base";

/** Where connections arrive: what this takes of a listener. */
interface Arrivals {
  accept(options: { signal: AbortSignal }): Promise<Incoming | undefined>;
  tryAccept(): Incoming | undefined;
  close(): void;
}

/** What this takes of a connection. */
interface Incoming extends Receiver<Bytes> {
  tryReceive(): Bytes | undefined;
}

/** So many are looked at before others get a turn: whoever connects all the time must not keep the process busy. */
const MOST_AT_ONCE = 128;

/** How connections are gathered. */
export interface GatheringOptions {
  /** Told what ended one connection, such as a message that is too long; unless given, a receive throws it. */
  onLost?: ((error: unknown) => void) | undefined;
  /** The most connections that stay open; fewer than the listener lets in. 1000 unless told. */
  most?: number | undefined;
}

/**
 * Takes messages from all connections of a listener, in turns, and closes each at its end, or when it fails.
 *
 * It has no end itself: others may come. Nothing is read ahead: a connection is asked for a message when somebody
 * wants one. Where more come than may stay, or than there are descriptors for, the one that has been silent for
 * longest makes room: those who connect and say nothing shut nobody out.
 */
export class Gathering implements Source<Bytes> {
  readonly ended = false;
  readonly #listener: Arrivals;
  readonly #onLost: (error: unknown) => void;
  readonly #most: number;
  /** All connections, the one that has been silent for longest first. */
  readonly #heard = new Set<Incoming>();
  /** Connections that may have a message, the one that was served last at the end. */
  readonly #full = new Set<Incoming>();
  /** Connections that had none when they were asked. */
  readonly #empty = new Set<Incoming>();
  #accepting = false;
  #closed = false;
  /** The wait that is under way. */
  #wait: { readonly signal: AbortSignal; readonly wake: () => void } | undefined;

  /** Takes the listener over. */
  constructor(listener: Arrivals, options: GatheringOptions = {}) {
    this.#listener = listener;
    this.#most = options.most ?? 1000;
    this.#onLost = options.onLost ?? ((error) => {
      throw error;
    });
  }

  take(): Bytes | undefined {
    const early = this.#acceptSome();
    if (early !== undefined) return early;
    // Those that had none are asked after all others: most of the time nobody comes to them.
    for (const connections of [this.#full, [...this.#empty]]) {
      for (const connection of connections) {
        const message = this.#takeFrom(connection);
        if (message !== undefined) return message;
      }
    }
    return undefined;
  }

  park(wake: () => void): () => void {
    const controller = new AbortController();
    const giveUp = () => {
      this.#wait = undefined;
      controller.abort();
    };
    this.#wait = {
      signal: controller.signal,
      wake: () => {
        giveUp();
        wake();
      },
    };
    if (!this.#accepting) this.#awaitConnection(controller);
    for (const connection of this.#empty) {
      this.#empty.delete(connection);
      this.#await(connection, controller);
    }
    return giveUp;
  }

  close(): void {
    this.#closed = true;
    this.#listener.close();
    for (const connection of this.#heard) connection.close();
  }

  /** Accepts those who wait; gives the message of one that was to make room, if it has one after all. */
  #acceptSome(): Bytes | undefined {
    let crowded = false;
    for (let left = MOST_AT_ONCE; left > 0 && !this.#accepting; left--) {
      if (crowded || this.#heard.size > this.#most) {
        const message = this.#makeRoom();
        if (message !== undefined) return message;
        crowded = false;
        continue;
      }
      try {
        const connection = this.#listener.tryAccept();
        if (connection === undefined) return undefined;
        this.#add(connection);
      } catch (error) {
        // There is no descriptor left.
        crowded = error instanceof LimitError && this.#heard.size > 0;
        if (!crowded) throw error;
      }
    }
    return undefined;
  }

  #add(connection: Incoming): void {
    this.#heard.add(connection);
    this.#full.add(connection);
  }

  /** Closes the connection that has been silent for longest, unless it has a message now. */
  #makeRoom(): Bytes | undefined {
    const [silent] = this.#heard;
    const message = this.#takeFrom(silent!);
    if (message === undefined) this.#remove(silent!);
    return message;
  }

  #takeFrom(connection: Incoming): Bytes | undefined {
    this.#full.delete(connection);
    this.#empty.delete(connection);
    try {
      const message = connection.tryReceive();
      if (message !== undefined) {
        this.#heard.delete(connection);
        this.#add(connection);
      } else if (connection.ended) this.#remove(connection);
      else this.#empty.add(connection);
      return message;
    } catch (error) {
      this.#remove(connection);
      // That one has gone without a word is nothing to the others; that a message is lost is told.
      if (!(error instanceof BrokenPipeError)) this.#onLost(error);
      return undefined;
    }
  }

  #remove(connection: Incoming): void {
    this.#heard.delete(connection);
    this.#empty.delete(connection);
    connection.close();
  }

  async #awaitConnection({ signal }: { signal: AbortSignal }): Promise<void> {
    this.#accepting = true;
    let connection: Incoming | undefined;
    try {
      connection = await this.#listener.accept({ signal });
    } catch {
      // The wait was given up, or accepting fails: so will the next look, and says why.
    }
    this.#accepting = false;
    if (this.#closed) return connection?.close();
    if (connection !== undefined) this.#add(connection);
    const wait = this.#wait;
    if (connection === undefined && signal.aborted) {
      if (wait !== undefined) this.#awaitConnection(wait);
    } else wait?.wake();
  }

  async #await(connection: Incoming, { signal }: { signal: AbortSignal }): Promise<void> {
    let givenUp = false;
    try {
      if (hasReadiness(connection)) await connection[READY]({ signal });
    } catch {
      givenUp = signal.aborted;
    }
    if (this.#closed || !this.#heard.has(connection)) return;
    const wait = this.#wait;
    if (givenUp && wait !== undefined) this.#await(connection, wait);
    else {
      this.#full.add(connection);
      wait?.wake();
    }
  }
}
