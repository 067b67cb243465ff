import { LimitError } from "@ipc/core";
import type { Credit } from "./_outgoing_stream.ts";
import { Queue } from "./_queue.ts";
import type { Message } from "./_reader.ts";
import type { Revival } from "./_revival.ts";
import type { RpcError } from "./rpc_error.ts";

/** What a stream tells the one who sends it. */
export interface StreamControl {
  /** So many values and bytes more may come. */
  credit(id: number, count: number, bytes: number): void;
  /** Nothing more is wanted. */
  cancel(id: number): void;
  /** What puts things in the place of markers. */
  revival(parts: Uint8Array[] | undefined): Revival | undefined;
}

/** A value that was not taken yet. */
interface Entry {
  readonly value: unknown;
  /** How many bytes came with it: those of a message count with its last value. */
  readonly bytes: number;
  /** What it brought, to be given back if nobody takes it. */
  readonly came: Revival | undefined;
}

interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(reason: unknown): void;
}

/** The values of a stream of the other side, asked for as they are taken. */
export class IncomingStream implements AsyncIterableIterator<unknown> {
  readonly #control: StreamControl;
  readonly #entries = new Queue<Entry>();
  /** Values that may still come without further asking, and bytes of which the last message may have more. */
  #credit: number;
  #bytes: number;
  #taken = 0;
  #takenBytes = 0;
  #waiters: Waiter[] = [];
  #over = false;
  #error: { reason: unknown } | undefined;
  /** Hears once that it has ended, failed or was left. */
  onSettled: (() => void) | undefined;
  /** What the one who takes it hears for an error of the other side. */
  translate: ((error: RpcError) => Error) | undefined;

  constructor(control: StreamControl, readonly id: number, private readonly ahead: Credit) {
    this.#control = control;
    this.#credit = ahead.credit;
    this.#bytes = ahead.bytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    const entry = this.#entries.shift();
    if (entry !== undefined) {
      if (!this.#over) this.#count(entry.bytes);
      return Promise.resolve({ done: false, value: entry.value });
    }
    if (this.#error !== undefined) {
      const { reason } = this.#error;
      this.#error = undefined;
      return Promise.reject(reason);
    }
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(value?: unknown): Promise<IteratorResult<unknown>> {
    this.#drop();
    this.#error = undefined;
    if (!this.#over) {
      this.#control.cancel(this.id);
      this.#settle();
    }
    return Promise.resolve({ done: true, value });
  }

  /** Values came; more than were asked for is an offence. */
  push(values: readonly unknown[], { parts, marked, length }: Message): void {
    const tooMuch = this.#bytes <= 0;
    this.#credit -= values.length;
    this.#bytes -= length;
    if (this.#credit < 0 || tooMuch) {
      this.#control.revival(parts)?.discard(values);
      return this.abort(
        new LimitError("Cannot receive the stream: the peer sends more than it was asked for"),
      );
    }
    for (let index = 0; index < values.length; index++) {
      let value = values[index];
      let came: Revival | undefined;
      if (marked) {
        came = this.#control.revival(parts);
        try {
          value = came?.revive(value);
        } catch (error) {
          this.#control.revival(parts)?.discard(values.slice(index + 1));
          return this.abort(error);
        }
      }
      const bytes = index === values.length - 1 ? length : 0;
      const waiter = this.#waiters.shift();
      if (waiter === undefined) this.#entries.push({ value, bytes, came });
      else {
        this.#count(bytes);
        waiter.resolve({ done: false, value });
      }
    }
  }

  /** It has ended; what has come can still be taken. */
  end(): void {
    if (!this.#over) this.#settle();
  }

  /** It has failed; what has come can still be taken, then comes the error. */
  fail(reason: unknown): void {
    if (this.#over) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#error = { reason };
    else waiter.reject(reason);
    this.#settle();
  }

  /** The other side says that it has failed. */
  failed(error: RpcError): void {
    this.fail(this.translate?.(error) ?? error);
  }

  /** This side gives it up. */
  abort(reason: unknown): void {
    if (this.#over) return;
    this.#control.cancel(this.id);
    this.#drop();
    this.fail(reason);
  }

  /** Lets go of what nobody took. */
  #drop(): void {
    for (const { came } of this.#entries.clear()) came?.letGo();
  }

  /** Asks for more when half of what may come has been taken. */
  #count(bytes: number): void {
    this.#takenBytes += bytes;
    const { ahead } = this;
    if (++this.#taken * 2 < ahead.credit && this.#takenBytes * 2 < ahead.bytes) return;
    this.#credit += this.#taken;
    this.#bytes += this.#takenBytes;
    this.#control.credit(this.id, this.#taken, this.#takenBytes);
    this.#taken = this.#takenBytes = 0;
  }

  #settle(): void {
    this.#over = true;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ done: true, value: undefined });
    this.onSettled?.();
    this.onSettled = undefined;
  }
}
