/** The near end: it begins each test, and measures. */

import type { Bytes, SyncChannel } from "@ipc/core";
import type { Figures } from "./contestant.ts";
import { type Command, cpuTime, parseCommand, tell } from "./_wire.ts";

/** What a test found, and what the far end has said of its CPU time where that came along already. */
interface Found {
  /** Milliseconds. */
  time: number;
  /** Milliseconds of each round trip. */
  times?: Float64Array;
  trailer?: Bytes | undefined;
}

/** Does what a line says, or says why it cannot be done. */
export async function measure(channel: SyncChannel, line: string): Promise<Figures | { error: string }> {
  const command = parseCommand(line);
  const most = channel.maxMessageSize;
  if (command.size > most) return { error: `a message has at most ${most.toLocaleString("en-US")} bytes` };
  const test = tests[command.test];
  if (test === undefined) throw new TypeError(`Cannot measure "${command.test}": no such test`);
  const before = cpuTime();
  await channel.send(tell(line));
  const { time, times, trailer = await channel.receive() } = await test(channel, command);
  if (trailer === undefined) throw new Error("Cannot measure: the far end is gone");
  const cpu = cpuTime() - before + Number(new TextDecoder().decode(trailer));
  const nanoseconds = Math.round(time * 1e6);
  if (times === undefined) return { nanoseconds, cpu: cpu / command.count };
  times.sort();
  return {
    nanoseconds,
    // Each trip is two messages, and there were as many trips again for the times of each.
    cpu: cpu / (4 * command.count),
    p50: times[times.length >> 1]! * 1000,
    p99: times[Math.floor(times.length * 0.99)]! * 1000,
  };
}

type Test = (channel: SyncChannel, command: Command) => Promise<Found> | Found;

const tests: Record<string, Test> = {
  "trip-sync"(channel, { size, count }) {
    const message = new Uint8Array(size);
    const began = performance.now();
    for (let left = count; left > 0; left--) {
      channel.sendSync(message);
      channel.receiveSync();
    }
    const time = performance.now() - began;
    const times = new Float64Array(count);
    for (let trip = 0, last = performance.now(); trip < count; trip++) {
      channel.sendSync(message);
      channel.receiveSync();
      const now = performance.now();
      times[trip] = now - last;
      last = now;
    }
    return { time, times };
  },

  async "trip-async"(channel, { size, count }) {
    const message = new Uint8Array(size);
    const began = performance.now();
    for (let left = count; left > 0; left--) {
      await channel.send(message);
      await channel.receive();
    }
    const time = performance.now() - began;
    const times = new Float64Array(count);
    for (let trip = 0, last = performance.now(); trip < count; trip++) {
      await channel.send(message);
      await channel.receive();
      const now = performance.now();
      times[trip] = now - last;
      last = now;
    }
    return { time, times };
  },

  async "trip-wake"(channel, { size, count }) {
    const message = new Uint8Array(size);
    const began = performance.now();
    for (let left = count; left > 0; left--) {
      channel.sendSync(message);
      await channel.receive();
    }
    const time = performance.now() - began;
    const times = new Float64Array(count);
    for (let trip = 0, last = performance.now(); trip < count; trip++) {
      channel.sendSync(message);
      await channel.receive();
      const now = performance.now();
      times[trip] = now - last;
      last = now;
    }
    return { time, times };
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
