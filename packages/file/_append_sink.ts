/** Appending records to the segments of a log, whole or not at all. */

import { DecodeError, ERRNO, IpcError } from "@ipc/core";
import type { Sink } from "@ipc/core/base";
import { check, errno, failure, type OwnedFd, stat } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import { firstUnread } from "./_consumer_state.ts";
import type { LogDirectory } from "./_log_directory.ts";
import { tryLockRange, unlockRange } from "./_range_lock.ts";
import { HEADER, writeHeader, writeRecord } from "./_record.ts";
import { Retry } from "./_retry.ts";
import { scan } from "./_segment_scan.ts";

/** What one write carries at most when records are put together. */
const CHUNK = 256 * 1024;
/** The byte of the lock file that who appends has locked. */
const APPENDING = { offset: 0, length: 1 } as const;

const chunk = new Uint8Array(CHUNK);
const active = new BigUint64Array(1);

/** A {@linkcode Sink} that appends to a log. */
export class AppendSink implements Sink {
  readonly begun = false;
  readonly #directory: LogDirectory;
  readonly #lock: OwnedFd;
  readonly #retry = new Retry();
  /** The segment that is appended to, as far as this writer knows. */
  #segment: OwnedFd | undefined;
  #first = 0;
  /** Where the next record goes, and its sequence. */
  #end = 0;
  #next = 1;
  /** Whether records were written that may not be on the disk yet. */
  dirty = false;

  /** Takes the directory over, and closes it if that fails. */
  constructor(directory: LogDirectory) {
    this.#directory = directory;
    try {
      this.#lock = directory.openLock();
    } catch (error) {
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

  put(message: Uint8Array): boolean {
    return this.putMany([message], 0) === 1;
  }

  putMany(messages: readonly Uint8Array[], from: number): number {
    if (!tryLockRange(this.#lock.fd, APPENDING, false, this.#directory.path)) return from;
    this.#retry.reset();
    let done = from;
    try {
      this.#catchUp();
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

  /** Runs `action`, which may change the segments, while nobody appends. */
  exclusively<T>(action: () => T): T {
    while (!tryLockRange(this.#lock.fd, APPENDING, false, this.#directory.path)) this.#retry.block(undefined);
    try {
      // No segment: whoever appends next looks which is the last.
      this.#setActive(0);
      return action();
    } finally {
      unlockRange(this.#lock.fd, APPENDING);
    }
  }

  /** Forces what was written to the disk, blocking this thread. */
  flush(): void {
    if (!this.dirty || this.#segment === undefined) return;
    this.dirty = false;
    check(libc.fdatasync(this.#segment.fd), "fdatasync", "flush log", this.#directory.path);
  }

  /** Forces what was written to the disk, on a thread of the pool. */
  async flushAside(): Promise<void> {
    if (!this.dirty || this.#segment === undefined) return;
    this.dirty = false;
    // A descriptor of its own, for the segment may be rolled or the log closed meanwhile.
    using segment = this.#directory.openSegment(this.#first, "write");
    if (segment === undefined) return;
    if (await libc.fdatasync_parked(segment.fd) === 0) return;
    // The kernel tells of a failure once: asking again would be told that all is well.
    throw new IpcError(`Cannot flush log "${this.#directory.path}": the disk did not take it`, {
      code: "EIO",
      errno: ERRNO.EIO,
      syscall: "fdatasync",
      target: this.#directory.path,
    });
  }

  end(): void {}

  close(): void {
    this.#segment?.close();
    this.#lock.close();
    this.#directory.close();
  }

  /** Forgets what it knows of the segments. */
  #forget(): void {
    this.#segment?.close();
    this.#segment = undefined;
  }

  /** Writes records until the chunk or the segment is full; returns the first that it did not. */
  #append(messages: readonly Uint8Array[], from: number): number {
    const { segmentBytes, salt } = this.#directory.settings;
    const time = performance.timeOrigin + performance.now();
    let length = 0;
    let after = from;
    do {
      const message = messages[after]!;
      const size = HEADER + message.length;
      if (length + size > CHUNK || (length > 0 && this.#end + length >= segmentBytes)) break;
      length = writeRecord(chunk, length, this.#next + after - from, time, message, salt);
      after++;
    } while (after < messages.length);
    if (after > from) this.#write([chunk.subarray(0, length)]);
    else {
      const message = messages[after++]!;
      writeHeader(chunk, 0, this.#next, time, message, salt);
      this.#write([chunk.subarray(0, HEADER), message]);
    }
    this.#next += after - from;
    return after;
  }

  /** Writes pieces behind the last record, all of them or none. */
  #write(pieces: Uint8Array[]): void {
    const { fd } = this.#segment!;
    const { path } = this.#directory;
    let end = this.#end;
    for (let piece of pieces) {
      while (piece.length > 0) {
        const count = libc.pwrite(fd, piece, BigInt(piece.length), BigInt(end));
        if (count === -1) {
          const code = errno();
          if (code === ERRNO.EINTR) continue;
          // Nobody may find half of it.
          libc.ftruncate(fd, BigInt(this.#end));
          throw failure(code, "pwrite", "append to log", path);
        }
        end += count;
        piece = piece.subarray(count);
      }
    }
    this.#end = end;
    this.dirty = true;
  }

  /** Learns what others have appended; cuts what one that died has left. */
  #catchUp(): void {
    if (this.#segment !== undefined && this.#activeIs(this.#first)) {
      const { size } = stat(this.#segment.fd);
      if (size === this.#end) return;
      if (size > this.#end) return this.#look(this.#end, this.#next);
    }
    this.#forget();
    const segments = this.#directory.segments();
    this.#open(segments.at(-1) ?? 1);
  }

  /** Whether the segment that the last writer appended to is this one. */
  #activeIs(first: number): boolean {
    active[0] = 0n;
    libc.pread(this.#lock.fd, active, 8n, 0n);
    return Number(active[0]) === first;
  }

  #setActive(first: number): void {
    active[0] = BigInt(first);
    libc.pwrite(this.#lock.fd, active, 8n, 0n);
  }

  #open(first: number): void {
    this.#segment = this.#directory.createSegment(first);
    this.#first = first;
    this.#setActive(first);
    this.#look(0, first);
    if (this.#end === 0 && this.#directory.settings.fsync !== "never") this.#directory.sync();
  }

  #look(at: number, sequence: number): void {
    const { fd } = this.#segment!;
    const { path, settings } = this.#directory;
    const { end, next, rest, resumes } = scan(fd, at, sequence, settings, path);
    if (resumes !== undefined) {
      this.#forget();
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
    if (rest > 0) check(libc.ftruncate(fd, BigInt(end)), "ftruncate", "cut the torn end of log", path);
  }

  /** Begins the next segment, and drops what is not to be retained. */
  #roll(): void {
    this.flush();
    this.#segment!.close();
    this.#segment = undefined;
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
    const { path, settings } = this.#directory;
    using segment = this.#directory.openSegment(first, "read");
    return segment === undefined ? -Infinity : scan(segment.fd, 0, first, settings, path).time;
  }
}
