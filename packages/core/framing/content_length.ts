import type { Bytes } from "../channel.ts";
import { DecodeError } from "../errors.ts";
import type { Decoder, Framing, FramingOptions } from "../framing.ts";
import { ArenaDecoder, find, maxMessageSizeOf, NO_SUFFIX, tooLong } from "./_arena.ts";

/** The most bytes that stand before a message, headers that we ignore included. */
const MAX_HEADER = 8 * 1024;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const LOWER = new TextEncoder().encode("content-length");
const UPPER = new TextEncoder().encode("CONTENT-LENGTH");

class ContentLength implements Framing {
  readonly name = "content-length";
  readonly maxMessageSize: number;
  readonly maxPrefix: number;
  readonly suffix: Bytes = NO_SUFFIX;

  constructor(options: FramingOptions) {
    this.maxMessageSize = maxMessageSizeOf(options);
    this.maxPrefix = header(this.maxMessageSize).length;
  }

  check(): void {}

  writePrefix({ length }: Uint8Array, target: Uint8Array, offset: number): number {
    const text = header(length);
    for (let index = 0; index < text.length; index++) target[offset + index] = text.charCodeAt(index);
    return text.length;
  }

  decoder(): Decoder {
    return new ContentLengthDecoder(this.maxMessageSize);
  }
}

class ContentLengthDecoder extends ArenaDecoder {
  readonly #max: number;
  /** How many bytes from `start` on belong to header lines that were read. */
  #read = 0;
  /** How many bytes from `start` on were searched for the end of a line. */
  #searched = 0;
  /** What the headers so far say; -1: nothing. */
  #length = -1;
  /** Whether the empty line that ends the header was read. */
  #inBody = false;

  constructor(max: number) {
    super(MAX_HEADER + max);
    this.#max = max;
  }

  next(): Bytes | undefined {
    if (!this.#inBody && !this.#readHeader()) return undefined;
    const { start } = this;
    const length = this.#length;
    const total = this.#read + length;
    if (this.filled - start < total) {
      this.need = total;
      return undefined;
    }
    const at = start + this.#read;
    this.reset();
    return this.deliver(at, length, start + total);
  }

  /** Reads header lines; true once the empty line was read. */
  #readHeader(): boolean {
    const { chunk, start, filled } = this;
    while (true) {
      const at = find(chunk, LF, start + this.#searched, Math.min(filled, start + MAX_HEADER));
      if (at - start >= MAX_HEADER) {
        throw this.#error(`there is no end of the header within ${MAX_HEADER} bytes`, start + MAX_HEADER);
      }
      if (at === filled) {
        this.#searched = at - start;
        return false;
      }
      const line = start + this.#read;
      const end = at > line && chunk[at - 1] === CR ? at - 1 : at;
      if (end > line) this.#readLine(line, end);
      else if (this.#length < 0) throw this.#error("the header has no Content-Length", at + 1);
      this.#read = this.#searched = at + 1 - start;
      if (end === line) return this.#inBody = true;
    }
  }

  /** Reads one header line. Nothing is remembered before it is known to be good, so an error comes again. */
  #readLine(from: number, to: number): void {
    const { chunk } = this;
    const colon = find(chunk, COLON, from, to);
    if (colon === to || colon === from) throw this.#error("a header line has no name and colon", to);
    if (!this.#isName(from, colon)) return;
    let at = colon + 1;
    let end = to;
    while (at < end && isBlank(chunk[at]!)) at++;
    while (end > at && isBlank(chunk[end - 1]!)) end--;
    if (at === end) throw this.#error("Content-Length is not a number", to);
    let length = 0;
    for (; at < end; at++) {
      const digit = chunk[at]! - 0x30;
      if (digit < 0 || digit > 9) throw this.#error("Content-Length is not a number", to);
      length = length * 10 + digit;
    }
    if (length > this.#max) throw tooLong(length, this.#max);
    if (this.#length >= 0 && this.#length !== length) {
      throw this.#error("there are two Content-Length headers that differ", to);
    }
    this.#length = length;
  }

  #isName(from: number, to: number): boolean {
    const { chunk } = this;
    while (to > from && isBlank(chunk[to - 1]!)) to--;
    if (to - from !== LOWER.length) return false;
    for (let index = 0; index < LOWER.length; index++) {
      const byte = chunk[from + index];
      if (byte !== LOWER[index] && byte !== UPPER[index]) return false;
    }
    return true;
  }

  #error(why: string, to: number): DecodeError {
    return new DecodeError(`Cannot receive: ${why}`, this.chunk.slice(this.start, to));
  }

  protected reset(): void {
    this.#read = this.#searched = 0;
    this.#length = -1;
    this.#inBody = false;
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

function header(length: number): string {
  return `Content-Length: ${length}\r\n\r\n`;
}

/**
 * Each message behind a `Content-Length: N` header and an empty line, as language servers speak.
 *
 * Reading is tolerant: names in any case, other headers ignored, a bare newline taken for CR LF. A header of
 * more than 8 KiB, without a length or with two that differ is a `DecodeError`.
 *
 * @throws {RangeError} if `maxMessageSize` is not 1 to 4,294,967,294.
 *
 * @example
 * ```ts
 * import { contentLength, encodeFrame } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const frame = encodeFrame(contentLength(), new TextEncoder().encode("{}"));
 * assertEquals(new TextDecoder().decode(frame), "Content-Length: 2\r\n\r\n{}");
 * ```
 */
export function contentLength(options: FramingOptions = {}): Framing {
  return new ContentLength(options);
}
