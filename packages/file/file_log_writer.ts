import type { SyncOptions, WaitOptions } from "@ipc/core";
import { BaseSender } from "@ipc/core/base";
import type { AppendSink } from "./_append_sink.ts";
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
  readonly #policy: FsyncPolicy;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  /** Why a flush that nobody awaited failed: the next call says so. */
  #failure: { error: unknown } | undefined;

  /** Use {@linkcode FileLog.writer}. */
  constructor(sink: AppendSink, policy: FsyncPolicy) {
    super(sink);
    this.#sink = sink;
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
   * @throws {LimitError} if the disk is full, or a quota; nothing of it stays.
   * @throws {DecodeError} if the log is damaged before its end: see `repair`.
   * @throws {TimeoutError} if other writers had the lock for `timeout` milliseconds.
   * @throws {MessageTooLongError} if it is longer than `maxMessageSize`.
   * @throws {IpcError} with code `EIO` if the record was appended and could not be flushed.
   */
  override async send(message: Uint8Array, options?: WaitOptions): Promise<void> {
    this.#throwFailure();
    await super.send(message, options);
    await this.#written();
  }

  /** Appends many records; with `fsync: "always"` one flush serves all. Throws as `send` does; an error carries `sent`. */
  override async sendBatch(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    this.#throwFailure();
    await super.sendBatch(messages, options);
    await this.#written();
  }

  /** Appends without waiting for other writers, though for the disk; false: another writer has the lock. */
  override trySend(message: Uint8Array): boolean {
    this.#throwFailure();
    const sent = super.trySend(message);
    if (sent) this.#writtenSync();
    return sent;
  }

  /** Appends, blocking this thread. Throws as `send` does. */
  override sendSync(message: Uint8Array, options: SyncOptions = {}): void {
    this.#throwFailure();
    super.sendSync(message, options);
    this.#writtenSync();
  }

  /**
   * Forces what was appended to the disk, whatever the policy. System call: `fdatasync`.
   *
   * @throws {IpcError} with code `EIO` if the disk does not take it.
   */
  async flush(): Promise<void> {
    await this.#flushed();
    this.#throwFailure();
  }

  /** Flushes, unless the policy is `"never"`, and closes. */
  override close(): void {
    if (this.closed) return;
    clearTimeout(this.#timer);
    super.close();
  }

  #written(): Promise<void> | void {
    if (this.#policy === "always") return this.#flushed();
    this.#flushSoon();
  }

  #writtenSync(): void {
    if (this.#policy === "always") this.#sink.flush();
    else this.#flushSoon();
  }

  /** One flush serves all that wait before it begins. */
  #flushed(): Promise<void> {
    if (this.#flushing === undefined) {
      return this.#flushing = this.#sink.flushAside().finally(() => this.#flushing = undefined);
    }
    return this.#following ??= this.#flushing.catch(() => {}).then(() => {
      this.#following = undefined;
      return this.#flushed();
    });
  }

  #flushSoon(): void {
    if (this.#policy === "never" || this.#timer !== undefined || this.closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushed().catch((error) => this.#failure = { error });
    }, INTERVAL);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    this.#failure = undefined;
    throw error;
  }
}
