/** The far end of the demo: a program of its own, which takes what comes and says what it got. */

import { createHash } from "node:crypto";
import { BrokenPipeError, type Bytes, type Channel, RemovedError, type SyncChannel } from "@ipc/core";
import { meetings } from "@ipc/address/meeting";
import { NOTHING, type Phase, type Receipt } from "./phases.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

async function serve(channel: Channel): Promise<void> {
  for await (const message of channel) {
    const phase = decoder.decode(message) as Phase;
    switch (phase) {
      case "echo":
        for await (const message of messages(channel)) await channel.send(message);
        break;
      case "echo, blocking":
        sendBackBlocking(channel as SyncChannel);
        break;
      case "count":
        for await (const _message of messages(channel));
        await channel.send(NOTHING);
        break;
      case "file":
        await channel.send(encoder.encode(JSON.stringify(await takeFile(channel))));
        break;
    }
  }
}

/** Only channels that can block are asked for this. */
function sendBackBlocking(channel: SyncChannel): void {
  for (let message; (message = channel.receiveSync())?.length;) channel.sendSync(message);
}

/** The messages of a phase. */
async function* messages(channel: Channel): AsyncGenerator<Bytes> {
  for (let message; (message = await channel.receive())?.length;) yield message;
}

async function takeFile(channel: Channel): Promise<Receipt> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const message of messages(channel)) {
    hash.update(message);
    bytes += message.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

if (import.meta.main) {
  const [name, ...args] = Deno.args;
  const channel = await meetings.find((mechanism) => mechanism.name === name)!.far(args);
  try {
    await serve(channel);
  } catch (error) {
    // What has no end ends by the near end's removing it, or by its death.
    if (!(error instanceof RemovedError || error instanceof BrokenPipeError)) throw error;
  }
  channel.close();
}
