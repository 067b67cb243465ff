/** The near end: it begins each test, and measures. */

import type { Bytes, SyncChannel } from "@ipc/core";
import { restFigures, watchRest } from "./_idle.ts";
import { figuresOf, type Trips, trips, tripsSync } from "./_trips.ts";
import { type Command, cpuTime, parseCommand, tell } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

/** What a test found: how long it took in milliseconds, or all there is to tell. */
type Found = Trips | Figures | { readonly time: number; readonly trailer?: Bytes | undefined };

/** Does what a line says, or says why it cannot be done. */
export async function measure(channel: SyncChannel, line: string): Promise<Figures | { error: string }> {
  const command = parseCommand(line);
  const most = channel.maxMessageSize;
  if (command.size > most) return { error: `a message has at most ${most.toLocaleString("en-US")} bytes` };
  const test = tests[command.test];
  if (test === undefined) throw new TypeError(`Cannot measure "${command.test}": no such test`);
  const before = cpuTime();
  await channel.send(tell(line));
  const found = await test(channel, command);
  if ("nanoseconds" in found) return found;
  const here = cpuTime() - before;
  const cpu = here + cpuTimeIn("trailer" in found ? found.trailer : await channel.receive());
  if ("times" in found) return figuresOf(found, cpu);
  return { nanoseconds: Math.round(found.time * 1e6), cpu: cpu / command.count };
}

/** The far end's last message of a test: its CPU time in microseconds. */
function cpuTimeIn(trailer: Bytes | undefined): number {
  if (trailer === undefined) throw new Error("Cannot measure: the far end is gone");
  return Number(new TextDecoder().decode(trailer));
}

type Test = (channel: SyncChannel, command: Command) => Promise<Found> | Found;

const tests: Record<string, Test> = {
  "trip-sync"(channel, { size, count }) {
    const message = new Uint8Array(size);
    return tripsSync(count, () => {
      channel.sendSync(message);
      channel.receiveSync();
    });
  },

  "trip-async"(channel, { size, count }) {
    const message = new Uint8Array(size);
    return trips(count, async () => {
      await channel.send(message);
      await channel.receive();
    });
  },

  "trip-wake"(channel, { size, count }) {
    const message = new Uint8Array(size);
    return trips(count, () => {
      channel.sendSync(message);
      return channel.receive();
    });
  },

  "pull-sync"(channel, { count }) {
    const began = performance.now();
    for (let left = count; left > 0; left--) channel.receiveSync();
    return { time: performance.now() - began };
  },

  async "pull-await"(channel, { count }) {
    const began = performance.now();
    for (let left = count; left > 0; left--) await channel.receive();
    return { time: performance.now() - began };
  },

  "pull-stream": pullBatches,
  "pull-batch": pullBatches,

  async "push-sync"(channel, { size, count }) {
    const message = new Uint8Array(size);
    const began = performance.now();
    for (let left = count; left > 0; left--) channel.sendSync(message);
    // The far end tells its CPU time when it has them all.
    const trailer = await channel.receive();
    return { time: performance.now() - began, trailer };
  },

  async idle(channel, { count }) {
    const waiting = channel.receive();
    const rest = await watchRest(count);
    await channel.send(tell("enough"));
    return restFigures(rest, cpuTimeIn(await waiting));
  },
};

async function pullBatches(channel: SyncChannel, { count }: Command): Promise<Found> {
  const began = performance.now();
  let batch: Bytes[] = [];
  for (let left = count; left > 0; left -= batch.length) {
    batch = await channel.receiveBatch();
    if (batch.length > left) return { time: performance.now() - began, trailer: batch.at(-1) };
    if (batch.length === 0) throw new Error("Cannot measure: the far end is gone");
  }
  return { time: performance.now() - began };
}
