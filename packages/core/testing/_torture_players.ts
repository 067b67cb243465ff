/** What the two sides of a tortured channel do: send in every way there is, receive in every way there is. */

import type { Receiver, Sender } from "../channel.ts";
import { BrokenPipeError, NotSupportedError, TimeoutError, TruncatedError } from "../errors.ts";
import { describe, syncReceiver, syncSender, turn } from "./_trial.ts";
import type { Random } from "./_random.ts";
import type { Expectation, Messages } from "./_torture_messages.ts";

/** What was done. */
export interface Tally {
  messages: number;
  bytes: number;
  /** How often a message was told to be truncated. */
  truncated: number;
}

/** How a side plays. */
export interface PlayOptions {
  random: Random;
  /** Whether it may block its thread: not where it has to do anything else. */
  mayBlock: boolean;
  tally: Tally;
  /** Called for each message that was sent, or that came. */
  onMessage?: (() => void) | undefined;
  /** Whether an error says that the other side is gone. */
  isEnd?: ((error: unknown) => boolean) | undefined;
}

/** Sends so many messages; ends early with the error for a receiver that has gone. */
export async function send(
  sender: Sender,
  messages: Messages,
  count: number,
  options: PlayOptions,
): Promise<void> {
  const { random, mayBlock, tally, onMessage } = options;
  const sync = syncSender(sender);
  let left = count;
  const next = () => {
    left--;
    const message = messages.make();
    tally.messages++;
    tally.bytes += message.byteLength;
    onMessage?.();
    return message;
  };
  const ways: (() => void | Promise<unknown>)[] = [
    () => sender.send(next()),
    () => allOf(Array.from({ length: random.between(1, Math.min(8, left)) }, () => sender.send(next()))),
    () => sender.sendBatch(Array.from({ length: random.between(1, Math.min(8, left)) }, next)),
    () => insist(next(), (message) => sender.send(message, { timeout: random.between(0, 3) }), sender),
    () => insist(next(), (message) => aborted(random, (signal) => sender.send(message, { signal })), sender),
  ];
  if (sync !== undefined) {
    ways.push(async () => {
      const message = next();
      if (!sync.trySend(message)) await sender.send(message);
    });
    if (mayBlock) {
      const blocked = async () => {
        const message = next();
        try {
          sync.sendSync(message);
        } catch (error) {
          // Not every mechanism can block the thread.
          if (!(error instanceof NotSupportedError)) throw error;
          ways.splice(ways.indexOf(blocked), 1);
          await sender.send(message);
        }
      };
      ways.push(blocked);
    }
  }
  try {
    while (left > 0) await random.pick(ways)();
    await sender.end();
  } catch (error) {
    if (error instanceof BrokenPipeError || options.isEnd?.(error)) return;
    throw new Error(`Expected to send or a BrokenPipeError, got ${describe(error)}`, { cause: error });
  }
}

/** Waits for all, so that none is left to fail unseen. */
async function allOf(promises: Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

/** Sends until the mechanism has the message, in attempts that end too early. */
async function insist(
  message: Uint8Array,
  attempt: (message: Uint8Array) => Promise<void>,
  sender: Sender,
): Promise<void> {
  for (let attempts = 0; attempts < 5; attempts++) {
    try {
      return await attempt(message);
    } catch (error) {
      if (!(error instanceof TimeoutError) && !(error instanceof Enough)) throw error;
      // What was begun follows; what was not is to be sent again.
      if ((error as { partial?: boolean }).partial) return;
    }
  }
  await sender.send(message);
}

class Enough extends Error {}

/** Makes a call whose signal aborts soon. */
async function aborted<T>(random: Random, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Enough("Enough")), random.between(0, 3));
  try {
    return await call(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Receives until the end and compares; a sender that died inside a message may be told `mayDie()` times. */
export async function receive(
  receiver: Receiver,
  expectation: Expectation,
  mayDie: () => number,
  options: PlayOptions,
): Promise<void> {
  const { random, mayBlock, tally, onMessage } = options;
  const sync = syncReceiver(receiver);
  const take = (message: Uint8Array) => {
    expectation.check(message);
    tally.messages++;
    tally.bytes += message.byteLength;
    onMessage?.();
  };
  const takeAll = (messages: readonly (Uint8Array | undefined)[]) => {
    for (const message of messages) if (message !== undefined) take(message);
    return messages.length > 0 && messages.at(-1) !== undefined;
  };
  const ways: (() => boolean | Promise<boolean>)[] = [
    async () => takeAll([await receiver.receive()]),
    async () => takeAll(await receiver.receiveBatch()),
    async () => takeAll(await receiver.receiveBatch({ max: random.between(1, 4) })),
    async () => takeAll([await receiver.receive({ timeout: random.between(0, 3) })]),
    async () => takeAll([await aborted(random, (signal) => receiver.receive({ signal }))]),
    async () => {
      for await (const message of receiver) {
        take(message);
        if (random.oneIn(4)) return true;
      }
      return false;
    },
    () => several(receiver, random.between(2, 8), takeAll),
  ];
  const blocked = () => takeAll([sync!.receiveSync()]);
  if (sync !== undefined) {
    ways.push(async () => {
      const message = sync.tryReceive();
      if (message === undefined) await turn();
      else take(message);
      return !receiver.ended;
    });
    if (mayBlock) ways.push(blocked);
  }
  let truncated = 0;
  while (true) {
    const way = random.pick(ways);
    try {
      if (!await way()) return;
    } catch (error) {
      // Not every mechanism can block the thread.
      if (way === blocked && error instanceof NotSupportedError) {
        ways.splice(ways.indexOf(blocked), 1);
        continue;
      }
      if (error instanceof TimeoutError || error instanceof Enough) continue;
      if (options.isEnd?.(error)) return;
      if (!(error instanceof TruncatedError)) throw error;
      tally.truncated++;
      if (++truncated > mayDie()) {
        throw new Error(`Expected a whole message, got ${describe(error)}`, { cause: error });
      }
    }
  }
}

/** Receives that pend together are served in the order of the calls. */
async function several(
  receiver: Receiver,
  count: number,
  takeAll: (messages: (Uint8Array | undefined)[]) => boolean,
): Promise<boolean> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, () => receiver.receive()));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  const goesOn = takeAll(outcomes.flatMap((each) => each.status === "fulfilled" ? [each.value] : []));
  if (failed !== undefined) throw failed.reason;
  return goesOn;
}

/** The promise's result; where there is none in time, `giveUp` is called and a failure thrown. */
export async function within<T>(
  milliseconds: number,
  promise: Promise<T>,
  what: string,
  giveUp?: () => void,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`Expected ${what} within ${milliseconds} ms`));
      giveUp?.();
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
