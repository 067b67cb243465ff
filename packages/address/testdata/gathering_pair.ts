/** A sender and a receiver that others can connect to as well; in a module of its own, for some checks need a process. */

import type { Sender } from "@ipc/core";
import type { ChannelPair } from "@ipc/core/testing";
import { connect, listen } from "../mod.ts";

/** One of those who connect, and what receives from all of them. */
export async function openGathering(scheme: "unix" | "unix-seqpacket" = "unix"): Promise<ChannelPair> {
  const folder = Deno.makeTempDirSync();
  const address = `${scheme}:${folder}/in`;
  const receiver = await listen(address, { direction: "receive" });
  const sender = awaiting(await connect(address, { direction: "send" }));
  return { sender, receiver, cleanup: () => Deno.removeSync(folder, { recursive: true }) };
}

/** A sender without the forms that block: what receives from all cannot block either, and both are this thread. */
function awaiting(sender: Sender): Sender {
  return {
    get maxMessageSize() {
      return sender.maxMessageSize;
    },
    get writable() {
      return sender.writable;
    },
    send: (message, options) => sender.send(message, options),
    sendBatch: (messages, options) => sender.sendBatch(messages, options),
    end: () => sender.end(),
    close: () => sender.close(),
    [Symbol.dispose]: () => sender[Symbol.dispose](),
    [Symbol.asyncDispose]: () => sender[Symbol.asyncDispose](),
  };
}
