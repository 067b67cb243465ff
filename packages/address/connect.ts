import type { Channel, Receiver, Sender, WaitOptions } from "@ipc/core";
import { type Address, parseAddress } from "./address.ts";
import { actionOf, type End } from "./_drivers.ts";

/** Which way messages go through an end: `"both"` is a channel. */
export type Direction = "send" | "receive" | "both";

/** How an address is connected to. The time limit and the signal are for the opening. */
export interface ConnectOptions extends WaitOptions {
  /** Which way messages go; both unless told, which not every mechanism can. */
  direction?: Direction | undefined;
  /** A receiver stays open when the last sender leaves, for the next one; where senders come and go, as at a FIFO. */
  keepOpen?: boolean | undefined;
  /** The longest message in bytes, for streams of bytes; what has messages of its own has its own limit. */
  maxMessageSize?: number | undefined;
}

/** Addresses of mechanisms that go one way, known from their first letters. */
export type OneWayAddress = `fifo:${string}` | `file:${string}` | `mq:${string}`;

/** Addresses of objects that carry no messages, known from their first letters. */
export type ObjectAddress =
  | `sysv-sem:${string}`
  | `sysv-shm:${string}`
  | `sem:${string}`
  | `shm:${string}`
  | `mmap:${string}`;

/** An address for a channel of both directions; in its place, the reason why there is none. */
export type TwoWayAddress<A extends string> = A extends OneWayAddress
  ? "this mechanism goes one way: give a direction"
  : A extends ObjectAddress ? "this object carries no messages"
  : A;

/**
 * Opens the sending end of what exists at an address.
 *
 * @throws {AddressError} if the address cannot be read, or its mechanism does not send.
 * @throws {NotFoundError} if there is nothing.
 * @throws {TimeoutError} if nobody came to the other end within `timeout`, where that is needed.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = `fifo:${await Deno.makeTempDir()}/in`;
 * await using receiver = await listen(address, { direction: "receive", removeOnClose: true });
 * await using sender = await connect(address, { direction: "send" });
 * await sender.send(new Uint8Array([1, 2]));
 * assertEquals(await receiver.receive(), new Uint8Array([1, 2]));
 * ```
 */
export function connect(
  address: string | Address,
  options: ConnectOptions & { direction: "send" },
): Promise<Sender>;
/** Opens the receiving end of what exists at an address. */
export function connect(
  address: string | Address,
  options: ConnectOptions & { direction: "receive" },
): Promise<Receiver>;
/** Opens a channel of both directions to what exists at an address. */
export function connect<const A extends string>(
  address: TwoWayAddress<A> | Address,
  options?: ConnectOptions & { direction?: "both" | undefined },
): Promise<Channel>;
/** Opens what exists at an address. */
export async function connect(address: string | Address, options: ConnectOptions = {}): Promise<End> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const { direction = "both" } = options;
  options.signal?.throwIfAborted();
  const open = actionOf(parsed, "connect", direction);
  return await open(parsed, direction, options);
}
