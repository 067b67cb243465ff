import type { Bytes, SyncOptions, WaitOptions } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import type { ConsumerSource } from "./_consumer_source.ts";
import type { LogRecord } from "./_record_source.ts";

/** A record that is to be acknowledged. */
export interface ConsumedRecord extends LogRecord {
  /**
   * Says that it was used: nobody gets it again. False: that was said already, it was released, or the consumer closed.
   *
   * @throws {TimeoutError} if another member that does not run, as one that is stopped, has had the place for 2 seconds.
   */
  acknowledge(): boolean;
  /** Gives it back: any member of the group gets it, this one too. */
  release(): void;
}

/**
 * One member of a consumer, whose place in the log is kept under its name: what {@linkcode FileLog.consumer} gives.
 *
 * Every process that opens the consumer is a member of its group, and each record goes to one of them. It is gone once
 * it was acknowledged, and comes again, to whichever member asks first, when the one that had it ends without: at
 * least once, and never skipped. `receive`, `receiveBatch` and iterating acknowledge what they gave before when they
 * are called again; who works on several at once takes {@linkcode FileLogConsumer.receiveRecord}.
 *
 * At most 4096 records behind the oldest that is out are given, and a batch ends with the message that makes it 4 MiB.
 * It owns descriptors until `close`, which gives back
 * what was not acknowledged. While others have records out it looks every 200 ms whether they have died.
 *
 * @example
 * ```ts
 * import { FileLog } from "@ipc/file";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `/tmp/example-${crypto.randomUUID()}`;
 * using log = FileLog.create(path);
 * using writer = log.writer();
 * await writer.send(new TextEncoder().encode("job 1"));
 * {
 *   using first = log.consumer("worker");
 *   await first.receiveRecord(); // And then it dies, or fails.
 * }
 * using second = log.consumer("worker"); // In another process, as a rule.
 * const job = (await second.receiveRecord())!;
 * assertEquals(new TextDecoder().decode(job.data), "job 1");
 * job.acknowledge();
 * assertEquals(second.tryReceive(), undefined);
 * FileLog.remove(path);
 * ```
 */
export class FileLogConsumer extends BaseReceiver<Bytes> {
  /** The name under which its place is kept. */
  readonly name: string;
  readonly #source: ConsumerSource;

  /** Use {@linkcode FileLog.consumer}. */
  constructor(name: string, source: ConsumerSource) {
    super(source);
    this.name = name;
    this.#source = source;
  }

  /**
   * Receives a record, to be acknowledged after use. System calls: `fcntl`, `pread`; `pwrite` to acknowledge, and
   * `fdatasync` with `fsync: "always"`.
   *
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {RemovedError} once, if records were dropped before they were used, which takes `retain.unread: "drop"`.
   */
  async receiveRecord(options?: WaitOptions): Promise<ConsumedRecord | undefined> {
    return await this.receiveWith(() => this.#take(), options);
  }

  /** {@linkcode FileLogConsumer.receiveRecord} without waiting; `undefined`: nothing now. */
  tryReceiveRecord(): ConsumedRecord | undefined {
    return this.tryReceiveWith(() => this.#take());
  }

  /** {@linkcode FileLogConsumer.receiveRecord}, blocking this thread. */
  receiveRecordSync(options?: SyncOptions): ConsumedRecord | undefined {
    return this.receiveSyncWith(() => this.#take(), options);
  }

  #take(): ConsumedRecord | undefined {
    const record = this.#source.takeRecord();
    return record && {
      ...record,
      acknowledge: () => !this.closed && this.#source.acknowledge(record.sequence),
      release: () => {
        if (!this.closed) this.#source.release(record.sequence);
      },
    };
  }
}
