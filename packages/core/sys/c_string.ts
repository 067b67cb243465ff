/**
 * Text as C wants it.
 *
 * @module
 */

const encoder = new TextEncoder();

/**
 * The bytes of `text` in UTF-8 with the zero that ends a string in C.
 *
 * @throws {TypeError} if there is a zero inside: libc would silently take the part before it.
 *
 * @example
 * ```ts
 * import { cString } from "@ipc/core/sys";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals([...cString("/a")], [0x2f, 0x61, 0]);
 * assertThrows(() => cString("/a\0b"), TypeError);
 * ```
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new TypeError(`Cannot use ${JSON.stringify(text)} as a name: it has a zero character`);
  }
  return encoder.encode(`${text}\0`);
}
