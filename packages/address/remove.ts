import { type Address, parseAddress } from "./address.ts";
import { actionOf } from "./_drivers.ts";

/**
 * Removes the object of an address: unlinks a name, removes an id. Whoever has it open can go on.
 *
 * @throws {AddressError} if the address cannot be read, or its mechanism has no objects.
 * @throws {NotFoundError} if there is nothing.
 *
 * @example
 * ```ts
 * import { make, remove } from "@ipc/address";
 * import { NotFoundError } from "@ipc/core";
 * import { assertRejects } from "@std/assert";
 *
 * const address = `fifo:${await Deno.makeTempDir()}/in`;
 * await make(address);
 * await remove(address);
 * await assertRejects(() => remove(address), NotFoundError);
 * ```
 */
export async function remove(address: string | Address): Promise<void> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const removeObject = actionOf(parsed, "remove");
  await removeObject(parsed);
}
