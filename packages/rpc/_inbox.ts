import { LimitError } from "@ipc/core";
import { Batch } from "./_batch.ts";
import { headOf } from "./_head.ts";
import { type Message, Reader } from "./_reader.ts";
import type { Session } from "./_session.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** What becomes of the messages that arrive. */
export class Inbox {
  readonly #session: Session;
  readonly #reader: Reader;
  /** Bytes that were answered without anything being begun, since the other side does not take its answers. */
  #wasted = 0;

  constructor(session: Session) {
    this.#session = session;
    this.#reader = new Reader(session.limits);
  }

  /** Reads one message and hands each request and each answer in it to where it belongs. */
  accept(data: Uint8Array | string): void {
    const { outbox, limits } = this.#session;
    if (!outbox.blocked) {
      this.#wasted = 0;
      return this.#accept(data);
    }
    const before = outbox.replies;
    this.#accept(data);
    this.#wasted += outbox.replies - before;
    if (this.#wasted <= limits.maxQueuedBytes) return;
    this.#session.end(new LimitError("Cannot answer: the other side takes no answers and goes on asking"));
  }

  #accept(data: Uint8Array | string): void {
    const session = this.#session;
    if (session.over) return;
    let message: Message;
    try {
      message = this.#reader.read(data);
    } catch (error) {
      return this.#refuse(data, error as RpcError);
    }
    const { value } = message;
    if (Array.isArray(value)) this.#acceptBatch(value, message);
    else this.#acceptOne(value, undefined, message);
  }

  /** Who waits for the answer to a message that cannot be read hears of it; nothing is answered to an answer. */
  #refuse(data: Uint8Array | string, error: RpcError): void {
    const { kind, id } = headOf(data);
    if (kind !== "answer") return this.#session.fail(kind === "request" ? id ?? null : null, error);
    if (!this.#session.calls.unread(id, error)) this.#session.report(error);
  }

  #acceptBatch(members: unknown[], from: Message): void {
    if (members.length === 0 || members.length > this.#session.limits.maxBatch) {
      return this.#session.fail(null, new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid Request"));
    }
    const batch = new Batch(this.#session, from.length);
    for (const member of members) this.#acceptOne(member, batch, from);
    batch.close();
  }

  #acceptOne(value: unknown, batch: Batch | undefined, from: Message): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      batch?.expect();
      return this.#session.fail(null, new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid Request"), batch);
    }
    const message = value as Record<string, unknown>;
    if (
      message.method === undefined && (Object.hasOwn(message, "result") || Object.hasOwn(message, "error"))
    ) {
      return this.#session.calls.answer(message.id, message, from.parts, from.marked);
    }
    batch?.expect();
    this.#session.answers.accept(message, batch, from);
  }
}
