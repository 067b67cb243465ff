/** The far end: it sends back, sends, or takes, as the near end asks. */

import type { SyncChannel } from "@ipc/core";
import { watchRest } from "./_idle.ts";
import { type Command, cpuTime, parseCommand, tell, TOGETHER } from "./_wire.ts";

/** Obeys until the near end ends. */
export async function farEnd(channel: SyncChannel): Promise<void> {
  for (let message; (message = await channel.receive()) !== undefined;) {
    const command = parseCommand(new TextDecoder().decode(message));
    const part = parts[command.test];
    const before = cpuTime();
    const used = await part?.(channel, command) ?? cpuTime() - before;
    await channel.send(tell(String(part === undefined ? Deno.pid : used)));
  }
  await channel.end();
}

/** Resolves with the CPU time that it took in microseconds, where that is not all until then. */
type Part = (channel: SyncChannel, command: Command) => Promise<number | void> | void;

const parts: Record<string, Part> = {
  "trip-sync": echoBlocking,
  "trip-wake": echoBlocking,

  async "trip-async"(channel, { count }) {
    for (let left = 2 * count; left > 0; left--) await channel.send((await channel.receive())!);
  },

  "pull-sync"(channel, { size, count }) {
    const message = new Uint8Array(size);
    for (let left = count; left > 0; left--) channel.sendSync(message);
  },

  async "pull-await"(channel, { size, count }) {
    const message = new Uint8Array(size);
    for (let left = count; left > 0; left--) await channel.send(message);
  },

  async "pull-stream"(channel, { size, count }) {
    const message = new Uint8Array(size);
    while (count > 0) {
      const several = Math.min(count, TOGETHER);
      for (let left = several; left > 1; left--) channel.send(message);
      await channel.send(message);
      count -= several;
    }
  },

  async "pull-batch"(channel, { size, count }) {
    const batch = Array<Uint8Array>(TOGETHER).fill(new Uint8Array(size));
    for (; count > TOGETHER; count -= TOGETHER) await channel.sendBatch(batch);
    await channel.sendBatch(batch.slice(0, count));
  },

  "push-sync"(channel, { count }) {
    for (let left = count; left > 0; left--) channel.receiveSync();
  },

  async idle(channel, { count }) {
    const waiting = channel.receive();
    const { cpu } = await watchRest(count);
    await waiting;
    return cpu;
  },
};

function echoBlocking(channel: SyncChannel, { count }: Command): void {
  for (let left = 2 * count; left > 0; left--) channel.sendSync(channel.receiveSync()!);
}
