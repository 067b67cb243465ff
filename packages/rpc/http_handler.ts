/** The methods of a service behind HTTP. */

import { LimitError, MessageTooLongError, TimeoutError } from "@ipc/core";
import type { Handlers } from "./api.ts";
import { limitsOf } from "./_limits.ts";
import { allows, isJson, makeBody, readBody } from "./_http_body.ts";
import { HttpAnswers } from "./_http_answers.ts";
import { prepare } from "./_methods.ts";
import type { ServeOptions } from "./options.ts";
import { RpcPeer } from "./peer.ts";

/** How a service is reached over HTTP. */
export interface HttpHandlerOptions<Caller = unknown>
  extends Pick<ServeOptions, "limits" | "info" | "exposeErrors" | "onError"> {
  /**
   * Who calls, as the methods get it as `this.caller`: from a header that holds a token, for instance. A `Response`
   * refuses the request.
   */
  caller?: ((request: Request) => Caller | Response | Promise<Caller | Response>) | undefined;
  /**
   * The web pages that may call, as `https://example.org`. A browser says which page calls, and any page in the world
   * can make a browser call this machine: unless told, none may; programs, which say nothing, may.
   */
  origins?: readonly string[] | undefined;
  /** The most requests that are answered at a time; more are refused with status 503. 1,024 unless told. */
  maxRequests?: number | undefined;
  /** Milliseconds that a client may take to send its request, which is refused with status 408 then; 30,000 unless told. */
  patience?: number | undefined;
}

/** What answers requests of HTTP. */
export type HttpHandler = (request: Request) => Promise<Response>;

/**
 * Makes a handler for `Deno.serve`, or any other server that speaks `Request` and `Response`.
 *
 * It takes POST with `application/json`, plain or gzip, and answers in kind, compressed where the client takes that.
 * All answers, errors too, have status 200; 204 is for notifications, and what is not JSON-RPC at all has the status
 *
 * @throws {TypeError} if an entry is no function, or has a name that is reserved.
 * @throws {RangeError} if a limit is not a number above 0.
 *
 * @example A service that knows who calls
 * ```ts
 * import type { RpcContext } from "@ipc/rpc";
 * import { httpHandler } from "@ipc/rpc/http";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { whoAmI(): string }
 * const users = new Map([["Bearer 1234", "ada"]]);
 * const handler = httpHandler<Api, string>({
 *   whoAmI(this: RpcContext<string>) {
 *     return this.caller;
 *   },
 * }, {
 *   caller: ({ headers }) => users.get(headers.get("authorization") ?? "") ?? new Response(null, { status: 401 }),
 * });
 *
 * const response = await handler(
 *   new Request("http://localhost/", {
 *     method: "POST",
 *     headers: { "content-type": "application/json", authorization: "Bearer 1234" },
 *     body: '{"jsonrpc":"2.0","id":1,"method":"whoAmI"}',
 *   }),
 * );
 * assertEquals(await response.json(), { jsonrpc: "2.0", id: 1, result: "ada" });
 * ```
 */
export function httpHandler<Api, Caller = unknown>(
  handlers: Handlers<Api, Caller>,
  options: HttpHandlerOptions<Caller> = {},
): HttpHandler {
  const { maxRequests = 1024, patience = 30_000, caller: identify, origins } = options;
  const { limits, info, exposeErrors, onError } = options;
  const { maxMessageSize, maxQueuedBytes, maxRequestBytes } = limitsOf(limits);
  if (!(maxRequests >= 1)) throw new RangeError(`Cannot set maxRequests to ${maxRequests}`);
  if (!(patience >= 1)) throw new RangeError(`Cannot set patience to ${patience}`);
  // What is wrong with the table is told now, and not to the first who calls.
  prepare(handlers);
  let open = 0;
  /** Bytes of all that is posted and not answered yet. */
  let kept = 0;

  async function answer(request: Request, keep: (bytes: number) => boolean): Promise<Response> {
    if (request.method !== "POST") return refuse(405, "POST JSON-RPC here", { allow: "POST" });
    const { headers } = request;
    if (!isJson(headers.get("content-type"))) return refuse(415, "The content is application/json");
    const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
    if (encoding !== "identity" && encoding !== "gzip") {
      return refuse(415, "The content is plain or gzip", { "accept-encoding": "gzip" });
    }
    const accept = headers.get("accept");
    if (accept !== null && !allows(accept, "application/json", "application/*", "*/*")) {
      return refuse(406, "The answer is application/json");
    }
    if (Number(headers.get("content-length")) > maxMessageSize) return tooLong();
    const caller = await identify?.(request);
    if (caller instanceof Response) return caller;
    let body: Uint8Array;
    try {
      body = await readBody(request.body, maxMessageSize, {
        gzip: encoding === "gzip",
        timeout: patience,
        keep,
      });
    } catch (error) {
      if (error instanceof MessageTooLongError) return tooLong();
      if (error instanceof LimitError) return busy();
      if (error instanceof TimeoutError) {
        return refuse(408, "The content did not come", { connection: "close" });
      }
      return refuse(400, "The content cannot be read");
    }
    const channel = new HttpAnswers(body, maxQueuedBytes);
    const peer = new RpcPeer(channel, { limits, exposeErrors, onError, extensions: false, halfOpen: true });
    peer.serve(handlers, { caller, info });
    await channel.accepted;
    // Deno has something to say on its standard error when the signal is first asked for, so not without need.
    if (peer.running > 0) await untilClosed(peer, request.signal);
    else await peer.closed;
    const text = channel.text();
    if (text === undefined) return new Response(null, { status: 204 });
    const made = await makeBody(text, allows(headers.get("accept-encoding"), "gzip", "*"));
    const kind = { "content-type": "application/json", vary: "accept-encoding" };
    return new Response(made.body, {
      headers: made.gzip ? { ...kind, "content-encoding": "gzip" } : kind,
    });
  }

  return async (request) => {
    const origin = request.headers.get("origin");
    if (origin !== null && !origins?.includes(origin)) {
      return refuse(403, "Pages of this origin may not call");
    }
    if (origin !== null && request.method === "OPTIONS") return preflight(origin);
    if (open >= maxRequests) return busy();
    open++;
    let own = 0;
    const keep = (bytes: number) => {
      if (kept > own && kept + bytes > maxRequestBytes) return false;
      own += bytes;
      kept += bytes;
      return true;
    };
    try {
      const response = await answer(request, keep);
      return origin === null ? response : allowed(response, origin);
    } finally {
      open--;
      kept -= own;
    }
  };
}

/** Waits for the end, which is now when the client hangs up. */
async function untilClosed(peer: RpcPeer, signal: AbortSignal): Promise<void> {
  const hangUp = () => peer.close();
  if (signal.aborted) hangUp();
  signal.addEventListener("abort", hangUp);
  await peer.closed;
  signal.removeEventListener("abort", hangUp);
}

function refuse(status: number, why: string, headers: Record<string, string> = {}): Response {
  return new Response(`${why}\n`, { status, headers: { "content-type": "text/plain", ...headers } });
}

function busy(): Response {
  return refuse(503, "Too many requests", { "retry-after": "1" });
}

function tooLong(): Response {
  return refuse(413, "The message is too long");
}

/** What a browser asks before a page may call. */
function preflight(origin: string): Response {
  return allowed(
    new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "600",
      },
    }),
    origin,
  );
}

/** Lets the page see the response. */
function allowed(response: Response, origin: string): Response {
  const headers = new Headers(response.headers);
  headers.set("access-control-allow-origin", origin);
  headers.append("vary", "origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
