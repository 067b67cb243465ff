/** Calls that outlive a connection. */

import { ClosedError, TimeoutError } from "@ipc/core";
import type { RpcChannel } from "./channel.ts";
import type { Caller } from "./client.ts";
import { DisconnectedError } from "./disconnected_error.ts";
import type { CallOptions, PeerOptions } from "./options.ts";
import { RpcPeer } from "./peer.ts";

/** How a connection is made again. */
export interface ReconnectOptions extends PeerOptions {
  /** Methods that may run twice: only their calls are made again when the connection breaks before the answer. */
  idempotent?: Iterable<string> | undefined;
  /** How often one call is tried, connections that could not be made included; 5 unless told. */
  attempts?: number | undefined;
  /** Milliseconds before the second attempt; each further one waits twice as long. 50 unless told. */
  delay?: number | undefined;
  /** Is called with each new peer, to serve methods on it or to sign in. */
  onConnect?: ((peer: RpcPeer) => void | Promise<void>) | undefined;
}

/**
 * Makes calls over a connection that is made when it is needed, and again when it has broken.
 *
 * A call whose connection breaks before the answer rejects with a {@linkcode DisconnectedError}, for nobody knows
 * whether it ran; only methods named in `idempotent` are called again. A call that was not sent is tried again in any case. A stream is never: its values are gone.
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

class Reconnecting implements Caller {
  readonly #connect: () => Promise<RpcChannel>;
  readonly #options: ReconnectOptions;
  readonly #idempotent: ReadonlySet<string>;
  readonly #waiting = new Set<(reason: unknown) => void>();
  #peer: Promise<RpcPeer> | undefined;
  #current: RpcPeer | undefined;
  #closed = false;

  constructor(connect: () => Promise<RpcChannel>, options: ReconnectOptions) {
    this.#connect = connect;
    this.#options = options;
    this.#idempotent = new Set(options.idempotent);
  }

  call(
    method: string,
    params?: readonly unknown[] | object,
    options: CallOptions = {},
  ): Promise<unknown> & AsyncIterable<unknown> {
    const answer = this.#call(method, params, options);
    return Object.assign(answer, {
      async *[Symbol.asyncIterator]() {
        yield* await answer as AsyncIterable<unknown>;
      },
    });
  }

  async notify(method: string, params?: readonly unknown[] | object): Promise<void> {
    await (await this.#connected()).notify(method, params);
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

  async #call(
    method: string,
    params: readonly unknown[] | object | undefined,
    options: CallOptions,
  ): Promise<unknown> {
    const { attempts = 5, delay = 50 } = this.#options;
    const { timeout, signal } = options;
    const deadline = timeout === undefined ? undefined : performance.now() + timeout;
    const left = () => deadline === undefined ? undefined : Math.max(0, deadline - performance.now());
    for (let attempt = 1;; attempt++) {
      signal?.throwIfAborted();
      let sent = false;
      try {
        const peer = await this.#within(this.#connected(), signal, left(), method);
        if (peer.over) throw new DisconnectedError(`Cannot call ${method}: the other side is gone`);
        sent = true;
        return await peer.call(method, params, { signal, timeout: left() });
      } catch (error) {
        const again = sent
          ? error instanceof DisconnectedError && this.#idempotent.has(method)
          : !this.#closed;
        if (!again || attempt >= attempts || signal?.aborted) throw error;
        const pause = delay * 2 ** (attempt - 1);
        if (deadline !== undefined && performance.now() + pause >= deadline) throw error;
        await this.#pause(pause, signal, method);
      }
    }
  }

  /** The peer of now, or a new one. */
  #connected(): Promise<RpcPeer> {
    if (this.#closed) return Promise.reject(closed());
    return this.#peer ??= this.#open();
  }

  async #open(): Promise<RpcPeer> {
    try {
      const peer = new RpcPeer(await this.#connect(), this.#options);
      this.#current = peer;
      if (this.#closed) peer.close();
      const connected = this.#peer;
      peer.closed.then(() => {
        if (this.#peer === connected) this.#peer = undefined;
      });
      await this.#options.onConnect?.(peer);
      return peer;
    } catch (error) {
      this.#peer = undefined;
      throw error;
    }
  }

  /** Waits until it is there, the caller gives up, the time is over or this is closed. */
  async #within<T>(
    promise: Promise<T>,
    signal: AbortSignal | undefined,
    timeout: number | undefined,
    method: string,
  ): Promise<T> {
    const { promise: given, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const expire = () =>
      reject(new TimeoutError(`Cannot call ${method}: not connected within ${timeout} ms`));
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

  async #pause(delay: number, signal: AbortSignal | undefined, method: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause = new Promise<void>((resolve) => timer = setTimeout(resolve, delay));
    try {
      await this.#within(pause, signal, undefined, method);
    } finally {
      clearTimeout(timer);
    }
  }
}

function closed(): ClosedError {
  return new ClosedError("Cannot call: the client was closed");
}
