/** One line of a terminal that is written anew again and again. */

import { type Output, print } from "./io.ts";

/** The time between two looks, in milliseconds. */
const PERIOD = 100;

/** A line that shows how far something is; on what is no terminal it shows nothing. */
export class ProgressLine {
  readonly #output: Output;
  #timer: ReturnType<typeof setInterval> | undefined;
  #shown = false;

  /** Shows nothing yet. */
  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows what `text` gives, ten times a second, until `stop`. */
  every(text: () => string): void {
    this.stop();
    if (!this.#output.terminal) return;
    this.#timer = setInterval(() => this.show(text()), PERIOD);
  }

  /** Shows this now; what does not fit the line is cut, and then without colours. */
  show(text: string): void {
    if (!this.#output.terminal) return;
    this.#shown = true;
    // deno-lint-ignore no-control-regex -- the sequences that colour
    const plain = [...text.replaceAll(/\x1b\[\d+m/g, "")];
    if (plain.length >= this.#output.columns) text = plain.slice(0, this.#output.columns - 1).join("");
    print(this.#output, `\r\x1b[K${text}`).catch(() => {});
  }

  /** Takes the line away. */
  stop(): void {
    clearInterval(this.#timer);
    if (!this.#shown) return;
    this.#shown = false;
    print(this.#output, "\r\x1b[K").catch(() => {});
  }
}
