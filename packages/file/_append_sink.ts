/** Appending records to the segments of a log, whole or not at all. */

import { DecodeError, RemovedError, type SyncOptions } from "@ipc/core";
import { type Sink, Waits } from "@ipc/core/base";
import { failure, type OwnedFd, stat } from "@ipc/core/sys";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";
import { cutConsumers, firstUnread } from "./_consumer_state.ts";
import type { ActiveSegment } from "./_active_segment.ts";
import { Flusher } from "./_flusher.ts";
import type { LogDirectory } from "./_log_directory.ts";
import { lockRange, tryLockRange, unlockRange } from "./_range_lock.ts";
import { HEADER, lengthAt, writeHeader, writeRecord } from "./_record.ts";
import { Retry } from "./_retry.ts";
import { scan } from "./_segment_scan.ts";

/** What one write carries at most when records are put together. */
const CHUNK = 256 * 1024;
/** How often it is looked what is too old, in milliseconds: every tenth of the age, within these. */
const LOOKS = { least: 1000, most: 60_000 };
/** Milliseconds between tries of the lock: who appends has it for some microseconds. */
const PAUSES = { shortest: 0.05, longest: 4 } as const;
/** The byte of the lock file that who appends has locked. */
const APPENDING = { offset: 0, length: 1 } as const;

const chunk = new Uint8Array(CHUNK);

/** A {@linkcode Sink} that appends to a log. */
export class AppendSink implements Sink {
  readonly begun = false;
  /** Forces what was appended to the disk. */
  readonly flusher: Flusher;
  readonly #directory: LogDirectory;
  readonly #lock: OwnedFd;
  readonly #active: ActiveSegment;
  readonly #retry = new Retry(PAUSES);
  /** The segment that is appended to, as far as this writer knows. */
  #segment: OwnedFd | undefined;
  #first = 0;
  /** Where the next record goes, and its sequence. */
  #end = 0;
  #next = 1;
  /** When the first record of the segment was appended, in milliseconds since 1970; NaN: there is none. */
  #begun = NaN;
  /** When it is time to look for what is too old. */
  #lookAt: number;
  /** When the last record of the oldest segment was appended: what is behind a segment does not change it. */
  #oldest = { first: 0, time: NaN };

  /** Takes the directory over, and closes it if that fails. */
  constructor(directory: LogDirectory) {
    this.#directory = directory;
    this.flusher = new Flusher(directory);
    this.#lookAt = directory.settings.retainAge === Infinity ? Infinity : 0;
    let lock: OwnedFd | undefined;
    try {
      this.#lock = lock = directory.openLock();
      this.#active = directory.openActive("write");
    } catch (error) {
      lock?.close();
      directory.close();
      throw error;
    }
  }

  get maxMessageSize(): number {
    return this.#directory.settings.maxMessageSize;
  }

  /** The sequence of the last record that this writer has appended or seen. */
  get last(): number {
    return this.#next - 1;
  }

  /** Drops what is too old by now, unless another writer has the lock, who does so. */
  dropOld(): void {
    if (this.#lookAt === Infinity) return;
    try {
      this.putMany([], 0);
    } catch {
      // The first append is told.
    }
  }

  put(message: Uint8Array): boolean {
    return this.putMany([message], 0) === 1;
  }

  putSync(message: Uint8Array): void {
    lockRange(this.#lock.fd, APPENDING, this.#directory.path);
    this.#putLocked([message], 0);
  }

  putMany(messages: readonly Uint8Array[], from: number): number {
    if (!tryLockRange(this.#lock.fd, APPENDING, false, this.#directory.path)) return from;
    return this.#putLocked(messages, from);
  }

  /** Appends under the lock, and gives that back. */
  #putLocked(messages: readonly Uint8Array[], from: number): number {
    this.#retry.reset();
    let done = from;
    try {
      this.#catchUp();
      if (Date.now() >= this.#lookAt) this.#lookAtAge();
      while (done < messages.length) {
        if (this.#end >= this.#directory.settings.segmentBytes) this.#roll();
        done = this.#append(messages, done);
      }
    } catch (error) {
      // What stands before it has left; it throws again when it is the first.
      if (done === from) throw error;
    } finally {
      unlockRange(this.#lock.fd, APPENDING);
    }
    return done;
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park(wake: () => void): () => void {
    return this.#retry.park(wake);
  }

  block(timeout: number | undefined): void {
    this.#retry.block(timeout);
  }

  /** Runs `action`, which may change the segments, while nobody appends; waits for that, blocking this thread. */
  exclusively<T>(action: () => T, { timeout }: SyncOptions = {}): T {
    const { path } = this.#directory;
    const line = new Waits({
      action: `repair log "${path}"`,
      park: (wake) => this.park(wake),
      block: (left) => this.block(left),
    });
    line.takeSync(() => tryLockRange(this.#lock.fd, APPENDING, false, path) || undefined, { timeout });
    try {
      this.#checkThere();
      // No segment: whoever appends next looks which is the last.
      this.#active.first = 0;
      return action();
    } finally {
      unlockRange(this.#lock.fd, APPENDING);
    }
  }

  end(): void {}

  /** Flushes, unless the policy is `"never"`, and gives all back. */
  close(): void {
    const flushed = this.#leave();
    this.#lock.close();
    this.#active.close();
    this.#directory.close();
    if (!flushed) throw this.flusher.error();
  }

  /** Lets go of the segment; false: what was written there could not be forced to the disk, as the policy says. */
  #leave(): boolean {
    const flushed = this.flusher.leave();
    this.#segment?.close();
    this.#segment = undefined;
    return flushed;
  }

  /** Writes records until the chunk or the segment is full; returns the first that it did not. */
  #append(messages: readonly Uint8Array[], from: number): number {
    const { segmentBytes, salt } = this.#directory.settings;
    const time = Date.now();
    if (this.#end === 0) this.#begun = time;
    let length = 0;
    let after = from;
    do {
      const message = messages[after]!;
      const size = HEADER + message.length;
      if (length + size > CHUNK || (length > 0 && this.#end + length >= segmentBytes)) break;
      length = writeRecord(chunk, length, this.#next + after - from, time, message, salt);
      after++;
    } while (after < messages.length);
    if (after > from) return from + this.#write([chunk.subarray(0, length)]);
    const message = messages[after]!;
    writeHeader(chunk, 0, this.#next, time, message, salt);
    return from + this.#write([chunk.subarray(0, HEADER), message]);
  }

  /** Writes pieces behind the last record; returns how many records are whole. Throws if none is: nothing stays of it. */
  #write(pieces: readonly Uint8Array[]): number {
    const { fd } = this.#segment!;
    let end = this.#end;
    let failed = 0;
    for (let piece of pieces) {
      while (piece.length > 0 && failed === 0) {
        const count = attempt(() => libc.pwrite(fd, piece, BigInt(piece.length), BigInt(end)));
        if (count < 0) failed = -count;
        else {
          end += count;
          piece = piece.subarray(count);
        }
      }
    }
    const written = end - this.#end;
    let records = 0;
    // Whoever reads may have had those that are whole: they stay.
    for (let at = 0, size; at + HEADER <= written; at += size, records++) {
      size = HEADER + lengthAt(pieces[0]!, at);
      if (at + size > written) break;
      this.#end += size;
    }
    this.#next += records;
    this.flusher.wrote(records);
    if (failed === 0) return records;
    // Nobody may find half of a record.
    attempt(() => libc.ftruncate(fd, BigInt(this.#end)));
    if (records === 0) throw failure(failed, "pwrite", "append to log", this.#directory.path);
    return records;
  }

  /** Learns what others have appended; cuts what one that died has left. */
  #catchUp(): void {
    if (this.#segment !== undefined && this.#active.first === this.#first) {
      const { size, nlink } = stat(this.#segment.fd);
      if (nlink > 0) {
        if (size === this.#end) return;
        if (size > this.#end) return this.#look(this.#end, this.#next);
      }
    }
    this.#leave();
    this.#checkThere();
    this.#open(this.#directory.segments().at(-1) ?? 1);
    try {
      cutConsumers(this.#directory, this.#next);
    } catch (error) {
      // The next one begins with all of this again.
      this.#leave();
      throw error;
    }
  }

  /** A log that was removed takes no records: nobody would find them. */
  #checkThere(): void {
    if (stat(this.#lock.fd).nlink > 0) return;
    const { path } = this.#directory;
    throw new RemovedError(`Cannot append to log "${path}": it was removed`, { target: path });
  }

  #open(first: number): void {
    // Before it is there: a writer that knew the one before must not append to that any more.
    this.#active.first = first;
    this.#segment = this.#directory.createSegment(first);
    this.#first = first;
    try {
      this.flusher.begin(first, this.#segment.fd);
      this.#look(0, first);
      if (this.#end === 0) this.flusher.named();
    } catch (error) {
      // The next one begins with all of this again.
      this.#leave();
      throw error;
    }
  }

  #look(at: number, sequence: number): void {
    const { fd } = this.#segment!;
    const { path, settings } = this.#directory;
    if (at === 0) this.#begun = NaN;
    const { end, next, rest, resumes } = scan(fd, at, sequence, settings, path, (at, _, time) => {
      if (at === 0) this.#begun = time;
    });
    if (resumes !== undefined) {
      this.#leave();
      throw new DecodeError(
        `Cannot append to log "${path}": record ${next} is damaged, and others follow it`,
        undefined,
        {
          target: path,
          hint: "repair() keeps what can be read",
        },
      );
    }
    this.#end = end;
    this.#next = next;
    if (rest > 0) must(() => libc.ftruncate(fd, BigInt(end)), "ftruncate", "cut the torn end of log", path);
  }

  /** Ends a segment that began too long ago, so that it can go, too, and drops what is too old. */
  #lookAtAge(): void {
    const { retainAge } = this.#directory.settings;
    const now = Date.now();
    this.#lookAt = now + Math.min(Math.max(retainAge / 10, LOOKS.least), LOOKS.most);
    if (this.#begun < now - retainAge) this.#roll();
    else this.#drop();
  }

  /** Begins the next segment, and drops what is not to be retained. */
  #roll(): void {
    this.#checkThere();
    this.#leave();
    this.#open(this.#next);
    this.#drop();
  }

  #drop(): void {
    const { retainBytes, retainAge, retainUnread } = this.#directory.settings;
    if (retainBytes === Infinity && retainAge === Infinity) return;
    const segments = this.#directory.segments();
    const sizes = segments.map((first) => {
      using segment = this.#directory.openSegment(first, "read");
      return segment === undefined ? 0 : stat(segment.fd).size;
    });
    let bytes = sizes.reduce((sum, size) => sum + size, 0);
    const unread = retainUnread ? firstUnread(this.#directory) : Infinity;
    const oldest = Date.now() - retainAge;
    for (let index = 0; index < segments.length - 1; index++) {
      // What the next one begins with is behind the last of this.
      if (segments[index + 1]! > unread) return;
      const tooMany = bytes > retainBytes;
      if (!tooMany && (retainAge === Infinity || this.#lastTime(segments[index]!) >= oldest)) return;
      this.#directory.removeSegment(segments[index]!);
      bytes -= sizes[index]!;
    }
  }

  #lastTime(first: number): number {
    if (this.#oldest.first !== first) {
      const { path, settings } = this.#directory;
      using segment = this.#directory.openSegment(first, "read");
      const time = segment === undefined ? -Infinity : scan(segment.fd, 0, first, settings, path).time;
      this.#oldest = { first, time };
    }
    return this.#oldest.time;
  }
}
