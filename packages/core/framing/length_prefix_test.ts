import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { type Bytes, encodeFrame, lengthPrefix, MessageTooLongError } from "@ipc/core";
import { assertSame, concat, feed, KIB, message } from "./_shared_test.ts";

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

Deno.test("length: who receives little has little memory, and who receives much has more", () => {
  const decoder = lengthPrefix().decoder();
  const out: Bytes[] = [];
  for (let count = 0; count < 1000; count++) {
    feed(decoder, encodeFrame(lengthPrefix(), message(100)), count % 2 === 0, out);
    assertEquals(decoder.room().buffer.byteLength, KIB / 2);
  }
  // As many as one read can bring.
  const many = concat(out.map((each) => encodeFrame(lengthPrefix(), each)));
  feed(decoder, many, false, out);
  assertEquals(decoder.room().buffer.byteLength, 64 * KIB);
  assertSame(out, Array.from({ length: 2000 }, () => message(100)));
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
