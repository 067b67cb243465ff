import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import * as fc from "fast-check";
import {
  type Bytes,
  contentLength,
  DecodeError,
  type Decoder,
  encodeFrame,
  type Framing,
  framing,
  type FramingName,
  lengthPrefix,
  lines,
  MessageTooLongError,
  nul,
  raw,
  TruncatedError,
} from "@ipc/core";

const SCALE = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);
const FRAMED: FramingName[] = ["length", "lines", "nul", "content-length"];
const KIB = 1024;

const bytes = (text: string): Bytes => new TextEncoder().encode(text);

function concat(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A message that every framing can carry; no two bytes that are a multiple of 251 apart differ, others do. */
function message(length: number, seed = 1): Bytes {
  const data = new Uint8Array(length);
  for (let at = 0; at < length; at++) data[at] = 11 + (at * 7 + seed) % 241;
  return data;
}

function takeAll(decoder: Decoder, into: Bytes[] = []): Bytes[] {
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) into.push(next);
  return into;
}

/** Feeds pieces that end at the given places, every second one through `room` and `commit`. */
function decodeSplit(decoder: Decoder, stream: Uint8Array, cuts: readonly number[]): Bytes[] {
  const out: Bytes[] = [];
  let from = 0;
  for (const [index, to] of [...cuts, stream.length].entries()) {
    feed(decoder, stream.subarray(from, to), index % 2 === 0, out);
    from = to;
  }
  return out;
}

function feed(decoder: Decoder, piece: Uint8Array, copied: boolean, out: Bytes[]): void {
  if (copied) {
    decoder.push(piece);
    takeAll(decoder, out);
    return;
  }
  for (let from = 0; from < piece.length;) {
    const room = decoder.room();
    assert(room.length >= 4 * KIB);
    const some = piece.subarray(from, from + room.length);
    room.set(some);
    decoder.commit(some.length);
    from += some.length;
    takeAll(decoder, out);
  }
}

/** `assertEquals` on many large arrays takes longer than all the rest of these tests. */
function assertSame(actual: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  assertEquals(actual.map(({ length }) => length), expected.map(({ length }) => length));
  for (const [index, each] of actual.entries()) {
    const other = expected[index]!;
    for (let at = 0; at < each.length; at++) {
      if (each[at] !== other[at]) throw new Error(`Message ${index} differs at byte ${at}`);
    }
  }
}

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

Deno.test("length: 0xFFFFFFFF is refused at once and costs nothing", () => {
  for (const maxMessageSize of [1, 16 * 1024 * KIB, 0xfffffffe]) {
    const decoder = lengthPrefix({ maxMessageSize }).decoder();
    decoder.push(new Uint8Array([255, 255, 255, 255]));
    assertThrows(() => decoder.next(), MessageTooLongError);
    assertLess(decoder.room().buffer.byteLength, 65 * KIB);
  }
});

Deno.test("length: a large claim within the limit allocates nothing for it", () => {
  const decoder = lengthPrefix({ maxMessageSize: 0xfffffffe }).decoder();
  decoder.push(new Uint8Array([0, 0, 0, 0xf0, 1, 2, 3]));
  assertEquals(decoder.next(), undefined);
  assertLess(decoder.room().buffer.byteLength, 65 * KIB);
});

Deno.test("length: a row of large messages is read into place", () => {
  const size = 1024 * KIB;
  const frame = encodeFrame(lengthPrefix(), message(size));
  const decoder = lengthPrefix().decoder();
  const out: Bytes[] = [];
  for (let round = 0; round < 4; round++) feed(decoder, frame, false, out);
  assertSame(out, [1, 1, 1, 1].map(() => message(size)));
  // From the second on, the whole frame has one chunk that was made for it before its first byte came.
  for (const each of out.slice(1)) assertLess(each.buffer.byteLength, size + 8 * KIB + 1);
});

Deno.test("lines: a carriage return is part of the message", () => {
  const decoder = lines().decoder();
  decoder.push(bytes("a\r\n\r\n\nb\n"));
  assertEquals(takeAll(decoder), [bytes("a\r"), bytes("\r"), bytes(""), bytes("b")]);
});

Deno.test("lines and nul: a message with the delimiter is refused", () => {
  for (const [made, text] of [[lines(), "a\nb"], [nul(), "a\0b"]] as const) {
    assertThrows(() => made.check(bytes(text)), TypeError);
    assertThrows(() => encodeFrame(made, bytes(text)), TypeError);
    assertThrows(() => made.check(concat([message(1000), bytes(text)])), TypeError);
  }
  lines().check(bytes("a\0b"));
  nul().check(bytes("a\nb"));
});

Deno.test("lines and nul: a message without an end is refused soon after the limit", () => {
  const max = 100_000;
  for (const made of [lines({ maxMessageSize: max }), nul({ maxMessageSize: max })]) {
    const decoder = made.decoder();
    let received = 0;
    assertThrows(() => {
      while (true) {
        const room = decoder.room();
        assertLess(room.buffer.byteLength, 5 * max);
        room.subarray(0, 4096).fill(65);
        decoder.commit(4096);
        received += 4096;
        assertEquals(decoder.next(), undefined);
      }
    }, MessageTooLongError);
    assertLess(received, max + 2 * 4096);
  }
});

Deno.test("lines: a long line in small pieces is searched once", () => {
  // Searched anew for each piece, this would read 4 MiB a quarter of a million times.
  const decoder = lines().decoder();
  const piece = new Uint8Array(16).fill(65);
  for (let at = 0; at < 4 * 1024 * KIB; at += 16) {
    decoder.push(piece);
    decoder.next();
  }
  decoder.push(bytes("\n"));
  assertEquals(decoder.next()?.length, 4 * 1024 * KIB);
});

Deno.test("content-length: reading is tolerant", () => {
  const decoder = contentLength().decoder();
  decoder.push(bytes("content-length:2\r\n\r\n{}"));
  decoder.push(
    bytes("Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-LENGTH:  003 \r\n\r\nabc"),
  );
  decoder.push(bytes("Content-Length: 1\nX-Other: é\n\nx"));
  decoder.push(bytes("Content-Length: 1\r\nContent-Length: 1\r\n\r\ny"));
  decoder.push(bytes("Content-Length: 0\r\n\r\n"));
  assertEquals(takeAll(decoder), ["{}", "abc", "x", "y", ""].map(bytes));
  decoder.end();
});

Deno.test("content-length: headers that cannot be read are a DecodeError, again and again", () => {
  const bad = [
    "Content-Type: x\r\n\r\n",
    "\r\n",
    "nonsense\r\n",
    ": 3\r\n\r\n",
    "Content-Length: -1\r\n\r\n",
    "Content-Length: 1e3\r\n\r\n",
    "Content-Length: 0x10\r\n\r\n",
    "Content-Length:\r\n\r\n",
    "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  ];
  for (const text of bad) {
    const decoder = contentLength().decoder();
    decoder.push(bytes(text));
    for (let again = 0; again < 3; again++) {
      const error = assertThrows(() => decoder.next(), DecodeError);
      assertInstanceOf(error.data, Uint8Array);
    }
  }
});

Deno.test("content-length: a claim over the limit is refused before the header ends", () => {
  const decoder = contentLength({ maxMessageSize: 10 }).decoder();
  decoder.push(bytes("Content-Length: 11\r\n"));
  assertThrows(() => decoder.next(), MessageTooLongError);
  const huge = contentLength().decoder();
  huge.push(bytes(`Content-Length: ${"9".repeat(400)}\r\n\r\n`));
  assertThrows(() => huge.next(), MessageTooLongError);
});

Deno.test("content-length: a header has at most 8 KiB", () => {
  const line = "X-Filler: 0123456789\r\n";
  for (const filler of [line, "x"]) {
    const decoder = contentLength().decoder();
    let received = 0;
    assertThrows(() => {
      while (true) {
        decoder.push(bytes(filler));
        received += filler.length;
        assertEquals(decoder.next(), undefined);
      }
    }, DecodeError);
    assertLess(received, 8 * KIB + 100);
  }
  const end = "Content-Length: 1\r\n\r\n";
  const exact = `X: ${"x".repeat(8 * KIB - end.length - 5)}\r\n${end}`;
  assertEquals(exact.length, 8 * KIB);
  const decoder = contentLength().decoder();
  decoder.push(bytes(exact + "!"));
  assertEquals(decoder.next(), bytes("!"));
});

Deno.test("raw: every piece is a message, in any split the bytes are the same", () => {
  const stream = message(300_000);
  const decoder = raw({ maxMessageSize: 50_000 }).decoder();
  const out = decodeSplit(decoder, stream, [0, 1, 5, 100_000, 100_001, 200_000]);
  assertSame([concat(out)], [stream]);
  assertEquals(out[0]!.length, 1);
  assert(out.every(({ length }) => length > 0 && length <= 50_000));
  decoder.end();
  assertEquals(encodeFrame(raw(), new Uint8Array(0)).length, 0);
});

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
