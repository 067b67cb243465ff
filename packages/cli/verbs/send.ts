import { type Bytes, lines, type Sender, type WaitOptions } from "@ipc/core";
import { readAddress, withParam } from "../_address.ts";
import { about, STATUS, UsageError } from "../_failure.ts";
import type { Io } from "../io.ts";
import { listenOption, openSender } from "../_open.ts";
import { duration, flag, integer } from "../_options.ts";
import { readAll, readChunks } from "../_stdin.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Each MESSAGE is sent as one message. Without any, standard input is one message, or with --lines each line " +
    "of it. Input may be any bytes.",
    "It ends when the system has all messages. A FIFO has them when somebody receives; a queue has room for some, " +
    "and keeps them until somebody takes them, also a queue that --listen has created. A log keeps all of them. At a " +
    "socket, --listen waits for one who connects, and sends to that.",
  ],
  options: {
    lines: flag("each line of standard input is a message"),
    type: integer("N", "the message's type, where messages have one", 1),
    priority: integer("N", "the message's priority, where messages have one", 0),
    timeout: duration("T", "give up when nothing can be sent for so long"),
    listen: listenOption,
  },
  examples: [
    ["ipc send fifo:/run/in hello", "one message"],
    ["journalctl -f | ipc send fifo:/run/log --lines", "one message a line, for as long as they come"],
    ["ipc send sysv-msg:0x4d2 job --type 7", "a message of type 7 into a System V queue"],
    ["ipc send mq:/jobs fire --priority 9", "into a POSIX queue, before what is less urgent"],
    ["ipc send file:/var/lib/jobs job", "to the end of a log, for who receives some day"],
    ["ipc send 'unix:/run/app.sock?framing=lines' status", "a line to whoever listens at a socket"],
    [
      "ipc send 'fifo:/run/in?framing=raw' < photo.jpg",
      "plain bytes, for a program that knows nothing of messages",
    ],
  ],
  async run({ operands, options, io }) {
    const [text, ...messages] = operands as [string, ...string[]];
    const { lines, type, priority, timeout, listen } = options;
    if (lines && messages.length > 0) {
      throw new UsageError("--lines reads standard input; leave out the MESSAGE");
    }
    const typed = withParam(readAddress(text), "type", ["send", type], "messages with a type");
    const address = withParam(typed, "priority", ["priority", priority], "messages with a priority");
    const wait = { timeout, signal: io.signal };
    const sender = await openSender(address, { listen, stderr: io.stderr, ...wait });
    try {
      await about(text, async () => {
        if (messages.length > 0) await sender.sendBatch(messages.map((text) => encoder.encode(text)), wait);
        else if (lines) await sendLines(sender, io, wait);
        else await sender.send(await readAll(io, sender.maxMessageSize), wait);
        await sender.end();
      });
    } finally {
      sender.close();
    }
    return STATUS.done;
  },
});

const encoder = new TextEncoder();

/** Sends every line as soon as it is there; those of one read together. */
async function sendLines(sender: Sender, io: Io, wait: WaitOptions): Promise<void> {
  const decoder = lines({ maxMessageSize: sender.maxMessageSize }).decoder();
  for await (const chunk of readChunks(io)) {
    decoder.push(chunk);
    const batch: Bytes[] = [];
    for (let line; (line = decoder.next()) !== undefined;) batch.push(line);
    await sender.sendBatch(batch, wait);
  }
  // The last line counts without a newline, too.
  if (decoder.buffered > 0) await sender.send(decoder.drain(), wait);
}
