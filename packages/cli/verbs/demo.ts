import { createHash } from "node:crypto";
import { NotSupportedError } from "@ipc/core";
import type { Meeting } from "@ipc/address/meeting";
import { meetings } from "@ipc/address/meeting";
import { type Result, run, type Sent, type Step } from "../demo/run.ts";
import { asJson, asProgress, asTable, type Row } from "../demo/table.ts";
import { about, STATUS, UsageError } from "../_failure.ts";
import { print } from "../io.ts";
import { flag } from "../_options.ts";
import { ProgressLine } from "../_progress_line.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Sends FILE from one process to another, through every mechanism there is or those that are named, and checks " +
    "at the far end that it arrived as it was sent. Without FILE it is Deno's own executable.",
    `Mechanisms: ${meetings.map(({ name }) => name).join(", ")}.`,
    "Bandwidth is measured with messages from memory, of 1 MiB or as long as the mechanism takes them, round trips " +
    "with messages of 64 bytes: half of all took less. Awaiting, both ends go on with other work meanwhile; " +
    "blocking, they do not. Over UDP each message is acknowledged, and sent again until it is.",
  ],
  options: { json: flag("print one object, with plain numbers") },
  examples: [
    ["ipc demo", "less than a minute"],
    ["ipc demo ~/film.mp4 fifo unix", "another file, through two of them"],
    ["ipc demo --json", "for a program"],
  ],
  async run({ operands: [path = Deno.execPath(), ...names], options, io }) {
    const wanted = named(names);
    const start = performance.now();
    const line = new ProgressLine(io.stderr);
    line.show(`reading ${path}`);
    const file = await about(path, () => digest(path));
    const rows: Row[] = [];
    const folder = await Deno.makeTempDir({ prefix: "ipc-demo-" });
    try {
      for (const [index, mechanism] of wanted.entries()) {
        const nth = `${index + 1}/${wanted.length}`;
        const onStep = (step: Step) => line.show(asProgress(io.stderr, file, nth, mechanism.name, step));
        rows.push({
          name: mechanism.name,
          outcome: await attempt(mechanism, file, folder, io.signal, onStep),
        });
      }
    } finally {
      await line.stop();
      await Deno.remove(folder, { recursive: true });
    }
    const took = performance.now() - start;
    await print(io.stdout, options.json ? asJson(file, rows, took) : asTable(io.stdout, file, rows, took));
    const failed = rows.some(({ outcome }) => {
      return outcome instanceof Error ? !(outcome instanceof NotSupportedError) : !outcome.ok;
    });
    return failed ? STATUS.failed : STATUS.done;
  },
});

/** The mechanisms of these names, all where there are none. */
function named(names: readonly string[]): readonly Meeting[] {
  const unknown = names.find((name) => !meetings.some((meeting) => meeting.name === name));
  if (unknown !== undefined) {
    const known = meetings.map(({ name }) => name).join(", ");
    throw new UsageError(`there is no mechanism "${unknown}"; there are ${known}`);
  }
  return names.length === 0 ? meetings : meetings.filter(({ name }) => names.includes(name));
}

async function attempt(
  mechanism: Meeting,
  file: Sent,
  folder: string,
  signal: AbortSignal,
  onStep: (step: Step) => void,
): Promise<Result | Error> {
  try {
    return await run(mechanism, file, folder, signal, onStep);
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function digest(path: string): Promise<Sent> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const chunk = new Uint8Array(1024 * 1024);
  let bytes = 0;
  for (let length; (length = await file.read(chunk)) !== null;) {
    hash.update(chunk.subarray(0, length));
    bytes += length;
  }
  return { path, bytes, sha256: hash.digest("hex") };
}
