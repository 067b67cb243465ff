/**
 * A record as it lies in a segment: a header of 28 bytes, and the message behind it.
 *
 * The header is the message's length (u32), its CRC-32C (u32), its sequence (u64), the moment at which it was appended,
 * in milliseconds since 1970 (f64), and a CRC-32C (u32) over these 24 bytes; all little-endian. That one begins with a
 * number of the log's own, so that who cannot read the log cannot make a message hold what looks like a header of it. A
 * header is told from other bytes by itself, and says where its record ends, also where the message is not all there.
 */

import { crc32c } from "./_crc32c.ts";

/** Bytes of the header. */
export const HEADER = 28;
const CRC = 4;
const SEQUENCE = 8;
const TIME = 16;
const HEADER_CRC = 24;
const TWO_32 = 2 ** 32;

const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Uint8Array(scratch.buffer);

/** Writes a record at `at`; returns where it ends. */
export function writeRecord(
  into: Uint8Array,
  at: number,
  sequence: number,
  time: number,
  message: Uint8Array,
  salt: number,
): number {
  writeHeader(into, at, sequence, time, message, salt);
  into.set(message, at + HEADER);
  return at + HEADER + message.length;
}

/** Writes the header of a record at `at`. */
export function writeHeader(
  into: Uint8Array,
  at: number,
  sequence: number,
  time: number,
  message: Uint8Array,
  salt: number,
): void {
  writeU32(into, at, message.length);
  writeU32(into, at + CRC, crc32c(message, 0, message.length));
  writeU32(into, at + SEQUENCE, sequence % TWO_32);
  writeU32(into, at + SEQUENCE + 4, Math.floor(sequence / TWO_32));
  scratch.setFloat64(0, time, true);
  into.set(scratchBytes, at + TIME);
  writeU32(into, at + HEADER_CRC, crc32c(into, at, at + HEADER_CRC, salt));
}

/** The length that the record at `at` says that its message has. */
export function lengthAt(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at);
}

/** The sequence of the record at `at`. */
export function sequenceAt(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + SEQUENCE) + readU32(bytes, at + SEQUENCE + 4) * TWO_32;
}

/** When the record at `at` was appended, in milliseconds since 1970. */
export function timeAt(bytes: Uint8Array, at: number): number {
  scratchBytes.set(bytes.subarray(at + TIME, at + HEADER_CRC));
  return scratch.getFloat64(0, true);
}

/** Whether the bytes at `at` are a header of this log. */
export function isHeader(bytes: Uint8Array, at: number, salt: number): boolean {
  return crc32c(bytes, at, at + HEADER_CRC, salt) === readU32(bytes, at + HEADER_CRC);
}

/** Whether the message of the record at `at`, all of which is there, is as it was written. */
export function isWhole(bytes: Uint8Array, at: number): boolean {
  const from = at + HEADER;
  return crc32c(bytes, from, from + lengthAt(bytes, at)) === readU32(bytes, at + CRC);
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}
