/** Tables for people. */

import type { Output } from "./io.ts";
import { style } from "./_style.ts";

/** Lines of columns under their headings; `right` has the headings of those that are aligned to the right. */
export function table(
  output: Output,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const { dim } = style(output);
  const widths = headings.map((heading, column) => {
    return Math.max(heading.length, ...rows.map((row) => row[column]!.length));
  });
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => {
      const width = widths[column]!;
      return right.includes(headings[column]!) ? cell.padStart(width) : cell.padEnd(width);
    }).join("  ").trimEnd();
  return [dim(line(headings)), ...rows.map(line)].map((text) => `${text}\n`).join("");
}
