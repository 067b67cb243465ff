import type { Session } from "./_session.ts";

/** The answer to a member of a batch. */
export interface Answer {
  readonly id: unknown;
  readonly text: string;
}

/** The answers to one batch, which leave together when the last is there, or alone once they are too much to keep. */
export class Batch {
  readonly #session: Session;
  #answers: Answer[] = [];
  #gathered = 0;
  #alone = false;
  #open = 1;
  #held = 0;

  /** `length` is how long the message was that it came in. */
  constructor(session: Session, private readonly length: number) {
    this.#session = session;
  }

  /** One more request is to be answered. */
  expect(): void {
    this.#open++;
  }

  /** One of them is answered. */
  add(answer: Answer): void {
    const session = this.#session;
    if (this.#alone) session.answerAlone(answer);
    else {
      this.#answers.push(answer);
      this.#gathered += answer.text.length;
      session.gathered += answer.text.length;
      if (this.#gathered > session.maxMessageSize || session.gathered > session.limits.maxQueuedBytes) {
        this.#alone = true;
        for (const answer of this.#take()) session.answerAlone(answer);
      }
    }
    this.close();
  }

  /** All members have been looked at. */
  close(): void {
    if (--this.#open > 0) return;
    const answers = this.#take();
    if (answers.length > 0) this.#session.sendBatch(answers);
  }

  /** Whether the bytes that it came in are counted already. */
  get held(): boolean {
    return this.#held > 0;
  }

  /** A member runs or waits: the bytes that are kept for it, which are counted once for all. */
  hold(): number {
    return this.#held++ === 0 ? this.length : 0;
  }

  /** It has ended: the bytes that are let go, with the last of all. */
  release(): number {
    return --this.#held === 0 ? this.length : 0;
  }

  #take(): Answer[] {
    this.#session.gathered -= this.#gathered;
    this.#gathered = 0;
    return this.#answers.splice(0);
  }
}
