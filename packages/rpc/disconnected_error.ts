/** The error of calls whose peer is gone. */

import { IpcError, type IpcErrorOptions } from "@ipc/core";

/**
 * The other side went away while it was waited for; `cause` tells more where the channel failed.
 *
 * @example
 * ```ts
 * import { DisconnectedError } from "@ipc/rpc";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new DisconnectedError("Cannot call add: the peer is gone").code, "EDISCONNECTED");
 * ```
 */
export class DisconnectedError extends IpcError {
  /** Makes an error; its code is `"EDISCONNECTED"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, { ...options, code: options.code ?? "EDISCONNECTED" });
  }
}
