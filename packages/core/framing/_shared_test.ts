/** What the tests of the framings share; it has no test of its own, and the name keeps it out of what is published. */

import { assert, assertEquals } from "@std/assert";
import type { Bytes, Decoder } from "@ipc/core";

/** Bytes of a KiB. */
export const KIB = 1024;

/** Text as bytes. */
export const bytes = (text: string): Bytes => new TextEncoder().encode(text);

/** All parts in one array. */
export function concat(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A message that every framing can carry: without NUL and newline. */
export function message(length: number, seed = 1): Bytes {
  const data = new Uint8Array(length);
  for (let at = 0; at < length; at++) data[at] = 11 + (at * 7 + seed) % 241;
  return data;
}

/** Every message that the decoder has. */
export function takeAll(decoder: Decoder, into: Bytes[] = []): Bytes[] {
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) into.push(next);
  return into;
}

/** Feeds pieces that end at the given places, every second one through `room` and `commit`. */
export function decodeSplit(decoder: Decoder, stream: Uint8Array, cuts: readonly number[]): Bytes[] {
  const out: Bytes[] = [];
  let from = 0;
  for (const [index, to] of [...cuts, stream.length].entries()) {
    feed(decoder, stream.subarray(from, to), index % 2 === 0, out);
    from = to;
  }
  return out;
}

/** Feeds one piece, copied or read into place, and takes what it completes. */
export function feed(decoder: Decoder, piece: Uint8Array, copied: boolean, out: Bytes[]): void {
  if (copied) {
    decoder.push(piece);
    takeAll(decoder, out);
    return;
  }
  for (let from = 0; from < piece.length;) {
    const room = decoder.room();
    assert(room.length >= KIB / 4);
    const some = piece.subarray(from, from + room.length);
    room.set(some);
    decoder.commit(some.length);
    from += some.length;
    takeAll(decoder, out);
  }
}

/** `assertEquals` on many large arrays takes longer than all the rest of these tests. */
export function assertSame(actual: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  assertEquals(actual.map(({ length }) => length), expected.map(({ length }) => length));
  for (const [index, each] of actual.entries()) {
    const other = expected[index]!;
    for (let at = 0; at < each.length; at++) {
      if (each[at] !== other[at]) throw new Error(`Message ${index} differs at byte ${at}`);
    }
  }
}
