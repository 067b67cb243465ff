/** One line of a terminal that is written anew again and again. */

import { type Output, print } from "./io.ts";

/** The time between two looks, in milliseconds. */
const PERIOD = 100;

/** A line that shows how far something is; on what is no terminal it shows nothing. */
export class ProgressLine {
  readonly #output: Output;
  #timer: ReturnType<typeof setInterval> | undefined;
  #shown = false;
  /** What is to be shown when the writing is done. */
  #next: string | undefined;
  #writing: Promise<void> | undefined;

  /** Shows nothing yet. */
  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows what `text` gives, ten times a second, until `stop`. */
  every(text: () => string): void {
    clearInterval(this.#timer);
    if (!this.#output.terminal) return;
    this.#timer = setInterval(() => this.show(text()), PERIOD);
  }

  /** Shows this, once what was shown before is written; what does not fit the line is cut, and then without colours. */
  show(text: string): void {
    if (!this.#output.terminal) return;
    this.#next = text;
    this.#writing ??= this.#write();
  }

  /** Takes the line away; resolves when it is gone. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#next = undefined;
    await this.#writing;
    if (!this.#shown) return;
    this.#shown = false;
    await print(this.#output, "\r\x1b[K").catch(() => {});
  }

  /** Writes the last of what is to be shown, until there is nothing new. */
  async #write(): Promise<void> {
    for (let text; (text = this.#next) !== undefined;) {
      this.#next = undefined;
      this.#shown = true;
      // deno-lint-ignore no-control-regex -- the sequences that colour
      const plain = [...text.replaceAll(/\x1b\[\d+m/g, "")];
      if (plain.length >= this.#output.columns) text = plain.slice(0, this.#output.columns - 1).join("");
      await print(this.#output, `\r\x1b[K${text}`).catch(() => {});
    }
    this.#writing = undefined;
  }
}
