/** Messages of all who connect, as one receiver. */

import { BrokenPipeError, type Bytes, type Receiver } from "@ipc/core";
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

/**
 * Takes messages from all connections of a listener, in turns, and closes each at its end, or when it fails.
 *
 * It has no end itself: others may come. Nothing is read ahead: a connection is asked for a message when somebody
 * wants one.
 */
export class Gathering implements Source<Bytes> {
  readonly ended = false;
  readonly #listener: Arrivals;
  /** Connections that may have a message, the one that was served last at the end. */
  readonly #full = new Set<Incoming>();
  /** Connections that had none when they were asked. */
  readonly #empty = new Set<Incoming>();
  /** Connections that are waited for: asking them meanwhile is an error. */
  readonly #awaited = new Set<Incoming>();
  #accepting = false;
  #closed = false;
  /** The wait that is under way. */
  #wait: { readonly signal: AbortSignal; readonly wake: () => void } | undefined;

  /** Takes the listener over. */
  constructor(listener: Arrivals) {
    this.#listener = listener;
  }

  take(): Bytes | undefined {
    this.#acceptAll();
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
    for (const connections of [this.#full, this.#empty, this.#awaited]) {
      for (const connection of connections) connection.close();
    }
  }

  #acceptAll(): void {
    if (this.#accepting) return;
    for (let connection; (connection = this.#listener.tryAccept()) !== undefined;) {
      this.#full.add(connection);
    }
  }

  #takeFrom(connection: Incoming): Bytes | undefined {
    this.#full.delete(connection);
    this.#empty.delete(connection);
    try {
      const message = connection.tryReceive();
      if (message !== undefined) this.#full.add(connection);
      else if (connection.ended) connection.close();
      else this.#empty.add(connection);
      return message;
    } catch (error) {
      connection.close();
      // That one has gone without a word is nothing to the others; that a message is lost is told.
      if (error instanceof BrokenPipeError) return undefined;
      throw error;
    }
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
    if (connection !== undefined) this.#full.add(connection);
    const wait = this.#wait;
    if (connection === undefined && signal.aborted) {
      if (wait !== undefined) this.#awaitConnection(wait);
    } else wait?.wake();
  }

  async #await(connection: Incoming, { signal }: { signal: AbortSignal }): Promise<void> {
    this.#awaited.add(connection);
    let givenUp = false;
    try {
      if (hasReadiness(connection)) await connection[READY]({ signal });
    } catch {
      givenUp = signal.aborted;
    }
    this.#awaited.delete(connection);
    if (this.#closed) return;
    const wait = this.#wait;
    if (givenUp && wait !== undefined) this.#await(connection, wait);
    else {
      this.#full.add(connection);
      wait?.wake();
    }
  }
}
