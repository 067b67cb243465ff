/** How the demo looks: what is at work while it runs, and the table at the end. */

import { bytes, count, seconds } from "../_format.ts";
import { type Style, style } from "../_style.ts";
import type { Output } from "../io.ts";
import { CHUNK } from "./phases.ts";
import type { Result, Sent, Step } from "./run.ts";

/** One mechanism's line. */
export interface Row {
  /** The mechanism. */
  readonly name: string;
  /** What it is worth, or why that is not known. */
  readonly outcome: Result | Error;
}

/** The longest bar, in characters. */
const BAR = 14;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** The table, for people. */
export function asTable(output: Output, file: Sent, rows: readonly Row[], took: number): string {
  const { bold, dim, red, green } = style(output);
  const width = Math.max("mechanism".length, ...rows.map(({ name }) => name.length));
  const names = "       file     bandwidth".padEnd(25 + BAR) + "    round trip    blocking";
  const rule = dim("─".repeat(width + names.length));
  const best = Math.max(...rows.map(({ outcome }) => outcome instanceof Error ? 0 : outcome.bandwidth));
  const good = rows.filter(({ outcome }) => !(outcome instanceof Error) && outcome.ok).length;
  const all = good === rows.length;
  const machine = [
    `Deno ${Deno.version.deno}`,
    `${Deno.build.os} ${Deno.build.arch}`,
    count(navigator.hardwareConcurrency, "CPU"),
  ].join(" · ");
  const sum = all
    ? `${green("✓")} ${bold(`${count(good, "mechanism")}, every byte checked`)}`
    : `${red("✗")} ${bold(`${good} of ${count(rows.length, "mechanism")} moved the file whole`)}`;
  return [
    "",
    `${bold(nameOf(file))} ${dim("·")} ${bytes(file.bytes)}, from one process to another ${
      dim(`· SHA-256 ${file.sha256.slice(0, 16)}…`)
    }`,
    "",
    dim("mechanism".padEnd(width) + names),
    rule,
    ...rows.map((row) => line(row, width, best, style(output))),
    rule,
    `${sum} ${dim(`· ${bytes(good * file.bytes)} moved, all in ${seconds(took)}`)}`,
    "",
    dim(
      `bandwidth in messages of ${
        CHUNK / 1024 / 1024
      } MiB, or the longest there can be · round trip of 64 bytes,`,
    ),
    dim("the median, awaiting and blocking"),
    dim(machine),
    "",
  ].map((text) => text === "" ? "\n" : `  ${text}\n`).join("");
}

function line(
  { name, outcome }: Row,
  width: number,
  best: number,
  { bold, red, green, cyan }: Style,
): string {
  const start = bold(name.padEnd(width));
  if (outcome instanceof Error) return `${start}  ${red("✗")} ${outcome.message}`;
  const { ok, receipt, fileTime, bandwidth, roundTrip, blockingRoundTrip } = outcome;
  if (!ok) {
    const what = `${count(receipt.bytes, "byte")}, SHA-256 ${receipt.sha256.slice(0, 16)}…`;
    return `${start}  ${red("✗")} what arrived is not what was sent: ${what}`;
  }
  return [
    start,
    `  ${green("✓")}`,
    seconds(fileTime).padStart(8),
    `${bytes(bandwidth)}/s`.padStart(14),
    ` ${cyan(bar(bandwidth / best))}`,
    seconds(roundTrip).padStart(13),
    (blockingRoundTrip === undefined ? "" : seconds(blockingRoundTrip)).padStart(12),
  ].join("");
}

/** The line that shows what is at work. */
export function asProgress(output: Output, file: Sent, nth: string, name: string, step: Step): string {
  const { bold, dim, cyan } = style(output);
  const start = `  ${dim(nth)} ${bold(name)}  `;
  if (typeof step === "string") return start + dim(DOING[step]);
  const part = file.bytes === 0 ? 1 : step.moved / file.bytes;
  const done = Math.round(part * 30);
  const percent = `${Math.floor(part * 100)} %`.padStart(5);
  return `${start}${cyan("━".repeat(done))}${dim("━".repeat(30 - done))}${percent}  ${
    dim(bytes(step.moved))
  }`;
}

const DOING = {
  start: "starting the other process",
  "round trip": "64 bytes there and back, again and again",
  bandwidth: "as much as it can carry",
} as const;

function nameOf({ path }: Sent): string {
  // A name may have control characters in it, and this goes to a terminal.
  return path.split("/").at(-1)!.replace(/\p{Cc}/gu, "?");
}

function bar(part: number): string {
  const eighths = Math.max(1, Math.round(part * BAR * 8));
  return ("█".repeat(eighths >> 3) + EIGHTHS[eighths & 7]).padEnd(BAR);
}

/** The same for a program. */
export function asJson(file: Sent, rows: readonly Row[], took: number): string {
  const mechanisms = rows.map(({ name, outcome }) => {
    if (outcome instanceof Error) return { mechanism: name, ok: false, error: outcome.message };
    const { ok, receipt, fileTime, bandwidth, roundTrip, blockingRoundTrip } = outcome;
    return {
      mechanism: name,
      ok,
      ...receipt,
      milliseconds: thousandths(fileTime),
      bytesPerSecond: Math.round(bandwidth),
      roundTripMicroseconds: thousandths(roundTrip * 1000),
      ...blockingRoundTrip !== undefined && {
        blockingRoundTripMicroseconds: thousandths(blockingRoundTrip * 1000),
      },
    };
  });
  return JSON.stringify({ ...file, milliseconds: thousandths(took), mechanisms }) + "\n";
}

function thousandths(number: number): number {
  return Math.round(number * 1000) / 1000;
}
