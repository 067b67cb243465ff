import { assertEquals } from "@std/assert";
import { Handout } from "./_handout.ts";

Deno.test("handout: copies stay what they are, whatever comes next and whatever is transferred away", () => {
  const handout = new Handout();
  const from = new Uint8Array(8 * 1024);
  const lengths = [0, 64, 64, 64, 64, 0, 0, 1, 2, 3, 67, 67, 129, 129, 4096, 4096, 4097, 64, 0, 64, 8192];
  const kept: { copy: Uint8Array<ArrayBuffer>; length: number; value: number }[] = [];
  const letters = (value: number, length: number) => Uint8Array.from({ length }, (_, index) => value + index);
  for (let round = 0; round < 400; round++) {
    const length = lengths[round % lengths.length]!;
    const value = round & 255;
    from.set(letters(value, from.length));
    const copy = handout.copy(from, length);
    assertEquals(copy, letters(value, length));
    if (round % 7 === 3) structuredClone(copy.buffer, { transfer: [copy.buffer] });
    else kept.push({ copy, length, value });
  }
  const left = kept.filter(({ copy }) => !copy.buffer.detached);
  assertEquals(left.length > lengths.length, true);
  for (const { copy, length, value } of left) assertEquals(copy, letters(value, length));
});
