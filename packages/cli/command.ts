import { closest } from "./_closest.ts";
import { report, STATUS, UsageError } from "./_failure.ts";
import { commandHelp, verbHelp } from "./_help.ts";
import { type Io, print } from "./io.ts";
import { parse } from "./_options.ts";
import { checkOperands, usage, type VerbEntry, verbs } from "./_verbs.ts";
import config from "./deno.json" with { type: "json" };

/**
 * Runs the `ipc` command with these arguments and gives its exit status.
 *
 * 0: done, 1: failed, 2: bad usage, 124: timed out, 126 and 127: `with` cannot run its command; 128 and a signal's
 * number where `io.signal` was aborted by one. What failed is told on `io.stderr`; nothing is thrown.
 *
 * @example
 * ```ts
 * import { main, type Output } from "@ipc/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const output: Output = {
 *   write: async (bytes) => void lines.push(new TextDecoder().decode(bytes)),
 *   terminal: false,
 *   colour: false,
 *   columns: 80,
 * };
 * const { signal } = new AbortController();
 * const status = await main(["--version"], { stdin: new Blob([]).stream(), stdout: output, stderr: output, signal });
 * assertEquals([status, lines.length], [0, 1]);
 * ```
 */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  const entry = verbs.find((verb) => verb.name === name);
  try {
    if (entry !== undefined) return await call(entry, rest, io) ?? STATUS.done;
    if (name === "--help" || name === "-h") await print(io.stdout, commandHelp(io.stdout));
    else if (name === "--version" || name === "-V") await print(io.stdout, `ipc ${config.version}\n`);
    else if (name === undefined) {
      await print(io.stderr, commandHelp(io.stderr));
      return STATUS.usage;
    } else throw new UsageError(unknown(name));
    return STATUS.done;
  } catch (error) {
    return await report(io, entry?.name, error);
  }
}

async function call(entry: VerbEntry, args: readonly string[], io: Io): Promise<number | void> {
  const { default: verb } = await entry.load();
  const { help, operands, values } = parse(args, verb.options);
  if (help) return await print(io.stdout, verbHelp(entry, verb, io.stdout));
  const problem = checkOperands(entry, operands);
  if (problem !== undefined) {
    throw new UsageError(`${problem}; usage: ${usage(entry)}`);
  }
  return await verb.run({ operands, options: values, io });
}

function unknown(name: string): string {
  if (name === "help") return `there is no verb "help"; did you mean "--help"?`;
  const [kind, names] = name.startsWith("-")
    ? ["option", ["--help", "--version"]]
    : ["verb", verbs.map((verb) => verb.name)];
  const near = closest(name, names);
  return `there is no ${kind} "${name}"; ${
    near === undefined ? "see ipc --help" : `did you mean "${near}"?`
  }`;
}
