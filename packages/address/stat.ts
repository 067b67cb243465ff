import { type Address, parseAddress } from "./address.ts";
import { actionOf } from "./_drivers.ts";

/** What can be seen of an object without disturbing those who use it; what a mechanism lacks is left out. */
export interface ObjectStatus {
  /** The address, as it was given. */
  readonly address: string;
  /** What it is: `"fifo"`. */
  readonly type: string;
  /** Its path. */
  readonly path?: string;
  /** The owner's user id (st_uid). */
  readonly uid?: number;
  /** The owner's group id (st_gid). */
  readonly gid?: number;
  /** Permission bits (st_mode). */
  readonly mode?: number;
  /** Its inode's number (st_ino). */
  readonly inode?: number;
  /** When its mode, owner or name changed last (st_ctime). */
  readonly changeTime?: Date;
  /** Bytes that wait to be received (FIONREAD), where that can be known. */
  readonly available?: number;
  /** Bytes that the kernel can hold (F_GETPIPE_SZ), where that can be known. */
  readonly capacity?: number;
  /** Ids of the processes that have it open for receiving, as far as this user may see. */
  readonly readers?: readonly number[];
  /** Ids of the processes that have it open for sending, as far as this user may see. */
  readonly writers?: readonly number[];
}

/**
 * Looks at the object of an address and disturbs nobody who uses it. Looking for its users takes `--allow-all`.
 *
 * @throws {AddressError} if the address cannot be read, or its mechanism has no objects.
 * @throws {NotFoundError} if there is nothing.
 *
 * @example
 * ```ts
 * import { make, remove, stat } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = `fifo:${await Deno.makeTempDir()}/in`;
 * await make(address);
 * const { type, mode, available, readers } = await stat(address);
 * assertEquals({ type, mode, available, readers }, { type: "fifo", mode: 0o600, available: 0, readers: [] });
 * await remove(address);
 * ```
 */
export async function stat(address: string | Address): Promise<ObjectStatus> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const look = actionOf(parsed, "stat");
  return await look(parsed);
}
