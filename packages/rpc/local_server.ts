/** What listens and answers. */

import { type Channel, ClosedError, IpcError } from "@ipc/core";
import type { Listener } from "@ipc/socket";
import type { RpcPeer } from "./peer.ts";

/** How long to wait where a connection cannot be accepted, in milliseconds: the process may have no descriptor left. */
const PAUSE = 100;

/** A service that listens, with a peer for each connection: what `serveLocal` and `serveListener` give. */
export class RpcServer implements Disposable, AsyncDisposable {
  readonly #listener: Listener<Channel>;
  readonly #serve: (channel: Channel) => RpcPeer;
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #peers = new Set<RpcPeer>();
  readonly #accepting: Promise<void>;

  /** Owns the listener; `serve` makes a peer of each connection. */
  constructor(
    listener: Listener<Channel>,
    serve: (channel: Channel) => RpcPeer,
    onError?: (error: unknown) => void,
  ) {
    this.#listener = listener;
    this.#serve = serve;
    this.#onError = onError;
    this.#accepting = this.#accept();
  }

  /** The address as text, as `connect` takes it; what was chosen by the system is filled in. */
  get address(): string {
    return this.#listener.address;
  }

  /** How many are connected. */
  get connections(): number {
    return this.#peers.size;
  }

  /** The peers of those who are connected, to call all of them. */
  get peers(): readonly RpcPeer[] {
    return [...this.#peers];
  }

  /** Resolves when it no longer listens. */
  get closed(): Promise<void> {
    return this.#accepting;
  }

  /**
   * Stops listening, and closes each connection after what runs for it is answered and sent; after `timeout`
   * milliseconds, if that is told, at once.
   */
  async end({ timeout }: { timeout?: number | undefined } = {}): Promise<void> {
    this.#listener.close();
    const timer = timeout === undefined ? undefined : setTimeout(() => this.close(), timeout);
    try {
      await this.#accepting;
      await Promise.all(this.peers.map((peer) => peer.end().catch((error) => this.#failed(error))));
      await this.#listener[Symbol.asyncDispose]();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops listening and closes all connections at once: methods that run see their signal abort. */
  close(): void {
    this.#listener.close();
    for (const peer of this.peers) peer.close();
  }

  /** The same as {@linkcode RpcServer.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@linkcode RpcServer.end}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  async #accept(): Promise<void> {
    while (!this.#listener.closed) {
      try {
        const channel = await this.#listener.accept();
        if (channel !== undefined) this.#welcome(channel);
      } catch (error) {
        if (error instanceof ClosedError) return;
        this.#failed(error);
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  #welcome(channel: Channel): void {
    let peer: RpcPeer;
    try {
      peer = this.#serve(channel);
    } catch (error) {
      channel.close();
      return this.#failed(error);
    }
    this.#peers.add(peer);
    peer.closed.then((error) => {
      this.#peers.delete(peer);
      if (error !== undefined && !hasLeft(error)) this.#failed(error);
    });
  }

  /** Lets `onError` hear of it; what it makes of it must not end those who are served. */
  #failed(error: unknown): void {
    try {
      this.#onError?.(error);
    } catch {
      // Whoever cannot hear of one error cannot hear of another.
    }
  }
}

/** Whether the other side just was not there any more when something was sent to it, as is its right. */
function hasLeft(error: unknown): boolean {
  return error instanceof IpcError && (error.code === "EPIPE" || error.code === "ECONNRESET");
}
