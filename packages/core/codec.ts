/**
 * Codecs: values to bytes and back.
 *
 * @module
 */

import type { Bytes } from "./channel.ts";
import { DecodeError } from "./errors.ts";

/** Turns values into the bytes of a message, and back. */
export interface Codec<T> {
  /** What errors call it, such as `"json"`. */
  readonly name: string;
  /** The bytes of a value; throws a `TypeError` for a value that has none. */
  encode(value: T): Uint8Array;
  /** The value of a message, never `undefined`; throws, best a `DecodeError`, for bytes that have none. */
  decode(data: Bytes): T;
}

/**
 * Bytes as they are: for code that takes any codec.
 *
 * @example
 * ```ts
 * import { bytes } from "@ipc/core";
 * import { assertStrictEquals } from "@std/assert";
 *
 * const message = new Uint8Array([1, 2]);
 * assertStrictEquals(bytes.decode(message), message);
 * ```
 */
export const bytes: Codec<Bytes> = {
  name: "bytes",
  encode: (value) => value,
  decode: (data) => data,
};

const encoder = new TextEncoder();
// A byte order mark is part of a text, and what is sent must arrive; before JSON it means nothing.
const exact = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { fatal: true });

/**
 * Text in UTF-8, exactly as it was: bytes that are not UTF-8 are a `DecodeError`, and a string with half of a
 * surrogate pair, which UTF-8 cannot say, is a `TypeError`.
 *
 * @example
 * ```ts
 * import { text } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(text.decode(new Uint8Array([0xc3, 0xa9])), "é");
 * ```
 */
export const text: Codec<string> = {
  name: "text",
  encode(value) {
    if (!value.isWellFormed()) throw new TypeError("Cannot encode the text: it has half of a surrogate pair");
    return encoder.encode(value);
  },
  decode: (data) => decodeText(exact, data, "text"),
};

/** How far {@linkcode json} trusts a peer. */
export interface JsonOptions {
  /** The longest message in bytes that is parsed; 16 MiB unless told. */
  maxBytes?: number | undefined;
  /** The deepest nesting of arrays and objects; 64 unless told. */
  maxDepth?: number | undefined;
}

/**
 * JSON in UTF-8, limited in bytes and depth before it is parsed.
 *
 * `undefined`, and what JSON leaves out, such as a function, is refused with a `TypeError`. The type parameter
 * is a promise of the peer that nobody checks: check what you cannot trust.
 *
 * @throws {RangeError} if a limit is not a whole number.
 *
 * @example
 * ```ts
 * import { json } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const job = json<{ id: number }>();
 * assertEquals(new TextDecoder().decode(job.encode({ id: 7 })), '{"id":7}');
 * ```
 */
export function json<T = unknown>(options: JsonOptions = {}): Codec<T> {
  const { maxBytes = 16 * 1024 * 1024, maxDepth = 64 } = options;
  for (const limit of [maxBytes, maxDepth]) {
    if (!Number.isInteger(limit) || limit < 0) throw new RangeError(`Cannot limit JSON to ${limit}`);
  }
  return {
    name: "json",
    encode(value) {
      const encoded: string | undefined = JSON.stringify(value);
      if (encoded === undefined) throw new TypeError(`Cannot encode ${typeof value} as JSON`);
      return encoder.encode(encoded);
    },
    decode(data) {
      if (data.byteLength > maxBytes) {
        throw new DecodeError(
          `Cannot decode JSON: the message has ${data.byteLength} bytes, the limit is ${maxBytes}`,
          data,
        );
      }
      if (isDeeper(data, maxDepth)) {
        throw new DecodeError(`Cannot decode JSON: it is nested deeper than ${maxDepth}`, data);
      }
      const source = decodeText(lenient, data, "JSON");
      try {
        return JSON.parse(source);
      } catch (cause) {
        throw new DecodeError("Cannot decode JSON: it is malformed", data, { cause });
      }
    },
  };
}

function decodeText(decoder: TextDecoder, data: Bytes, what: string): string {
  try {
    return decoder.decode(data);
  } catch (cause) {
    throw new DecodeError(`Cannot decode ${what}: the bytes are not UTF-8`, data, { cause });
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[` and `{` are this with bit 0x20 set, `]` and `}` this plus 2. */
const OPEN = 0x7b;
const CLOSE = 0x7d;

function isDeeper(data: Bytes, limit: number): boolean {
  // Nearly every message has fewer brackets in all than the limit, which is quickly counted.
  let opened = 0;
  for (let at = 0; at < data.length; at++) if ((data[at]! | 0x20) === OPEN) opened++;
  if (opened <= limit) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < data.length; at++) {
    const byte = data[at]!;
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted) {
      if (byte === BACKSLASH) at++;
    } else if ((byte | 0x20) === OPEN) {
      if (++depth > limit) return true;
    } else if ((byte | 0x20) === CLOSE) depth--;
  }
  return false;
}
