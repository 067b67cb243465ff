/** Calls that outlive a connection. */

import { ClosedError, TimeoutError } from "@ipc/core";
import type { RpcChannel } from "./channel.ts";
import type { Caller } from "./client.ts";
import { DisconnectedError } from "./disconnected_error.ts";
import { iterateOver } from "./_iterate.ts";
import type { CallOptions, PeerOptions } from "./options.ts";
import { RpcPeer } from "./peer.ts";

/** How a connection is made again. */
export interface ReconnectOptions extends PeerOptions {
  /** Methods that may run twice: only their calls are made again when the connection breaks before the answer. */
  idempotent?: Iterable<string> | undefined;
  /** How often one call is tried, connections that could not be made included; 5 unless told. */
  attempts?: number | undefined;
  /** Milliseconds before the second attempt; each further one waits twice as long, up to 30 s. 50 unless told. */
  delay?: number | undefined;
  /** Is called with each new peer, to serve methods on it or to sign in. */
  onConnect?: ((peer: RpcPeer) => void | Promise<void>) | undefined;
}

/**
 * Makes calls over a connection that is made when it is needed, and again when it has broken.
 *
 * A call whose connection breaks before the answer rejects with a {@linkcode DisconnectedError}, for nobody knows
 * whether it ran; only methods named in `idempotent` are called again. A call or a notification that was not sent is
 * tried again in any case. A stream is never: its values are gone.
 *
 * @throws {RangeError} if `attempts` or `delay` is none.
 *
 * @example
 * ```ts ignore
 * await using api = client<Api>(reconnecting(() => connect("unix:/run/store.sock"), { idempotent: ["get"] }));
 * await api.get("key"); // survives a restart of the server
 * ```
 */
export function reconnecting(connect: () => Promise<RpcChannel>, options: ReconnectOptions = {}): Caller {
  return new Reconnecting(connect, options);
}

/** The longest pause between two attempts, in milliseconds. */
const LONGEST = 30_000;

class Reconnecting implements Caller {
  readonly #connect: () => Promise<RpcChannel>;
  readonly #options: ReconnectOptions;
  readonly #idempotent: ReadonlySet<string>;
  readonly #waiting = new Set<(reason: unknown) => void>();
  #peer: Promise<RpcPeer> | undefined;
  #current: RpcPeer | undefined;
  #closed = false;

  constructor(connect: () => Promise<RpcChannel>, options: ReconnectOptions) {
    const { attempts = 1, delay = 0 } = options;
    if (!(attempts >= 1)) throw new RangeError(`Cannot set attempts to ${attempts}`);
    if (!(delay >= 0)) throw new RangeError(`Cannot set delay to ${delay}`);
    this.#connect = connect;
    this.#options = options;
    this.#idempotent = new Set(options.idempotent);
  }

  call(
    method: string,
    params?: readonly unknown[] | object,
    options: CallOptions = {},
  ): Promise<unknown> & AsyncIterable<unknown> {
    const again = this.#idempotent.has(method);
    const answer = this.#try(
      `call ${method}`,
      again,
      options,
      (peer, timeout) => peer.call(method, params, { signal: options.signal, timeout }),
    );
    return Object.assign(answer, { [Symbol.asyncIterator]: () => iterateOver(answer, method) });
  }

  async notify(method: string, params?: readonly unknown[] | object): Promise<void> {
    await this.#try(`notify ${method}`, false, {}, (peer) => peer.notify(method, params));
  }

  [Symbol.dispose](): void {
    this.#close();
    this.#current?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    await this.#current?.end();
  }

  #close(): void {
    this.#closed = true;
    for (const reject of this.#waiting) reject(closed());
  }

  /** Does it with a peer: once, as soon as there is one, or again where the connection breaks and `again` allows it. */
  async #try<T>(
    action: string,
    again: boolean,
    { signal, timeout }: CallOptions,
    act: (peer: RpcPeer, timeout: number | undefined) => Promise<T>,
  ): Promise<T> {
    const { attempts = 5, delay = 50 } = this.#options;
    const deadline = timeout === undefined ? undefined : performance.now() + timeout;
    const left = () => deadline === undefined ? undefined : Math.max(0, deadline - performance.now());
    for (let attempt = 1;; attempt++) {
      signal?.throwIfAborted();
      let sent = false;
      try {
        const peer = await this.#within(this.#connected(), signal, left(), action);
        if (peer.over) throw new DisconnectedError(`Cannot ${action}: the other side is gone`);
        sent = true;
        return await act(peer, left());
      } catch (error) {
        const retry = sent ? error instanceof DisconnectedError && again : !this.#closed;
        if (!retry || attempt >= attempts || signal?.aborted) throw error;
        const pause = Math.min(delay * 2 ** (attempt - 1), LONGEST);
        if (deadline !== undefined && performance.now() + pause >= deadline) throw error;
        await this.#pause(pause, signal, action);
      }
    }
  }

  /** The peer of now, or a new one. */
  #connected(): Promise<RpcPeer> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#peer !== undefined) return this.#peer;
    const { promise, resolve } = Promise.withResolvers<RpcPeer>();
    this.#peer = promise;
    resolve(this.#make(promise));
    return promise;
  }

  /** Makes the peer of an attempt, which a later attempt takes the place of once it is over or has failed. */
  async #make(attempt: Promise<RpcPeer>): Promise<RpcPeer> {
    const forget = () => {
      if (this.#peer === attempt) this.#peer = undefined;
    };
    let peer: RpcPeer | undefined;
    try {
      peer = new RpcPeer(await this.#connect(), this.#options);
      this.#current = peer;
      if (this.#closed) peer.close();
      peer.closed.then(forget);
      await this.#options.onConnect?.(peer);
      return peer;
    } catch (error) {
      forget();
      peer?.close();
      throw error;
    }
  }

  /** Waits until it is there, the caller gives up, the time is over or this is closed. */
  async #within<T>(
    promise: Promise<T>,
    signal: AbortSignal | undefined,
    timeout: number | undefined,
    action: string,
  ): Promise<T> {
    const { promise: given, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const expire = () => reject(new TimeoutError(`Cannot ${action}: not connected within ${timeout} ms`));
    this.#waiting.add(reject);
    const timer = timeout === undefined ? undefined : setTimeout(expire, timeout);
    try {
      return await Promise.race([promise, given]);
    } finally {
      this.#waiting.delete(reject);
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  async #pause(delay: number, signal: AbortSignal | undefined, action: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause = new Promise<void>((resolve) => timer = setTimeout(resolve, delay));
    try {
      await this.#within(pause, signal, undefined, action);
    } finally {
      clearTimeout(timer);
    }
  }
}

function closed(): ClosedError {
  return new ClosedError("Cannot call: the client was closed");
}
