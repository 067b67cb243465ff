/** A second process that serves the words over what its arguments name. */

import { contentLength, duplex, type Key, lengthPrefix, lines, nul } from "@ipc/core";
import { Fifo } from "@ipc/fifo";
import { parentChannel, stdioChannel } from "@ipc/pipe";
import { MessageQueue as PosixQueue } from "@ipc/posix";
import { MessageQueue } from "@ipc/sysv";
import { serve } from "../mod.ts";
import { type Words, words } from "./words.ts";

const FRAMINGS = { length: lengthPrefix, lines, nul, "content-length": contentLength };
const [transport, argument = "", other = ""] = Deno.args;

async function channel() {
  switch (transport) {
    case "pipe":
      return parentChannel({ framing: FRAMINGS[argument as "lines"]() });
    case "stdio":
      return stdioChannel({ framing: FRAMINGS[argument as "lines"]() });
    case "fifo":
      return await Fifo.openPair(argument, other);
    case "posix":
      return duplex(PosixQueue.open(argument), PosixQueue.open(other));
    case "sysv": {
      const queue = MessageQueue.open(Number(argument) as Key);
      return queue.duplex({ send: 2, receive: 1 });
    }
  }
  throw new Error(`There is no ${transport}`);
}

const peer = serve<Words>(await channel(), words, {
  binary: argument !== "lines" && argument !== "nul",
  halfOpen: other === "half-open",
});
await peer.closed;
Deno.exit(0);
