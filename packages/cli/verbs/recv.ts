import type { Bytes, Receiver, WaitOptions } from "@ipc/core";
import { about, AddressFailure, Failed, STATUS, UsageError } from "../_failure.ts";
import type { Io } from "../io.ts";
import { followOption, listenOption, openReceiver } from "../_open.ts";
import { arrived } from "../_arrived.ts";
import { joined } from "../_bytes.ts";
import { duration, flag, integer } from "../_options.ts";
import { verb } from "../_verb.ts";

/** The most messages that are printed with one write. */
const MOST_AT_ONCE = 256;

export default verb({
  text: [
    "Prints one message, as the bytes that it has, and a newline. With --json each message is an object on a " +
    'line of its own: "data" where it is UTF-8, else "base64".',
    "A FIFO is a stream: what was sent behind the last message that you ask for is lost when you leave, so take " +
    "as many as you need with one command.",
  ],
  options: {
    count: integer("N", "take N messages", 1),
    follow: followOption,
    json: flag("print objects, one a line"),
    "no-newline": flag("print the bytes of messages and nothing else"),
    timeout: duration("T", "give up when nothing comes for so long"),
    listen: listenOption,
  },
  examples: [
    ["ipc recv fifo:/run/in --listen", "create the FIFO, wait for one message, remove the FIFO"],
    ["ipc recv fifo:/run/in --follow --json | jq .data", "every message, for as long as they come"],
    ["ipc recv 'fifo:/run/in?framing=lines' --follow", "what shells write: echo hello > /run/in"],
  ],
  async run({ operands, options, io }) {
    const [address] = operands as [string];
    const { count, follow, json, timeout, listen } = options;
    if (json && options["no-newline"]) {
      throw new UsageError("--json is one object a line; leave out --no-newline");
    }
    const wanted = count ?? (follow ? Infinity : 1);
    const print = json ? asJson : options["no-newline"] ? asBytes : asLine;
    const wait = { timeout, signal: io.signal };
    const receiver = await openReceiver(address, { listen, follow, ...wait });
    try {
      const taken = await about(address, () => take(receiver, wanted, wait, io, print));
      if (taken === wanted || follow) return STATUS.done;
      throw new AddressFailure(address, new Failed(endedEarly(taken, wanted)));
    } finally {
      receiver.close();
    }
  },
});

/** Takes messages and prints them, as many as there are with one write; tells how many they were. */
async function take(
  receiver: Receiver,
  wanted: number,
  wait: WaitOptions,
  io: Io,
  print: (message: Bytes, to: Uint8Array[]) => void,
): Promise<number> {
  let taken = 0;
  const show = async (batch: readonly Bytes[]) => {
    const pieces: Uint8Array[] = [];
    for (const message of batch) print(message, pieces);
    await io.stdout.write(joined(pieces));
    taken += batch.length;
  };
  try {
    while (taken < wanted) {
      const batch = await receiver.receiveBatch({ ...wait, max: Math.min(wanted - taken, MOST_AT_ONCE) });
      if (batch.length === 0) break;
      await show(batch);
    }
  } catch (error) {
    if (io.signal.aborted) await show(await arrived(receiver, wanted - taken));
    throw error;
  }
  return taken;
}

const encoder = new TextEncoder();
// A byte order mark is part of the message.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NEWLINE = new Uint8Array([0x0a]);

function asBytes(message: Bytes, to: Uint8Array[]): void {
  to.push(message);
}

function asLine(message: Bytes, to: Uint8Array[]): void {
  to.push(message, NEWLINE);
}

function asJson(message: Bytes, to: Uint8Array[]): void {
  to.push(encoder.encode(JSON.stringify(describe(message)) + "\n"));
}

function describe(message: Bytes): { data: string } | { base64: string } {
  try {
    return { data: decoder.decode(message) };
  } catch {
    return { base64: message.toBase64() };
  }
}

function endedEarly(taken: number, wanted: number): string {
  if (taken === 0) {
    return wanted === 1
      ? "the sender left without a message"
      : `the sender left before the first of ${wanted} messages`;
  }
  return `the sender left after ${taken} of ${wanted} messages`;
}
