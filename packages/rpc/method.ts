/** A method with what is known of it. */

import type { Schema } from "./schema.ts";

/** What is known of a method. */
export interface MethodOptions {
  /** The names of its parameters in order, each with its schema: calls by name find their place by it. */
  params?: Readonly<Record<string, Schema>> | undefined;
  /** The schema of its result, or of each value of a stream. */
  result?: Schema | undefined;
  /** One line for people. */
  summary?: string | undefined;
}

/** A method with what is known of it, as {@linkcode method} makes it. */
export interface Method<Handler> extends MethodOptions {
  /** What runs. */
  readonly handler: Handler;
}

/**
 * Adds to a method what is known of it: names and schemas of its parameters, and the schema of its result.
 *
 * Parameters that a schema refuses never reach the method: the caller gets an {@linkcode RpcError} of code −32602
 * with the issues as `data`, each with a `path` that begins with the parameter's name. A result that its schema
 * refuses is an internal error of this side.
 *
 * @example
 * ```ts ignore
 * import { z } from "zod";
 *
 * serve<Api>(channel, {
 *   add: method((a: number, b: number) => a + b, { params: { a: z.number(), b: z.number() }, result: z.number() }),
 * });
 * ```
 */
// deno-lint-ignore no-explicit-any
export function method<Handler extends (...params: any[]) => unknown>(
  handler: Handler,
  options: MethodOptions = {},
): Method<Handler> {
  return { ...options, handler };
}
