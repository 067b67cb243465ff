import type { Address } from "@ipc/address";
import type { Bytes, Receiver, WaitOptions } from "@ipc/core";
import { readAddress, schemeOf } from "../_address.ts";
import { arrived } from "../_arrived.ts";
import { joined } from "../_bytes.ts";
import { about, AddressFailure, Failed, STATUS, UsageError } from "../_failure.ts";
import type { Io } from "../io.ts";
import { followOption, listenOption, openReceiver } from "../_open.ts";
import { tellLosses } from "../_losses.ts";
import { duration, flag, integer } from "../_options.ts";
import { verb } from "../_verb.ts";

/** The most messages that are printed with one write. */
const MOST_AT_ONCE = 256;

/** A message, and what its mechanism tells of it. */
interface Message {
  readonly data: Bytes;
  /** Says that it was used, where the mechanism wants to know. */
  acknowledge?(): void;
  readonly [more: string]: unknown;
}

/** Which messages are wanted, where they have types. */
interface Selection {
  readonly type?: number | undefined;
  readonly atMost?: number | undefined;
  readonly except?: number | undefined;
}

/** A receiver whose messages are more than bytes. */
interface Telling extends Receiver {
  receiveMessage(options: WaitOptions & Selection): Promise<Message | undefined>;
  tryReceiveMessage(options: Selection): Message | undefined;
}

export default verb({
  text: [
    "Prints one message, as the bytes that it has, and a newline. With --json each message is an object on a " +
    'line of its own: "data" where it is UTF-8, else "base64", and its "type", "priority", "sequence", "from" or other things that are ' +
    "known of it.",
    "A FIFO is a stream, and so is a socket: what was sent behind the last message that you ask for is lost when you " +
    "leave, so take as many as you need with one command. A queue keeps what you do not take. A log keeps all, and " +
    "with ?consumer=NAME the place: a message comes again unless it was printed.",
    "At a socket, --listen receives from all who connect; without, it connects and receives what the other end sends.",
  ],
  options: {
    count: integer("N", "take N messages", 1),
    follow: followOption,
    type: integer("N", "only messages of type N", 1),
    "at-most": integer("N", "only types up to N, the lowest first", 1),
    except: integer("N", "messages of every type but N", 1),
    json: flag("print objects, one a line"),
    "no-newline": flag("print the bytes of messages and nothing else"),
    timeout: duration("T", "give up when nothing comes for so long"),
    listen: listenOption,
  },
  examples: [
    ["ipc recv fifo:/run/in --listen", "create the FIFO, wait for one message, remove the FIFO"],
    ["ipc recv fifo:/run/in --follow --json | jq .data", "every message, for as long as they come"],
    ["ipc recv sysv-msg:0x4d2 --at-most 5 --timeout 0", "the most urgent job, if there is one"],
    ["ipc recv mq:/jobs --json", "the most urgent message of a POSIX queue, with its priority"],
    ["ipc recv 'fifo:/run/in?framing=lines' --follow", "what shells write: echo hello > /run/in"],
    ["ipc recv tcp:localhost:9000 --listen --follow", "the messages of all who connect"],
    ["ipc recv 'file:/var/lib/jobs?consumer=mail'", "the next job of a log, once each"],
    [
      "ipc recv 'file:/var/log/syslog?framing=lines' --follow",
      "what is appended to a text file, as tail -F does",
    ],
  ],
  async run({ operands, options, io }) {
    const { count, follow, json, timeout, listen } = options;
    if (json && options["no-newline"]) {
      throw new UsageError("--json is one object a line; leave out --no-newline");
    }
    const address = readAddress(operands[0]!);
    const selection = { type: options.type, atMost: options["at-most"], except: options.except };
    const selects = checkSelection(address, selection);
    const wanted = count ?? (follow ? Infinity : 1);
    const print = json ? asJson : options["no-newline"] ? asBytes : asLine;
    const wait = { timeout, signal: io.signal };
    const receiver = await openReceiver(address, { listen, follow, stderr: io.stderr, ...wait });
    // A member of a consumer says of each message that it was printed.
    const tells = selects || json || "consumer" in address.params;
    const next = tells && "receiveMessage" in receiver
      ? receivesTelling(receiver as Telling, selection, wait)
      : async (max: number) => asMessages(await receiver.receiveBatch({ ...wait, max }));
    const rest = async (max: number) => asMessages(await arrived(address, receiver, max));
    try {
      const goOn = follow ? tellLosses(receiver, address.text, io.stderr) : rethrow;
      const taken = await about(address.text, () => take({ next, rest, goOn, print }, wanted, io));
      if (taken === wanted || follow) return STATUS.done;
      throw new AddressFailure(address.text, new Failed(endedEarly(taken, wanted)));
    } finally {
      receiver.close();
    }
  },
});

/** Whether the options select messages; throws where that cannot be. */
function checkSelection(address: Address, selection: Selection): boolean {
  const given = Object.values(selection).filter((type) => type !== undefined).length;
  if (given > 1) throw new UsageError("of --type, --at-most and --except there can be one");
  if (given > 0 && schemeOf(address).params.receive === undefined) {
    throw new UsageError(`${address.text} has no messages with a type`);
  }
  if (given > 0 && "receive" in address.params) {
    throw new UsageError("the address says ?receive=; leave out --type, --at-most and --except");
  }
  return given > 0;
}

/** What receives at least one message and all that are there now; none is the end. */
function receivesTelling(
  receiver: Telling,
  selection: Selection,
  wait: WaitOptions,
): (max: number) => Promise<Message[]> {
  /** An error that came behind messages; it is told next. */
  let kept: { error: unknown } | undefined;
  return async (max) => {
    if (kept !== undefined) {
      const { error } = kept;
      kept = undefined;
      throw error;
    }
    const batch: Message[] = [];
    let message = await receiver.receiveMessage({ ...wait, ...selection });
    while (message !== undefined) {
      batch.push(message);
      try {
        message = batch.length < max ? receiver.tryReceiveMessage(selection) : undefined;
      } catch (error) {
        kept = { error };
        break;
      }
    }
    return batch;
  };
}

/** Goes on behind nothing. */
function rethrow(error: unknown): Promise<void> {
  return Promise.reject(error);
}

function asMessages(batch: readonly Bytes[]): Message[] {
  return batch.map((data) => ({ data }));
}

/** How messages are taken and printed. */
interface Taking {
  /** Waits for at least one message. */
  next(max: number): Promise<Message[]>;
  /** Has what is there at an abort. */
  rest(max: number): Promise<Message[]>;
  /** Throws an error of `next` on, unless others follow behind it. */
  goOn(error: unknown): Promise<void>;
  /** Prints one message. */
  print(message: Message, to: Uint8Array[]): void;
}

/** Takes messages and prints them, as many as there are with one write; tells how many they were. */
async function take({ next, rest, goOn, print }: Taking, wanted: number, io: Io): Promise<number> {
  let taken = 0;
  const show = async (batch: readonly Message[]) => {
    const pieces: Uint8Array[] = [];
    for (const message of batch) print(message, pieces);
    await io.stdout.write(joined(pieces));
    for (const message of batch) message.acknowledge?.();
    taken += batch.length;
  };
  try {
    while (taken < wanted) {
      let batch: Message[];
      try {
        batch = await next(Math.min(wanted - taken, MOST_AT_ONCE));
      } catch (error) {
        await goOn(error);
        continue;
      }
      if (batch.length === 0) break;
      await show(batch);
    }
  } catch (error) {
    if (io.signal.aborted) await show(await rest(wanted - taken));
    throw error;
  }
  return taken;
}

const encoder = new TextEncoder();
// A byte order mark is part of the message.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NEWLINE = new Uint8Array([0x0a]);

function asBytes({ data }: Message, to: Uint8Array[]): void {
  to.push(data);
}

function asLine({ data }: Message, to: Uint8Array[]): void {
  to.push(data, NEWLINE);
}

function asJson({ data, ...more }: Message, to: Uint8Array[]): void {
  to.push(encoder.encode(JSON.stringify({ ...inText(data), ...more }) + "\n"));
}

function inText(data: Bytes): { data: string } | { base64: string } {
  try {
    return { data: decoder.decode(data) };
  } catch {
    return { base64: data.toBase64() };
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
