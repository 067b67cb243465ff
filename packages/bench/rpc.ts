/**
 * Measures remote calls between two processes, over every channel and against other ways to call, all in turns.
 *
 * ```sh
 * deno task bench rpc
 * deno task bench rpc unix grpc --quick
 * deno run -A packages/bench/rpc.ts --json
 * ```
 *
 * @module
 */

import { takeProcess } from "../cli/_process.ts";
import { report, STATUS } from "../cli/_failure.ts";
import { print } from "../cli/io.ts";
import { flag, parse } from "../cli/_options.ts";
import { ProgressLine } from "../cli/_progress_line.ts";
import { invite } from "./rpc/contestants.ts";
import { run } from "./rpc/run.ts";
import { table } from "./rpc/table.ts";

const HELP = `deno task bench rpc [WORD…] [--quick] [--json]

Measures remote calls: all, or those whose names have one of the words in them.
`;

const FULL = { modes: ["pinned", "free"], rounds: 7, period: 200, warmUp: 300 } as const;
const QUICK = { modes: ["free"], rounds: 2, period: 30, warmUp: 30 } as const;

/** Runs as a program with these arguments, and leaves. */
export async function main(args: readonly string[]): Promise<void> {
  const { io, leave } = takeProcess();
  const line = new ProgressLine(io.stderr);
  try {
    const { help, operands, values } = parse(args, {
      json: flag("print everything that was found as one object"),
      quick: flag("a rough look, not pinned to one CPU"),
    });
    if (help) await print(io.stdout, HELP);
    else {
      line.show("getting ready");
      await using field = await invite(operands);
      const onProgress = (what: string) => line.show(what);
      const found = await run(field, { ...values.quick ? QUICK : FULL, signal: io.signal, onProgress });
      await line.stop();
      await print(io.stdout, values.json ? JSON.stringify(found) + "\n" : table(found, io.stdout));
    }
    leave(STATUS.done);
  } catch (error) {
    await line.stop();
    leave(await report(io, "bench rpc", error));
  }
}

if (import.meta.main) await main(Deno.args);
