/** Kill -9 of either side while messages flow. */

import { resources, trackLeaks } from "./leak_check.ts";
import type { TortureLink, TortureMechanism, TortureRole } from "./torture.ts";
import { command, expectationOf, play, programs, type Told } from "./_torture_link.ts";
import { type Tally, within } from "./_torture_players.ts";
import { Random } from "./_random.ts";
import { sleep, turn } from "./_trial.ts";
import type { Torture, TortureReport, TortureSession } from "./_tortures.ts";

/** How many channels are tortured at the same time: starting a process takes longer than killing one. */
const AT_ONCE = 4;
/** Kills at scale 1. */
const KILLS = 1000;
/** Milliseconds for anything that must not hang. */
const CEILING = 30_000;
/** More messages than ever flow. */
const ENDLESS = 1e9;

/** The part that kills. */
export const killing: Torture = {
  title: "kill -9 of either side while messages flow",
  applies: (mechanism) => mechanism.roles.length > 0,
  run: kill,
};

interface Round {
  readonly mechanism: TortureMechanism;
  readonly session: TortureSession;
  readonly random: Random;
  readonly seed: number;
  readonly tally: Tally;
  /** What is being done, for the failure. */
  readonly doing: string[];
}

async function kill(mechanism: TortureMechanism, session: TortureSession): Promise<TortureReport> {
  const { seed, scale, duration } = session;
  const most = duration === undefined ? Math.max(8, Math.round(KILLS * scale)) : Infinity;
  const deadline = performance.now() + (duration ?? Infinity);
  const tally: Tally = { messages: 0, bytes: 0, truncated: 0 };
  let kills = 0;
  let rounds = 0;
  let failed = false;
  // What the runtime opens at first need and keeps is opened now.
  await trackLeaks();
  const before = resources();
  const lane = async () => {
    while (kills < most && performance.now() < deadline && !failed) {
      const number = rounds++;
      // Each round has luck of its own, so that it does not matter which of them is faster.
      const random = new Random(seed + Math.imul(number + 1, 0x85ebca6b));
      const round: Round = { mechanism, session, random, seed: random.between(0, 2 ** 31), tally, doing: [] };
      try {
        const died = await (random.oneIn(5) ? orphan(round) : bereave(round));
        kills += died;
      } catch (error) {
        failed = true;
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`${reason} (seed ${seed}, round ${number}: ${round.doing.join(", ")})`, {
          cause: error,
        });
      }
    }
  };
  for (const outcome of await Promise.allSettled(Array.from({ length: AT_ONCE }, lane))) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  await nothingLeft(before, seed);
  return { kills, ...tally };
}

/** The started processes die, and the starter has to bear it. Returns how many died. */
async function bereave({ mechanism, session, random, seed, tally, doing }: Round): Promise<number> {
  const role = random.pick(mechanism.roles);
  const count = role === "send" ? mechanism.senders ?? 1 : 1;
  const roles = Array.from({ length: count }, () => role);
  doing.push(`started ${count} to ${role}`);
  const link = await within(
    CEILING,
    Promise.resolve(
      mechanism.start(
        programs(mechanism, { seed, flags: session.flags, roles, count: ENDLESS, report: false }),
      ),
    ),
    "to start processes",
  );
  const expectation = expectationOf(mechanism, seed, roles.map((_, index) => index + 1));
  let died = 0;
  let played = 0;
  const over = play(link, {
    mechanism,
    seed,
    role,
    random: random.fork(),
    lane: 1,
    starter: true,
    count: ENDLESS,
    mayBlock: false,
    tally,
    onMessage: () => void played++,
    mayDie: () => died,
    expectation,
  });
  let failed = false;
  over.catch(() => failed = true);
  try {
    for (const index of shuffled(count, random)) {
      await flow(() => failed, role, mechanism, random, () => {
        return role === "send" ? [...expectation.lanes.values()].map((each) => each.count) : [played];
      });
      if (failed) break;
      await sleep(pause(random, session));
      doing.push(`killed ${index + 1} at message ${played}`);
      died++;
      Deno.kill(link.processes[index]!.pid, "SIGKILL");
      expectation.forget(index + 1);
    }
    await within(CEILING, over, `the end after the death of ${count}`);
  } finally {
    await bury(link);
  }
  return count;
}

/** Waits until messages flow from everybody who lives. */
async function flow(
  failed: () => boolean,
  role: TortureRole,
  mechanism: TortureMechanism,
  random: Random,
  counts: () => number[],
): Promise<void> {
  // Dying before the first message is worth a try too.
  if (mechanism.fromBirth && random.oneIn(8)) return;
  const before = counts();
  const more = random.between(1, 10);
  const deadline = performance.now() + CEILING;
  while (!failed()) {
    const now = counts();
    if (now.length < before.length || now.every((count, index) => count >= before[index]! + more)) return;
    if (performance.now() > deadline) {
      throw new Error(`Expected messages to flow (${role}), got ${now} after ${before}`);
    }
    await sleep(1);
  }
}

/** Closes the ends; kills what still lives, which after a failure may be all. */
async function bury(link: TortureLink): Promise<void> {
  link.sender?.close();
  link.receiver?.close();
  for (const { pid, status } of link.processes) {
    let ended = false;
    status.then(() => ended = true);
    await turn();
    if (!ended) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch { /* It has just ended. */ }
    }
    const { signal } = await within(CEILING, status, `process ${pid} to end`);
    if (signal !== "SIGKILL") {
      throw new Error(`Expected process ${pid} to live until killed, it ended by itself`);
    }
  }
  await link.cleanup?.();
}

/** The starter dies, and the started process has to bear it. */
async function orphan({ mechanism, session, random, seed, tally, doing }: Round): Promise<number> {
  const role = random.pick(mechanism.roles);
  const { module, export: name } = mechanism;
  const { flags } = session;
  doing.push(`started one to start another to ${role}`);
  // What it makes for its time nobody removes.
  const folder = await Deno.makeTempDir();
  const host = new Deno.Command(Deno.execPath(), {
    args: command({ task: "host", module, export: name, seed, flags, role, count: ENDLESS }),
    env: { TMPDIR: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let survivor: number | undefined;
  let killed = false;
  const listening = listen(host.stdout, async (told) => {
    survivor ??= told.pid;
    if (told.begun) {
      await sleep(pause(random, session));
      killed = true;
      doing.push("killed the starter");
      host.kill("SIGKILL");
    }
  });
  const giveUp = () => {
    for (const pid of [survivor, host.pid]) if (pid !== undefined) tryKill(pid);
  };
  const [last] = await within(
    CEILING,
    Promise.all([listening, host.status]),
    "the process that was left to end",
    giveUp,
  );
  await Deno.remove(folder, { recursive: true });
  if (!killed || last?.verdict !== "fine" || last.pid !== survivor) {
    throw new Error(`Expected the process that was left to be fine, it told ${JSON.stringify(last)}`);
  }
  tally.messages += last.messages!;
  tally.bytes += last.bytes!;
  tally.truncated += last.truncated!;
  return 1;
}

function tryKill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch { /* It has ended. */ }
}

/** Reads what processes tell, until the last of them has ended; returns the last line. */
export async function listen(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  hear: (told: Told) => void | Promise<void> = () => {},
): Promise<Told | undefined> {
  let rest = "";
  let last: Told | undefined;
  const hearing: (void | Promise<void>)[] = [];
  for await (const text of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) hearing.push(hear(last = JSON.parse(line)));
  }
  await Promise.all(hearing);
  return last;
}

/** In a run of minutes every 50 to 500 ms; where kills are counted, as fast as may be. */
function pause(random: Random, { duration }: TortureSession): number {
  return duration === undefined ? random.between(0, 10) : random.between(50, 500);
}

function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index--) {
    const other = random.between(0, index);
    [order[index], order[other]] = [order[other]!, order[index]!];
  }
  return order;
}

/** Expects no more descriptors, mappings and objects than before; the runtime needs a moment to let go. */
async function nothingLeft(before: Map<string, number>, seed: number): Promise<void> {
  // Kinds, not names: every pipe has a number of its own.
  const count = (found: Map<string, number>) => {
    let pipes = 0;
    for (const [line, times] of found) if (/^descriptor |^object /.test(line)) pipes += times;
    return pipes;
  };
  const deadline = performance.now() + 5000;
  const allowed = count(before);
  while (count(resources()) > allowed) {
    if (performance.now() > deadline) {
      const more = [...resources().keys()].filter((line) => !before.has(line));
      throw new Error(`Expected nothing to be left, got ${more.join(", ")} (seed ${seed})`);
    }
    await sleep(10);
  }
}
