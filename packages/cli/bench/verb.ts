/** The verb `bench`, for the command, and for those who bring rivals to compare with. */

import { Failed, UsageError } from "../_failure.ts";
import { type Io, print } from "../io.ts";
import { flag, type Option } from "../_options.ts";
import { ProgressLine } from "../_progress_line.ts";
import { style } from "../_style.ts";
import { type Verb, verb } from "../_verb.ts";
import type { Contestant } from "./contestant.ts";
import { page } from "./html.ts";
import { mechanismNames, ownContestant, partsOf } from "./own.ts";
import type { Missing } from "./report.ts";
import { run } from "./run.ts";
import { table } from "./table.ts";

/** Whom our mechanisms are compared with. */
export interface Field {
  /** Everyone, ours too, in the order of the report. */
  readonly contestants: readonly Contestant[];
  /** Their programs and versions. */
  readonly versions: Readonly<Record<string, string>>;
  /** Who could not come. */
  readonly missing: readonly Missing[];
}

/** Puts a field together around these mechanisms of ours. `folder` is there until the end. */
export type Invite = (names: readonly string[], folder: string) => Promise<Field>;

/** Ours alone. */
const alone: Invite = (names) => {
  const contestants = names.flatMap(partsOf).map(ownContestant);
  return Promise.resolve({ contestants, versions: {}, missing: [] });
};

const html: Option<string | undefined> = {
  value: "FILE",
  text: "write a page with plots as well",
  read: (given) => given === undefined ? undefined : String(given),
};

/** How long it takes: rounds, milliseconds of each, and of the warm-up. */
const FULL = { rounds: 7, period: 100, warmUp: 100 };
const QUICK = { rounds: 3, period: 25, warmUp: 50 };

/** The verb. */
export function benchVerb(invite: Invite = alone): Verb {
  return verb({
    text: [
      `Measures mechanisms between two processes on this machine: ${
        mechanismNames.join(", ")
      }; all of them unless ` +
      "told. A round trip is a message there and back.",
      "Everything is done twice: with all processes on one CPU, where figures are steady, and wherever the kernel " +
      "puts them. All take turns, so that a busy minute is bad for everyone; the best round counts.",
    ],
    options: {
      json: flag("print everything that was found as one object"),
      html,
      quick: flag("a rough look, some seconds for each"),
    },
    examples: [
      ["ipc bench", "everything"],
      ["ipc bench pipe --quick", "one mechanism, roughly"],
      ["ipc bench --html bench.html", "a page to keep or to show"],
    ],
    async run({ operands, options, io }) {
      const unknown = operands.find((name) => !mechanismNames.includes(name));
      if (unknown !== undefined) {
        throw new UsageError(`there is no mechanism "${unknown}"; there are ${mechanismNames.join(", ")}`);
      }
      const names = operands.length > 0
        ? mechanismNames.filter((name) => operands.includes(name))
        : mechanismNames;
      const line = new ProgressLine(io.stderr);
      const folder = await Deno.makeTempDir({ prefix: "ipc-bench-" });
      try {
        line.show("getting ready");
        const report = await run({
          ...await invite(names, folder),
          ...options.quick ? QUICK : FULL,
          signal: io.signal,
          onProgress: (part, what) => line.show(progress(part, what, io)),
        });
        await line.stop();
        if (options.html !== undefined) await Deno.writeTextFile(options.html, page(report));
        await print(io.stdout, options.json ? JSON.stringify(report) + "\n" : table(report, io.stdout));
        if (!report.results.some(({ kind }) => kind === "ours")) {
          throw new Failed("nothing could be measured");
        }
      } finally {
        await line.stop();
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

function progress(part: number, what: string, { stderr }: Io): string {
  const { dim, cyan } = style(stderr);
  const done = Math.round(part * 30);
  const text = what.slice(0, Math.max(0, stderr.columns - 42));
  return `  ${cyan("━".repeat(done))}${dim("━".repeat(30 - done))} ${
    `${Math.floor(part * 100)} %`.padStart(5)
  }  ${dim(text)}`;
}
