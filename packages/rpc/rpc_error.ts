/** Errors that cross, and their codes. */

/** The codes of JSON-RPC 2.0, of editors, and of this package. */
export const RPC_CODE = {
  /** The message is not JSON, or nested too deeply. */
  PARSE_ERROR: -32700,
  /** The message is JSON and no request. */
  INVALID_REQUEST: -32600,
  /** There is no such method. */
  METHOD_NOT_FOUND: -32601,
  /** The parameters are not what the method takes; `data` has the issues. */
  INVALID_PARAMS: -32602,
  /** The method failed for a reason that is not told. */
  INTERNAL_ERROR: -32603,
  /** The caller cancelled it, as editors say it. */
  CANCELLED: -32800,
  /** The method failed with an `IpcError`; `data.code` has its code. */
  FAILED: -32000,
  /** The time that the caller gave is over. */
  TIMEOUT: -32001,
  /** More calls run and wait than this side allows. */
  BUSY: -32010,
  /** The answer is longer than the channel carries. */
  TOO_LONG: -32011,
} as const;

/** What an {@linkcode RpcError} may carry besides code and message. */
export interface RpcErrorOptions extends ErrorOptions {
  /** Anything that JSON can say. */
  data?: unknown;
}

/**
 * An error of JSON-RPC: thrown by a method it crosses as it is, and a failed call rejects with it.
 *
 * @example
 * ```ts
 * import { RpcError } from "@ipc/rpc";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new RpcError(404, "No such account", { data: { account: 7 } });
 * assertEquals([error.code, error.message, error.data], [404, "No such account", { account: 7 }]);
 * ```
 */
export class RpcError extends Error {
  /** The number that tells what went wrong: one of {@linkcode RPC_CODE}, or the application's own. */
  readonly code: number;
  /** What else the other side told. */
  readonly data: unknown;

  /** Makes an error with a code and a message for the other side. */
  constructor(code: number, message: string, options: RpcErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "RpcError";
    this.code = code;
    this.data = options.data;
  }
}
