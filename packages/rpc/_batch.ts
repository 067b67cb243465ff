/** The answers to one batch, which leave together when the last is there. */
export class Batch {
  readonly #send: (answers: readonly string[]) => void;
  readonly #answers: string[] = [];
  #open = 1;

  constructor(send: (answers: readonly string[]) => void) {
    this.#send = send;
  }

  /** One more request is to be answered. */
  expect(): void {
    this.#open++;
  }

  /** One of them is answered. */
  add(answer: string): void {
    this.#answers.push(answer);
    this.close();
  }

  /** All members have been looked at. */
  close(): void {
    if (--this.#open === 0 && this.#answers.length > 0) this.#send(this.#answers);
  }
}
