import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { encodeFrame, lines, MessageTooLongError, nul } from "@ipc/core";
import { bytes, concat, KIB, message, takeAll } from "./_shared_test.ts";

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
        const length = Math.min(room.length, 4096);
        room.fill(65, 0, length);
        decoder.commit(length);
        received += length;
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
