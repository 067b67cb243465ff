import { AlreadyExistsError, NotFoundError, PermissionError, type SyncOptions } from "@ipc/core";
import { type OwnedFd, stat } from "@ipc/core/sys";
import { AppendSink } from "./_append_sink.ts";
import { ConsumerSource } from "./_consumer_source.ts";
import { ConsumerState } from "./_consumer_state.ts";
import { LogDirectory, type LogTrustOptions } from "./_log_directory.ts";
import { type LogPosition, RecordSource } from "./_record_source.ts";
import { repairLog, type RepairReport, verifyLog, type VerifyReport } from "./_repair.ts";
import { type FsyncPolicy, type LogOptions, settingsOf } from "./_settings.ts";
import { FileLogConsumer } from "./file_log_consumer.ts";
import { FileLogReader } from "./file_log_reader.ts";
import { FileLogWriter } from "./file_log_writer.ts";

export type { LogTrustOptions } from "./_log_directory.ts";
export type { LogDamage, RepairReport, VerifyReport } from "./_repair.ts";
export type { FsyncPolicy, LogOptions } from "./_settings.ts";

/** How a log is created. */
export interface LogCreateOptions extends LogOptions {
  /** Permission bits of its files, exact whatever the umask; 0o600 unless told. Its directory can be searched by who may read. */
  mode?: number | undefined;
}

/** A log at one moment. */
export interface LogStatus {
  /** Segments, each a file. */
  readonly segments: number;
  /** Bytes of all segments. */
  readonly bytes: number;
  /** The sequence of the oldest record; of the one to come, where there is none. */
  readonly first: number;
  /** The sequence of the newest record; 0: there never was one. */
  readonly last: number;
  /** When records are forced to the disk. */
  readonly fsync: FsyncPolicy;
  /** The longest message in bytes. */
  readonly maxMessageSize: number;
  /** The named consumers; none where this user may only read, for who may open their places can stop them. */
  readonly consumers: readonly ConsumerStatus[];
}

/** A named consumer at one moment. */
export interface ConsumerStatus {
  /** Its name. */
  readonly name: string;
  /** The first sequence that was not acknowledged. */
  readonly position: number;
  /** Records that no member has, and nobody has acknowledged. */
  readonly waiting: number;
  /** Records that members have. */
  readonly out: number;
}

/**
 * A file as a durable channel of messages, for processes that need not live at the same time: an append-only log.
 *
 * Any number of processes append, each record whole and in one place; any number read, each at a place of its own, or
 * as members of named consumers whose place is kept. A writer that is killed leaves at most a torn end, which nobody
 * is given and the next writer cuts. The log is a directory of segments at its path; what is written stays until it is
 * removed, or dropped as `retain` says. Needs `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { FileLog } from "@ipc/file";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `/tmp/example-${crypto.randomUUID()}`;
 * using log = FileLog.create(path);
 * using writer = log.writer();
 * await writer.send(new TextEncoder().encode("hello"));
 *
 * using same = FileLog.open(path); // In another process, on another day.
 * using reader = same.reader({ from: "start" });
 * const record = (await reader.receiveRecord())!;
 * assertEquals([record.sequence, new TextDecoder().decode(record.data)], [1, "hello"]);
 * FileLog.remove(path);
 * ```
 */
export class FileLog implements Disposable {
  readonly #directory: LogDirectory;

  private constructor(directory: LogDirectory) {
    this.#directory = directory;
  }

  /**
   * Creates a log, which is seen only when it is whole. System calls: `mkdir`, `openat`, `fchmod`, `fsync`, `rename`.
   *
   * A process that is killed meanwhile leaves a directory of the path and a UUID.
   *
   * @throws {AlreadyExistsError} if there is something at the path that is no empty directory.
   * @throws {NotFoundError} if there is no directory to create it in.
   * @throws {PermissionError} if that may not be written.
   * @throws {LimitError} if the disk is full.
   * @throws {RangeError} if an option is out of range.
   */
  static create(path: string, options: LogCreateOptions = {}): FileLog {
    return new FileLog(LogDirectory.create(path, settingsOf(options), checkMode(path, options.mode)));
  }

  /**
   * Opens a log that exists. System calls: `open`, `fstat`, `openat`, `pread`.
   *
   * @throws {NotFoundError} if there is none, or an empty directory.
   * @throws {UntrustedError} if it is somebody else's, and `allowOwner` does not name them; or no log.
   */
  static open(path: string, options: LogTrustOptions = {}): FileLog {
    return new FileLog(LogDirectory.open(path, options));
  }

  /** Opens a log, or creates it; who else comes at the same time gets the same one. Throws as `open` and `create` do. */
  static openOrCreate(path: string, options: LogCreateOptions & LogTrustOptions = {}): FileLog {
    const settings = settingsOf(options);
    const mode = checkMode(path, options.mode);
    for (let attempt = 1;; attempt++) {
      try {
        return FileLog.open(path, options);
      } catch (error) {
        if (!(error instanceof NotFoundError) || attempt === MOST_ATTEMPTS) throw error;
      }
      try {
        return new FileLog(LogDirectory.create(path, settings, mode));
      } catch (error) {
        if (!(error instanceof AlreadyExistsError) || attempt === MOST_ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Removes a log, with its segments and consumers; who has it open loses it. System calls: `rename`, `unlinkat`, `rmdir`.
   *
   * Its name goes first, so that it is there as a whole or not at all: a process that is killed meanwhile leaves a
   * directory of the path and a UUID.
   *
   * @throws {NotFoundError} if there is none.
   * @throws {UntrustedError} if it is somebody else's, or no log.
   * @throws {IpcError} with code `ENOTEMPTY` if there is something in it that is not the log's; then all of it stays.
   */
  static remove(path: string, options: LogTrustOptions = {}): void {
    LogDirectory.remove(path, options);
  }

  /** Where it is. */
  get path(): string {
    return this.#directory.path;
  }

  /** Appends to it: see {@linkcode FileLogWriter}. Drops what is older than `retain.age`. */
  writer(): FileLogWriter {
    const sink = new AppendSink(this.#directory.again());
    sink.dropOld();
    return new FileLogWriter(sink, this.#directory.settings.fsync);
  }

  /**
   * Reads it from a place on, the oldest record unless told: see {@linkcode FileLogReader}.
   *
   * @throws {RangeError} if a sequence is not an integer from 1, or a Date invalid.
   */
  reader(options: { from?: LogPosition | undefined } = {}): FileLogReader {
    return new FileLogReader(new RecordSource(this.#directory.again(), options.from ?? "start"));
  }

  /**
   * Becomes a member of a named consumer: see {@linkcode FileLogConsumer}. `from` is where one begins that has no place
   * yet, the oldest record unless told.
   *
   * @throws {TypeError} if the name is not 1 to 255 letters, digits, `.`, `_` and `-`, the first no dot.
   * @throws {RangeError} if `from` is behind the record that is appended next, where one would begin that has no place yet.
   * @throws {TimeoutError} if a member that does not run, as one that is stopped, has the place.
   */
  consumer(name: string, options: { from?: LogPosition | undefined } = {}): FileLogConsumer {
    const directory = this.#directory.again();
    const { from = "start" } = options;
    const records = new RecordSource(directory, from);
    const end = () => {
      records.seek("end");
      return records.next;
    };
    try {
      let file = directory.openConsumer(name, "write");
      const first = records.next;
      if (file === undefined) {
        if (typeof from === "number" && from > end()) {
          throw new RangeError(
            `Cannot begin consumer "${name}" at record ${from}: log "${this.path}" ends before ${records.next}`,
          );
        }
        file = directory.createConsumer(name);
      }
      const state = new ConsumerState(file, `consumer "${name}" of log "${this.path}"`);
      try {
        state.begin({ first, oldest: () => records.oldest, end });
        records.seek(state.floor);
      } catch (error) {
        state.close();
        throw error;
      }
      const durable = directory.settings.fsync === "always";
      return new FileLogConsumer(name, new ConsumerSource(records, state, durable));
    } catch (error) {
      records.close();
      throw error;
    }
  }

  /**
   * Forgets the place of a consumer; its members get records until they close. System call: `unlinkat`.
   *
   * @throws {NotFoundError} if there is none of this name.
   */
  removeConsumer(name: string): void {
    if (this.#directory.removeConsumer(name)) return;
    throw new NotFoundError(`Cannot remove consumer "${name}" of log "${this.path}": there is none`, {
      target: name,
    });
  }

  /** Looks at it; reads through the last segment. System calls: `getdents64`, `fstat`, `pread`, `fcntl`. */
  stat(): LogStatus {
    const directory = this.#directory;
    const { fsync, maxMessageSize } = directory.settings;
    const segments = directory.segments();
    let bytes = 0;
    for (const first of segments) {
      using segment = directory.openSegment(first, "read");
      if (segment !== undefined) bytes += stat(segment.fd).size;
    }
    using end = this.reader({ from: "end" });
    const last = end.position - 1;
    const consumers = directory.consumers().map((name) => this.#consumer(name, last)).filter((one) =>
      one !== undefined
    );
    return {
      segments: segments.length,
      bytes,
      first: segments[0] ?? 1,
      last,
      fsync,
      maxMessageSize,
      consumers,
    };
  }

  /** Reads all of it, and tells what is damaged; changes nothing. System calls: `getdents64`, `openat`, `pread`. */
  verify(): VerifyReport {
    return verifyLog(this.#directory);
  }

  /**
   * Keeps every record that can be read, and cuts what cannot: a torn end, damage in the middle. Records keep their
   * sequences. No writer appends meanwhile. System calls: those of `verify`, `ftruncate`, `pwrite`, `fsync`, `renameat`.
   *
   * @throws {LimitError} if the disk has no room for the segment that is written anew; nothing has changed then.
   * @throws {TimeoutError} if writers had the lock for `timeout` milliseconds.
   */
  repair(options: SyncOptions = {}): RepairReport {
    const sink = new AppendSink(this.#directory.again());
    try {
      return sink.exclusively(() => repairLog(this.#directory), options);
    } finally {
      sink.close();
    }
  }

  /** Gives the handle back; its readers, writers and consumers go on. Calling it again does nothing. */
  close(): void {
    this.#directory.close();
  }

  /** The same as {@linkcode FileLog.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #consumer(name: string, last: number): ConsumerStatus | undefined {
    const file = this.#tryOpenConsumer(name);
    if (file === undefined) return undefined;
    const state = new ConsumerState(file, `consumer "${name}"`);
    try {
      return { name, position: state.floor, ...state.count(last) };
    } finally {
      state.close();
    }
  }

  #tryOpenConsumer(name: string): OwnedFd | undefined {
    try {
      return this.#directory.openConsumer(name, "read");
    } catch (error) {
      if (error instanceof PermissionError) return undefined;
      throw error;
    }
  }
}

const MOST_ATTEMPTS = 100;

function checkMode(path: string, mode: number = 0o600): number {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o666 && (mode & 0o111) === 0) return mode;
  throw new RangeError(
    `Cannot give log "${path}" the mode ${mode}: it is for reading and writing, such as 0o600`,
  );
}
