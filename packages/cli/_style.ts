/** Colours, where they are wanted. */

import type { Output } from "./io.ts";

/** Puts a colour around a text. */
export type Paint = (text: string) => string;

/** The few looks that this command has. */
export interface Style {
  /** What matters. */
  readonly bold: Paint;
  /** What is said by the way. */
  readonly dim: Paint;
  /** What went wrong. */
  readonly red: Paint;
  /** What went well. */
  readonly green: Paint;
  /** What can be typed, and bars. */
  readonly cyan: Paint;
}

/** The looks for an output: plain text where it takes no colours. */
export function style(output: Output): Style {
  const paint = (on: number, off: number): Paint => {
    return (text) => output.colour && text !== "" ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  };
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    cyan: paint(36, 39),
  };
}
