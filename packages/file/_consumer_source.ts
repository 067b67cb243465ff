/** Records that one member of a group gets: each goes to one of them, and back when that one dies. */

import { type Bytes, IpcError } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import type { ConsumerState } from "./_consumer_state.ts";
import { type LogRecord, MOST_BYTES, type RecordSource } from "./_record_source.ts";
import { Places } from "./_places.ts";
import { Retry } from "./_retry.ts";

/** Milliseconds between looks while others have records out: nothing tells that one of them has died. */
const LOOK = 200;

/** A {@linkcode Source} of the messages that a consumer's member gets. */
export class ConsumerSource implements Source<Bytes> {
  readonly ended = false;
  readonly #records: RecordSource;
  readonly #state: ConsumerState;
  readonly #durable: boolean;
  readonly #retry = new Retry();
  /** Where records begin that may come again. */
  readonly #places = new Places();
  /** What was given out to be acknowledged with the next call. */
  #given: number[] = [];
  #othersHave = false;
  /** Whether another member had the state when this one looked last. */
  #busy = false;
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
    if (!this.#settle()) return undefined;
    const batch: Bytes[] = [];
    for (let bytes = 0; batch.length < max && bytes < MOST_BYTES;) {
      const record = this.#takeOr(batch);
      if (record === undefined) break;
      this.#given.push(record.sequence);
      batch.push(record.data);
      bytes += record.data.length;
    }
    return batch.length > 0 ? batch : undefined;
  }

  /** Takes a record that is acknowledged by who gets it. */
  takeRecord(): LogRecord | undefined {
    for (;;) {
      const due = this.#isReady() ? this.#records.next : undefined;
      const claimed = this.#state.claim(due ?? this.#records.next - 1);
      if (this.#isBusy(claimed)) return undefined;
      const { sequence, othersHave, full } = claimed;
      this.#othersHave = othersHave;
      if (sequence !== undefined) return this.#fetch(sequence);
      if (due === undefined || full) return undefined;
      // Another has it, or had it.
      this.#places.keep(this.#records.place);
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
    const stops: (() => void)[] = [];
    const stop = () => {
      if (this.#wake === once) this.#wake = undefined;
      for (const each of stops.splice(0)) each();
    };
    // Whatever comes first: what has not come must not wake the next wait.
    const once = () => {
      stop();
      wake();
    };
    stops.push(this.#records.park(once));
    if (this.#busy) stops.push(this.#retry.park(once));
    else if (this.#othersHave) {
      const timer = setTimeout(once, LOOK);
      stops.push(() => clearTimeout(timer));
    }
    this.#wake = once;
    return stop;
  }

  block(timeout: number | undefined): void {
    if (this.#busy) this.#retry.block(timeout);
    else this.#records.block(this.#othersHave ? Math.min(timeout ?? LOOK, LOOK) : timeout);
  }

  close(): void {
    this.#state.close();
    this.#records.close();
  }

  /** Acknowledges what was given before; false: another member has the state now. */
  #settle(): boolean {
    if (this.#given.length === 0) return true;
    if (this.#isBusy(this.#state.tryAcknowledge(this.#given, this.#durable))) return false;
    this.#given = [];
    return true;
  }

  #isBusy<T>(result: T | undefined): result is undefined {
    this.#busy = result === undefined;
    if (!this.#busy) this.#retry.reset();
    return this.#busy;
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

  /** Reads a record that is this member's; one that comes again does not change where reading goes on. */
  #fetch(sequence: number): LogRecord {
    const on = this.#records.place;
    try {
      if (this.#records.next !== sequence) this.#goTo(sequence);
      const ready = this.#isReady();
      this.#places.keep(this.#records.place);
      const record = ready ? this.#records.takeRecord() : undefined;
      if (record?.sequence !== sequence) {
        throw new IpcError(`Cannot read record ${sequence}: it is not there`, { code: "EIO" });
      }
      this.#places.keep(this.#records.place);
      if (this.#records.next < on.sequence) this.#records.goBack(on);
      return record;
    } catch (error) {
      this.#state.release(sequence);
      throw error;
    }
  }

  #goTo(sequence: number): void {
    const place = this.#places.of(sequence);
    if (place === undefined || !this.#records.goBack(place)) this.#records.seek(sequence);
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
