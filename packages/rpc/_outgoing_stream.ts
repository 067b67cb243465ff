import { WIDEST } from "./_encoder.ts";
import type { Session } from "./_session.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** Turns of the microtask queue in which more values may come before those that are there leave. */
const TURNS = 24;
/** The most UTF-16 units of values that wait for more. */
const ENOUGH = 64 * 1024;

/** The most UTF-16 units of a message besides its values. */
const AROUND = 120;
/** Levels of nesting that a message has around a value. */
const LEVELS = 3;

/** How much may be sent. */
export interface Credit {
  /** Values. */
  readonly credit: number;
  /** UTF-16 units of the messages that have them, and bytes beside these; one message may have more than is left. */
  readonly bytes: number;
}

/** A stream of this side: it is asked for a value only when the other side has asked for one. */
export class OutgoingStream {
  readonly #session: Session;
  readonly #source: AsyncIterable<unknown>;
  #iterator: AsyncIterator<unknown> | undefined;
  #credit: number;
  #bytes: number;
  #wake: (() => void) | undefined;
  #over = false;
  #values: string[] = [];
  /** Takes back the functions and streams of values that wait. */
  #undo: (() => void)[] = [];
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

  constructor(
    session: Session,
    readonly id: number,
    source: AsyncIterable<unknown>,
    { credit, bytes }: Credit,
  ) {
    this.#session = session;
    this.#source = source;
    this.#credit = credit;
    this.#bytes = bytes;
    // So many fit together, whatever they are: what is longer goes alone.
    this.#enough = Math.min(ENOUGH, (session.maxMessageSize - AROUND) / WIDEST);
    queueMicrotask(() => void this.#run());
  }

  /** The other side asks for more. */
  more({ credit, bytes }: Credit): void {
    this.#credit += credit;
    this.#bytes += bytes;
    this.#resume();
  }

  /** Stops: the other side has left, or `reason` is what it is told. */
  stop(reason?: { error: unknown }): void {
    if (this.#over) return;
    this.#over = true;
    if (reason !== undefined) this.#fail(reason.error);
    this.#values = [];
    this.#takeBack();
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
        while (!this.#mayAsk() && !this.#over) {
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

  /**
   * Whether the other side takes another value. What waits here counts when it leaves, which may be now: what is left
   * then is enough for a message with one more.
   */
  #mayAsk(): boolean {
    if (this.#credit > 0 && this.#bytes <= this.#length + AROUND) this.#flush();
    return this.#credit > 0 && this.#bytes > 0;
  }

  #add(value: unknown): void {
    // Bytes that travel beside the JSON do so alone, so that only they can be too long.
    if (ArrayBuffer.isView(value)) this.#flush();
    const text = this.#session.encodeResult(value, LEVELS);
    const { hasParts } = this.#session.writer;
    // What is sent meanwhile would forget it.
    const undo = this.#session.writer.claim();
    if (!hasParts && this.#length + text.length > this.#enough) this.#flush();
    if (undo !== undefined) this.#undo.push(...undo);
    this.#values.push(text);
    this.#length += text.length + 1;
    if (hasParts || this.#length > this.#enough) return this.#flush();
    if (this.#turns === 0) queueMicrotask(this.#turn);
    this.#turns = TURNS;
  }

  #flush(): void {
    this.#turns = 0;
    if (this.#values.length === 0) return;
    const values = this.#values.join();
    this.#values = [];
    this.#length = 0;
    try {
      this.#bytes -= this.#tell("next", `,"values":[${values}]`);
      this.#undo = [];
    } finally {
      this.#takeBack();
    }
  }

  #takeBack(): void {
    if (this.#undo.length > 0) { for (const undo of this.#undo.splice(0)) undo(); }
  }

  /** Tells what came before the error, and it. */
  #fail(error: unknown): void {
    try {
      this.#flush();
    } catch {
      // The other side hears of an error in any case.
    }
    try {
      this.#tell("error", `,"error":${this.#session.errorJson(error)}`);
    } catch {
      const { id } = this;
      const tooLong = this.#session.errorJson(new RpcError(RPC_CODE.TOO_LONG, "Too long"));
      this.#session.notify("$/stream/error", `{"id":${id},"error":${tooLong}}`);
    }
  }

  #tell(what: string, more: string): number {
    return this.#session.tell(`$/stream/${what}`, `{"id":${this.id}${more}}`);
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
