/** Records that one member of a group gets: each goes to one of them, and back when that one dies. */

import { type Bytes, IpcError } from "@ipc/core";
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
  /** An error that came behind messages of a batch. */
  #error: { error: unknown } | undefined;
  /** Wakes the receive that waits. */
  #wake: (() => void) | undefined;

  constructor(records: RecordSource, state: ConsumerState, durable: boolean) {
    this.#records = records;
    this.#state = state;
    this.#durable = durable;
  }

  take(): Bytes | undefined {
    return this.takeMany(1)?.[0];
  }

  takeMany(max: number = 1024): Bytes[] | undefined {
    this.#state.acknowledge(this.#given, this.#durable);
    this.#given = [];
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
      const { sequence, othersHave, full } = this.#state.claim(due ?? this.#records.next - 1);
      this.#othersHave = othersHave;
      if (sequence !== undefined) return this.#fetch(sequence);
      if (due === undefined || full) return undefined;
      // Another has it, or had it.
      this.#records.takeRecord();
    }
  }

  acknowledge(sequence: number): boolean {
    const had = this.#state.acknowledge([sequence], this.#durable) > 0;
    this.#lookAgain();
    return had;
  }

  release(sequence: number): void {
    this.#state.release(sequence);
    this.#lookAgain();
  }

  park(wake: () => void): () => void {
    const timer = this.#othersHave ? setTimeout(wake, LOOK) : undefined;
    const stop = this.#records.park(wake);
    this.#wake = wake;
    return () => {
      this.#wake = undefined;
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

  /** A record came back, or there is room for one more: nothing but this tells a receive that waits. */
  #lookAgain(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake !== undefined) queueMicrotask(wake);
  }

  /** An error behind messages of a batch is left for the next call. */
  #takeOr(batch: readonly Bytes[]): LogRecord | undefined {
    try {
      return this.takeRecord();
    } catch (error) {
      if (batch.length === 0) throw error;
      this.#error = { error };
      return undefined;
    }
  }

  #fetch(sequence: number): LogRecord {
    try {
      if (this.#records.next !== sequence) this.#records.seek(sequence);
      const record = this.#isReady() ? this.#records.takeRecord() : undefined;
      if (record?.sequence === sequence) return record;
      throw new IpcError(`Cannot read record ${sequence}: it is not there`, { code: "EIO" });
    } catch (error) {
      this.#state.release(sequence);
      throw error;
    }
  }

  #isReady(): boolean {
    if (this.#error !== undefined) {
      const { error } = this.#error;
      this.#error = undefined;
      throw error;
    }
    const lost = this.#records.next;
    try {
      return this.#records.ready();
    } catch (error) {
      const { next } = this.#records;
      // The reader has gone on behind what cannot be read; so does the consumer.
      if (next > lost) this.#state.pass(lost, next, this.#records.oldest);
      throw error;
    }
  }
}
