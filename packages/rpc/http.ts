/**
 * JSON-RPC over HTTP: {@linkcode httpHandler} for `Deno.serve` and every server that speaks `Request` and
 * `Response`, {@linkcode HttpCaller} for calls by `fetch`.
 *
 * Each POST is a request, a notification or a batch, and its response has the answers; notifications alone are
 * answered with status 204. Any client of JSON-RPC can call, curl among them. HTTP has no way back: streams arrive as
 * arrays, bytes as base64, and there are no callbacks. A WebSocket has all of that.
 *
 * @example
 * ```ts
 * import { client } from "@ipc/rpc";
 * import { HttpCaller, httpHandler } from "@ipc/rpc/http";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { add(a: number, b: number): number }
 * const handler = httpHandler<Api>({ add: (a, b) => a + b });
 * await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
 *
 * using api = client<Api>(new HttpCaller(`http://127.0.0.1:${server.addr.port}/`));
 * assertEquals(await api.add(1, 2), 3);
 * ```
 *
 * @module
 */

export * from "./http_caller.ts";
export * from "./http_handler.ts";
