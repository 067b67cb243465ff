import type { Channel, Receiver, Sender } from "@ipc/core";
import { type Address, parseAddress } from "./address.ts";
import type { ConnectOptions, TwoWayAddress } from "./connect.ts";
import { actionOf, type End } from "./_drivers.ts";

/** How an address is listened at. */
export interface ListenOptions extends Omit<ConnectOptions, "keepOpen"> {
  /** Permissions of what is created, exact; 0o600 unless told. */
  mode?: number | undefined;
  /** Removes on close what this call has created; what existed stays. The path of a socket goes in any case. */
  removeOnClose?: boolean | undefined;
  /**
   * Called with the address once others can connect, before anybody is waited for; of the network only, where port 0
   * is one that is free, and this tells which.
   */
  onListen?: ((address: string) => void) | undefined;
  /**
   * Called with what ended one of many connections, such as a message that is too long: the others go on, and so does
   * the receive. Unless given, one receive throws it.
   */
  onLost?: ((error: unknown) => void) | undefined;
}

/**
 * Opens the sending end of an address and creates what is missing. At a socket it waits for the first who connects.
 *
 * @throws {AddressError} if the address cannot be read, or its mechanism does not send.
 * @throws {TimeoutError} if nobody came to the other end within `timeout`, where that is needed.
 */
export function listen(
  address: string | Address,
  options: ListenOptions & { direction: "send" },
): Promise<Sender>;
/**
 * Opens the receiving end of an address, creates what is missing, and stays while senders come and go. At a socket
 * it has the messages of all who connect; one that is killed inside a message makes one receive throw, unless `onLost`
 * is told instead. Where more than 1000 connect, the one that has been silent for longest is closed.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = `fifo:${await Deno.makeTempDir()}/in?framing=lines`;
 * await using receiver = await listen(address, { direction: "receive", removeOnClose: true });
 * for (const word of ["first", "second"]) {
 *   await using sender = await connect(address, { direction: "send" });
 *   await sender.send(new TextEncoder().encode(word));
 *   await sender.end();
 *   assertEquals(new TextDecoder().decode(await receiver.receive()), word);
 * }
 * ```
 */
export function listen(
  address: string | Address,
  options: ListenOptions & { direction: "receive" },
): Promise<Receiver>;
/**
 * Opens a channel of both directions at an address and creates what is missing. At a socket it waits for the first who
 * connects.
 */
export function listen<const A extends string>(
  address: TwoWayAddress<A> | Address,
  options?: ListenOptions & { direction?: "both" | undefined },
): Promise<Channel>;
/** Opens an end of an address and creates what is missing. */
export async function listen(address: string | Address, options: ListenOptions = {}): Promise<End> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const { direction = "both" } = options;
  options.signal?.throwIfAborted();
  const open = actionOf(parsed, "listen", direction);
  return await open(parsed, direction, options);
}
