/** Messages over whatever connection there is. */

import { BrokenPipeError, type Bytes, type Channel, IpcError, TimeoutError, TruncatedError } from "@ipc/core";
import type { Sink, Source } from "@ipc/core/base";
import type { Link } from "./_link.ts";

/** Milliseconds between two looks at a connection that nobody waits for. */
const LOOK = 1000;
/** Milliseconds without a message to send after which the next one looks first whether the connection has ended. */
const QUIET = 10;

/** The calls that give and take messages. */
const TRANSFERS = ["recvfrom", "recv", "recvmsg", "recvmmsg", "sendto", "sendmsg"];
/** What such a call fails with where the peer's machine or the way to it has gone: see tcp(7), ip(7) and icmp(7). */
const VANISHED = ["ETIMEDOUT", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ENONET"];

/** Whether an error tells that the connection has ended, rather than something about one message. */
function isLoss(error: unknown): boolean {
  return error instanceof BrokenPipeError || error instanceof TruncatedError || hasVanished(error);
}

/** Whether the kernel has given the peer up. */
function hasVanished(error: unknown): boolean {
  return error instanceof IpcError && TRANSFERS.includes(error.syscall ?? "") &&
    VANISHED.includes(error.code ?? "");
}

/** A {@linkcode Source} that receives from the connection of now, and waits for another where it ends. */
export class LinkSource implements Source<Bytes> {
  readonly #link: Link;
  readonly #kept: Bytes[] = [];
  #error: { error: unknown } | undefined;
  #toldFailure = false;
  /** Gives up the receive that goes on; there is one at most. */
  #receiving: AbortController | undefined;
  #giveUpLink: (() => void) | undefined;
  #wake: (() => void) | undefined;
  readonly #looks: ReturnType<typeof setInterval>;

  constructor(link: Link) {
    this.#link = link;
    this.#looks = setInterval(() => this.look(), LOOK);
    // An idle channel does not keep the process alive.
    Deno.unrefTimer(this.#looks);
  }

  get ended(): boolean {
    return this.#kept.length === 0 && this.#error === undefined && (this.#toldFailure || this.#link.over);
  }

  take(): Bytes | undefined {
    const message = this.#kept.shift();
    if (message !== undefined) return message;
    if (this.#error !== undefined) {
      const { error } = this.#error;
      this.#error = undefined;
      throw error;
    }
    const { failure } = this.#link;
    if (failure === undefined || this.#toldFailure) return undefined;
    this.#toldFailure = true;
    throw failure;
  }

  /** Whether a `take` would not wait. */
  ready(): boolean {
    return this.#kept.length > 0 || this.#error !== undefined || this.#link.failure !== undefined ||
      this.#link.over;
  }

  park(wake: () => void): () => void {
    this.#wake = wake;
    if (this.ready()) {
      const turn = setTimeout(() => this.#tell(), 0);
      return () => clearTimeout(turn);
    }
    this.#go();
    return () => {
      this.#wake = undefined;
      this.#giveUpLink?.();
      // Withdrawn; a message that it has got already is kept.
      this.#receiving?.abort();
    };
  }

  close(): void {
    clearInterval(this.#looks);
    this.#receiving?.abort();
  }

  /** Looks whether the connection has ended. A message that is found is kept, and hides what is behind it. */
  async look(): Promise<void> {
    const { channel } = this.#link;
    if (channel === undefined || this.#receiving !== undefined || this.ready()) return;
    await this.#receive(channel, 0);
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Goes on waiting, for a message or for a connection. */
  #go(): void {
    if (this.#wake === undefined || this.#receiving !== undefined) return;
    this.#giveUpLink = undefined;
    const { channel } = this.#link;
    if (this.ready()) this.#tell();
    else if (channel !== undefined) this.#receive(channel);
    else this.#giveUpLink = this.#link.park(() => this.#go());
  }

  async #receive(channel: Channel, timeout?: number): Promise<void> {
    const { signal } = this.#receiving = new AbortController();
    try {
      const message = await channel.receive({ signal, timeout });
      if (message !== undefined) this.#kept.push(message);
      else this.#link.lose(channel, undefined);
    } catch (error) {
      // The kernel's ETIMEDOUT is something else than a time of ours that is over.
      const nothing = timeout !== undefined && error instanceof TimeoutError && error.syscall === undefined &&
        !channel.ended;
      if (error !== signal.reason && !nothing) {
        // Once this side has ended no other connection makes up for this one: that is for the receiver to know.
        if (!isLoss(error) || this.#link.ending) this.#error = { error };
        if (isLoss(error) || channel.ended) this.#link.lose(channel, error);
      }
    }
    this.#receiving = undefined;
    this.#go();
  }
}

/** What a {@linkcode LinkSink} asks and tells. */
export interface LinkSinkOptions {
  /** Looks whether the connection has ended. */
  look: () => Promise<void>;
  /** The longest message in bytes. */
  maxMessageSize: number;
  /** Whether what finds no connection waits for one, or is refused. */
  keep: boolean;
  /** Called with each message that a connection has taken whole. */
  onSent: (message: Uint8Array) => void;
  /** Called with a message of which some bytes had left when the connection ended; gives the error for its sender. */
  onTorn: (message: Uint8Array, cause: unknown) => Error;
}

/**
 * A {@linkcode Sink} that sends over the connection of now, one message at a time.
 *
 * A message that no connection has begun to send waits for the next; one of which bytes may have left does not.
 */
export class LinkSink implements Sink {
  readonly #link: Link;
  readonly #options: LinkSinkOptions;
  #message: Uint8Array | undefined;
  #sending = false;
  #outcome: { error: unknown } | undefined;
  #sent = false;
  #lastSent = 0;
  #stop: AbortController | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(link: Link, options: LinkSinkOptions) {
    this.#link = link;
    this.#options = options;
  }

  get maxMessageSize(): number {
    return this.#options.maxMessageSize;
  }

  get begun(): boolean {
    return this.#message !== undefined;
  }

  put(message: Uint8Array): boolean {
    const { channel, failure } = this.#link;
    if (failure !== undefined) throw gone(failure);
    if (channel === undefined) {
      if (this.#options.keep) return false;
      throw notNow();
    }
    this.#message = message;
    this.#send(channel, message);
    return false;
  }

  finish(): boolean {
    if (this.#sending) return false;
    if (this.#outcome !== undefined) {
      const { error } = this.#outcome;
      this.#outcome = this.#message = undefined;
      throw error;
    }
    if (!this.#sent) {
      // Its connection ended before a byte of it had left.
      const { channel, failure } = this.#link;
      if (failure !== undefined) {
        this.#message = undefined;
        throw gone(failure);
      }
      if (channel !== undefined) this.#send(channel, this.#message!);
      return false;
    }
    this.#message = undefined;
    return true;
  }

  /** The caller has its bytes back: the connection makes a copy of what it has begun, or sends ours. */
  detach(): void {
    this.#message = this.#message?.slice();
    this.#stop?.abort();
  }

  readonly park = (wake: () => void): () => void => {
    if (!this.#sending) return this.#link.park(wake);
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  };

  async end(): Promise<void> {
    await this.#link.end();
  }

  close(): void {}

  async #send(channel: Channel, message: Uint8Array): Promise<void> {
    this.#sending = true;
    this.#sent = false;
    const { signal } = this.#stop = new AbortController();
    try {
      const now = performance.now();
      if (now - this.#lastSent > QUIET) await this.#options.look();
      this.#lastSent = now;
      if (this.#link.channel !== channel) throw notNow();
      await channel.send(message, { signal });
      this.#sent = true;
    } catch (error) {
      const partial = (error as { partial?: boolean }).partial === true;
      if (error === signal.reason) this.#sent = partial;
      else this.#fail(channel, message, error, partial);
    }
    if (this.#sent) this.#options.onSent(message);
    this.#stop = undefined;
    this.#sending = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  #fail(channel: Channel, message: Uint8Array, error: unknown, partial: boolean): void {
    const loss = isLoss(error) || channel.ended || this.#link.channel !== channel;
    if (loss) this.#link.lose(channel, error);
    if (loss && partial) this.#outcome = { error: this.#options.onTorn(message, error) };
    else if (!loss || !this.#options.keep) this.#outcome = { error };
  }
}

function notNow(): BrokenPipeError {
  return new BrokenPipeError("Cannot send: there is no connection at this moment");
}

function gone(cause: unknown): BrokenPipeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BrokenPipeError(`Cannot send: there is no connection. ${why}`, { cause });
}
