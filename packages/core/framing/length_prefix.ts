import type { Bytes } from "../channel.ts";
import type { Decoder, Framing, FramingOptions } from "../framing.ts";
import { ArenaDecoder, maxMessageSizeOf, NO_SUFFIX, tooLong } from "./_arena.ts";

const PREFIX = 4;

class LengthPrefix implements Framing {
  readonly name = "length";
  readonly maxMessageSize: number;
  readonly maxPrefix = PREFIX;
  readonly suffix: Bytes = NO_SUFFIX;

  constructor(options: FramingOptions) {
    this.maxMessageSize = maxMessageSizeOf(options);
  }

  check(): void {}

  writePrefix({ length }: Uint8Array, target: Uint8Array, offset: number): number {
    target[offset] = length;
    target[offset + 1] = length >>> 8;
    target[offset + 2] = length >>> 16;
    target[offset + 3] = length >>> 24;
    return PREFIX;
  }

  decoder(): Decoder {
    return new LengthPrefixDecoder(this.maxMessageSize);
  }
}

class LengthPrefixDecoder extends ArenaDecoder {
  readonly #max: number;

  constructor(max: number) {
    super(max + PREFIX);
    this.#max = max;
  }

  next(): Bytes | undefined {
    const { chunk, start } = this;
    const have = this.filled - start;
    if (have < PREFIX) return undefined;
    const length =
      (chunk[start]! | chunk[start + 1]! << 8 | chunk[start + 2]! << 16 | chunk[start + 3]! << 24) >>> 0;
    if (length > this.#max) throw tooLong(length, this.#max);
    const total = PREFIX + length;
    if (have < total) {
      this.need = total;
      return undefined;
    }
    return this.deliver(start + PREFIX, length, start + total);
  }

  protected reset(): void {}
}

/**
 * Each message behind its length: four bytes, little-endian, not counting themselves.
 *
 * Carries any bytes and empty messages at the least cost: the framing for both ends under your control.
 *
 * @throws {RangeError} if `maxMessageSize` is not 1 to 4,294,967,294.
 *
 * @example
 * ```ts
 * import { lengthPrefix } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const decoder = lengthPrefix().decoder();
 * decoder.push(new Uint8Array([2, 0, 0, 0, 104]));
 * assertEquals(decoder.next(), undefined);
 * decoder.push(new Uint8Array([105]));
 * assertEquals(decoder.next(), new TextEncoder().encode("hi"));
 * ```
 */
export function lengthPrefix(options: FramingOptions = {}): Framing {
  return new LengthPrefix(options);
}
