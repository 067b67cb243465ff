/**
 * Prints which configuration to use: `deno.json`, or `.deno.offline.json` with its stand-ins for `@std` where JSR
 * cannot be reached. With `--flags` it prints the flags for Deno; the real packages are locked, the stand-ins not.
 *
 * Looking takes seconds where a network swallows packets, so the answer is kept, and kept beside the packages that
 * it speaks of: whoever empties Deno's cache empties both. `IPC_STD=jsr` and `IPC_STD=stand-ins` decide without looking.
 *
 * @module
 */

import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname!, "..");

/** A configuration and the flags that select it, relative to the root. */
interface Choice {
  readonly config: string;
  readonly flags: readonly string[];
}

const real: Choice = { config: "deno.json", flags: ["--config=deno.json", "--lock=deno.lock"] };
const standIns: Choice = { config: ".deno.offline.json", flags: ["--config=.deno.offline.json"] };

const hour = 3_600_000;
/** How long an answer is believed, in milliseconds. */
const belief = { reached: 7 * 24 * hour, missed: hour };
/** How long JSR may take to answer at all, and then to hand over the packages, in milliseconds. */
const patience = { answer: 3_000, packages: 15_000 };

interface Answer {
  readonly question: string;
  readonly reached: boolean;
  readonly until: number;
}

/** Returns the configuration that works on this machine. */
export async function chooseConfig(): Promise<Choice> {
  const wish = Deno.env.get("IPC_STD");
  if (wish === "jsr") return real;
  if (wish === "stand-ins") return standIns;
  if (wish) throw new TypeError(`Cannot use IPC_STD=${wish}: must be "jsr" or "stand-ins"`);
  const registry = Deno.env.get("JSR_URL") || "https://jsr.io/";
  const imports = JSON.parse(await Deno.readTextFile(join(root, real.config))).imports;
  const question = JSON.stringify({ registry, imports });
  const known = await recall(question);
  if (known !== undefined) return known ? real : standIns;
  const reached = await answers(registry) && await loads();
  await remember({ question, reached, until: Date.now() + (reached ? belief.reached : belief.missed) });
  if (!reached) {
    console.error("JSR is out of reach: stand-ins for @std are used, and asked for again in an hour");
  }
  return reached ? real : standIns;
}

async function answers(registry: string): Promise<boolean> {
  try {
    const url = new URL("@std/assert/meta.json", registry.replace(/\/?$/, "/"));
    const response = await fetch(url, { signal: AbortSignal.timeout(patience.answer) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function loads(): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", ...real.flags, ".tasks/probe.ts"],
    cwd: root,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(patience.packages),
  }).output();
  return success;
}

async function recall(question: string): Promise<boolean | undefined> {
  try {
    const answer: Answer = JSON.parse(await Deno.readTextFile(answerPath()));
    const now = Date.now();
    const fresh = now < answer.until && answer.until <= now + belief.reached;
    return fresh && answer.question === question ? answer.reached : undefined;
  } catch {
    return undefined;
  }
}

/** Another task may be looking at the same time, so the file appears whole or not at all. */
async function remember(answer: Answer): Promise<void> {
  const path = answerPath();
  const draft = `${path}.${Deno.pid}`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(draft, JSON.stringify(answer));
    await Deno.rename(draft, path);
  } catch {
    // Nowhere to keep it: the next task looks again.
  }
}

function answerPath(): string {
  return join(Deno.env.get("DENO_DIR") || join(userCache(), "deno"), "ipc_std.json");
}

function userCache(): string {
  if (Deno.build.os === "darwin") return join(homedir(), "Library", "Caches");
  if (Deno.build.os === "windows") return Deno.env.get("LOCALAPPDATA") ?? homedir();
  return Deno.env.get("XDG_CACHE_HOME") || join(homedir(), ".cache");
}

if (import.meta.main) {
  const { config, flags } = await chooseConfig();
  console.log(Deno.args.includes("--flags") ? flags.join(" ") : config);
  // A name server that never answers would hold the process for as long as the look-up lasts.
  Deno.exit();
}
