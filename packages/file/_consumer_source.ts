/** Records that one member of a group gets: each goes to one of them, and back when that one dies. */

import { type Bytes, RemovedError } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import type { ConsumerState } from "./_consumer_state.ts";
import type { LogRecord, RecordSource } from "./_record_source.ts";

/** Milliseconds between looks while others have records out: nothing tells that one of them has died. */
const LOOK = 200;

/** A {@linkcode Source} of the messages that a consumer's member gets. */
export class ConsumerSource implements Source<Bytes> {
  readonly ended = false;
  readonly #records: RecordSource;
  readonly #state: ConsumerState;
  readonly #durable: boolean;
  /** What was given out to be acknowledged with the next call. */
  #given: number[] = [];
  #othersHave = false;

  constructor(records: RecordSource, state: ConsumerState, durable: boolean) {
    this.#records = records;
    this.#state = state;
    this.#durable = durable;
  }

  take(): Bytes | undefined {
    return this.takeMany(1)?.[0];
  }

  takeMany(max: number = 1024): Bytes[] | undefined {
    for (const sequence of this.#given.splice(0)) this.acknowledge(sequence);
    const batch: Bytes[] = [];
    while (batch.length < max) {
      const record = this.#takeOr(batch);
      if (record === undefined) break;
      this.#given.push(record.sequence);
      batch.push(record.data);
    }
    return batch.length > 0 ? batch : undefined;
  }

  /** Takes a record that is acknowledged by who gets it. */
  takeRecord(): LogRecord | undefined {
    for (;;) {
      const due = this.#isReady() ? this.#records.next : undefined;
      const { sequence, othersHave } = this.#state.claim(due ?? this.#records.next - 1);
      this.#othersHave = othersHave;
      if (sequence !== undefined) return this.#fetch(sequence);
      if (due === undefined) return undefined;
      // Another has it, or had it.
      this.#records.takeRecord();
    }
  }

  acknowledge(sequence: number): boolean {
    return this.#state.acknowledge(sequence, this.#durable);
  }

  release(sequence: number): void {
    this.#state.release(sequence);
  }

  park(wake: () => void): () => void {
    const timer = this.#othersHave ? setTimeout(wake, LOOK) : undefined;
    const stop = this.#records.park(wake);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }

  block(timeout: number | undefined): void {
    this.#records.block(this.#othersHave ? Math.min(timeout ?? LOOK, LOOK) : timeout);
  }

  close(): void {
    this.#state.close();
    this.#records.close();
  }

  /** An error behind messages of a batch is left for the next call. */
  #takeOr(batch: readonly Bytes[]): LogRecord | undefined {
    try {
      return this.takeRecord();
    } catch (error) {
      if (batch.length === 0) throw error;
      return undefined;
    }
  }

  #fetch(sequence: number): LogRecord {
    try {
      if (this.#records.next !== sequence) this.#records.seek(sequence);
      const record = this.#isReady() ? this.#records.takeRecord() : undefined;
      if (record?.sequence === sequence) return record;
      // It was dropped after all: whoever comes next learns of that.
      throw new RemovedError(`Cannot read record ${sequence}: it is not there any more`);
    } catch (error) {
      this.#state.release(sequence);
      throw error;
    }
  }

  #isReady(): boolean {
    try {
      return this.#records.ready();
    } catch (error) {
      // The reader has gone on behind what is lost; so does the consumer.
      this.#state.passTo(this.#records.next);
      throw error;
    }
  }
}
