/** Addresses of unix sockets: as people write them, and as `struct sockaddr_un`; see unix(7). */

import type { Bytes } from "@ipc/core";
import { constants, sockaddrUn } from "./_abi.ts";
import type { UnixAddress, UnixScheme } from "./address.ts";

/** The longest path, and the longest abstract name, in bytes. */
const LONGEST = sockaddrUn.PATH_SIZE - 1;

/**
 * Reads what follows the scheme: a path or `@name`, percent-decoded.
 *
 * @throws {TypeError} if it is empty, or not decodable, or has a question mark that is not encoded.
 */
export function toUnixAddress(type: UnixScheme, rest: string): UnixAddress {
  if (rest.includes("?")) {
    throw new TypeError(
      `Cannot use "${type}:${rest}" as an address: a question mark in a path is written %3F`,
    );
  }
  try {
    return { type, path: decodeURIComponent(rest) };
  } catch {
    throw new TypeError(
      `Cannot use "${type}:${rest}" as an address: a per cent sign in a path is written %25`,
    );
  }
}

/** An address as text, which `toUnixAddress` reads. */
export function formatUnixAddress({ type, path }: UnixAddress): string {
  return `${type}:${path.replaceAll("%", "%25").replaceAll("?", "%3F")}`;
}

/** Whether a path stands for an abstract name, which is in no file system. */
export function isAbstract(path: string): boolean {
  return path.startsWith("@");
}

/**
 * The address as the kernel wants it, with its exact length: zeros that follow an abstract name would be part of it.
 *
 * @throws {RangeError} if it is too long.
 * @throws {TypeError} if it is empty, or a path with a zero character.
 */
export function encodeUnixAddress(path: string): Bytes {
  if (path === "") throw new TypeError("Cannot use an empty path as the address of a socket");
  if (path === "@") throw new TypeError('Cannot use "@" as the address of a socket: a name follows the @');
  const abstract = isAbstract(path);
  if (!abstract && path.includes("\0")) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(path)} as the address of a socket: it has a zero character`,
    );
  }
  const name = toBytes(abstract ? path.slice(1) : path);
  const length = name.byteLength;
  if (length > LONGEST) {
    throw new RangeError(
      `Cannot use "${path}" as the address of a socket: it has ${length} bytes, the kernel takes ${LONGEST}` +
        (abstract ? "" : "; a path relative to the working directory may be shorter"),
    );
  }
  // A path goes with the zero that ends it, an abstract name with one before it and none behind.
  const bytes = new Uint8Array(sockaddrUn.sun_path + length + 1);
  new DataView(bytes.buffer).setUint16(sockaddrUn.sun_family, constants.AF_UNIX, true);
  bytes.set(name, sockaddrUn.sun_path + (abstract ? 1 : 0));
  return bytes;
}

/** A path or `@name` out of what the kernel wrote; `undefined` for a socket without a name. */
export function decodeUnixAddress(bytes: Uint8Array, length: number): string | undefined {
  const { sun_path, size } = sockaddrUn;
  if (length <= sun_path) return undefined;
  const name = bytes.subarray(sun_path, Math.min(length, size));
  if (name[0] === 0) return `@${toText(name.subarray(1))}`;
  const end = name.indexOf(0);
  return toText(end === -1 ? name : name.subarray(0, end));
}

/** Bytes that are no text stand for themselves from here on, where there are no characters of their own. */
const NO_TEXT = 0xdc00;

/** Any bytes as a text that {@linkcode toBytes} makes the same bytes of. */
function toText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return String.fromCharCode(...Array.from(bytes, (byte) => byte < 0x80 ? byte : NO_TEXT + byte));
  }
}

function toBytes(text: string): Bytes {
  if (text.isWellFormed()) return encoder.encode(text);
  const bytes = Array.from(text, (character) => {
    const code = character.codePointAt(0)! - NO_TEXT;
    return code >= 0x80 && code <= 0xff ? [code] : [...encoder.encode(character)];
  });
  return new Uint8Array(bytes.flat());
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
