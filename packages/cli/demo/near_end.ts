/** The near end of the demo: what it sends, and what it measures. */

import type { Channel, SyncChannel } from "@ipc/core";
import { CHUNK, NOTHING, type Phase, type Receipt } from "./phases.ts";

/** How long each measurement takes, in milliseconds. */
const PERIOD = 200;
/** Round trips before those that count. */
const WARM_UP = 200;
/** The most round trips that count. */
const MOST_ROUNDS = 20_000;
/** How long the far end may take to answer at first, in milliseconds. */
const PATIENCE = 10_000;

const encoder = new TextEncoder();

/** Begins a phase. */
async function begin(channel: Channel, phase: Phase): Promise<void> {
  await channel.send(encoder.encode(phase));
}

/** Half of all round trips of a message of 64 bytes took less than this, in milliseconds. */
export async function roundTrip(channel: Channel, signal: AbortSignal): Promise<number> {
  await begin(channel, "echo");
  const message = new Uint8Array(64);
  for (let round = 0; round < WARM_UP; round++) {
    await channel.send(message);
    await channel.receive({ timeout: PATIENCE, signal });
  }
  const times: number[] = [];
  const end = performance.now() + PERIOD;
  for (let now = performance.now(); now < end && times.length < MOST_ROUNDS;) {
    await channel.send(message);
    if (await channel.receive() === undefined) throw gone();
    const then = performance.now();
    times.push(then - now);
    now = then;
  }
  await channel.send(NOTHING);
  return median(times);
}

/** The same where both ends block their threads. */
export async function blockingRoundTrip(channel: SyncChannel): Promise<number> {
  await begin(channel, "echo, blocking");
  const message = new Uint8Array(64);
  for (let round = 0; round < WARM_UP; round++) {
    channel.sendSync(message);
    channel.receiveSync({ timeout: PATIENCE });
  }
  const times: number[] = [];
  const end = performance.now() + PERIOD;
  for (let now = performance.now(); now < end && times.length < MOST_ROUNDS;) {
    channel.sendSync(message);
    if (channel.receiveSync() === undefined) throw gone();
    const then = performance.now();
    times.push(then - now);
    now = then;
  }
  channel.sendSync(NOTHING);
  return median(times);
}

/** Bytes a second, in long messages from memory that the far end only counts. */
export async function bandwidth(channel: Channel, signal: AbortSignal): Promise<number> {
  await begin(channel, "count");
  const message = new Uint8Array(Math.min(CHUNK, channel.maxMessageSize));
  const several = Array(4).fill(message);
  let bytes = 0;
  const start = performance.now();
  while (performance.now() - start < PERIOD) {
    await channel.sendBatch(several, { signal });
    bytes += several.length * message.length;
  }
  await channel.send(NOTHING);
  if (await channel.receive({ timeout: PATIENCE, signal }) === undefined) throw gone();
  return bytes * 1000 / (performance.now() - start);
}

/** Sends a file; the far end says what arrived. */
export async function sendFile(
  channel: Channel,
  path: string,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<Receipt> {
  using file = await Deno.open(path);
  await begin(channel, "file");
  const size = Math.min(CHUNK, channel.maxMessageSize);
  // One buffer is read into while the other is sent.
  let [next, spare] = [new Uint8Array(size), new Uint8Array(size)];
  let bytes = 0;
  let sending: Promise<void> | undefined;
  try {
    for (let length; (length = await file.read(next)) !== null;) {
      await sending;
      onProgress(bytes);
      sending = channel.send(next.subarray(0, length), { signal });
      bytes += length;
      [next, spare] = [spare, next];
    }
    await sending;
  } catch (error) {
    sending?.catch(() => {});
    throw error;
  }
  onProgress(bytes);
  await channel.send(NOTHING);
  const receipt = await channel.receive({ timeout: PATIENCE, signal });
  if (receipt === undefined) throw gone();
  return JSON.parse(new TextDecoder().decode(receipt));
}

function gone(): Error {
  return new Error("the far end is gone");
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}
