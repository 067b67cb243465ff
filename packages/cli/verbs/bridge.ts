import { type Bytes, pump, type PumpCounts, type Receiver, type Sender } from "@ipc/core";
import { readAddress } from "../_address.ts";
import { arrived } from "../_arrived.ts";
import { about } from "../_failure.ts";
import { bytes, count, seconds } from "../_format.ts";
import { print } from "../io.ts";
import { followOption, listenOption, openReceiver, openSender } from "../_open.ts";
import { tellLosses } from "../_losses.ts";
import { duration } from "../_options.ts";
import { ProgressLine } from "../_progress_line.ts";
import { verb } from "../_verb.ts";

/** How long what was taken may still wait for room after a signal, in milliseconds. */
const GRACE = 1000;

export default verb({
  text: [
    "Carries every message of FROM to TO, until the last sender has left or a signal comes; then TO is ended. " +
    "A queue or a log knows nothing of its senders: from there it goes on until a signal. How many messages they were, and " +
    "how fast, is shown on a terminal.",
    "Only bytes are carried, not types and priorities. A message that TO can never take, because it is too long " +
    "there, is lost, and ends the bridge with an error.",
  ],
  options: {
    follow: followOption,
    timeout: duration("T", "how long to wait for somebody at the other ends"),
    listen: listenOption,
  },
  examples: [
    ["ipc bridge fifo:/run/in fifo:/run/out", "from one FIFO into another"],
    ["ipc bridge stdio: fifo:/run/in < jobs.txt", "each line of a file is a message"],
    ["ipc bridge 'fifo:/run/in?framing=lines' fifo:/run/jobs --follow", "what shells write, as messages"],
    ["ipc bridge fifo:/run/in tcp:host:9000", "from a FIFO to another machine"],
    ["ipc bridge 'sysv-msg:0x4d2?receive=7' stdio:", "messages of type 7, a line each"],
  ],
  async run({ operands, options, io }) {
    const [from, to] = operands as [string, string];
    const { follow, listen, timeout } = options;
    const source = readAddress(from);
    const target = readAddress(to);
    const { receiver, sender } = await openBoth(
      (signal) => openReceiver(source, { listen, follow, timeout, signal, stderr: io.stderr }),
      (signal) => openSender(target, { listen, timeout, signal, stderr: io.stderr }),
      io.signal,
    );
    const line = new ProgressLine(io.stderr);
    const start = performance.now();
    let counts: PumpCounts = { messages: 0, bytes: 0 };
    const rate = (perSecond: PumpCounts) =>
      `${count(perSecond.messages, "message")}/s · ${bytes(perSecond.bytes)}/s`;
    let before = { counts, time: start };
    line.every(() => {
      const now = performance.now();
      const per = 1000 / (now - before.time);
      const perSecond = {
        messages: Math.round((counts.messages - before.counts.messages) * per),
        bytes: (counts.bytes - before.counts.bytes) * per,
      };
      before = { counts, time: now };
      return `${count(counts.messages, "message")} · ${bytes(counts.bytes)} · ${rate(perSecond)}`;
    });
    const lateClose = () => setTimeout(() => sender.close(), GRACE);
    io.signal.addEventListener("abort", lateClose, { once: true });
    try {
      await about(`${from} ${to}`, async () => {
        await carry(receiver, sender, {
          rest: (received) => arrived(source, received, Infinity),
          goOn: follow ? tellLosses(receiver, from, io.stderr) : undefined,
          signal: io.signal,
          onProgress: (now) => counts = now,
        });
      });
    } finally {
      io.signal.removeEventListener("abort", lateClose);
      await line.stop();
      if (io.stderr.terminal) {
        const took = performance.now() - start;
        await print(
          io.stderr,
          `${count(counts.messages, "message")} · ${bytes(counts.bytes)} · ${seconds(took)}\n`,
        );
      }
      receiver.close();
      sender.close();
    }
  },
});

/** How messages are carried. */
interface Carrying {
  /** What is there at an abort. */
  rest(receiver: Receiver): Promise<Bytes[]>;
  /** Throws an error of the receiver on, unless others follow behind it; unless given, all are thrown. */
  goOn: ((error: unknown) => Promise<void>) | undefined;
  signal: AbortSignal;
  onProgress(counts: PumpCounts): void;
}

/** Pumps until the end or a signal; what has come by then is still carried over. */
async function carry(receiver: Receiver, sender: Sender, carrying: Carrying): Promise<void> {
  const { rest, goOn, signal, onProgress } = carrying;
  let counts: PumpCounts = { messages: 0, bytes: 0 };
  while (true) {
    const before = counts;
    const count = ({ messages, bytes }: PumpCounts) =>
      onProgress(counts = { messages: before.messages + messages, bytes: before.bytes + bytes });
    let unsent = false;
    try {
      await pump(receiver, sender, { signal, onProgress: count, onUnsent: () => unsent = true });
      return;
    } catch (error) {
      if (signal.aborted && error === signal.reason) {
        const last = await rest(receiver);
        await sender.sendBatch(last);
        await sender.end();
        const bytes = last.reduce((sum, message) => sum + message.byteLength, 0);
        onProgress({ messages: counts.messages + last.length, bytes: counts.bytes + bytes });
        throw error;
      }
      if (unsent || goOn === undefined) throw error;
      await goOn(error);
    }
  }
}

/** Opens two ends at the same time, for each may wait for somebody else; where one fails, neither stays. */
async function openBoth(
  openReceiver: (signal: AbortSignal) => Promise<Receiver>,
  openSender: (signal: AbortSignal) => Promise<Sender>,
  signal: AbortSignal,
): Promise<{ receiver: Receiver; sender: Sender }> {
  const other = new AbortController();
  const either = AbortSignal.any([signal, other.signal]);
  const opening = [openReceiver(either), openSender(either)] as const;
  try {
    const [receiver, sender] = await Promise.all(opening);
    return { receiver, sender };
  } catch (error) {
    other.abort();
    for (const result of await Promise.allSettled(opening)) {
      if (result.status === "fulfilled") result.value.close();
    }
    throw error;
  }
}
