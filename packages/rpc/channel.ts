/** What a peer needs of a channel. */

/**
 * A way to carry messages whole and in order: every Channel of this project is one, and little is needed to
 * make one of something else.
 *
 * @example
 * ```ts
 * import type { RpcChannel } from "@ipc/rpc";
 * import { assertEquals } from "@std/assert";
 *
 * const { port1, port2 } = new MessageChannel();
 * const arrived: Uint8Array[] = [];
 * let [open, wake] = [true, () => {}];
 * port1.onmessage = ({ data }) => (arrived.push(data), wake());
 * const channel: RpcChannel = {
 *   send: (message) => Promise.resolve(port1.postMessage(message)),
 *   async receive() {
 *     while (open && arrived.length === 0) await new Promise<void>((resolve) => wake = resolve);
 *     return arrived.shift();
 *   },
 *   close() {
 *     port1.close();
 *     open = false;
 *     wake();
 *   },
 * };
 * port2.postMessage("one");
 * port2.postMessage("two"); // What comes between two receives is kept.
 * assertEquals([await channel.receive(), await channel.receive()], ["one", "two"]);
 * channel.close();
 * port2.close();
 * ```
 */
export interface RpcChannel {
  /** Sends one message. */
  send(message: Uint8Array): Promise<void>;
  /** Sends one message without waiting, where the channel can; false: there is no room, and nothing was sent. */
  trySend?(message: Uint8Array): boolean;
  /** Sends many messages at the price of one, where the channel can; messages may then share an `ArrayBuffer`. */
  sendBatch?(messages: Iterable<Uint8Array>): Promise<void>;
  /** Sends one message of text, where the channel tells text from bytes, as a WebSocket does. */
  sendText?(message: string): Promise<void>;
  /** Receives one message; `undefined` is the end: nothing will follow. */
  receive(): Promise<Uint8Array | string | undefined>;
  /** Receives at least one message and all that are there now, where the channel can; an empty array is the end. */
  receiveBatch?(): Promise<(Uint8Array | string)[]>;
  /** Ends this direction once everything is sent, where the channel can. */
  end?(): Promise<void>;
  /** Closes at once; a pending receive gives `undefined`. */
  close(): void;
  /** Closes, after what can be sent without waiting, where the channel makes a difference. */
  [Symbol.dispose]?(): void;
  /** The longest message in bytes, where there is one. */
  readonly maxMessageSize?: number;
}
