/**
 * Memory that is passed to libc.
 *
 * @module
 */

import { fullGrant, whenOpened } from "./libc.ts";

let granted = false;
whenOpened(() => granted = fullGrant());

/**
 * Bytes with their address, where that may be used.
 *
 * Passing an address to libc saves the look-up of a view's memory, some 40 ns with cold caches. The memory
 * must stay private to be passed so: an address does not notice when somebody transfers the buffer away.
 *
 * @example
 * ```ts
 * import { Memory } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(Memory.pinned(new Uint8Array(4096)).bytes.byteLength, 4096);
 * assertEquals(new Memory(new Uint8Array(3)).address, null);
 * ```
 */
export class Memory {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** Where they are; `null` where that is not known to last. */
  readonly address: Deno.PointerValue;

  /** Wraps bytes that may belong to somebody else. */
  constructor(bytes: Uint8Array, address: Deno.PointerValue = null) {
    this.bytes = bytes;
    this.address = address;
  }

  /** The same for bytes that nobody else has; without an address under a scoped grant of FFI. */
  static pinned(bytes: Uint8Array): Memory {
    return new Memory(bytes, granted ? Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>) : null);
  }
}
