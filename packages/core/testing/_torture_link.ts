/** Two sides of one channel in two processes, and what each of them does and tells. */

import type { TortureEnds, TortureMechanism, TortureProgram, TortureRole } from "./torture.ts";
import type { TorturePlan } from "./_torture_child.ts";
import { Expectation, Messages, type MessagesOptions } from "./_torture_messages.ts";
import { receive, send, type Tally } from "./_torture_players.ts";
import type { Random } from "./_random.ts";
import { describe } from "./_trial.ts";

const CHILD = import.meta.resolve("./_torture_child.ts");

/** What the processes at the far end are to do. */
export interface ProgramsOptions {
  seed: number;
  flags: readonly string[];
  /** One for each process. */
  roles: readonly TortureRole[];
  /** How many messages each direction carries. */
  count: number;
  /** Whether they print what becomes of them. */
  report: boolean;
}

/** The command for a plan. */
export function command(plan: TorturePlan, flags: readonly string[] = plan.flags): string[] {
  return ["run", "-A", "--quiet", "--no-lock", "--no-check", ...flags, CHILD, JSON.stringify(plan)];
}

/** The programs at the far end of one channel. */
export function programs(mechanism: TortureMechanism, options: ProgramsOptions): TortureProgram[] {
  const { module, export: name } = mechanism;
  const { seed, flags, roles, count, report } = options;
  return roles.map((role, index) => ({
    command: Deno.execPath(),
    args: command({ task: "play", module, export: name, seed, flags, role, lane: index + 1, count, report }),
    role,
  }));
}

/** How one side plays. */
export interface SideOptions {
  mechanism: TortureMechanism;
  seed: number;
  random: Random;
  /** What the processes that were started do. */
  role: TortureRole;
  /** The number of the started process at this or, for the starter, at the far end; from 1. */
  lane: number;
  /** Whether this process is the one that started the others. */
  starter: boolean;
  count: number;
  mayBlock: boolean;
  tally: Tally;
  /** Called at the first message. */
  started?: (() => void) | undefined;
  /** Called at each message. */
  onMessage?: (() => void) | undefined;
  /** How many senders may have died inside a message by now. */
  mayDie?: (() => number) | undefined;
  expectation?: Expectation | undefined;
}

/** What a started process and its starter send each other: lane 0 is the starter's. */
export function expectationOf(
  mechanism: TortureMechanism,
  seed: number,
  lanes: readonly number[],
): Expectation {
  return new Expectation(lanes.map((lane) => sequence(mechanism, seed, lane)));
}

function sequence(mechanism: TortureMechanism, seed: number, lane: number): MessagesOptions {
  const { longest, bytes, senders = 1 } = mechanism;
  return { seed, lane, longest, bytes, marked: lane > 0 && senders > 1 };
}

/** Plays one side to its end; closes nothing. */
export async function play(ends: TortureEnds, options: SideOptions): Promise<void> {
  const { mechanism, seed, random, role, lane, starter, count, mayBlock, tally, started } = options;
  const sends = starter ? role !== "send" : role !== "receive";
  const receives = starter ? role !== "receive" : role !== "send";
  let first = true;
  const onMessage = () => {
    if (first) started?.();
    first = false;
    options.onMessage?.();
  };
  const side = { mayBlock, tally, onMessage, isEnd: mechanism.isEnd };
  const tasks: Promise<unknown>[] = [];
  if (sends) {
    const messages = new Messages(sequence(mechanism, seed, starter ? 0 : lane));
    tasks.push(send(ends.sender!, messages, count, { ...side, random: random.fork() }));
  }
  if (receives) {
    const expectation = options.expectation ?? expectationOf(mechanism, seed, starter ? [lane] : [0]);
    tasks.push(
      receive(ends.receiver!, expectation, options.mayDie ?? (() => 1), { ...side, random: random.fork() }),
    );
  }
  for (const outcome of await Promise.allSettled(tasks)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

/** What a started process tells. */
export type Told =
  & { pid?: number; begun?: boolean }
  & Partial<{ verdict: string } & Tally>;

/** Prints a line for the process that looks on. */
export function tell(what: unknown): void {
  console.log(JSON.stringify(what));
}

/** Tells how a side ended. */
export async function judge(report: boolean, tally: Tally, side: () => Promise<void>): Promise<void> {
  let verdict = "fine";
  try {
    await side();
  } catch (error) {
    verdict = error instanceof Error ? error.message : describe(error);
    if (!report) throw error;
  }
  if (report) tell({ pid: Deno.pid, verdict, ...tally });
}
