/** The texts of `--help`. */

import { schemes } from "@ipc/address/parse";
import type { Output } from "./io.ts";
import type { Options } from "./_options.ts";
import { style } from "./_style.ts";
import type { Verb } from "./_verb.ts";
import { usage, type VerbEntry, verbs } from "./_verbs.ts";

/** What may stand behind the question mark of an address. */
const PARAMETERS = [
  `how messages are marked: ?framing=${schemes.find(({ params }) => params.framing)?.params.framing}`,
  "KEY is decimal, 0x or 0 octal; with ftok /path?proj=65; by its id ?id=42, as ls shows it",
  "types of messages: ?send=1&receive=2; their priority: ?priority=9; whom to trust: ?allow-owner=UID",
  "of a log: ?from=start, end, a number or a time; ?consumer=NAME keeps the place and shares the work",
  "who may be at the other end of a unix socket, besides this user and root: ?allow-user=UID or any",
];

/** The help of the command. */
export function commandHelp(output: Output): string {
  const { bold, dim, cyan } = style(output);
  const lines = [
    `${bold("ipc")}  how processes on this machine talk to each other, from a shell`,
    "",
    bold("Usage"),
    `  ipc VERB [OPTION…]`,
    "",
    bold("Verbs"),
    ...columns(verbs.map(({ name, operands, summary }) => [`${name} ${operands}`, summary]), cyan),
    "",
    bold("Addresses"),
    ...columns(schemes.map(({ form, summary }) => [form, summary]), cyan),
    ...PARAMETERS.map((line) => `  ${dim(line)}`),
    "",
    bold("Options"),
    ...columns([
      ["-h, --help", "this text; of one verb: ipc VERB --help"],
      ["-V, --version", "the version"],
    ], cyan),
    "",
    dim("Times are like 200ms or 2s; a bare number is milliseconds."),
    dim("Exit status: 0 done, 1 failed, 2 bad usage, 124 timed out."),
  ];
  return lines.join("\n") + "\n";
}

/** The help of one verb. */
export function verbHelp(entry: VerbEntry, verb: Verb, output: Output): string {
  const { bold, dim, cyan } = style(output);
  const width = Math.min(output.columns, 80);
  const lines = [
    `${bold(`ipc ${entry.name}`)}  ${entry.summary}`,
    "",
    bold("Usage"),
    `  ${usage(entry, Object.keys(verb.options).length > 0 ? "[OPTION…]" : "")}`,
    ...verb.text.flatMap((paragraph) => ["", ...wrap(paragraph, width)]),
    "",
    bold("Options"),
    ...columns([...optionLines(verb.options), ["-h, --help", "this text"]], cyan),
    "",
    bold("Examples"),
    ...verb.examples.flatMap(([command, text]) => [`  ${cyan(command)}`, `      ${dim(text)}`]),
  ];
  return lines.join("\n") + "\n";
}

function optionLines(options: Options): [string, string][] {
  return Object.entries(options).map(([name, { value, text }]) => {
    return [`    --${name}${value === undefined ? "" : ` ${value}`}`, text];
  });
}

/** Two columns: the left ones in a colour. */
function columns(rows: [left: string, right: string][], paint: (text: string) => string): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${paint(left)}${" ".repeat(width - left.length)}  ${right}`);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}
