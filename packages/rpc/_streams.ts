import { LimitError } from "@ipc/core";
import { toError } from "./_errors.ts";
import { IncomingStream } from "./_incoming_stream.ts";
import { OutgoingStream } from "./_outgoing_stream.ts";
import type { Session } from "./_session.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** The streams of one peer, in both directions, each under the number that its sender gave it. */
export class Streams {
  readonly #session: Session;
  readonly #outgoing = new Map<number, OutgoingStream>();
  readonly #incoming = new Map<number, IncomingStream>();
  #last = 0;
  #taken: IncomingStream[] | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Begins to send a stream. */
  open(source: AsyncIterable<unknown>): OutgoingStream {
    const { limits, theirs } = this.#session;
    if (this.#outgoing.size >= limits.maxReferences) {
      throw new LimitError(`Cannot send a stream: ${this.#outgoing.size} are open already`);
    }
    const id = ++this.#last;
    const stream = new OutgoingStream(this.#session, id, source, theirs?.credit ?? 0);
    this.#outgoing.set(id, stream);
    return stream;
  }

  /** The other side has said how much may come: those that were begun before it did may go on. */
  greeted(credit: number): void {
    for (const stream of this.#outgoing.values()) stream.credit(credit);
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
    const stream = new IncomingStream(this, id as number, this.#session.limits.streamCredit);
    this.#incoming.set(id as number, stream);
    this.#taken?.push(stream);
    return stream;
  }

  /** Those that are taken while `revive` runs go into `taken`. */
  collect<T>(taken: IncomingStream[], revive: () => T): T {
    this.#taken = taken;
    try {
      return revive();
    } finally {
      this.#taken = undefined;
    }
  }

  /** Asks for more of a stream that is received. */
  credit(id: number, count: number): void {
    this.#session.notify("$/stream/credit", `{"id":${id},"count":${count}}`);
  }

  /** Wants no more of a stream that is received. */
  cancel(id: number): void {
    this.#incoming.delete(id);
    this.#session.notify("$/stream/cancel", `{"id":${id}}`);
  }

  /** A notification about a stream came; what makes no sense is not heard. */
  notified(what: string, params: Record<string, unknown>, parts: Uint8Array[] | undefined): void {
    const id = params.id as number;
    const incoming = this.#incoming.get(id);
    switch (what) {
      case "next":
        if (incoming === undefined) return this.#session.discard(params.values, parts);
        if (!Array.isArray(params.values)) {
          return incoming.abort(new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid stream"));
        }
        try {
          return incoming.push(this.#session.revive(params.values, parts) as unknown[]);
        } catch (error) {
          return incoming.abort(error);
        }
      case "end":
        this.#incoming.delete(id);
        return incoming?.end();
      case "error":
        this.#incoming.delete(id);
        return incoming?.failed(toError(params.error));
      case "credit":
        if (Number.isSafeInteger(params.count) && params.count as number > 0) {
          this.#outgoing.get(id)?.credit(params.count as number);
        }
        return;
      case "cancel":
        this.#outgoing.get(id)?.stop();
    }
  }

  /** The peer is gone: those that are received fail, those that are sent stop. */
  fail(errorFor: (action: string) => unknown): void {
    for (const stream of this.#incoming.values()) stream.fail(errorFor("receive the stream"));
    this.#incoming.clear();
    for (const stream of [...this.#outgoing.values()]) stream.stop();
  }

  /** How many are open. */
  get size(): number {
    return this.#incoming.size + this.#outgoing.size;
  }
}
