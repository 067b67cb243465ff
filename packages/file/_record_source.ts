/** Records out of the segments of a log, in their order. */

import { type Bytes, DecodeError, RemovedError, TruncatedError } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import { type OwnedFd, stat } from "@ipc/core/sys";
import { IN_CREATE, IN_DELETE_SELF, IN_MODIFY, IN_MOVE_SELF, IN_MOVED_TO } from "./_abi.ts";
import type { LogDirectory } from "./_log_directory.ts";
import { HEADER } from "./_record.ts";
import { recordAt, scan, Window } from "./_segment_scan.ts";
import { Watch } from "./_watch.ts";

/** Where to begin: the oldest record there is, behind the newest, at a sequence, or at the first that is not older. */
export type LogPosition = "start" | "end" | number | Date;

/** A record of a log. */
export interface LogRecord {
  /** The message. */
  readonly data: Bytes;
  /** Its number: from 1 on, without gaps, in the order of appending. */
  readonly sequence: number;
  /** When it was appended. */
  readonly time: Date;
}

const CHANGES = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
/** From here on a message is handed out where it was read to. */
const LARGE = 16 * 1024;

/** A {@linkcode Source} of the messages of a log. */
export class RecordSource implements Source<Bytes> {
  readonly ended = false;
  readonly #directory: LogDirectory;
  #segment: OwnedFd | undefined;
  #window: Window | undefined;
  /** Where in the segment the next record begins. */
  #at = 0;
  /** The sequence of the next record. */
  #next = 1;
  /** Records before this one are passed over. */
  #wanted = 1;
  /** The next record, once it was found whole. */
  #found: { size: number; time: number } | undefined;
  #watch: Watch | undefined;

  /** Takes the directory over, and closes it if that fails. */
  constructor(directory: LogDirectory, from: LogPosition) {
    this.#directory = directory;
    try {
      this.seek(from);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The sequence of the record that comes next. */
  get next(): number {
    return Math.max(this.#next, this.#wanted);
  }

  /** Goes to another place. */
  seek(from: LogPosition): void {
    const segments = this.#directory.segments();
    const oldest = segments[0] ?? 1;
    if (from === "start") return this.#goTo(oldest, oldest);
    if (from === "end") {
      const last = segments.at(-1) ?? 1;
      this.#goTo(last, last);
      return this.#pass(() => true);
    }
    if (typeof from === "number") {
      if (!Number.isSafeInteger(from) || from < 1) {
        throw new RangeError(`Cannot read from record ${from} on: a sequence is an integer from 1`);
      }
      this.#goTo(segments.findLast((first) => first <= from) ?? oldest, from);
      if (from >= oldest) this.#pass((sequence) => sequence < from);
      return;
    }
    const moment = from.getTime();
    if (Number.isNaN(moment)) throw new RangeError("Cannot read from an invalid Date on");
    this.#goTo(segments.findLast((first) => this.#startsBefore(first, moment)) ?? oldest, 0);
    this.#pass((_, time) => time < moment);
    this.#wanted = this.#next;
  }

  take(): Bytes | undefined {
    return this.takeRecord()?.data;
  }

  takeMany(max: number = 1024): Bytes[] | undefined {
    const batch: Bytes[] = [];
    for (let data; batch.length < max && (data = this.take()) !== undefined;) {
      batch.push(data);
      // An error behind these is for the next call.
      if (!this.#isReady()) break;
    }
    return batch.length > 0 ? batch : undefined;
  }

  ready(): boolean {
    return this.#isReady() || this.#advance();
  }

  /** Takes the next record without waiting. */
  takeRecord(): LogRecord | undefined {
    while (this.#isReady() || this.#advance()) {
      const window = this.#window!;
      const { size, time } = this.#found!;
      this.#found = undefined;
      const from = this.#at + HEADER - window.from;
      const sequence = this.#next++;
      this.#at += size;
      if (sequence < this.#wanted) continue;
      const length = size - HEADER;
      const data = length < LARGE
        ? window.bytes.slice(from, from + length)
        : window.bytes.subarray(from, from + length);
      return { data, sequence, time: new Date(time) };
    }
  }

  park(wake: () => void): () => void {
    return this.#watched().park(wake);
  }

  block(timeout: number | undefined): void {
    this.#watched().block(timeout);
  }

  close(): void {
    this.#watch?.close();
    this.#segment?.close();
    this.#segment = undefined;
    this.#directory.close();
  }

  #watched(): Watch {
    const { fd, path } = this.#directory;
    return this.#watch ??= new Watch(`/proc/self/fd/${fd}`, CHANGES, path);
  }

  /** Whether the next record is whole, and in this segment. */
  #isReady(): boolean {
    if (this.#window === undefined) return false;
    this.#found ??= recordAt(this.#window, this.#at, this.#next, this.#directory.settings);
    return this.#found !== undefined;
  }

  /** Nothing whole is at hand: looks at what has come since, and at the next segment; true: the next record is whole. */
  #advance(): boolean {
    for (;;) {
      if (this.#segment === undefined) {
        if (!this.#open(this.#next)) return this.#findDropped();
      }
      const { size, nlink } = stat(this.#segment!.fd);
      if (size < this.#at) this.#wasCut(size);
      // What is in memory was read while a writer wrote it, perhaps.
      this.#window!.bytes = new Uint8Array(0);
      if (size > this.#at) {
        if (this.#isReady()) return true;
        if (!this.#isDamaged()) return false;
        continue;
      }
      using next = this.#directory.openSegment(this.#next, "read");
      if (next === undefined || (this.#at === 0 && nlink > 0)) {
        return nlink === 0 ? this.#findDropped() : false;
      }
      // What a writer appended before it began the next segment is there by now.
      if (stat(this.#segment!.fd).size > this.#at) continue;
      this.#goTo(this.#next, this.#wanted);
      if (!this.#open(this.#next)) return false;
    }
  }

  /** Goes to the beginning of a segment. */
  #goTo(first: number, wanted: number): void {
    this.#segment?.close();
    this.#segment = undefined;
    this.#window = undefined;
    this.#found = undefined;
    this.#at = 0;
    this.#next = first;
    this.#wanted = Math.max(first, wanted);
  }

  #open(first: number): boolean {
    this.#segment = this.#directory.openSegment(first, "read");
    if (this.#segment === undefined) return false;
    this.#window = new Window(this.#segment.fd, this.#directory.path);
    return true;
  }

  /** Passes over records as long as `old` says so. */
  #pass(old: (sequence: number, time: number) => boolean): void {
    while (this.#segment !== undefined || this.#open(this.#next)) {
      const { end, next } = scan(
        this.#segment!.fd,
        this.#at,
        this.#next,
        this.#directory.settings,
        this.#directory.path,
        (_, sequence, time) => old(sequence, time),
      );
      const moved = next > this.#next;
      this.#found = undefined;
      this.#at = end;
      this.#next = next;
      this.#wanted = Math.max(this.#wanted, this.#next);
      if (!moved) return;
      using following = this.#directory.openSegment(next, "read");
      if (following === undefined) return;
      this.#goTo(next, this.#wanted);
    }
  }

  #startsBefore(first: number, moment: number): boolean {
    using segment = this.#directory.openSegment(first, "read");
    if (segment === undefined) return false;
    let before = false;
    scan(segment.fd, 0, first, this.#directory.settings, this.#directory.path, (_at, _sequence, time) => {
      before = time < moment;
      return false;
    });
    return before;
  }

  /** The record that is due is in no segment any more: says so once, and goes on with the oldest there is. */
  #findDropped(): boolean {
    const oldest = this.#directory.segments().find((first) => first > this.#next);
    if (oldest === undefined) return false;
    const lost = this.next;
    this.#goTo(oldest, this.#wanted);
    if (lost >= oldest) return this.#advance();
    throw new RemovedError(
      `Cannot read record ${lost} of log "${this.#directory.path}": it was dropped; the oldest is ${oldest}`,
      { target: this.#directory.path },
    );
  }

  /** Somebody has made the segment shorter than what was read of it. */
  #wasCut(size: number): never {
    const { path, settings } = this.#directory;
    const { next, end } = scan(this.#segment!.fd, 0, this.#firstOf(), settings, path);
    const had = this.#next;
    this.#at = end;
    this.#next = next;
    this.#wanted = next;
    this.#window!.bytes = new Uint8Array(0);
    throw new TruncatedError(
      `Cannot read record ${had} of log "${path}": somebody cut the segment to ${size} bytes; the next is ${next}`,
      { target: path },
    );
  }

  #firstOf(): number {
    return this.#directory.segments().findLast((first) => first <= this.#next) ?? 1;
  }

  /** What is there is no record: a tail that is being written, or damage, which is told once and passed over. */
  #isDamaged(): boolean {
    const { path, settings } = this.#directory;
    const { fd } = this.#segment!;
    const { resumes, rest, next } = scan(fd, this.#at, this.#next, settings, path);
    if (next > this.#next) return true;
    const followed = this.#directory.segments().find((first) => first > this.#next);
    if (resumes === undefined && followed === undefined) return false;
    const lost = this.#next;
    const data = new Window(fd, path);
    data.have(this.#at, Math.min(rest, 65_536));
    if (resumes !== undefined) {
      this.#at = resumes.at;
      this.#next = resumes.sequence;
    } else this.#goTo(followed!, this.#wanted);
    throw new DecodeError(
      `Cannot read record ${lost} of log "${path}": it is damaged, and so are ${
        this.#next - lost - 1
      } behind it; the next is ${this.#next}`,
      data.bytes,
      { target: path },
    );
  }
}
