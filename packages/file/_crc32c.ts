/** CRC-32C (Castagnoli), four bytes at a time. */

const POLYNOMIAL = 0x82f63b78;

/** Four tables of 256 in a row: a byte, and the same with one, two and three zero bytes behind it. */
const table = new Int32Array(1024);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? value >>> 1 ^ POLYNOMIAL : value >>> 1;
  table[byte] = value;
}
for (let index = 256; index < 1024; index++) {
  const before = table[index - 256]!;
  table[index] = before >>> 8 ^ table[before & 0xff]!;
}

/** The checksum of `bytes[from]` to `bytes[to - 1]`, going on from that of what stands before them. */
export function crc32c(bytes: Uint8Array, from: number, to: number, before: number = 0): number {
  let crc = ~before;
  let at = from;
  for (const end = to - 3; at < end; at += 4) {
    crc ^= bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    crc = table[768 + (crc & 0xff)]! ^ table[512 + (crc >>> 8 & 0xff)]! ^ table[256 + (crc >>> 16 & 0xff)]! ^
      table[crc >>> 24]!;
  }
  for (; at < to; at++) crc = crc >>> 8 ^ table[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
