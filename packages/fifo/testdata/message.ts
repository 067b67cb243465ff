/** Messages that tell who sent them and which they are, and all of whose bytes follow from that. */

import type { Bytes } from "@ipc/core";

/** From here on a writer's messages are mostly long: it is to be killed inside of one. */
export const FIRST_VICTIM = 10;

/** The message `number` of writer `id`: 8 to `longest` bytes, small ones more often. */
export function makeMessage(id: number, number: number, longest: number): Bytes {
  const dice = scatter(id * 7919 + number);
  const span = dice % 4 === 0 || id >= FIRST_VICTIM ? longest : dice % 4 === 1 ? 16_384 : 512;
  const words = new Uint32Array(2 + scatter(dice) % Math.max(1, Math.min(span, longest) / 4 - 2));
  words[0] = id;
  words[1] = number;
  for (let index = 2; index < words.length; index++) words[index] = id * 0x1000193 + number * 0x10001 + index;
  return new Uint8Array(words.buffer);
}

/** Who sent a message, and which it is. */
export function readLabel(message: Uint8Array): { id: number; number: number } {
  const view = new DataView(message.buffer, message.byteOffset);
  return { id: view.getUint32(0, true), number: view.getUint32(4, true) };
}

/** Whether two messages have the same bytes. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let index = 0; index < a.byteLength; index++) if (a[index] !== b[index]) return false;
  return true;
}

function scatter(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (value ^ (value >>> 15)) >>> 0;
}
