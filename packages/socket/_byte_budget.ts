/** What the connections of one listener may hold together of messages that have begun and not ended. */

import { type Bytes, type Decoder, type Framing, LimitError } from "@ipc/core";

/** How much the connections of one listener may hold in all unless told, in bytes. */
const DEFAULT_TOTAL = 256 * 1024 * 1024;

/** What is told of all connections of a listener together. */
export interface TotalOptions {
  /**
   * The most bytes of messages that have begun and not ended, of all connections together; beyond that the one that
   * holds most is given up, and its receive throws a `LimitError`. 256 MiB unless told, and never less than the
   * longest message.
   */
  maxTotalBufferedBytes?: number | undefined;
}

/** A number of bytes that many share; who holds most is given up when there are more. */
export class ByteBudget {
  readonly #limit: number;
  readonly #holders = new Set<{ readonly held: number; giveUp(error: LimitError): void }>();
  #held = 0;

  /** Takes its limit from the options of a listener, whose messages have at most `longest` bytes. */
  constructor({ maxTotalBufferedBytes = DEFAULT_TOTAL }: TotalOptions, longest: number) {
    if (!(maxTotalBufferedBytes >= 0)) {
      throw new RangeError(
        `Cannot buffer up to ${maxTotalBufferedBytes} bytes: maxTotalBufferedBytes is a number from 0`,
      );
    }
    this.#limit = Math.max(maxTotalBufferedBytes, longest);
  }

  /** Notes that a decoder holds `now` bytes where it held `before`. */
  change(
    holder: { readonly held: number; giveUp(error: LimitError): void },
    before: number,
    now: number,
  ): void {
    this.#held += now - before;
    if (now === 0) this.#holders.delete(holder);
    else if (before === 0) this.#holders.add(holder);
    if (now > before && this.#held > this.#limit) this.#giveUpLargest();
  }

  #giveUpLargest(): void {
    let largest: { readonly held: number; giveUp(error: LimitError): void } | undefined;
    for (const holder of this.#holders) if (holder.held > (largest?.held ?? 0)) largest = holder;
    largest?.giveUp(
      new LimitError(
        `Cannot receive: the messages that have begun at this listener have ${this.#held} bytes, the limit is ` +
          `${this.#limit}, and this connection holds most of them`,
        { code: "ENOBUFS", hint: "raise maxTotalBufferedBytes" },
      ),
    );
  }
}

/** A decoder whose bytes count towards a {@linkcode ByteBudget} from the moment that it waits for more. */
export class BudgetedDecoder implements Decoder {
  readonly #framing: Framing;
  readonly #budget: ByteBudget;
  readonly #onGiveUp: () => void;
  #decoder: Decoder;
  #held = 0;
  #failure: LimitError | undefined;

  /** `onGiveUp` wakes who waits for this connection. */
  constructor(framing: Framing, budget: ByteBudget, onGiveUp: () => void) {
    this.#framing = framing;
    this.#decoder = framing.decoder();
    this.#budget = budget;
    this.#onGiveUp = onGiveUp;
  }

  /** Bytes that are counted. */
  get held(): number {
    return this.#held;
  }

  get buffered(): number {
    return this.#decoder.buffered;
  }

  room(): Bytes {
    return this.#decoder.room();
  }

  commit(length: number): void {
    if (this.#failure === undefined) this.#decoder.commit(length);
  }

  push(bytes: Uint8Array, length?: number): void {
    // What still arrives once it was given up is the middle of a message that was let go of.
    if (this.#failure === undefined) this.#decoder.push(bytes, length);
  }

  next(): Bytes | undefined {
    this.#throwFailure();
    const message = this.#decoder.next();
    if (message === undefined || this.#held > 0) this.#count();
    return message;
  }

  nextMany(into: Bytes[], max: number): void {
    this.#throwFailure();
    this.#decoder.nextMany(into, max);
    this.#count();
  }

  end(): void {
    this.#throwFailure();
    this.#decoder.end();
  }

  drain(): Bytes {
    const rest = this.#decoder.drain();
    this.#count();
    return rest;
  }

  /** Lets go of everything: the connection is closed. */
  release(): void {
    this.#decoder = this.#framing.decoder();
    this.#hold(0);
  }

  /** Lets go of everything, and tells why whoever asks for a message. */
  giveUp(reason: LimitError): void {
    this.#failure = reason;
    this.release();
    this.#onGiveUp();
  }

  #count(): void {
    if (this.#decoder.buffered !== this.#held) this.#hold(this.#decoder.buffered);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #hold(bytes: number): void {
    const before = this.#held;
    this.#held = bytes;
    this.#budget.change(this, before, bytes);
  }
}

/** A decoder of a framing, one that counts where there is a budget. */
export function decoderOf(
  framing: Framing,
  budget: ByteBudget | undefined,
  onGiveUp: () => void,
): Decoder & { release?(): void } {
  return budget === undefined ? framing.decoder() : new BudgetedDecoder(framing, budget, onGiveUp);
}
