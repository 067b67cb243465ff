/** What stays flat: descriptors, mappings and memory, over many channels and before a reader that never reads. */

import { LimitError, TimeoutError } from "../errors.ts";
import type { TortureMechanism } from "./torture.ts";
import type { ChannelPair } from "./conformance.ts";
import { resources, trackLeaks } from "./leak_check.ts";
import { command } from "./_torture_link.ts";
import { listen } from "./_torture_kills.ts";
import { within } from "./_torture_players.ts";
import type { Random } from "./_random.ts";
import { describe, ignored, sleep, syncSender, turn, turns } from "./_trial.ts";
import type { Torture, TortureReport, TortureSession } from "./_tortures.ts";

/** Channels opened and closed at scale 1. */
const CYCLES = 100_000;
/** Rounds of sends into a full channel at scale 1. */
const ROUNDS = 2000;
const CEILING = 900_000;

/**
 * Memory that a healthy process may gain by chance, in bytes. What JavaScript holds is known exactly after a
 * collection; what is resident swings with the buffers between two of them.
 */
const SPARE = { held: 512 * 1024, resident: 96 * 1024 * 1024 };
/** What may be held for each further round, in bytes: less than anything that could leak. */
const HELD_PER_ROUND = 1;

/** The part that opens and closes. */
export const cycles: Torture = {
  title: "open and close without end",
  applies: (mechanism) => mechanism.open !== undefined,
  run: (mechanism, session) => measured(mechanism, session, "cycles", Math.max(200, CYCLES * session.scale)),
};

/** The part with the reader that never reads. */
export const flood: Torture = {
  title: "a reader that never reads",
  applies: (mechanism) => mechanism.open !== undefined && mechanism.backPressure !== false,
  run: (mechanism, session) => measured(mechanism, session, "flood", Math.max(50, ROUNDS * session.scale)),
};

/** Runs in a process of its own, where nothing else takes memory and the collector comes when called. */
async function measured(
  mechanism: TortureMechanism,
  { seed, flags }: TortureSession,
  task: "cycles" | "flood",
  count: number,
): Promise<TortureReport> {
  const { module, export: name } = mechanism;
  const all = [...flags, "--v8-flags=--expose-gc"];
  const child = new Deno.Command(Deno.execPath(), {
    args: command({ task, module, export: name, seed, flags: all, count: Math.round(count) }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const giveUp = () => child.kill("SIGKILL");
  const ended = Promise.all([listen(child.stdout), new Response(child.stderr).text(), child.status]);
  const [report, said, { success }] = await within(CEILING, ended, `${task} to end`, giveUp);
  if (!success) throw new Error(`${said.trim()} (seed ${seed})`);
  return report as TortureReport;
}

interface Sample {
  /** Bytes that JavaScript holds. */
  readonly held: number;
  readonly resident: number;
  readonly things: Map<string, number>;
}

async function sample(): Promise<Sample> {
  // The runtime lets go of closed handles some turns later.
  await sleep(20);
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await turns(3);
  }
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { held: heapUsed + external, resident: rss, things: resources() };
}

/** Opens, uses and closes so many channels. */
export async function runCycles(
  mechanism: TortureMechanism,
  random: Random,
  count: number,
): Promise<TortureReport> {
  const cycle = async (number: number) => {
    const pair = await mechanism.open!();
    try {
      await random.pick(LIVES)(pair, random);
    } finally {
      pair.receiver.close();
      pair.sender.close();
      await pair.cleanup?.();
    }
    if (number % 64 === 0) await turn();
  };
  await trackLeaks();
  const warm = Math.ceil(count / 4);
  for (let number = 0; number < warm; number++) await cycle(number);
  const before = await sample();
  for (let number = warm; number < count; number++) await cycle(number);
  const after = await sample();
  return { cycles: count, ...compare(before, after, count - warm) };
}

/** What a channel can go through before it is closed. */
const LIVES: readonly ((pair: ChannelPair, random: Random) => void | Promise<void>)[] = [
  () => {},
  async ({ sender, receiver }) => {
    await sender.send(new Uint8Array(100));
    await receiver.receive();
  },
  ({ receiver }) => {
    ignored(receiver.receive());
  },
  async ({ receiver }) => {
    const controller = new AbortController();
    const waiting = ignored(receiver.receive({ signal: controller.signal, timeout: 1000 }));
    controller.abort();
    await waiting.catch(() => {});
  },
  async ({ receiver, sender }, random) => {
    // Long enough to be parked with the runtime or the kernel, now and then.
    if (!random.oneIn(16)) return;
    const waiting = ignored(receiver.receive());
    await turns(100);
    if (random.oneIn(2)) return;
    await sender.send(new Uint8Array(100));
    await waiting;
  },
  async ({ sender }, random) => {
    if (!random.oneIn(16)) return;
    fill(sender);
    const waiting = ignored(sender.send(new Uint8Array(100)));
    await turns(random.between(0, 100));
    sender.close();
    await waiting.catch(() => {});
  },
  async ({ sender, receiver }) => {
    await sender.send(new Uint8Array(100));
    ignored(sender.end());
    await receiver.receiveBatch();
  },
];

function fill(sender: ChannelPair["sender"]): void {
  const sync = syncSender(sender);
  const message = new Uint8Array(Math.min(8192, sender.maxMessageSize));
  for (let sent = 0; sent < 10_000 && sync?.trySend(message); sent++);
}

/** Sends to nobody: those who await keep memory flat, the others are refused. */
export async function floodMemory(
  mechanism: TortureMechanism,
  random: Random,
  count: number,
): Promise<TortureReport> {
  await trackLeaks();
  const pair = await mechanism.open!();
  const { sender } = pair;
  const size = Math.min(64 * 1024, mechanism.longest ?? Infinity, sender.maxMessageSize);
  fill(sender);
  let refused = 0;
  let drawn = 0;
  const batch = ignored(sender.sendBatch((function* () {
    while (true) {
      drawn++;
      yield new Uint8Array(size);
    }
  })()));
  const awaiting = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      const sends = Array.from({ length: 16 }, () => {
        const message = new Uint8Array(size);
        return sender.send(message, { timeout: random.between(0, 2) }).then(() => {
          throw new Error("Expected no room for a message, it was taken");
        }, (error) => {
          if (!(error instanceof TimeoutError)) {
            throw new Error(`Expected a TimeoutError, got ${describe(error)}`, { cause: error });
          }
          refused++;
        });
      });
      await Promise.all(sends);
    }
  };
  await awaiting(Math.ceil(count / 4));
  const early = drawn;
  const before = await sample();
  await awaiting(count);
  const after = await sample();
  if (drawn > early + 64) {
    throw new Error(`Expected a batch to wait, it was drawn from ${drawn - early} times`);
  }
  const gained = compare(before, after, count);
  const { limit, unawaited } = await untilRefused(sender, size);
  pair.receiver.close();
  sender.close();
  for (const each of [batch, ...unawaited]) {
    if (await each.then(() => true, () => false)) {
      throw new Error("Expected an error at close, a send succeeded");
    }
  }
  await pair.cleanup?.();
  return { refused, limit, ...gained };
}

/** Sends without waiting until that is refused, which it has to be before it takes the machine's memory. */
async function untilRefused(
  sender: ChannelPair["sender"],
  size: number,
): Promise<{ limit: number; unawaited: Promise<void>[] }> {
  const unawaited: Promise<void>[] = [];
  let limit = 0;
  while (true) {
    let refusal: unknown;
    const send = sender.send(new Uint8Array(size));
    send.catch((error) => refusal = error);
    await Promise.resolve();
    await Promise.resolve();
    if (refusal instanceof LimitError) return { limit, unawaited };
    if (refusal !== undefined) {
      throw new Error(`Expected a LimitError, got ${describe(refusal)}`, { cause: refusal });
    }
    unawaited.push(send);
    limit += size;
    if (limit > 64 * 1024 * 1024) throw new Error(`Expected a LimitError, ${limit} bytes wait`);
  }
}

function compare(before: Sample, after: Sample, rounds: number): TortureReport {
  const left: string[] = [];
  for (const [line, count] of after.things) {
    const more = count - (before.things.get(line) ?? 0);
    if (more > 0) left.push(`${line} (${more})`);
  }
  if (left.length > 0) throw new Error(`Expected nothing to be left, got ${left.join(", ")}`);
  const held = after.held - before.held;
  const resident = after.resident - before.resident;
  const flat = (what: string, gained: number, most: number) => {
    if (gained <= most) return;
    throw new Error(`Expected ${what} memory to stay flat, it grew by ${gained} bytes in ${rounds} rounds`);
  };
  flat("held", held, SPARE.held + HELD_PER_ROUND * rounds);
  flat("resident", resident, SPARE.resident);
  return { held, resident };
}
