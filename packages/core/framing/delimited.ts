import type { Bytes } from "../channel.ts";
import type { Decoder, Framing, FramingOptions } from "../framing.ts";
import { ArenaDecoder, find, maxMessageSizeOf, tooLong } from "./_arena.ts";

const NEWLINE = 0x0a;
const NUL = 0;

class Delimited implements Framing {
  readonly name: string;
  readonly maxMessageSize: number;
  readonly maxPrefix = 0;
  readonly suffix: Bytes;
  readonly #delimiter: number;
  readonly #called: string;

  constructor(name: string, delimiter: number, called: string, options: FramingOptions) {
    this.name = name;
    this.maxMessageSize = maxMessageSizeOf(options);
    this.suffix = new Uint8Array([delimiter]);
    this.#delimiter = delimiter;
    this.#called = called;
  }

  check(message: Uint8Array): void {
    const at = find(message, this.#delimiter, 0, message.length);
    if (at < message.length) {
      throw new TypeError(
        `Cannot send the message: byte ${at} is a ${this.#called}, which would end it there`,
      );
    }
  }

  writePrefix(): number {
    return 0;
  }

  decoder(): Decoder {
    return new DelimitedDecoder(this.#delimiter, this.maxMessageSize);
  }
}

class DelimitedDecoder extends ArenaDecoder {
  readonly #delimiter: number;
  readonly #max: number;
  /** How many bytes from `start` on have no delimiter, so that a long message is searched once. */
  #searched = 0;

  constructor(delimiter: number, max: number) {
    super(max + 1);
    this.#delimiter = delimiter;
    this.#max = max;
  }

  next(): Bytes | undefined {
    const { start, filled } = this;
    const at = find(this.chunk, this.#delimiter, start + this.#searched, filled);
    const length = at - start;
    this.#searched = length;
    if (length > this.#max) throw tooLong(`at least ${length}`, this.#max);
    if (at === filled) return undefined;
    this.#searched = 0;
    return this.deliver(start, length, at + 1);
  }

  protected reset(): void {
    this.#searched = 0;
  }
}

/**
 * Each message on a line of its own, as shells and `grep` have it.
 *
 * A message with a newline in it is refused with a `TypeError`; a carriage return before the newline stays
 * part of the message. A last line without its newline is a `TruncatedError`.
 *
 * @throws {RangeError} if `maxMessageSize` is not 1 to 4,294,967,294.
 *
 * @example
 * ```ts
 * import { lines } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const decoder = lines().decoder();
 * decoder.push(new TextEncoder().encode("one\ntwo\nthr"));
 * assertEquals(decoder.next(), new TextEncoder().encode("one"));
 * assertEquals(decoder.next(), new TextEncoder().encode("two"));
 * assertEquals(decoder.next(), undefined);
 * ```
 */
export function lines(options: FramingOptions = {}): Framing {
  return new Delimited("lines", NEWLINE, "newline", options);
}

/**
 * A NUL byte after each message, as `find -print0`, `xargs -0` and Varlink have it.
 *
 * A message with a NUL in it is refused with a `TypeError`.
 *
 * @throws {RangeError} if `maxMessageSize` is not 1 to 4,294,967,294.
 *
 * @example
 * ```ts
 * import { encodeFrame, nul } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...encodeFrame(nul(), new Uint8Array([1, 2]))], [1, 2, 0]);
 * ```
 */
export function nul(options: FramingOptions = {}): Framing {
  return new Delimited("nul", NUL, "NUL", options);
}
