import type { Bytes, SyncOptions, WaitOptions } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import type { LogPosition, LogRecord, RecordSource } from "./_record_source.ts";

export type { LogPosition, LogRecord } from "./_record_source.ts";

/**
 * Reads a log from a place of its own on: what {@linkcode FileLog.reader} gives.
 *
 * Reading takes nothing away. It waits by inotify, without polling, and never gives a record that is not whole: what
 * a writer that was killed has left is not seen. A batch ends with the message that makes it 4 MiB. A log has no end.
 * It owns descriptors until `close`.
 *
 * A receive throws, once each, and the next goes on behind: a {@linkcode RemovedError} where records were dropped
 * before they were read, a {@linkcode DecodeError} where some are damaged, a {@linkcode TruncatedError} where
 * somebody cut the file. Where the log itself was removed every receive is a RemovedError.
 */
export class FileLogReader extends BaseReceiver<Bytes> {
  readonly #source: RecordSource;

  /** Use {@linkcode FileLog.reader}. */
  constructor(source: RecordSource) {
    super(source);
    this.#source = source;
  }

  /** The sequence of the record that comes next. */
  get position(): number {
    return this.#source.next;
  }

  /**
   * Goes to another place; not while a receive pends. System calls: `getdents64`, `openat`, `pread`.
   *
   * @throws {RangeError} if a sequence is not an integer from 1, or a Date invalid.
   * @throws {IpcError} with code `EBUSY` while a receive pends.
   *
   * @example
   * ```ts
   * import { FileLog } from "@ipc/file";
   * import { assertEquals } from "@std/assert";
   *
   * const path = `/tmp/example-${crypto.randomUUID()}`;
   * using log = FileLog.create(path);
   * using writer = log.writer();
   * for (const byte of [1, 2, 3]) writer.sendSync(new Uint8Array([byte]));
   * using reader = log.reader();
   * reader.seek(3);
   * assertEquals(reader.tryReceive(), new Uint8Array([3]));
   * reader.seek("start");
   * assertEquals(reader.tryReceiveRecord()?.sequence, 1);
   * FileLog.remove(path);
   * ```
   */
  seek(from: LogPosition): void {
    this.tryReceiveWith(() => this.#source.seek(from));
  }

  /**
   * Receives a message with its sequence and the moment at which it was appended.
   *
   * @throws {TimeoutError} if none came within `timeout`.
   */
  receiveRecord(options?: WaitOptions): Promise<LogRecord | undefined> {
    return this.receiveWith(() => this.#source.takeRecord(), options);
  }

  /** {@linkcode FileLogReader.receiveRecord} without waiting; `undefined`: nothing now. */
  tryReceiveRecord(): LogRecord | undefined {
    return this.tryReceiveWith(() => this.#source.takeRecord());
  }

  /** {@linkcode FileLogReader.receiveRecord}, blocking this thread. */
  receiveRecordSync(options?: SyncOptions): LogRecord | undefined {
    return this.receiveSyncWith(() => this.#source.takeRecord(), options);
  }
}
