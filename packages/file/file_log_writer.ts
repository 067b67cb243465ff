import { ClosedError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { BaseSender } from "@ipc/core/base";
import type { AppendSink } from "./_append_sink.ts";
import { FlushLine } from "./_flush_line.ts";
import type { FsyncPolicy } from "./_settings.ts";

/** Milliseconds within which `"interval"` forces records to the disk. */
const INTERVAL = 1000;

/**
 * Appends to a log, beside any number of other writers: what {@linkcode FileLog.writer} gives.
 *
 * Each record lies whole and in one place, under a lock that the kernel drops with its holder. With `fsync: "always"`
 * a send resolves, and the blocking forms return, when its record is on the disk; sends that wait together share one
 * flush. A full disk is a `LimitError`, and nothing of the record stays. It owns descriptors until `close`.
 *
 * @example
 * ```ts
 * import { FileLog } from "@ipc/file";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `/tmp/example-${crypto.randomUUID()}`;
 * using log = FileLog.create(path, { fsync: "always" });
 * using writer = log.writer();
 * await writer.sendBatch([new Uint8Array(3), new Uint8Array(0)]);
 * assertEquals(writer.last, 2);
 * FileLog.remove(path);
 * ```
 */
export class FileLogWriter extends BaseSender {
  readonly #sink: AppendSink;
  readonly #flushes: FlushLine;
  readonly #policy: FsyncPolicy;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer is due, for a program that leaves it no turn. */
  #due = 0;
  /** Failed flushes that were told to a caller; of one that nobody awaited the next call is told. */
  #told = 0;

  /** Use {@linkcode FileLog.writer}. */
  constructor(sink: AppendSink, policy: FsyncPolicy) {
    super(sink);
    this.#sink = sink;
    this.#flushes = new FlushLine(sink.flusher);
    this.#policy = policy;
  }

  /** The sequence of the last record that this writer has appended, or seen when it last did. */
  get last(): number {
    return this.#sink.last;
  }

  /**
   * Appends one record; with `fsync: "always"` resolves once it is on the disk. System calls: `fcntl`, `fstat`,
   * `pwrite`, `fdatasync`.
   *
   * An error with `partial: true` says that the record was appended, and readers have it, but that it is not known to
   * be on the disk: the flush failed, or `timeout` or `signal` ended the wait for it.
   *
   * @throws {LimitError} if the disk is full, or a quota; nothing of it stays.
   * @throws {DecodeError} if the log is damaged before its end: see `repair`.
   * @throws {RemovedError} if the log was removed.
   * @throws {TimeoutError} if other writers had the lock, or the disk was busy, for `timeout` milliseconds.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`.
   * @throws {IpcError} with code `EIO` and `partial: true` if the disk did not take it.
   */
  override async send(message: Uint8Array, options?: WaitOptions): Promise<void> {
    this.#tell();
    const { failures } = this.#sink.flusher;
    const deadline = deadlineOf(options);
    await super.send(message, options);
    if (this.#isDue()) await this.#flushed(failures, rest(options, deadline));
  }

  /** Appends many records; with `fsync: "always"` one flush serves all. Throws as `send` does; an error carries `sent`. */
  override async sendBatch(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    this.#tell();
    const { failures } = this.#sink.flusher;
    const deadline = deadlineOf(options);
    const drawn = { count: 0 };
    const isArray = Array.isArray(messages);
    try {
      await super.sendBatch(isArray ? messages : counted(messages, drawn), options);
    } catch (error) {
      // To say that some were sent is to acknowledge them.
      const sent = (error as { sent?: number } | undefined)?.sent ?? 0;
      if (sent > 0 && this.#isDue()) await this.#flushed(failures, rest(options, deadline), sent);
      throw error;
    }
    if (!this.#isDue()) return;
    await this.#flushed(failures, rest(options, deadline), isArray ? messages.length : drawn.count);
  }

  /** Appends without waiting for other writers, though for the disk; false: another writer has the lock. */
  override trySend(message: Uint8Array): boolean {
    this.#tell();
    const sent = super.trySend(message);
    if (sent && this.#isDue()) this.#flushSync();
    return sent;
  }

  /** Appends, blocking this thread, for the disk without regard to `timeout`. Throws as `send` does. */
  override sendSync(message: Uint8Array, options: SyncOptions = {}): void {
    this.#tell();
    super.sendSync(message, options);
    if (this.#isDue()) this.#flushSync();
  }

  /**
   * Forces what this writer has appended to the disk, whatever the policy. System calls: `fdatasync`, `fsync`.
   *
   * @throws {IpcError} with code `EIO` if the disk does not take it.
   * @throws {TimeoutError} if that took longer than `timeout`; it goes on.
   * @throws {ClosedError} if this writer was closed.
   */
  async flush(options?: WaitOptions): Promise<void> {
    if (this.closed) throw new ClosedError("Cannot flush log: the channel is closed");
    this.#tell();
    const { flusher } = this.#sink;
    try {
      await this.#flushes.wait(flusher.failures, options);
    } finally {
      this.#told = flusher.failures;
    }
  }

  /**
   * Flushes, unless the policy is `"never"`, blocking this thread, and closes. Sends that wait for a flush are answered
   * by what came of that one.
   *
   * @throws {IpcError} with code `EIO` if the disk did not take what nobody was told about.
   */
  override close(): void {
    if (this.closed) return;
    clearTimeout(this.#timer);
    try {
      super.close();
    } finally {
      this.#flushes.close();
    }
    this.#tell();
  }

  /** Whether what was appended is to be flushed now; if not, it is within a second. */
  #isDue(): boolean {
    if (this.#policy === "always") return true;
    if (this.#timer === undefined || performance.now() < this.#due) {
      this.#flushSoon();
      return false;
    }
    // The flush that was to come did not, for nothing but this program has had a turn.
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return true;
  }

  /** Waits for the flush of what was appended; `sent` records of a batch. */
  async #flushed(failures: number, options: WaitOptions | undefined, sent?: number): Promise<void> {
    try {
      await this.#flushes.wait(failures, options);
    } catch (error) {
      throw this.#appended(error, sent);
    }
  }

  #flushSync(): void {
    const { flusher } = this.#sink;
    if (!flusher.flush()) throw this.#appended(flusher.error());
  }

  #flushSoon(): void {
    if (this.#policy === "never" || this.#timer !== undefined || this.closed) return;
    this.#due = performance.now() + INTERVAL;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#flushes.begin();
      } catch {
        this.#flushSoon();
      }
    }, INTERVAL);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** Tells of a flush that nobody awaited; where each is awaited, those are told. */
  #tell(): void {
    const { flusher } = this.#sink;
    if (flusher.failures === this.#told || this.#policy === "always") return;
    this.#told = flusher.failures;
    throw flusher.error();
  }

  /** Makes an error one of records that were appended; `sent` of a batch. */
  #appended(error: unknown, sent?: number): unknown {
    this.#told = this.#sink.flusher.failures;
    if (typeof error !== "object" || error === null || !Object.isExtensible(error)) return error;
    return Object.assign(error, { partial: true }, sent === undefined ? undefined : { sent });
  }
}

/** When the time of a call is over; `undefined`: never. */
function deadlineOf(options: WaitOptions | undefined): number | undefined {
  return options?.timeout === undefined ? undefined : performance.now() + options.timeout;
}

/** What is left for the second half of a call. */
function rest(options: WaitOptions | undefined, deadline: number | undefined): WaitOptions | undefined {
  if (deadline === undefined) return options;
  return { ...options, timeout: Math.max(0, deadline - performance.now()) };
}

/** Counts what is drawn. */
function* counted(messages: Iterable<Uint8Array>, drawn: { count: number }): Iterable<Uint8Array> {
  for (const message of messages) {
    drawn.count++;
    yield message;
  }
}
