/** What waits to be sent. */

import type { WaitOptions } from "../channel.ts";
import { MessageTooLongError } from "../errors.ts";
import { Waiter } from "./_wait.ts";

const END = Symbol("end of a batch");

/** A batch: the messages that were drawn and not sent yet, and where the others come from. */
export class Batch {
  /** The messages that were drawn last. */
  drawn: readonly Uint8Array[] = [];
  /** The first of them that was not sent. */
  next = 0;
  /** Why no more can be drawn; told once what was drawn before has left. */
  #failure: { error: unknown } | undefined;
  /** Where it is drawn from: an array by index, which costs half as much as by iterator. */
  readonly #array: readonly Uint8Array[] | undefined;
  #index = 0;
  readonly #iterator: Iterator<Uint8Array> | undefined;

  constructor(messages: Iterable<Uint8Array>) {
    if (Array.isArray(messages)) this.#array = messages;
    else this.#iterator = messages[Symbol.iterator]();
  }

  /**
   * Draws the next messages, none above `longest` bytes, until there are `most` or `bytes` of them; false: there are
   * no more.
   */
  draw(most: number, bytes: number, longest: number): boolean {
    if (this.#failure !== undefined) throw this.#failure.error;
    const drawn: Uint8Array[] = [];
    this.drawn = drawn;
    this.next = 0;
    try {
      while (drawn.length < most && bytes > 0) {
        const value = this.#nextOfBatch();
        if (value === END) break;
        checkMessage(value, longest);
        drawn.push(value);
        bytes -= value.byteLength;
      }
    } catch (error) {
      if (drawn.length === 0) throw error;
      this.#failure = { error };
    }
    return drawn.length > 0;
  }

  /** Draws no more. */
  giveUp(): void {
    try {
      this.#iterator?.return?.();
    } catch { /* Why it is given up has been told already. */ }
  }

  #nextOfBatch(): Uint8Array | typeof END {
    const array = this.#array;
    if (array !== undefined) return this.#index < array.length ? array[this.#index++]! : END;
    const { done, value } = this.#iterator!.next();
    return done ? END : value;
  }
}

/** A pending send: one message, or a batch that is drawn from its iterator piece by piece. */
export class Outgoing extends Waiter<void> {
  sent = 0;

  constructor(
    readonly message: Uint8Array | undefined,
    readonly options: WaitOptions | undefined,
    readonly batch: Batch | undefined,
    /** What the mechanism wants to know of the message besides its bytes. */
    readonly meta: unknown,
  ) {
    super();
  }

  override reject(reason: unknown): void {
    super.reject(reason);
    this.batch?.giveUp();
  }
}

/** Throws unless this is a message of at most `longest` bytes. */
export function checkMessage(message: Uint8Array, longest: number): void {
  if (!(message instanceof Uint8Array)) throw new TypeError("Cannot send: a message is a Uint8Array");
  if (message.byteLength <= longest) return;
  throw new MessageTooLongError(
    `Cannot send: the message has ${message.byteLength} bytes, the limit is ${longest}`,
    { code: "EMSGSIZE" },
  );
}

/** Lets an error say how far a send had come, where it can take it. */
export function annotate<E>(error: E, outgoing: Outgoing | undefined, partial: boolean): E {
  if (typeof error !== "object" || error === null || !Object.isExtensible(error)) return error;
  // It may be anybody's: of what it does not take there is nothing to be said.
  if (partial) Reflect.set(error, "partial", true);
  if (outgoing?.batch !== undefined) Reflect.set(error, "sent", outgoing.sent);
  return error;
}
