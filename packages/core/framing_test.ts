import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  type Bytes,
  encodeFrame,
  type Framing,
  framing,
  type FramingName,
  MessageTooLongError,
  TruncatedError,
} from "@ipc/core";
import { assertSame, concat, decodeSplit, feed, KIB, message, takeAll } from "./framing/_shared_test.ts";

const SCALE = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);
const FRAMED: FramingName[] = ["length", "lines", "nul", "content-length"];

function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

for (const name of FRAMED) {
  const made = (maxMessageSize = 1024 * KIB): Framing => framing(name, { maxMessageSize });
  const encodeAll = (messages: readonly Uint8Array[]): Bytes =>
    concat(messages.map((m) => encodeFrame(made(), m)));
  const assorted = [0, 1, 3, 0, 64, 4095, 4096, 4097, 70_000, 0, 16 * KIB, 200_000, 5].map((n, i) =>
    message(n, i)
  );

  Deno.test(`${name}: one byte at a time`, () => {
    const stream = encodeAll(assorted);
    const decoder = made().decoder();
    const out: Bytes[] = [];
    for (let at = 0; at < stream.length; at++) {
      decoder.push(stream.subarray(at, at + 1));
      const next = decoder.next();
      if (next !== undefined) out.push(next);
    }
    assertSame(out, assorted);
    decoder.end();
  });

  Deno.test(`${name}: everything at once`, () => {
    const decoder = made().decoder();
    decoder.push(encodeAll(assorted));
    assertSame(takeAll(decoder), assorted);
    assertEquals(decoder.buffered, 0);
    decoder.end();
  });

  Deno.test(`${name}: any split gives the same messages`, () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const next = random(seed);
    const small = [0, 1, 0, 64, 300, 5].map((n, i) => message(n, i));
    const stream = encodeAll(small);
    for (let run = 0; run < 10_000 * SCALE; run++) {
      const cuts = Array.from(
        { length: Math.floor(next() * 12) },
        () => Math.floor(next() * (stream.length + 1)),
      );
      const decoder = made().decoder();
      try {
        assertSame(decodeSplit(decoder, stream, cuts.sort((a, b) => a - b)), small);
        decoder.end();
      } catch (cause) {
        throw new Error(`Seed ${seed}, run ${run}, cuts ${cuts}`, { cause });
      }
    }
  });

  Deno.test(`${name}: random sizes up to the limit against a model`, () => {
    const max = 100_000;
    const size = fc.oneof(fc.constant(0), fc.constant(max), fc.nat(100), fc.nat(20_000), fc.nat(max));
    fc.assert(
      fc.property(
        fc.array(size, { maxLength: 12 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }),
        (sizes, places) => {
          const messages = sizes.map((n, i) => message(n, i));
          const stream = concat(messages.map((m) => encodeFrame(made(max), m)));
          const cuts = places.map((place) => Math.floor(place * stream.length)).sort((a, b) => a - b);
          const decoder = made(max).decoder();
          const out = decodeSplit(decoder, stream, cuts);
          assertSame(out, messages);
          decoder.end();
        },
      ),
      { numRuns: Math.max(10, 200 * SCALE) },
    );
  });

  Deno.test(`${name}: what was delivered is never written again`, () => {
    const decoder = made().decoder();
    const out: Bytes[] = [];
    const sizes = [100, 30_000, 5, 0, 66_000, 4_000, 4_000, 60_000, 1];
    const messages = Array.from({ length: 400 }, (_, i) => message(sizes[i % sizes.length]!, i));
    for (const [index, each] of messages.entries()) {
      feed(decoder, encodeFrame(made(), each), index % 3 === 0, out);
    }
    // The room is ours to fill, and nothing of it may show in a message.
    decoder.room().fill(0xee);
    assertSame(out, messages);
  });

  Deno.test(`${name}: messages are plain views of an ArrayBuffer`, () => {
    const decoder = made().decoder();
    decoder.push(encodeAll([message(10)]));
    const found = decoder.next()!;
    assertStrictEquals(found.constructor, Uint8Array);
    assertInstanceOf(found.buffer, ArrayBuffer);
    assertEquals(found.buffer.resizable, false);
  });

  Deno.test(`${name}: the end inside a message is told as often as it is asked`, () => {
    const stream = encodeAll([message(50)]);
    for (let cut = 1; cut < stream.length; cut++) {
      const decoder = made().decoder();
      decoder.push(stream.subarray(0, cut));
      assertEquals(decoder.next(), undefined);
      assertThrows(() => decoder.end(), TruncatedError);
      assertThrows(() => decoder.end(), TruncatedError);
      assertEquals(decoder.next(), undefined);
    }
  });

  Deno.test(`${name}: drain gives back what was not delivered`, () => {
    const stream = encodeAll([message(10), message(20), message(30)]);
    const one = encodeAll([message(10)]).length;
    for (let cut = one; cut < stream.length; cut++) {
      const decoder = made().decoder();
      decoder.push(stream.subarray(0, cut));
      decoder.next();
      if (cut % 2 === 0) takeAll(decoder);
      const { buffered } = decoder;
      const rest = decoder.drain();
      assertEquals(rest.length, buffered);
      assertEquals(rest, stream.slice(cut - buffered, cut));
      assertEquals(decoder.buffered, 0);
      decoder.end();
      // It starts anew, and leaves alone what it has given.
      const before = rest.slice();
      decoder.push(encodeAll([message(7)]));
      assertSame(takeAll(decoder), [message(7)]);
      assertEquals(rest, before);
    }
  });

  Deno.test(`${name}: the limit is exact on both sides`, () => {
    const max = 1000;
    const decoder = made(max).decoder();
    decoder.push(encodeFrame(made(max), message(max)));
    assertSame(takeAll(decoder), [message(max)]);
    assertThrows(() => encodeFrame(made(max), message(max + 1)), MessageTooLongError);
    decoder.push(encodeFrame(made(), message(max + 1)));
    assertThrows(() => decoder.next(), MessageTooLongError);
    assertThrows(() => decoder.next(), MessageTooLongError);
  });

  Deno.test(`${name}: memory follows the bytes that arrive, not those that are claimed`, () => {
    const length = 8 * 1024 * KIB;
    const stream = encodeFrame(framing(name), message(length));
    const decoder = framing(name).decoder();
    let received = 0;
    while (received < stream.length) {
      const room = decoder.room();
      const least = 64 * KIB;
      const bound = Math.max(least, Math.min(stream.length + 4 * KIB, 4 * received + least));
      if (name === "length" || name === "content-length") {
        assert(room.buffer.byteLength <= bound, `${room.buffer.byteLength} bytes for ${received} received`);
      } else assert(room.buffer.byteLength <= 4 * received + least);
      const some = stream.subarray(received, received + Math.min(room.length, 10_000));
      room.set(some);
      decoder.commit(some.length);
      received += some.length;
      if (received < stream.length) assertEquals(decoder.next(), undefined);
    }
    assertSame(takeAll(decoder), [message(length)]);
  });

  Deno.test(`${name}: room can be asked for again, and commit is checked`, () => {
    const decoder = made().decoder();
    const room = decoder.room();
    assertStrictEquals(decoder.room().byteOffset, room.byteOffset);
    assertThrows(() => decoder.commit(room.length + 1), RangeError);
    assertThrows(() => decoder.commit(-1), RangeError);
    assertThrows(() => decoder.commit(NaN), RangeError);
    decoder.commit(0);
    assertEquals(decoder.next(), undefined);
    decoder.end();
  });
}

Deno.test("framing: looks up every name and refuses others", () => {
  for (const name of [...FRAMED, "raw"] as FramingName[]) {
    assertEquals(framing(name).name, name);
    assertEquals(framing(name).maxMessageSize, 16 * 1024 * KIB);
    assertEquals(framing(name, { maxMessageSize: 5 }).maxMessageSize, 5);
    for (const maxMessageSize of [0, -1, 1.5, NaN, Infinity, 2 ** 32 - 1]) {
      assertThrows(() => framing(name, { maxMessageSize }), RangeError);
    }
  }
  for (const name of ["", "Lines", "toString", "__proto__"]) {
    assertThrows(() => framing(name as FramingName), TypeError);
  }
});

Deno.test("writePrefix says how much it wrote, at any offset", () => {
  for (const name of [...FRAMED, "raw"] as FramingName[]) {
    for (const length of [0, 9, 10, 70_000]) {
      const made = framing(name);
      const target = new Uint8Array(100).fill(0xee);
      const wrote = made.writePrefix(message(length), target, 7);
      assert(wrote <= made.maxPrefix);
      assertEquals(target.slice(7, 7 + wrote), encodeFrame(made, message(length)).slice(0, wrote));
      assert(target.subarray(0, 7).every((byte) => byte === 0xee));
      assert(target.subarray(7 + wrote).every((byte) => byte === 0xee));
    }
  }
});
