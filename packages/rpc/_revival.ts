import { bytesAt } from "./_base64.ts";
import type { RpcCallback } from "./callback.ts";
import type { IncomingStream } from "./_incoming_stream.ts";
import type { Session } from "./_session.ts";
import { type InPort, reviveValue } from "./_values.ts";

/** What one value brought besides data. If a part of it cannot be had, all of it is given back. */
export class Revival implements InPort {
  readonly #session: Session;
  readonly #parts: Uint8Array[] | undefined;
  #callbacks: { readonly id: number; readonly stub: RpcCallback }[] = [];
  #streams: IncomingStream[] = [];
  #failure: { reason: unknown } | undefined;

  constructor(session: Session, parts: Uint8Array[] | undefined) {
    this.#session = session;
    this.#parts = parts;
  }

  /** The value with the things that its markers stand for. */
  revive(value: unknown): unknown {
    const revived = reviveValue(value, this);
    if (this.#failure === undefined) return revived;
    this.letGo();
    throw this.#failure.reason;
  }

  /** Gives back what the value would bring. */
  discard(value: unknown): void {
    this.#failure = { reason: undefined };
    reviveValue(value, this);
  }

  /** Gives back what was brought: nobody has it. */
  letGo(): void {
    this.leaveStreams();
    for (const { id, stub } of this.#callbacks.splice(0)) this.#session.callbacks.unhold(id, stub);
  }

  /** Leaves the streams alone. */
  leaveStreams(): void {
    for (const stream of this.#streams.splice(0)) void stream.return();
  }

  bytes(place: unknown): Uint8Array | undefined {
    return this.#try(() => bytesAt(place, this.#parts));
  }

  callback(id: unknown): unknown {
    const { callbacks } = this.#session;
    if (this.#failure !== undefined) return isNumber(id) && callbacks.giveBack(id, 1);
    return this.#try(() => {
      const stub = callbacks.hold(id);
      this.#callbacks.push({ id: id as number, stub });
      return stub;
    });
  }

  stream(id: unknown): unknown {
    const { streams } = this.#session;
    if (this.#failure !== undefined) return isNumber(id) && streams.cancel(id);
    return this.#try(() => {
      const stream = streams.take(id);
      this.#streams.push(stream);
      return stream;
    });
  }

  #try<T>(get: () => T): T | undefined {
    try {
      return get();
    } catch (reason) {
      this.#failure ??= { reason };
    }
  }
}

function isNumber(id: unknown): id is number {
  return Number.isSafeInteger(id);
}
