/** Runs the demo through one mechanism. */

import type { Channel, SyncChannel } from "@ipc/core";
import type { FarEnd, Meeting } from "@ipc/address/meeting";
import { bandwidth, blockingRoundTrip, roundTrip, sendFile } from "./near_end.ts";
import type { Receipt } from "./phases.ts";

/** What a mechanism is worth on this machine. */
export interface Result {
  /** The file arrived as it was sent. */
  readonly ok: boolean;
  /** What arrived. */
  readonly receipt: Receipt;
  /** From the first byte of the file until the far end told its digest, in milliseconds. */
  readonly fileTime: number;
  /** Bytes a second, of messages that the far end only counts. */
  readonly bandwidth: number;
  /** The median round trip of 64 bytes, in milliseconds; both ends wait on the event loop. */
  readonly roundTrip: number;
  /** The same where both ends block; `undefined` where they cannot. */
  readonly blockingRoundTrip: number | undefined;
}

/** What is at work, for the line that shows it. */
export type Step = "start" | "round trip" | "bandwidth" | { readonly moved: number };

/** The file that is sent. */
export interface Sent extends Receipt {
  /** Where it is. */
  readonly path: string;
}

/** Starts a far end, measures, sends the file, and leaves no process behind. */
export async function run(
  mechanism: Meeting,
  file: Sent,
  folder: string,
  signal: AbortSignal,
  onStep: (step: Step) => void,
): Promise<Result> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const children: Deno.ChildProcess[] = [];
  let channel: Channel | undefined;
  try {
    onStep("start");
    channel = await mechanism.near(farEnd(mechanism, folder, either, children));
    onStep("round trip");
    const async = await roundTrip(channel, signal);
    const blocking = mechanism.blocking === false
      ? undefined
      : await blockingRoundTrip(channel as SyncChannel);
    onStep("bandwidth");
    const perSecond = await bandwidth(channel, signal);
    const start = performance.now();
    const receipt = await sendFile(channel, file.path, signal, (moved) => onStep({ moved }));
    const fileTime = performance.now() - start;
    await channel.end();
    const ok = receipt.bytes === file.bytes && receipt.sha256 === file.sha256;
    return { ok, receipt, fileTime, bandwidth: perSecond, roundTrip: async, blockingRoundTrip: blocking };
  } catch (error) {
    stop.abort();
    throw error;
  } finally {
    channel?.close();
    for (const child of children) await child.status;
  }
}

function farEnd(
  mechanism: Meeting,
  folder: string,
  signal: AbortSignal,
  children: Deno.ChildProcess[],
): FarEnd {
  const program = new URL("./far_end.ts", import.meta.url);
  // From a registry, no configuration of the directory that we happen to be in has a say.
  const source = program.protocol === "file:"
    ? [program.pathname]
    : ["--no-config", "--no-lock", program.href];
  const command = Deno.execPath();
  const args = (...more: string[]) => ["run", "--quiet", "-A", ...source, mechanism.name, ...more];
  return {
    command,
    args,
    start(...more) {
      const child = new Deno.Command(command, { args: args(...more), stdin: "null", signal }).spawn();
      children.push(child);
      return child.status;
    },
    folder,
    signal,
  };
}
