/** The line in which sends wait for their turn. */

import { LimitError } from "../errors.ts";
import { nextTurn, turnIsDue } from "./_ladder.ts";
import { annotate, type Batch, type Outgoing } from "./_outgoing.ts";
import type { Sink } from "./mechanism.ts";

/** Queued bytes that are worth a system call of their own, even before the turn is over. */
const FLUSH_BYTES = 64 * 1024;
/** Milliseconds after which a batch lets the event loop go on, though there is room. */
const LONGEST_TURN = 10;
/** How many messages are offered to the mechanism at once. */
const MOST_AT_ONCE = 1024;

/** The sends that wait, in the order of the calls; each is settled as it leaves the line. */
export class OutgoingQueue {
  readonly #sink: Sink;
  readonly #line: Outgoing[] = [];
  readonly #maxBytes: number;
  /** The bytes of the single messages in line. */
  #bytes = 0;
  /** Those of them that came since the last offer. */
  #newBytes = 0;
  #offering = false;
  /** Whether the message that the sink has begun is the first in line; otherwise its caller has gone. */
  #headBegun = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: Sink, maxBytes: number) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
  }

  /** Why the rest of a message was lost whose caller had gone. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  get empty(): boolean {
    return this.#line.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get first(): Outgoing | undefined {
    return this.#line[0];
  }

  /** Whether so much has come since the last offer that another should not wait for the end of the turn. */
  get offerIsDue(): boolean {
    return this.#newBytes >= FLUSH_BYTES;
  }

  /** Throws where a message of so many bytes would be one too many; the only one never is. */
  checkRoom(bytes: number): void {
    if (this.#line.length === 0 || this.#bytes + bytes <= this.#maxBytes) return;
    throw new LimitError(
      `Cannot send: ${this.#bytes} bytes wait already, the limit is ${this.#maxBytes}`,
      { code: "ENOBUFS", hint: "await each send, or every so many, so that the receiver sets the pace" },
    );
  }

  add(outgoing: Outgoing): void {
    this.#line.push(outgoing);
    if (outgoing.message === undefined) return;
    this.#bytes += outgoing.message.byteLength;
    this.#newBytes += outgoing.message.byteLength;
  }

  /** Whether a batch is being drawn from, or a message offered: who calls us then is the iterator of that batch. */
  get offering(): boolean {
    return this.#offering;
  }

  /** Gives the mechanism what it takes; true when nothing is left to send. */
  offer(): boolean {
    // The iterator of a batch may call us while we draw from it.
    if (this.#offering) return false;
    this.#offering = true;
    this.#newBytes = 0;
    try {
      return this.#offerAll();
    } finally {
      this.#offering = false;
    }
  }

  /**
   * Takes a send out of the line: unsent where it can be, otherwise its rest still follows. False: it has left
   * already.
   */
  withdraw(outgoing: Outgoing, reason: () => unknown): boolean {
    const index = this.#line.indexOf(outgoing);
    if (index < 0) return false;
    const partial = index === 0 && this.#headBegun;
    if (partial) {
      this.#sink.detach();
      this.#headBegun = false;
    }
    this.#remove(index);
    outgoing.reject(annotate(reason(), outgoing, partial));
    return true;
  }

  /** Rejects all that wait, each with an error of its own. */
  rejectAll(error: () => unknown): void {
    for (const outgoing of this.#line.splice(0)) {
      const partial = this.#headBegun;
      this.#headBegun = false;
      outgoing.reject(annotate(error(), outgoing, partial));
    }
    this.#bytes = 0;
  }

  #offerAll(): boolean {
    let turnEnds = Infinity;
    while (true) {
      if (this.#sink.begun && !this.#finish()) return false;
      const head = this.#line[0];
      if (head === undefined) return true;
      // Where there is always room a batch without end would let nothing else happen.
      if (head.batch !== undefined) {
        const now = performance.now();
        if (now > turnEnds) return false;
        turnEnds = Math.min(turnEnds, now + LONGEST_TURN);
      }
      try {
        if (head.batch !== undefined ? this.#offerBatch(head, head.batch) : this.#offerSingle(head)) continue;
        this.#headBegun = this.#sink.begun;
        return false;
      } catch (error) {
        if (this.#line[0] !== head) continue;
        this.#remove(0);
        head.reject(annotate(error, head, false));
      }
    }
  }

  /** Goes on with the message that was begun. */
  #finish(): boolean {
    const head = this.#headBegun ? this.#line[0]! : undefined;
    try {
      if (!this.#sink.finish()) return false;
    } catch (error) {
      this.#headBegun = false;
      if (head === undefined) {
        this.#failure ??= { error };
        return true;
      }
      this.#remove(0);
      head.reject(annotate(error, head, true));
      return true;
    }
    this.#headBegun = false;
    if (head !== undefined) this.#advance(head, 1);
    return true;
  }

  /** Offers the first single messages in line; true when the mechanism took as many as were offered. */
  #offerSingle(head: Outgoing): boolean {
    const line = this.#line;
    if (line.length === 1 || this.#sink.putMany === undefined || head.meta !== undefined) {
      if (!this.#sink.put(head.message!, head.meta)) return false;
      this.#advance(head, 1);
      return true;
    }
    const messages: Uint8Array[] = [];
    for (const outgoing of line) {
      if (outgoing.message === undefined || outgoing.meta !== undefined || messages.length === MOST_AT_ONCE) {
        break;
      }
      messages.push(outgoing.message);
    }
    const taken = this.#sink.putMany(messages, 0);
    for (const outgoing of line.splice(0, taken)) this.#complete(outgoing);
    return taken === messages.length;
  }

  /** Offers what is drawn of a batch, or draws; true when there may be more to do at once. */
  #offerBatch(head: Outgoing, batch: Batch): boolean {
    if (batch.next === batch.drawn.length) {
      const more = batch.draw(MOST_AT_ONCE, FLUSH_BYTES, this.#sink.maxMessageSize);
      // Its iterator may have given the batch up, or closed this end.
      if (this.#line[0] !== head) return true;
      if (!more) {
        this.#remove(0);
        this.#complete(head);
        return true;
      }
    }
    const { drawn, next } = batch;
    if (this.#sink.putMany !== undefined) {
      const reached = this.#sink.putMany(drawn, next);
      this.#advance(head, reached - next);
      return reached === drawn.length;
    }
    if (!this.#sink.put(drawn[next]!)) return false;
    this.#advance(head, 1);
    return true;
  }

  /** Counts messages of the first in line as sent. */
  #advance(head: Outgoing, count: number): void {
    head.sent += count;
    if (head.batch !== undefined) head.batch.next += count;
    else if (count > 0) {
      this.#line.shift();
      this.#complete(head);
    }
  }

  #complete(outgoing: Outgoing): void {
    if (outgoing.message !== undefined) this.#bytes -= outgoing.message.byteLength;
    if (turnIsDue()) nextTurn(() => outgoing.resolve());
    else outgoing.resolve();
  }

  #remove(index: number): void {
    const [outgoing] = this.#line.splice(index, 1);
    if (outgoing?.message !== undefined) this.#bytes -= outgoing.message.byteLength;
  }
}
