/** One connection after another. */

import { BrokenPipeError, type Channel, ClosedError, TimeoutError } from "@ipc/core";
import { Backoff, type BackoffOptions } from "./_backoff.ts";

/** Makes a connection; gives up when the signal aborts. */
export type OpenLink = (options: { signal: AbortSignal }) => Promise<Channel>;

/** Milliseconds that an attempt may take which nobody waits for: so long it keeps the process alive. */
const UNAWAITED = 5000;

/** Milliseconds that a connection lasts unless there is something wrong with it. */
const BRIEF = 1000;

type Timer = ReturnType<typeof setTimeout>;

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
 * Attempts are made whether somebody waits or not. Where nobody does, the time between them does not keep the process
 * alive, and an attempt does not for long.
 */
export class Link {
  readonly #open: OpenLink;
  readonly #backoff: Backoff;
  readonly #events: LinkEvents;
  readonly #waiting = new Set<() => void>();
  #channel: Channel | undefined;
  #lost: unknown;
  /** When the last connection was made, and how many in a row were lost at once. */
  #since = 0;
  #brief = 0;
  #trying = false;
  /** The attempt that is under way, and when it is given up. */
  #attempt: AbortController | undefined;
  #limit: Timer | undefined;
  /** The time before the next attempt. */
  #pause: { timer: Timer; end: () => void } | undefined;
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

  /** Whether this side has ended: there is no other connection after this one. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Waits for a connection, or until it is given up for good; returns what gives the wait up. */
  park(wake: () => void): () => void {
    const waiter = () => wake();
    this.#waiting.add(waiter);
    if (this.#trying) this.#hold();
    else this.#try();
    return () => {
      this.#waiting.delete(waiter);
      this.#hold();
    };
  }

  /** Says that a connection has ended, and why; another one meanwhile stays. */
  lose(channel: Channel, reason: unknown): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#lost = reason ?? new BrokenPipeError("Cannot receive: the peer has ended the connection");
    const lasted = performance.now() - this.#since >= BRIEF;
    this.#brief = lasted ? 0 : this.#brief + 1;
    if (lasted) this.#backoff.succeed();
    channel.close();
    if (this.#ending) this.#over = true;
    // The peer's good end answers this side's: it has read everything.
    if (!this.#ending || reason !== undefined) this.#events.onDown();
    if (!this.#trying) this.#try();
  }

  /** Ends the sending direction: when the other side ends too, no other connection is made. */
  async end(): Promise<void> {
    this.#ending = true;
    if (this.#channel !== undefined) return await this.#channel.end();
    this.#over = true;
    this.#stop();
  }

  /** Ends it all. */
  close(): void {
    this.#failure ??= new ClosedError("Cannot connect: the channel is closed");
    this.#stop();
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Whether another connection is to be made. */
  get #wanted(): boolean {
    return this.#channel === undefined && this.#failure === undefined && !this.#over;
  }

  async #try(): Promise<void> {
    this.#trying = true;
    // A peer that ends each connection at once is not to be asked without a pause.
    if (this.#brief > 1 && this.#wanted) await this.#failed(this.#lost);
    while (this.#wanted) {
      try {
        const channel = await this.#connect();
        if (this.#wanted) this.#up(channel);
        else channel.close();
      } catch (error) {
        await this.#failed(error);
      }
    }
    this.#trying = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** An attempt was in vain: pauses before the next, or gives it up for good. */
  async #failed(error: unknown): Promise<void> {
    const time = this.#backoff.fail();
    if (time === undefined) this.#failure ??= error;
    else if (this.#wanted) await this.#rest(time);
  }

  async #connect(): Promise<Channel> {
    const { signal } = this.#attempt = new AbortController();
    this.#hold();
    try {
      return await this.#open({ signal });
    } finally {
      clearTimeout(this.#limit);
      this.#attempt = undefined;
    }
  }

  async #rest(time: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, time);
    this.#pause = { timer, end: resolve };
    this.#hold();
    await promise;
    clearTimeout(timer);
    this.#pause = undefined;
  }

  /** Makes what is under way keep the process alive as long as somebody waits, and not much longer. */
  #hold(): void {
    clearTimeout(this.#limit);
    const awaited = this.#waiting.size > 0;
    if (this.#pause !== undefined) {
      if (awaited) Deno.refTimer(this.#pause.timer);
      else Deno.unrefTimer(this.#pause.timer);
    } else if (!awaited && this.#attempt !== undefined) {
      const attempt = this.#attempt;
      this.#limit = setTimeout(() => {
        attempt.abort(new TimeoutError(`Cannot connect: no answer within ${UNAWAITED} ms`));
      }, UNAWAITED);
    }
  }

  #stop(): void {
    clearTimeout(this.#limit);
    this.#attempt?.abort(new ClosedError("Cannot connect: the channel is closed"));
    this.#pause?.end();
  }

  #up(channel: Channel): void {
    this.#channel = channel;
    this.#since = performance.now();
    const lost = this.#lost;
    this.#lost = undefined;
    this.#events.onUp(lost);
  }
}
