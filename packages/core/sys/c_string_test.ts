import { assertEquals, assertThrows } from "@std/assert";
import { cString } from "./c_string.ts";

Deno.test("cString is UTF-8 with a zero behind it", () => {
  assertEquals([...cString("é")], [0xc3, 0xa9, 0]);
  assertEquals([...cString("")], [0]);
});

Deno.test("cString refuses a zero inside", () => {
  assertThrows(() => cString("/run/in\0.old"), TypeError, "zero character");
});
