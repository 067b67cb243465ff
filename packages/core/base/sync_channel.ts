/**
 * Both halves of the contract as one object, with the calls that block the thread.
 *
 * @module
 */

import type { Bytes, SyncChannel, SyncOptions } from "../channel.ts";
import { BaseChannel } from "./channel.ts";
import type { Source } from "./mechanism.ts";
import type { BaseSender } from "./sender.ts";

/**
 * A {@linkcode BaseChannel} over a mechanism that can block the thread.
 *
 * @example
 * ```ts
 * import { BaseSender, BaseSyncChannel } from "@ipc/core/base";
 * import type { Bytes } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const letters: Bytes[] = [];
 * const sender = new BaseSender({
 *   maxMessageSize: 1024,
 *   put: (message) => letters.push(message.slice()) > 0,
 *   begun: false,
 *   finish: () => true,
 *   detach: () => {},
 *   park: () => () => {},
 *   end: () => {},
 *   close: () => {},
 * });
 * const source = { take: () => letters.shift(), ended: false, park: () => () => {}, close: () => {} };
 * using channel = new BaseSyncChannel(source, sender);
 * channel.sendSync(new Uint8Array([1, 2, 3]));
 * assertEquals(channel.receiveSync(), new Uint8Array([1, 2, 3]));
 * ```
 */
export class BaseSyncChannel<In = Bytes> extends BaseChannel<In> implements SyncChannel<Uint8Array, In> {
  readonly #sender: BaseSender;

  /** Makes a channel that owns `source` and `sender`. */
  constructor(source: Source<In>, sender: BaseSender) {
    super(source, sender);
    this.#sender = sender;
  }

  /** Sends without waiting; false: there is no room, and nothing was sent. Throws as `send` does. */
  trySend(message: Uint8Array): boolean {
    return this.#sender.trySend(message);
  }

  /** Sends, blocking this thread while there is no room. Throws as `send` does. */
  sendSync(message: Uint8Array, options?: SyncOptions): void {
    this.#sender.sendSync(message, options);
  }
}
