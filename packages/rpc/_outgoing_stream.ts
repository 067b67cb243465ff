import { errorJson } from "./_errors.ts";
import type { Session } from "./_session.ts";

/** Turns of the microtask queue in which more values may come before those that are there leave. */
const TURNS = 24;
/** The most UTF-16 units of values that wait for more. */
const ENOUGH = 64 * 1024;

/** A stream of this side: it is asked for a value only when the other side has asked for one. */
export class OutgoingStream {
  readonly #session: Session;
  readonly #source: AsyncIterable<unknown>;
  #iterator: AsyncIterator<unknown> | undefined;
  #credit: number;
  #wake: (() => void) | undefined;
  #over = false;
  #values: string[] = [];
  #length = 0;
  #turns = 0;
  readonly #enough: number;
  readonly #turn = () => {
    if (this.#turns === 0) return;
    if (--this.#turns > 0) return queueMicrotask(this.#turn);
    try {
      this.#flush();
    } catch (error) {
      this.stop({ error });
    }
  };
  /** Hears once that it is over. */
  onSettled: (() => void) | undefined;

  constructor(session: Session, readonly id: number, source: AsyncIterable<unknown>, credit: number) {
    this.#session = session;
    this.#source = source;
    this.#credit = credit;
    this.#enough = Math.min(ENOUGH, session.maxMessageSize / 2);
    queueMicrotask(() => void this.#run());
  }

  /** The other side asks for more. */
  credit(count: number): void {
    this.#credit += count;
    this.#resume();
  }

  /** Stops: the other side has left, or `reason` is what it is told. */
  stop(reason?: { error: unknown }): void {
    if (this.#over) return;
    this.#over = true;
    if (reason !== undefined) this.#fail(reason.error);
    this.#values = [];
    this.#turns = 0;
    this.#settle();
    this.#resume();
    // What it waits for may never come: nobody waits for its end.
    try {
      this.#iterator?.return?.()?.then(undefined, () => {});
    } catch {
      // It was told.
    }
  }

  async #run(): Promise<void> {
    try {
      if (this.#over) return;
      this.#iterator = this.#source[Symbol.asyncIterator]();
      for (;;) {
        while (this.#credit <= 0 && !this.#over) {
          this.#flush();
          await new Promise<void>((resolve) => this.#wake = resolve);
        }
        const room = this.#session.outbox.room();
        if (room !== undefined) await room;
        if (this.#over) return;
        const { done, value } = await this.#iterator.next();
        if (this.#over) return;
        if (done) break;
        this.#credit--;
        this.#add(value);
      }
      this.#flush();
      this.#tell("end", "");
    } catch (error) {
      // A value that cannot be sent leaves the source in the middle.
      return this.stop({ error });
    }
    this.#settle();
  }

  #add(value: unknown): void {
    // Bytes that travel beside the JSON do so alone, so that only they can be too long.
    if (ArrayBuffer.isView(value)) this.#flush();
    const text = this.#session.encodeResult(value);
    this.#values.push(text);
    this.#length += text.length;
    if (this.#session.hasParts || this.#length > this.#enough) return this.#flush();
    if (this.#turns === 0) queueMicrotask(this.#turn);
    this.#turns = TURNS;
  }

  #flush(): void {
    this.#turns = 0;
    if (this.#values.length === 0) return;
    const values = this.#values;
    const alone = values.length === 1 || this.#session.hasParts;
    this.#values = [];
    this.#length = 0;
    try {
      return this.#tell("next", `,"values":[${values.join()}]`);
    } catch (error) {
      if (alone) throw error;
    }
    // Together they are too long.
    for (const value of values) this.#tell("next", `,"values":[${value}]`);
  }

  /** Tells what came before the error, and it. */
  #fail(error: unknown): void {
    try {
      this.#flush();
    } catch {
      // The other side hears of an error in any case.
    }
    try {
      this.#tell("error", `,"error":${this.#errorJson(error)}`);
    } catch (tooLong) {
      this.#tell("error", `,"error":${this.#errorJson(tooLong)}`);
    }
  }

  #tell(what: string, more: string): void {
    this.#session.notify(`$/stream/${what}`, `{"id":${this.id}${more}}`);
  }

  #errorJson(error: unknown): string {
    return errorJson(error, this.#session.options.exposeErrors === true);
  }

  #resume(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #settle(): void {
    this.#over = true;
    this.#session.streams.closed(this.id);
    this.onSettled?.();
    this.onSettled = undefined;
  }
}
