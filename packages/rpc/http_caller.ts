/** Calls over HTTP. */

import { ClosedError, IpcError } from "@ipc/core";
import type { Caller } from "./client.ts";
import { DisconnectedError } from "./disconnected_error.ts";
import { HttpExchange, type Target } from "./_http_exchange.ts";
import { iterateOver } from "./_iterate.ts";
import { limitsOf } from "./_limits.ts";
import type { RpcLimits } from "./limits.ts";
import type { CallOptions } from "./options.ts";
import { RpcPeer } from "./peer.ts";
import { RpcError } from "./rpc_error.ts";

/** How calls go over HTTP. */
export interface HttpCallerOptions {
  /** Headers of each request, such as `authorization`. */
  headers?: HeadersInit | undefined;
  /** Compresses requests of 1 KiB and more, which the server has to understand; false unless told. */
  gzip?: boolean | undefined;
  /** Tells the server of `timeout`, in a member that other servers overlook; true unless told. */
  extensions?: boolean | undefined;
  /** How far the server is trusted. */
  limits?: RpcLimits | undefined;
  /** What makes the requests; the runtime's `fetch` unless told. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

/** The calls of one POST. */
interface Post {
  readonly exchange: HttpExchange;
  readonly peer: RpcPeer;
  /** How many calls were made, which is the id of the last one. */
  made: number;
  /** How many calls are not answered. */
  open: number;
}

/**
 * Calls a service over HTTP, each call with a POST of its own: what `client` takes in the place of a channel.
 *
 * A call that is given up closes its connection, by which the server learns of it. A stream arrives as an array that
 * can be iterated as well. Needs `--allow-net` for the server.
 *
 * @example
 * ```ts
 * import { client } from "@ipc/rpc";
 * import { HttpCaller, httpHandler } from "@ipc/rpc/http";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api {
 *   add(a: number, b: number): number;
 *   negate(a: number): number;
 * }
 * const handler = httpHandler<Api>({ add: (a, b) => a + b, negate: (a) => -a });
 * await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
 *
 * using caller = new HttpCaller(`http://127.0.0.1:${server.addr.port}/`, { headers: { "x-from": "docs" } });
 * const api = client<Api>(caller);
 * assertEquals(await Promise.all(caller.batch(() => [api.add(1, 2), api.negate(5)])), [3, -5]);
 * ```
 */
export class HttpCaller implements Caller {
  readonly #target: Target;
  readonly #options: HttpCallerOptions;
  readonly #posts = new Set<Post>();
  #batch: Post | undefined;
  #closed = false;

  /**
   * Sends nothing yet.
   *
   * @throws {TypeError} if it is no URL of HTTP.
   */
  constructor(url: string | URL, options: HttpCallerOptions = {}) {
    const { protocol, href } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:") {
      throw new TypeError(`Cannot post to "${url}": its URL begins with http: or https:`);
    }
    this.#options = options;
    this.#target = {
      url: href,
      headers: new Headers(options.headers),
      gzip: options.gzip ?? false,
      maxMessageSize: limitsOf(options.limits).maxMessageSize,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    };
  }

  /** How many POSTs are under way. */
  get requests(): number {
    return this.#posts.size;
  }

  /**
   * Calls a method by name, with an array of parameters by position or an object by name.
   *
   * @throws {RpcError} as the server answered.
   * @throws {TimeoutError} if there was no answer within `timeout`.
   * @throws {DisconnectedError} if the server cannot be reached, or the connection broke.
   * @throws {PermissionError} if the server answered with status 401 or 403.
   * @throws {LimitError} if it answered with status 429 or 503.
   * @throws {IpcError} with code `EPROTO` if it answered with something else, or with nothing that answers the call.
   * @throws {MessageTooLongError} if the request is too long for either side, or the answer for this one.
   * @throws {ClosedError} if this was closed.
   */
  call(
    method: string,
    params?: readonly unknown[] | object,
    options?: CallOptions,
  ): Promise<unknown> & AsyncIterable<unknown> {
    const answer = this.#call(method, params, options);
    return Object.assign(answer, { [Symbol.asyncIterator]: () => iterateOver(answer, method) });
  }

  /**
   * Sends a notification. Resolves when the server has responded, which {@linkcode httpHandler} does when the method has
   * ended; rejects as {@linkcode HttpCaller.call} does.
   */
  async notify(method: string, params?: readonly unknown[] | object): Promise<void> {
    if (this.#batch !== undefined) return await this.#batch.peer.notify(method, params);
    const post = this.#open(`notify ${method}`);
    post.exchange.notifies = true;
    try {
      await post.peer.notify(method, params);
      await post.exchange.settled;
    } finally {
      this.#finish(post);
    }
  }

  /** Posts the calls and notifications that `make` makes before it returns as one batch. */
  batch<T>(make: () => T): T {
    if (this.#batch !== undefined) return make();
    const post = this.#batch = this.#open("make a batch");
    post.open++;
    try {
      return post.peer.batch(make);
    } finally {
      this.#batch = undefined;
      // Of notifications alone nobody else waits for the response.
      post.exchange.notifies = post.open === 1;
      const settle = () => this.#settle(post);
      // It leaves in the next microtask, unless there is nothing in it.
      queueMicrotask(() => post.exchange.sent ? post.exchange.settled.then(settle, settle) : settle());
    }
  }

  /** Gives up what is under way: its calls reject with a `ClosedError`. Calling it again does nothing. */
  close(): void {
    this.#closed = true;
    for (const post of [...this.#posts]) this.#finish(post);
  }

  /** The same as {@linkcode HttpCaller.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@linkcode HttpCaller.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #call(
    method: string,
    params: readonly unknown[] | object | undefined,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    const post = this.#batch ?? this.#open(`call ${method}`);
    const { exchange, peer } = post;
    if (post !== this.#batch && this.#options.extensions !== false && Number.isFinite(options?.timeout)) {
      exchange.timeout = options?.timeout;
    }
    const id = ++post.made;
    post.open++;
    try {
      return await peer.call(method, params, options);
    } catch (error) {
      if (!(error instanceof DisconnectedError)) throw error;
      throw exchange.failureOf(id) ?? this.#unanswered(method);
    } finally {
      this.#settle(post);
    }
  }

  #open(action: string): Post {
    if (this.#closed) throw new ClosedError(`Cannot ${action}: the caller was closed`);
    const exchange = new HttpExchange(this.#target);
    const peer = new RpcPeer(exchange, {
      limits: this.#options.limits,
      extensions: false,
      // An answer to no request in particular: the server could not read what was posted.
      onError: (error) => {
        if (error instanceof RpcError) exchange.unread ??= error;
      },
    });
    const post = { exchange, peer, made: 0, open: 0 };
    this.#posts.add(post);
    return post;
  }

  #unanswered(method: string): IpcError {
    const { url } = this.#target;
    return new IpcError(`Cannot call ${method}: the response of ${url} has no answer to it`, {
      code: "EPROTO",
      target: url,
    });
  }

  #settle(post: Post): void {
    if (--post.open === 0) this.#finish(post);
  }

  #finish(post: Post): void {
    this.#posts.delete(post);
    post.peer.close();
  }
}
