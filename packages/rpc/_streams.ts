import { LimitError } from "@ipc/core";
import { toError } from "./_errors.ts";
import { IncomingStream } from "./_incoming_stream.ts";
import { type Credit, OutgoingStream } from "./_outgoing_stream.ts";
import { isCount } from "./_hello.ts";
import type { Message } from "./_reader.ts";
import type { Revival } from "./_revival.ts";
import type { Session } from "./_session.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** What may be sent to one who has not said what it takes. */
const NOTHING: Credit = { credit: 0, bytes: 0 };

/** The streams of one peer, in both directions, each under the number that its sender gave it. */
export class Streams {
  readonly #session: Session;
  readonly #outgoing = new Map<number, OutgoingStream>();
  readonly #incoming = new Map<number, IncomingStream>();
  #last = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** How many were begun to be sent. */
  get begun(): number {
    return this.#last;
  }

  /** Begins to send a stream. */
  open(source: AsyncIterable<unknown>): OutgoingStream {
    const { limits, theirs } = this.#session;
    if (this.#outgoing.size >= limits.maxReferences) {
      throw new LimitError(`Cannot send a stream: ${this.#outgoing.size} are open already`);
    }
    const id = ++this.#last;
    const stream = new OutgoingStream(this.#session, id, source, theirs ?? NOTHING);
    this.#outgoing.set(id, stream);
    return stream;
  }

  /** The other side has said how much may come: those that were begun before it did may go on. */
  greeted(credit: Credit): void {
    for (const stream of this.#outgoing.values()) stream.more(credit);
  }

  /** Forgets a stream that is over. */
  closed(id: number): void {
    this.#outgoing.delete(id);
  }

  /** Stops sending a stream that was begun for a message that could not be sent. */
  undo(id: number): void {
    this.#outgoing.get(id)?.stop();
  }

  /** Begins to receive a stream. */
  take(id: unknown): IncomingStream {
    if (!Number.isSafeInteger(id) || this.#incoming.has(id as number)) {
      throw new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid stream");
    }
    if (this.#incoming.size >= this.#session.limits.maxReferences) {
      this.cancel(id as number);
      throw new RpcError(RPC_CODE.BUSY, "Too many streams");
    }
    const { limits, theirs } = this.#session;
    // One that counts no bytes cannot be told to keep to them.
    const bytes = theirs?.bytes === Infinity ? Infinity : limits.streamBytes;
    const stream = new IncomingStream(this, id as number, { credit: limits.streamCredit, bytes });
    this.#incoming.set(id as number, stream);
    return stream;
  }

  /** Asks for more of a stream that is received. */
  credit(id: number, count: number, bytes: number): void {
    this.#session.notify("$/stream/credit", `{"id":${id},"count":${count},"bytes":${bytes}}`);
  }

  /** Wants no more of a stream that is received. */
  cancel(id: number): void {
    this.#incoming.delete(id);
    this.#session.notify("$/stream/cancel", `{"id":${id}}`);
  }

  /** What puts things in the place of the markers of a value. */
  revival(parts: Uint8Array[] | undefined): Revival | undefined {
    return this.#session.revival(parts);
  }

  /** A notification about a stream came; what makes no sense is not heard. */
  notified(what: string, params: Record<string, unknown>, from: Message): void {
    const id = params.id as number;
    const incoming = this.#incoming.get(id);
    switch (what) {
      case "next":
        if (incoming === undefined) return this.#session.discard(params.values, from.parts);
        if (!Array.isArray(params.values)) {
          return incoming.abort(new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid stream"));
        }
        return incoming.push(params.values, from);
      case "end":
        this.#incoming.delete(id);
        return incoming?.end();
      case "error":
        this.#incoming.delete(id);
        return incoming?.failed(toError(params.error));
      case "credit":
        return this.#outgoing.get(id)?.more({
          credit: isCount(params.count) ? params.count : 0,
          bytes: isCount(params.bytes) ? params.bytes : 0,
        });
      case "cancel":
        this.#outgoing.get(id)?.stop();
    }
  }

  /** The other side sends nothing more: those that are received fail. */
  failIncoming(errorFor: (action: string) => unknown): void {
    const incoming = [...this.#incoming.values()];
    this.#incoming.clear();
    for (const stream of incoming) stream.fail(errorFor("receive the stream"));
  }

  /** The peer is gone: those that are received fail, those that are sent stop. */
  fail(errorFor: (action: string) => unknown): void {
    this.failIncoming(errorFor);
    for (const stream of [...this.#outgoing.values()]) stream.stop();
  }

  /** How many are open. */
  get size(): number {
    return this.#incoming.size + this.#outgoing.size;
  }
}
