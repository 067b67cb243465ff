/**
 * Reading and writing addresses without opening anything: no libc, and no permission.
 *
 * For programs that check addresses, in a configuration file perhaps, before they use them.
 *
 * @example
 * ```ts
 * import { AddressError, parseAddress } from "@ipc/address/parse";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => parseAddress("fifo:/run/in?framing=line"), AddressError);
 * ```
 *
 * @module
 */

export * from "./address.ts";
export * from "./address_error.ts";
export * from "./schemes.ts";
export type { Direction } from "./connect.ts";
