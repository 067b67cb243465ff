import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { formatKey, IPC_PRIVATE, type Key, parseKey, stableKey } from "@ipc/core";

Deno.test("parseKey reads what ipcrm takes", () => {
  const known: Record<string, number> = {
    "0x4d2": 1234,
    "0X4D2": 1234,
    "1234": 1234,
    "0666": 438,
    "00": 0,
    "0": 0,
    "-1": -1,
    "+5": 5,
    "-0x1": -1,
    "0xffffffff": -1,
    "4294967295": -1,
    "037777777777": -1,
    "2147483648": -2147483648,
    "-2147483648": -2147483648,
    "0x7fffffff": 2147483647,
  };
  for (const [text, key] of Object.entries(known)) assertEquals(parseKey(text) as number, key, text);
});

Deno.test("parseKey refuses everything else", () => {
  const wrong = [
    "",
    " ",
    " 1",
    "1 ",
    "0x",
    "x1",
    "089",
    "1e3",
    "1.0",
    "0b1",
    "0o7",
    "1_000",
    "--1",
    "١",
    "0x1g",
    "NaN",
  ];
  for (const text of [...wrong, "4294967296", "0x100000000", "-2147483649", "9".repeat(400)]) {
    assertThrows(() => parseKey(text), TypeError, undefined, text);
  }
});

Deno.test("formatKey and parseKey are each other's inverse", () => {
  fc.assert(fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (key) => {
    const text = formatKey(key as Key);
    assertEquals(text.length, 10);
    assertEquals(parseKey(text) as number, key);
    assertEquals(parseKey(String(key)) as number, key);
  }));
});

Deno.test("stableKey is FNV-1a, 32 bits, of the UTF-8 name", () => {
  // The first three are vectors that the authors of the hash published.
  const vectors: Record<string, string> = { a: "0xe40c292c", foobar: "0xbf9cf968", b: "0xe70c2de5" };
  for (const [name, key] of Object.entries(vectors)) assertEquals(formatKey(stableKey(name)), key);
  const plain = (name: string): number => {
    let hash = 2166136261n;
    for (const byte of new TextEncoder().encode(name)) hash = (hash ^ BigInt(byte)) * 16777619n % 2n ** 32n;
    return Number(BigInt.asIntN(32, hash)) || 1;
  };
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), (name) => {
    assertEquals(stableKey(name) as number, plain(name));
  }));
});

Deno.test("stableKey is never IPC_PRIVATE", () => {
  // The hash of this name, found by search, is 0.
  assertEquals(stableKey("akhnp9x") as number, 1);
  assertNotEquals(stableKey("akhnp9x"), IPC_PRIVATE);
  assertThrows(() => stableKey(""), TypeError);
});
