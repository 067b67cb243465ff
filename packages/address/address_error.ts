/**
 * An address that cannot be read, or a use of it that its mechanism does not have.
 *
 * It says that the caller is wrong, not that something failed: no system call was made.
 *
 * @example
 * ```ts
 * import { AddressError, parseAddress } from "@ipc/address";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(() => parseAddress("/run/in"), AddressError);
 * assertEquals(error.message, 'Cannot read address "/run/in": it says no mechanism; for a FIFO write "fifo:/run/in"');
 * ```
 */
export class AddressError extends TypeError {
  /** The address as it was given. */
  readonly address: string;

  /** Makes an error about `address`; `action` is what was tried with it. */
  constructor(address: string, reason: string, action = "read address") {
    super(`Cannot ${action} "${address}": ${reason}`);
    this.name = new.target.name;
    this.address = address;
  }
}
