import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { bytes, type Codec, DecodeError, json, text } from "@ipc/core";

const utf8 = (source: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(source);

function roundTrip<T>(codec: Codec<T>, value: T): T {
  return codec.decode(codec.encode(value).slice());
}

function assertUndecodable(codec: Codec<unknown>, data: Uint8Array<ArrayBuffer>): void {
  const error = assertThrows(() => codec.decode(data), DecodeError);
  assertStrictEquals(error.data, data);
}

Deno.test("bytes: the same array", () => {
  const data = new Uint8Array([1, 2, 3]);
  assertStrictEquals(bytes.encode(data), data);
  assertStrictEquals(bytes.decode(data), data);
});

Deno.test("text: whatever can be said in UTF-8 comes back exactly", () => {
  for (const value of ["", "a", "\uFEFFmark", "é😀\0\n"]) assertEquals(roundTrip(text, value), value);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => assertEquals(roundTrip(text, value), value)),
  );
});

Deno.test("text: half of a surrogate pair is refused, not replaced", () => {
  assertThrows(() => text.encode("a\ud800"), TypeError);
});

Deno.test("text: bytes that are not UTF-8 are a DecodeError", () => {
  for (const wrong of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [65, 0x80]]) {
    assertUndecodable(text, new Uint8Array(wrong));
  }
});

Deno.test("json: what JSON can say comes back", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 10 }), (value) => {
    assertEquals(roundTrip(json(), value), JSON.parse(JSON.stringify(value)));
  }));
  assertStrictEquals(json().decode(utf8("null")), null);
  assertEquals(json().decode(utf8("\uFEFF[1]")), [1]);
});

Deno.test("json: what JSON leaves out is refused", () => {
  for (const value of [undefined, () => 0, Symbol("x")]) assertThrows(() => json().encode(value), TypeError);
  assertThrows(() => json().encode(1n), TypeError);
  const loop: unknown[] = [];
  loop.push(loop);
  assertThrows(() => json().encode(loop), TypeError);
});

Deno.test("json: malformed bytes are a DecodeError with the cause", () => {
  for (const wrong of ["", "{", "nul", "[1,]", "1 2", "'a'"]) assertUndecodable(json(), utf8(wrong));
  assertUndecodable(json(), new Uint8Array([0x22, 0xff, 0x22]));
  assertInstanceOf(assertThrows(() => json().decode(utf8("{")), DecodeError).cause, SyntaxError);
});

Deno.test("json: depth is limited before parsing", () => {
  const nested = (depth: number) => utf8("[".repeat(depth) + "]".repeat(depth));
  json().decode(nested(64));
  assertUndecodable(json(), nested(65));
  assertUndecodable(json(), utf8('{"a":'.repeat(65) + "1" + "}".repeat(65)));
  assertUndecodable(json(), utf8("[{".repeat(1_000_000)));
  json({ maxDepth: 0 }).decode(utf8('"[{"'));
  assertUndecodable(json({ maxDepth: 0 }), utf8("[]"));
});

Deno.test("json: brackets in strings and side by side are not depth", () => {
  const limit = json({ maxDepth: 2 });
  const values = ["[[[[[", '"[\\"[[[', "\\", [[], [], [], []], ["[[[", { a: "]]]" }], '\\"[[[['];
  for (const value of values) assertEquals(roundTrip(limit, value), value);
  assertUndecodable(limit, utf8('["\\\\", [["a"]]]'));
  assertUndecodable(limit, utf8('["\\"", [["a"]]]'));
});

Deno.test("json: the depth that is found is the depth that there is", () => {
  const depthOf = (value: unknown): number =>
    typeof value !== "object" || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf));
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), (value) => {
    const encoded = utf8(JSON.stringify(value));
    const depth = depthOf(value);
    json({ maxDepth: depth }).decode(encoded);
    if (depth > 0) assertUndecodable(json({ maxDepth: depth - 1 }), encoded);
  }));
});

Deno.test("json: bytes are limited", () => {
  json({ maxBytes: 3 }).decode(utf8('"a"'));
  assertUndecodable(json({ maxBytes: 3 }), utf8('"ab"'));
  for (const maxBytes of [-1, NaN, 1.5]) assertThrows(() => json({ maxBytes }), RangeError);
});
