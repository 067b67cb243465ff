/**
 * Keys of System V objects.
 *
 * @module
 */

/**
 * The key of a System V object: `key_t`, 32 bits with a sign.
 *
 * A plain number is not one, so that an id, a mode or a size cannot stand where a key belongs; it comes from
 * {@linkcode parseKey}, {@linkcode stableKey} or `ftok`.
 */
export type Key = number & { readonly __type: "key_t" };

/**
 * The key that asks for a new object without one: only who knows the object's id can open it.
 *
 * @example
 * ```ts
 * import { formatKey, IPC_PRIVATE } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatKey(IPC_PRIVATE), "0x00000000");
 * ```
 */
export const IPC_PRIVATE: Key = 0 as Key;

const HEXADECIMAL = /^([+-]?)(?:0x)([0-9a-f]+)$/i;
const OCTAL = /^([+-]?)0([0-7]+)$/;
const DECIMAL = /^([+-]?)(0|[1-9][0-9]*)$/;

/**
 * Reads a key as ipcrm(1) takes it: decimal, `0x` hexadecimal, or octal behind a `0`.
 *
 * Numbers from 2^31 to 2^32 - 1 mean the negative keys with the same bits, as `ipcs` prints them.
 *
 * @throws {TypeError} if the text is not a number in one of these forms from -2^31 to 2^32 - 1.
 *
 * @example
 * ```ts
 * import { parseKey } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseKey("0x4d2"), parseKey("1234"));
 * assertEquals(parseKey("0666"), parseKey("438"));
 * ```
 */
export function parseKey(text: string): Key {
  const value = parse(text, HEXADECIMAL, 16) ?? parse(text, OCTAL, 8) ?? parse(text, DECIMAL, 10);
  if (value === undefined) {
    throw new TypeError(`Cannot read key "${text}": a key is decimal, 0x hexadecimal or 0 octal`);
  }
  if (value < -(2 ** 31) || value > 2 ** 32 - 1) {
    throw new TypeError(`Cannot read key "${text}": a key has 32 bits`);
  }
  return (value | 0) as Key;
}

function parse(text: string, form: RegExp, base: number): number | undefined {
  const found = form.exec(text);
  if (found === null) return undefined;
  const value = parseInt(found[2]!, base);
  return found[1] === "-" ? -value : value;
}

/**
 * A key as `ipcs` prints it: `0x` and eight hexadecimal digits.
 *
 * @example
 * ```ts
 * import { formatKey, parseKey } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatKey(parseKey("1234")), "0x000004d2");
 * assertEquals(formatKey(parseKey("-1")), "0xffffffff");
 * ```
 */
export function formatKey(key: Key): string {
  return `0x${(key >>> 0).toString(16).padStart(8, "0")}`;
}

/**
 * A key from a name, without a file: the same in every program and language that computes it.
 *
 * It is the 32-bit FNV-1a hash of the name in UTF-8, read as a signed number:
 *
 * ```c
 * uint32_t key = 2166136261u;
 * for (const unsigned char *p = name; *p; p++) key = (key ^ *p) * 16777619u;
 * if (key == 0) key = 1;                 // 0 is IPC_PRIVATE
 * return (key_t) key;
 * ```
 *
 * Two names share a key with a probability of 1 in 4 billion; among 1,000 names some two do in 1 of 8,600
 * cases. Anybody can compute a key, so it is no protection: the object's mode is.
 *
 * @throws {TypeError} if the name is empty.
 *
 * @example
 * ```ts
 * import { formatKey, stableKey } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatKey(stableKey("foobar")), "0xbf9cf968");
 * ```
 */
export function stableKey(name: string): Key {
  if (name === "") throw new TypeError("Cannot make a key from an empty name");
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash === 0 ? 1 : hash | 0) as Key;
}
