/** A thousand calls that wait at once, and are served, aborted, too late or closed at random. */

import type { TortureMechanism } from "./torture.ts";
import type { ChannelPair } from "./conformance.ts";
import { LimitError, TimeoutError } from "../errors.ts";
import { within } from "./_torture_players.ts";
import { Random } from "./_random.ts";
import { describe, turn } from "./_trial.ts";
import type { Torture, TortureReport, TortureSession } from "./_tortures.ts";

const WAITERS = 1000;
const CHANNELS = 50;
/** Rounds at scale 1. */
const ROUNDS = 50;

/** The part with the crowd. */
export const waiters: Torture = {
  title: "1,000 waiters",
  applies: (mechanism) => mechanism.open !== undefined && mechanism.bytes !== true,
  run: crowd,
};

interface Waiting {
  readonly channel: Watched;
  readonly controller: AbortController;
  readonly outcome: Promise<PromiseSettledResult<Uint8Array | undefined>>;
}

/** A channel, and what was done to it. */
interface Watched {
  readonly pair: ChannelPair;
  readonly waiting: Waiting[];
  sent: number;
  closed: boolean;
}

async function crowd(mechanism: TortureMechanism, { seed, scale }: TortureSession): Promise<TortureReport> {
  const report = { waits: 0, served: 0, aborted: 0, late: 0, closed: 0 };
  for (let round = 0; round < Math.max(2, Math.round(ROUNDS * scale)); round++) {
    const random = new Random(seed + round);
    try {
      await oneRound(mechanism, random, report);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${reason} (seed ${seed}, round ${round})`, { cause: error });
    }
  }
  return report;
}

async function oneRound(
  mechanism: TortureMechanism,
  random: Random,
  report: Record<"waits" | "served" | "aborted" | "late" | "closed", number>,
): Promise<void> {
  const channels = await openSome(mechanism);
  const all: Waiting[] = [];
  while (all.length < WAITERS) all.push(wait(random.pick(channels), random));
  report.waits += all.length;
  let open = all.length;
  for (const { outcome } of all) outcome.then(() => open--);
  await turn();
  const deadline = performance.now() + 30_000;
  while (open > 0) {
    if (performance.now() > deadline) {
      throw new Error(`Expected every wait to end, ${open} of ${all.length} go on`);
    }
    const waiting = random.pick(all);
    const { channel } = waiting;
    if (random.oneIn(100)) close(channel);
    else if (random.oneIn(3)) waiting.controller.abort(new Error("Enough"));
    else if (!channel.closed) send(channel);
    if (random.oneIn(10)) await turn();
  }
  for (const channel of channels) {
    await judge(channel, report);
    close(channel);
    await channel.pair.cleanup?.();
  }
}

async function openSome(mechanism: TortureMechanism): Promise<Watched[]> {
  const channels: Watched[] = [];
  while (channels.length < CHANNELS) {
    try {
      channels.push({ pair: await mechanism.open!(), waiting: [], sent: 0, closed: false });
    } catch (error) {
      if (!(error instanceof LimitError) || channels.length === 0) throw error;
      break;
    }
  }
  return channels;
}

function wait(channel: Watched, random: Random): Waiting {
  const controller = new AbortController();
  const receiving = channel.pair.receiver.receive({
    signal: controller.signal,
    timeout: random.oneIn(4) ? random.between(1, 50) : undefined,
  });
  const outcome = Promise.allSettled([receiving]).then(([settled]) => settled);
  const waiting = { channel, controller, outcome };
  channel.waiting.push(waiting);
  return waiting;
}

/** Sends the number of the message, without waiting for room. */
function send(channel: Watched): void {
  const message = new Uint8Array(4);
  new DataView(message.buffer).setUint32(0, channel.sent++, true);
  channel.pair.sender.send(message).catch(() => {});
}

function close(channel: Watched): void {
  channel.closed = true;
  channel.pair.receiver.close();
  channel.pair.sender.close();
}

/** Who was served got the messages in the order of the calls, none left out; the others got what they asked for. */
async function judge(
  { waiting, sent, closed }: Watched,
  report: Record<"served" | "aborted" | "late" | "closed", number>,
): Promise<void> {
  let next = 0;
  for (const { controller, outcome } of waiting) {
    const settled = await within(1000, outcome, "a wait to have ended");
    if (settled.status === "fulfilled") {
      const { value } = settled;
      if (value === undefined) {
        if (!closed) throw new Error("Expected a message, got the end of a channel that nobody closed");
        report.closed++;
        continue;
      }
      const number = new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(0, true);
      if (value.byteLength !== 4 || number !== next) {
        throw new Error(`Expected message ${next} of ${sent}, got ${number} of ${value.byteLength} bytes`);
      }
      next++;
      report.served++;
    } else if (settled.reason === controller.signal.reason && controller.signal.aborted) report.aborted++;
    else if (settled.reason instanceof TimeoutError) report.late++;
    else throw new Error(`Expected a message, an abort or a timeout, got ${describe(settled.reason)}`);
  }
}
