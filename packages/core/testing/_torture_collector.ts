/** Messages while the garbage collector runs all the time, in both processes. */

import type { TortureMechanism } from "./torture.ts";
import { command, type Told } from "./_torture_link.ts";
import { listen } from "./_torture_kills.ts";
import { within } from "./_torture_players.ts";
import { Random } from "./_random.ts";
import type { Torture, TortureReport, TortureSession } from "./_tortures.ts";

/** Messages in each direction at scale 1. */
const MESSAGES = 5000;
const FLAGS = "--v8-flags=--gc-interval=100,--stress-compaction";
const CEILING = 600_000;

/** The part that disturbs the collector. */
export const collecting: Torture = {
  title: "garbage collection all the time",
  applies: (mechanism) => mechanism.roles.length > 0,
  run: collect,
};

async function collect(mechanism: TortureMechanism, session: TortureSession): Promise<TortureReport> {
  const flags = [...session.flags, FLAGS];
  const random = new Random(session.seed);
  const count = Math.max(50, Math.round(MESSAGES * session.scale));
  const { module, export: name } = mechanism;
  const report = { messages: 0, bytes: 0 };
  for (const role of mechanism.roles) {
    const seed = random.between(0, 2 ** 31);
    const host = new Deno.Command(Deno.execPath(), {
      args: command({ task: "host", module, export: name, seed, flags, role, count }),
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const verdicts: Told[] = [];
    const listening = listen(host.stdout, (told) => {
      if (told.verdict !== undefined) verdicts.push(told);
    });
    const giveUp = () => host.kill("SIGKILL");
    await within(CEILING, Promise.all([listening, host.status]), `${count} messages to ${role}`, giveUp);
    const sums = verdicts.map((told) => told.messages);
    const expected = role === "both" ? 2 * count : count;
    if (verdicts.length !== 2 || verdicts.some((told) => told.verdict !== "fine" || told.truncated !== 0)) {
      throw new Error(
        `Expected two sides to be fine, they told ${JSON.stringify(verdicts)} (seed ${session.seed})`,
      );
    }
    if (!mechanism.bytes && sums.some((sum) => sum !== expected)) {
      throw new Error(`Expected ${expected} messages at each side, got ${sums} (seed ${session.seed})`);
    }
    report.messages += expected;
    report.bytes += verdicts[0]!.bytes!;
  }
  return report;
}
