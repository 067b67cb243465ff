/** One connection after another, made while somebody waits for one. */

import { BrokenPipeError, type Channel, ClosedError } from "@ipc/core";
import { Backoff, type BackoffOptions } from "./_backoff.ts";

/** Makes a connection; gives up when the signal aborts. */
export type OpenLink = (options: { signal: AbortSignal }) => Promise<Channel>;

/** What happens to a {@linkcode Link}. */
export interface LinkEvents {
  /** A connection was made; `lost` is why the one before it ended, `undefined` for the first. */
  onUp: (lost: unknown) => void;
  /** A connection has ended. */
  onDown: () => void;
}

/**
 * The connection of now, or the attempts to make one.
 *
 * Attempts are made while somebody waits, and only then: an idle channel neither tries nor keeps the process alive.
 */
export class Link {
  readonly #open: OpenLink;
  readonly #backoff: Backoff;
  readonly #events: LinkEvents;
  readonly #waiting = new Set<() => void>();
  #channel: Channel | undefined;
  #lost: unknown;
  #attempt: AbortController | undefined;
  #failure: unknown;
  #ending = false;
  #over = false;

  constructor(open: OpenLink, options: BackoffOptions, events: LinkEvents) {
    this.#open = open;
    this.#backoff = new Backoff(options);
    this.#events = events;
  }

  /** The connection, where there is one. */
  get channel(): Channel | undefined {
    return this.#channel;
  }

  /** Why no more attempts are made; `undefined` while there may be some. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Whether it has ended in good order: this side has said so, and then the other. */
  get over(): boolean {
    return this.#over;
  }

  /** Waits for a connection, or until it is given up for good; returns what gives the wait up. */
  park(wake: () => void): () => void {
    const waiter = () => wake();
    this.#waiting.add(waiter);
    if (this.#attempt === undefined) this.#try();
    return () => {
      this.#waiting.delete(waiter);
      if (this.#waiting.size === 0) this.#stop();
    };
  }

  /** Says that a connection has ended, and why; another one meanwhile stays. */
  lose(channel: Channel, reason: unknown): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#lost = reason ?? new BrokenPipeError("Cannot receive: the peer has ended the connection");
    channel.close();
    if (this.#ending) this.#over = true;
    // The peer's good end answers this side's: it has read everything.
    if (!this.#ending || reason !== undefined) this.#events.onDown();
  }

  /** Ends the sending direction: when the other side ends too, no other connection is made. */
  async end(): Promise<void> {
    this.#ending = true;
    if (this.#channel === undefined) this.#over = true;
    else await this.#channel.end();
  }

  /** Ends it all. */
  close(): void {
    this.#failure ??= new ClosedError("Cannot connect: the channel is closed");
    this.#stop();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #stop(): void {
    this.#attempt?.abort(new ClosedError("Cannot connect: nobody waits any more"));
    this.#attempt = undefined;
  }

  async #try(): Promise<void> {
    const attempt = this.#attempt = new AbortController();
    const { signal } = attempt;
    while (this.#channel === undefined && this.#failure === undefined) {
      try {
        const channel = await this.#open({ signal });
        if (signal.aborted) return channel.close();
        this.#up(channel);
      } catch (error) {
        if (signal.aborted) return;
        const time = this.#backoff.fail();
        if (time === undefined) this.#failure = error;
        else if (!await slept(time, signal)) return;
      }
    }
    this.#attempt = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  #up(channel: Channel): void {
    this.#backoff.succeed();
    this.#channel = channel;
    const lost = this.#lost;
    this.#lost = undefined;
    this.#events.onUp(lost);
  }
}

/** Waits; false: the signal has aborted. */
function slept(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end, { once: true });
  });
}
