import type { Bytes } from "../channel.ts";
import type { Decoder, Framing, FramingOptions } from "../framing.ts";
import { ArenaDecoder, maxMessageSizeOf, NO_SUFFIX } from "./_arena.ts";

class Raw implements Framing {
  readonly name = "raw";
  readonly maxMessageSize: number;
  readonly maxPrefix = 0;
  readonly suffix: Bytes = NO_SUFFIX;

  constructor(options: FramingOptions) {
    this.maxMessageSize = maxMessageSizeOf(options);
  }

  check(): void {}

  writePrefix(): number {
    return 0;
  }

  decoder(): Decoder {
    return new RawDecoder(this.maxMessageSize);
  }
}

class RawDecoder extends ArenaDecoder {
  next(): Bytes | undefined {
    const { start } = this;
    const length = Math.min(this.filled - start, this.longest);
    if (length === 0) return undefined;
    return this.deliver(start, length, start + length);
  }

  protected reset(): void {}
}

/**
 * No boundaries: every piece that is read is a message, and what was sent is cut and merged as it comes.
 *
 * For foreign programs that speak plain bytes. An empty message contributes nothing; a piece longer than
 * `maxMessageSize` is delivered as several.
 *
 * @throws {RangeError} if `maxMessageSize` is not 1 to 4,294,967,294.
 *
 * @example
 * ```ts
 * import { raw } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const decoder = raw().decoder();
 * decoder.push(new Uint8Array([1, 2, 3]));
 * assertEquals(decoder.next(), new Uint8Array([1, 2, 3]));
 * ```
 */
export function raw(options: FramingOptions = {}): Framing {
  return new Raw(options);
}
