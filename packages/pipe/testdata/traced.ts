/** Makes calls on the channel to the parent, one of which fails, and prints a line for each. Argument: which calls. */

import { IpcError } from "@ipc/core";
import { createPipe, parentChannel } from "../mod.ts";
import { tracedMessage } from "./traced_message.ts";

/** Notes how a call ended: with an error of ours, or whatever `call` says. */
async function note(call: () => unknown): Promise<void> {
  try {
    const outcome = await call();
    if (outcome !== undefined) console.log(outcome);
  } catch (error) {
    console.log(error instanceof IpcError ? `${error.name} ${error.code}` : `not typed: ${error}`);
  }
}

const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;

/** Whether a received message is the first of those that are expected. */
function verdict(message: Uint8Array | undefined, expected: number[]): string {
  const number = expected.shift()!;
  if (message === undefined) return "end";
  return message.join() === tracedMessage(number).join() ? "sent" : "another";
}

const numbers = [0, 1, 2, 3];

type Channel = ReturnType<typeof parentChannel>;
type Received = Uint8Array | undefined;

async function receiveAll(receive: (channel: Channel) => Received | Promise<Received>): Promise<void> {
  let channel: Channel | undefined;
  const expected = [...numbers];
  await note(() => void (channel = parentChannel()));
  if (channel === undefined) return;
  while (expected.length > 0) await note(async () => verdict(await receive(channel!), expected));
  channel.close();
}

const actions: Record<string, () => Promise<void>> = {
  async send() {
    const channel = parentChannel();
    for (const number of numbers) await note(() => channel.send(tracedMessage(number)).then(() => "sent"));
    channel.close();
  },
  async sendSync() {
    const channel = parentChannel();
    for (const number of numbers) await note(() => (channel.sendSync(tracedMessage(number)), "sent"));
    channel.close();
  },
  async sendBatch() {
    const channel = parentChannel();
    await note(() => channel.sendBatch(numbers.map(tracedMessage)).then(() => "sent"));
    channel.close();
  },
  receive: () => receiveAll(async (channel) => await channel.receive()),
  receiveSync: () => receiveAll((channel) => channel.receiveSync()),
  async create() {
    const before = descriptors();
    for (const _ of numbers) await note(() => (createPipe()[Symbol.dispose](), "made"));
    console.log(`${descriptors() - before} left`);
  },
};

await actions[Deno.args[0]!]!();
