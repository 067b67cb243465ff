/** The other side as if it were here. */

import type { Client, ClientCallOptions } from "./api.ts";
import type { RpcChannel } from "./channel.ts";
import type { CallOptions, PeerOptions } from "./options.ts";
import { RpcPeer } from "./peer.ts";

/** What can make calls: a peer, or one that reconnects. */
export interface Caller extends Disposable, AsyncDisposable {
  /** Calls a method by name. */
  call(
    method: string,
    params?: readonly unknown[] | object,
    options?: CallOptions,
  ): Promise<unknown> & AsyncIterable<unknown>;
  /** Sends a notification. */
  notify(method: string, params?: readonly unknown[] | object): Promise<void>;
}

/**
 * Makes a client of an interface over a channel, a peer or a {@linkcode reconnecting} caller.
 *
 * Its methods are those of the interface. Each gives a promise; where the method gives a stream, that can be iterated
 * at once. `with(options)` gives the same client with a time limit, a signal or notifications besides what it had: of
 * two time limits the shorter one counts, of two signals both. What a call rejects with, {@linkcode RpcPeer.call} tells.
 * A method called `with`, `then` or `toJSON`, or as something that every object has, such as `toString`, can only be
 * called through the peer.
 *
 * @example
 * ```ts
 * import { client, RpcError, serve } from "@ipc/rpc";
 * import { duplex } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * interface Api { divide(a: number, b: number): number }
 * const [up, down] = [createPipe(), createPipe()];
 * await using _ = serve<Api>(duplex(up.reader, down.writer), {
 *   divide(a, b) {
 *     if (b === 0) throw new RpcError(1, "Cannot divide by zero");
 *     return a / b;
 *   },
 * });
 * await using api = client<Api>(duplex(down.reader, up.writer));
 * assertEquals(await api.with({ timeout: 5000 }).divide(6, 2), 3);
 * await assertRejects(() => api.divide(1, 0), RpcError, "Cannot divide by zero");
 * ```
 */
export function client<Api>(channel: RpcChannel | Caller, options: PeerOptions = {}): Client<Api> {
  const caller = "call" in channel ? channel : new RpcPeer(channel, options);
  return make(caller, undefined) as Client<Api>;
}

/** What a client says for itself when a program turns it into text, as one that logs does. */
const OWN: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["toJSON", () => undefined],
  ["toString", () => "[object Client]"],
]);

type Send = (...params: unknown[]) => unknown;

function make(caller: Caller, options: ClientCallOptions | undefined): unknown {
  const methods = new Map<string, Send>();
  const send = (name: string): Send => {
    let method = methods.get(name);
    if (method === undefined) methods.set(name, method = sender(caller, name, options));
    return method;
  };
  return new Proxy(Object.create(null), {
    get(_target, name) {
      if (typeof name === "string") {
        // A promise that resolves with a client would take it for another promise.
        if (name === "then") return undefined;
        if (name === "with") return (more: ClientCallOptions) => make(caller, merge(options, more));
        if (name === "toJSON" || name in Object.prototype) return OWN.get(name);
        return send(name);
      }
      if (name === Symbol.dispose) return () => caller[Symbol.dispose]();
      if (name === Symbol.asyncDispose) return () => caller[Symbol.asyncDispose]();
      return undefined;
    },
    has: (_target, name) => name === Symbol.dispose || name === Symbol.asyncDispose,
  });
}

/** Both together; a context's time is that which remains when the call is made. */
function merge(first: ClientCallOptions | undefined, more: ClientCallOptions): ClientCallOptions {
  if (first === undefined) return more;
  const signals = [first.signal, more.signal].filter((signal) => signal !== undefined);
  return {
    notify: more.notify ?? first.notify,
    byName: more.byName ?? first.byName,
    signal: signals.length === 2 ? AbortSignal.any(signals) : signals[0],
    get timeout() {
      const { timeout } = first;
      return timeout === undefined ? more.timeout : Math.min(timeout, more.timeout ?? timeout);
    },
  };
}

function sender(caller: Caller, name: string, options: ClientCallOptions | undefined): Send {
  const { notify = false, byName = false } = options ?? {};
  const pack = (params: unknown[]) => byName ? params[0] as object | undefined : params;
  if (notify) return (...params) => caller.notify(name, pack(params));
  return (...params) => caller.call(name, pack(params), options);
}
