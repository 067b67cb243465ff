/** Records out of the segments of a log, in their order. */

import { type Bytes, DecodeError, RemovedError, TruncatedError } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import { type OwnedFd, stat } from "@ipc/core/sys";
import { IN_CREATE, IN_DELETE, IN_MODIFY, IN_MOVED_TO } from "./_abi.ts";
import type { ActiveSegment } from "./_active_segment.ts";
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

const CHANGES = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE;
/** From here on a message is handed out where it was read to. */
const LARGE = 16 * 1024;
/** So many bytes of what is damaged an error has at most. */
const SHOWN = 65_536;
/** A batch ends with the message that reaches so many bytes: who sends must not say how much memory a reader needs. */
export const MOST_BYTES: number = 4 * 1024 * 1024;

/** Where a record begins. */
export interface RecordPlace {
  /** The first sequence of its segment. */
  readonly segment: number;
  /** Where in that. */
  readonly at: number;
  readonly sequence: number;
}

/** A {@linkcode Source} of the messages of a log. */
export class RecordSource implements Source<Bytes> {
  readonly ended = false;
  readonly #directory: LogDirectory;
  #segment: OwnedFd | undefined;
  /** The first sequence of the segment. */
  #first = 0;
  #window: Window | undefined;
  /** Where in the segment the next record begins. */
  #at = 0;
  /** The sequence of the next record. */
  #next = 1;
  /** Records before this one are passed over. */
  #wanted = 1;
  /** The next record, once it was found whole. */
  #found: { size: number; time: number } | undefined;
  /** Where a tail began in which nothing whole was found, and where it ended. */
  #tail = { from: 0, to: 0 };
  /** Where writers note the segment that they append to. */
  #active: ActiveSegment | undefined;
  /** Whether segments were looked for since this one was gone to: the note may be older than they are, after a power failure. */
  #listed = false;
  /** Whether there were none then. */
  #empty = false;
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

  /** The sequence of the oldest record that there may be. */
  get oldest(): number {
    return this.#directory.segments()[0] ?? 1;
  }

  /** Goes to another place. */
  seek(from: LogPosition): void {
    const segments = this.#directory.segments();
    const oldest = segments[0] ?? 1;
    if (from === "start") return this.#goTo(oldest, oldest);
    if (typeof from === "number") {
      if (!Number.isSafeInteger(from) || from < 1) {
        throw new RangeError(`Cannot read from record ${from} on: a sequence is an integer from 1`);
      }
      // Where all from there on to the oldest was dropped, the first receive says so.
      this.#goTo(segments.findLast((first) => first <= from) ?? from, from);
      return this.#pass((sequence) => sequence < from);
    }
    if (from === "end") {
      this.#goTo(segments.at(-1) ?? 1, 0);
      this.#pass(() => true);
    } else {
      if (!(from instanceof Date)) {
        throw new TypeError(
          `Cannot read from ${String(from)} on: it is "start", "end", a sequence or a Date`,
        );
      }
      const moment = from.getTime();
      if (Number.isNaN(moment)) throw new RangeError("Cannot read from an invalid Date on");
      this.#goTo(segments.findLast((first) => this.#startsBefore(first, moment)) ?? oldest, 0);
      this.#pass((_, time) => time < moment);
    }
    this.#wanted = this.#next;
  }

  take(): Bytes | undefined {
    return this.takeRecord()?.data;
  }

  takeMany(max: number = 1024): Bytes[] | undefined {
    const batch: Bytes[] = [];
    let bytes = 0;
    for (let data; batch.length < max && bytes < MOST_BYTES && (data = this.take()) !== undefined;) {
      batch.push(data);
      bytes += data.length;
      try {
        if (!this.#isReady()) break;
      } catch {
        // It comes again, with the next call: these are not lost to it.
        break;
      }
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

  /** Where the next record begins. */
  get place(): RecordPlace {
    const segment = this.#segment === undefined ? this.#next : this.#first;
    return { segment, at: this.#at, sequence: this.#next };
  }

  /** Goes where a record begins, or was to begin, when it was last looked for; true: it is there. */
  goBack({ segment, at, sequence }: RecordPlace): boolean {
    if (this.#segment === undefined || this.#first !== segment) {
      this.#goTo(sequence, sequence);
      if (!this.#open(segment)) return false;
    }
    this.#found = undefined;
    this.#tail = { from: 0, to: 0 };
    this.#at = at;
    this.#next = this.#wanted = sequence;
    return this.#isReady();
  }

  close(): void {
    this.#watch?.close();
    this.#segment?.close();
    this.#segment = undefined;
    this.#active?.close();
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

  /** What is in memory was read while a writer wrote it, perhaps: with it goes what was found there. */
  #forget(): void {
    this.#found = undefined;
    this.#window!.forget();
  }

  /** Nothing whole is at hand: looks at what has come since, and at the next segment; true: the next record is whole. */
  #advance(): boolean {
    for (;;) {
      if (this.#segment === undefined) {
        if (this.#isLast()) return false;
        if (!this.#open(this.#next)) {
          if (!this.#moveOn(0)) return false;
          continue;
        }
      }
      const { size } = stat(this.#segment!.fd);
      if (size < this.#at) {
        this.#wasCut(size);
        continue;
      }
      if (size > this.#at) {
        this.#forget();
        if (this.#isReady()) return true;
        if (this.#passDamage(size)) continue;
      }
      if (!this.#moveOn(size - this.#at)) return false;
    }
  }

  /** Goes to the beginning of a segment. */
  #goTo(first: number, wanted: number): void {
    this.#segment?.close();
    this.#segment = undefined;
    this.#window = undefined;
    this.#found = undefined;
    this.#tail = { from: 0, to: 0 };
    this.#listed = false;
    this.#at = 0;
    this.#next = first;
    this.#wanted = wanted;
  }

  #open(first: number): boolean {
    this.#segment = this.#directory.openSegment(first, "read");
    if (this.#segment === undefined) return false;
    this.#first = first;
    this.#window = new Window(this.#segment.fd, this.#directory.path);
    return true;
  }

  /** Passes over records as long as `old` says so, and over damage behind which it still does. */
  #pass(old: (sequence: number, time: number) => boolean): void {
    const { path, settings } = this.#directory;
    while (this.#segment !== undefined || this.#open(this.#next)) {
      let stopped = false;
      const { fd } = this.#segment!;
      const { end, next, resumes } = scan(fd, this.#at, this.#next, settings, path, (_, sequence, time) => {
        stopped = !old(sequence, time);
        return !stopped;
      });
      this.#found = undefined;
      this.#at = end;
      this.#next = next;
      if (stopped) return;
      if (resumes !== undefined) {
        if (!old(resumes.sequence, resumes.time)) return;
        this.#at = resumes.at;
        this.#next = resumes.sequence;
        continue;
      }
      const following = this.#directory.segments().find((first) => first > this.#first && first >= next);
      if (following === undefined || !old(following, -Infinity)) return;
      this.#goTo(following, this.#wanted);
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

  /** Nothing follows in this segment: goes to the one that has the next record; false: there is none yet. */
  #moveOn(rest: number): boolean {
    if (this.#isLast()) return false;
    const segments = this.#directory.segments();
    this.#listed = true;
    this.#empty = segments.length === 0;
    const current = this.#segment === undefined ? 0 : this.#first;
    if (!(segments.at(-1)! > current)) return false;
    if (this.#segment !== undefined) {
      // What was appended here before the next segment was begun is there by now.
      this.#forget();
      if (this.#isReady()) return true;
    }
    const next = this.#next;
    const holder = segments.findLast((first) => first <= next);
    if (holder !== undefined && holder > current) {
      this.#goTo(holder, this.next);
      this.#pass((sequence) => sequence < next);
      return true;
    }
    const data = rest > 0 ? this.#bytes(this.#at, rest) : undefined;
    this.#goTo(segments.find((first) => first > next)!, this.#wanted);
    this.#tellLost(next, data);
    return true;
  }

  /** Whether this is the segment that is appended to, or there is none, as the last writer has noted. */
  #isLast(): boolean {
    if (!this.#listed) return false;
    this.#active ??= this.#directory.openActive("read");
    const { first } = this.#active;
    if (this.#segment === undefined) return this.#empty && first === 0 && !this.#active.removed;
    return first === this.#first && stat(this.#segment.fd).nlink > 0;
  }

  /** Somebody has made the segment shorter than what was read of it: goes on at the same record, if that is elsewhere. */
  #wasCut(size: number): void {
    const had = this.next;
    this.seek(had);
    if (this.#next === had) return;
    this.#wanted = this.#next;
    const { path } = this.#directory;
    throw new TruncatedError(
      `Cannot read record ${had} of log "${path}": somebody cut it to ${size} bytes; the next is ${this.#next}`,
      { target: path },
    );
  }

  /** What is there is no record: a tail that is being written, or damage, which is passed over; false: a tail. */
  #passDamage(size: number): boolean {
    if (this.#tail.from === this.#at && this.#tail.to === size) return false;
    const { path, settings } = this.#directory;
    const from = this.#at;
    const lost = this.#next;
    const { next, resumes } = scan(this.#segment!.fd, from, lost, settings, path);
    // Whole by now.
    if (next > lost) return true;
    if (resumes === undefined) {
      this.#tail = { from, to: size };
      return false;
    }
    const data = this.#bytes(from, resumes.at - from);
    this.#at = resumes.at;
    this.#next = resumes.sequence;
    this.#tellLost(lost, data);
    return true;
  }

  /** Records were passed over, from `lost` on: says so once, if they were wanted. */
  #tellLost(lost: number, data: Bytes | undefined): void {
    if (this.#next <= this.#wanted) return;
    const { path } = this.#directory;
    const first = Math.max(lost, this.#wanted);
    this.#wanted = this.#next;
    const count = this.#next - first;
    const what = `Cannot read record ${first} of log "${path}"${count > 1 ? ` and ${count - 1} more` : ""}`;
    if (data !== undefined) {
      throw new DecodeError(`${what}: damaged; the next is ${this.#next}`, data, { target: path });
    }
    throw new RemovedError(`${what}: dropped; the next is ${this.#next}`, { target: path });
  }

  /** Bytes that are no record, the first of them. */
  #bytes(at: number, length: number): Bytes {
    const window = new Window(this.#segment!.fd, this.#directory.path);
    const most = Math.min(length, SHOWN);
    window.have(at, most);
    return window.bytes.subarray(0, most);
  }
}
