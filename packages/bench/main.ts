/**
 * Measures the mechanisms of this library against C and against other ways, as `ipc bench` does without them.
 *
 * ```sh
 * deno task bench
 * deno task bench pipe --quick
 * deno task bench --html bench.html
 * deno task bench rpc
 * ```
 *
 * @module
 */

import { benchVerb } from "../cli/bench/verb.ts";
import { report, STATUS } from "../cli/_failure.ts";
import { verbHelp } from "../cli/_help.ts";
import { print } from "../cli/io.ts";
import { parse } from "../cli/_options.ts";
import { takeProcess } from "../cli/_process.ts";
import { invite } from "./field.ts";

const entry = {
  name: "bench",
  operands: "[MECHANISM…]",
  summary: "measure this machine, against C and other ways",
  load: () => Promise.reject(new Error("It is here already")),
};

if (import.meta.main && Deno.args[0] === "rpc") {
  // Calls, and not messages: other figures, and other ways to compare with.
  const { main } = await import("./rpc.ts");
  await main(Deno.args.slice(1));
} else if (import.meta.main) {
  const { io, leave } = takeProcess();
  const verb = benchVerb(invite);
  try {
    const { help, operands, values } = parse(Deno.args, verb.options);
    if (help) await print(io.stdout, verbHelp(entry, verb, io.stdout));
    else await verb.run({ operands, options: values, io });
    leave(STATUS.done);
  } catch (error) {
    leave(await report(io, "bench", error));
  }
}
