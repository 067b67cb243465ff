import type { Mapping } from "@ipc/core/sys";
import { type Address, parseAddress } from "./address.ts";
import { actionOf } from "./_drivers.ts";

/** How memory is opened. */
export interface OpenMemoryOptions {
  /** `"read"` asks for permission to read alone; `"write"` unless told. */
  access?: "read" | "write" | undefined;
}

/**
 * Opens the shared memory of an address.
 *
 * @throws {AddressError} if the address cannot be read, or is that of something else.
 * @throws {NotFoundError} if there is nothing.
 * @throws {PermissionError} if its mode does not permit it.
 * @throws {UntrustedError} if it is somebody else's, and `?allow-owner=` does not say so.
 *
 * @example
 * ```ts
 * import { make, openMemory, remove } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = await make("sysv-shm:0", { size: 4096 });
 * {
 *   using memory = await openMemory(address);
 *   memory.write(0, new TextEncoder().encode("hello"));
 *   assertEquals(new TextDecoder().decode(memory.read(0, 5)), "hello");
 * }
 * await remove(address);
 * ```
 */
export async function openMemory(
  address: string | Address,
  options: OpenMemoryOptions = {},
): Promise<Mapping> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const open = actionOf(parsed, "openMemory");
  return await open(parsed, options);
}
