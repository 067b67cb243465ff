import { type Address, parseAddress } from "./address.ts";
import { actionOf } from "./_drivers.ts";

/** How an object is created. */
export interface MakeOptions {
  /** Permissions, exact: not cut by the umask; 0o600 unless told. */
  mode?: number | undefined;
}

/**
 * Creates the object of an address.
 *
 * @throws {AddressError} if the address cannot be read, or its mechanism has no objects.
 * @throws {AlreadyExistsError} if it exists.
 *
 * @example
 * ```ts
 * import { make, remove, stat } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = `fifo:${await Deno.makeTempDir()}/in`;
 * await make(address, { mode: 0o620 });
 * assertEquals((await stat(address)).mode, 0o620);
 * await remove(address);
 * ```
 */
export async function make(address: string | Address, options: MakeOptions = {}): Promise<void> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const create = actionOf(parsed, "make");
  await create(parsed, options);
}
