/** Looking through a segment: where its whole records end, and whether something follows that is none. */

import { stat } from "@ipc/core/sys";
import { must } from "./_call.ts";
import { libc } from "./_libc.ts";
import { HEADER, isHeader, isWhole, lengthAt, sequenceAt, timeAt } from "./_record.ts";

/** What a look through a segment found. */
export interface ScanResult {
  /** Where the last whole record ends: the next one's place. */
  end: number;
  /** The sequence that follows. */
  next: number;
  /** Records that were found. */
  records: number;
  /** When the last of them was appended, in milliseconds since 1970; NaN: there was none. */
  time: number;
  /** Bytes behind the end that are no whole record; 0: none. */
  rest: number;
  /** Where a whole record lies behind them: what is between is damage, not a tail; `undefined`: none does. */
  resumes?: { at: number; sequence: number; time: number };
}

/** What is read at once, unless a record is longer. */
const CHUNK = 256 * 1024;

/** A part of a file, of which the bytes from `from` on are in memory. */
export class Window {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  from = 0;
  readonly #fd: number;
  readonly #target: string;

  constructor(fd: number, target: string) {
    this.#fd = fd;
    this.#target = target;
  }

  /** How many of `length` bytes from `at` on there are; once there are all, they are in memory. */
  have(at: number, length: number): number {
    const there = at >= this.from ? this.from + this.bytes.length - at : 0;
    if (there >= length) return there;
    // Memory for what is there, neither for what a damaged header says nor for each look at what is being written.
    const rest = stat(this.#fd).size - at;
    if (rest < length) return Math.max(0, rest);
    const bytes = new Uint8Array(Math.min(rest, Math.max(length, CHUNK)));
    let filled = 0;
    while (filled < length) {
      const room = bytes.subarray(filled);
      const count = must(
        () => libc.pread(this.#fd, room, BigInt(room.length), BigInt(at + filled)),
        "pread",
        "read log",
        this.#target,
      );
      if (count === 0) break;
      filled += count;
    }
    this.bytes = bytes.subarray(0, filled);
    this.from = at;
    return filled;
  }

  /** Reads anew: what is in memory was read while a writer wrote it, perhaps. */
  forget(): void {
    this.bytes = new Uint8Array(0);
  }
}

/** What a record of this log must be like. */
export interface RecordRules {
  /** Bytes that a message has at most. */
  readonly maxMessageSize: number;
  /** What its checksums begin with. */
  readonly salt: number;
}

/** Looks at the records from `at` on, the first of which has the sequence `next`; `visit` may end it with false. */
export function scan(
  fd: number,
  at: number,
  next: number,
  rules: RecordRules,
  target: string,
  visit: (at: number, sequence: number, time: number) => boolean | void = () => {},
): ScanResult {
  const window = new Window(fd, target);
  const result: ScanResult = { end: at, next, records: 0, time: NaN, rest: 0 };
  for (;;) {
    const there = recordAt(window, result.end, result.next, rules);
    if (there !== undefined) {
      if (visit(result.end, result.next, there.time) === false) return result;
      result.end += there.size;
      result.next++;
      result.records++;
      result.time = there.time;
      continue;
    }
    result.rest = Math.max(0, stat(fd).size - result.end);
    if (result.rest === 0) return result;
    const resumes = resume(window, result.end, result.end + result.rest, result.next, rules);
    if (resumes === undefined) return result;
    // What lies before a whole record was written before it: whole by now, unless it is damaged.
    window.forget();
    if (recordAt(window, result.end, result.next, rules) === undefined) return { ...result, resumes };
  }
}

/** The whole record at `at`, if it has the sequence that is due. */
export function recordAt(
  window: Window,
  at: number,
  sequence: number,
  rules: RecordRules,
): { size: number; time: number } | undefined {
  for (;;) {
    const size = sizeAt(window, at, sequence, sequence, rules);
    if (size === undefined || window.have(at, size) < size) return undefined;
    // The rest may have been read after a writer had cut what the header was of, and written another record there.
    if (sizeAt(window, at, sequence, sequence, rules) !== size) continue;
    const from = at - window.from;
    return isWhole(window.bytes, from) ? { size, time: timeAt(window.bytes, from) } : undefined;
  }
}

/** How long the record is whose header is at `at`, with a sequence from `least` to `most`; `undefined`: there is no such header. */
function sizeAt(
  window: Window,
  at: number,
  least: number,
  most: number,
  { maxMessageSize, salt }: RecordRules,
): number | undefined {
  if (window.have(at, HEADER) < HEADER) return undefined;
  const from = at - window.from;
  const sequence = sequenceAt(window.bytes, from);
  if (sequence < least || sequence > most || !isHeader(window.bytes, from, salt)) return undefined;
  const length = lengthAt(window.bytes, from);
  return length <= maxMessageSize ? HEADER + length : undefined;
}

/** Where in `from` to `to` the first whole record begins, of the sequence `next` or a later one. */
function resume(
  window: Window,
  from: number,
  to: number,
  next: number,
  rules: RecordRules,
): ScanResult["resumes"] {
  for (let at = from; at + HEADER <= to;) {
    // More records cannot lie between than there is room for headers.
    const size = sizeAt(window, at, next, next + (at - from) / HEADER + 1, rules);
    if (size === undefined) {
      at++;
      continue;
    }
    const sequence = sequenceAt(window.bytes, at - window.from);
    const there = recordAt(window, at, sequence, rules);
    if (there !== undefined) return { at, sequence, time: there.time };
    // No record begins within another, be that damaged or not all there: each byte is looked at once.
    at += size;
  }
}
