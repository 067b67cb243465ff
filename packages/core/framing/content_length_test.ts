import { assertEquals, assertInstanceOf, assertLess, assertThrows } from "@std/assert";
import { contentLength, DecodeError, MessageTooLongError } from "@ipc/core";
import { bytes, KIB, takeAll } from "./_shared_test.ts";

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
