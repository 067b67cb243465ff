/** Promise 2, sending: what ends early is withdrawn, or arrives whole. */

import type { ChannelPair } from "./conformance.ts";
import { NotSupportedError, TimeoutError, TruncatedError } from "../errors.ts";
import {
  type Check,
  expect,
  ignored,
  pattern,
  patterns,
  sleep,
  syncSender,
  type Trial,
  turn,
  turns,
  Unawaited,
  waitsForRoom,
} from "./_trial.ts";

/** The checks of promise 2 on the sending side. */
export const sending: readonly Check[] = [
  {
    promise: 2,
    title: "a send that finds no room times out and is withdrawn",
    run: timeouts,
    applies: waitsForRoom,
  },
  {
    promise: 2,
    title: "an aborted send that has not begun is withdrawn",
    run: withdrawn,
    applies: waitsForRoom,
  },
  { promise: 2, title: "an aborted send that has begun still arrives whole", run: begun },
  {
    promise: 2,
    title: "a batch that ends early says how many left",
    run: batch,
    applies: waitsForRoom,
  },
  {
    promise: 2,
    title: "trySend that says false has sent nothing",
    run: trySend,
    applies: waitsForRoom,
  },
  { promise: 2, title: "trySend that says true has its message delivered whole", run: tryLong },
  {
    promise: 2,
    title: "sendSync that finds no room is withdrawn or arrives whole",
    run: sendSync,
    applies: waitsForRoom,
  },
  {
    promise: 2,
    title: "a begun message whose endpoint closes is a TruncatedError",
    run: closed,
    applies: canEnd,
  },
  { promise: 2, title: "sends that end early at random arrive whole or not at all", run: randomEnds },
];

function canEnd(options: { endDetectable?: boolean }): boolean {
  return options.endDetectable !== false;
}

/** Whether an error says that bytes had left: the message then arrives. */
function isPartial(error: unknown): boolean {
  return (error as { partial?: boolean } | undefined)?.partial === true;
}

/** A message longer than the mechanism takes at once, where messages can be that long. */
function long(trial: Trial, pair: ChannelPair): Uint8Array {
  return pattern(99, Math.min(pair.sender.maxMessageSize, trial.settings.capacity));
}

async function timeouts(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const filled = await trial.fill(pair);
  for (const timeout of [0, 10]) {
    const error = await trial.rejects(pair.sender.send(pattern(0, 9), { timeout }), TimeoutError, "send");
    expect(!isPartial(error), "a send behind others says that it had begun");
  }
  await trial.receives(pair.receiver, filled, "what was taken before");
  await trial.works(pair, "after sends that timed out");
}

async function withdrawn(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const filled = await trial.fill(pair);
  const controllers = Array.from({ length: 4 }, () => new AbortController());
  const reasons = controllers.map((_, index) => new Error(`Reason ${index}`));
  const pending = controllers.map(({ signal }, index) =>
    ignored(pair.sender.send(pattern(1000 + index, 9), { signal }))
  );
  const kept = ignored(pair.sender.send(pattern(2000, 9)));
  await turns(3);
  for (const index of [2, 0, 3, 1]) {
    controllers[index]!.abort(reasons[index]);
    const reason = await trial.rejection(pending[index]!, "an aborted send");
    expect(reason === reasons[index], `it rejects with ${reason}, not with the reason`);
    expect(!isPartial(reason), "a send behind others says that it had begun");
  }
  await trial.receives(pair.receiver, [...filled, pattern(2000, 9)], "all but the aborted sends");
  await trial.within(kept, "the send that was not aborted");
  await trial.works(pair, "after aborted sends");
}

async function begun(trial: Trial): Promise<void> {
  for (const end of ["abort", "timeout"] as const) {
    const pair = await trial.open();
    const message = long(trial, pair);
    const reason = new Error("Enough");
    const controller = new AbortController();
    const options = end === "abort" ? { signal: controller.signal } : { timeout: 10 };
    let error: unknown;
    const sending = pair.sender.send(message, options).catch((caught) => error = caught);
    await sleep(5);
    controller.abort(reason);
    await trial.within(sending, "a long send that is given up");
    const arrives = error === undefined || isPartial(error);
    if (error !== undefined && end === "abort") {
      expect(error === reason, `it rejects with ${error}, not with the reason`);
    } else if (error !== undefined) {
      expect(error instanceof TimeoutError, `it rejects with ${error}, not with a TimeoutError`);
    }
    // It belongs to its caller again, whatever has left of it.
    const expected = arrives ? [message.slice()] : [];
    message.fill(0);
    const behind = ignored(pair.sender.send(pattern(1, 9)));
    await trial.receives(pair.receiver, [...expected, pattern(1, 9)], "the message and the one behind it");
    await trial.within(behind, "the send behind it");
    await trial.works(pair, "after a send that was given up");
  }
}

async function batch(trial: Trial): Promise<void> {
  for (const end of ["abort", "timeout"] as const) {
    const pair = await trial.open();
    const size = Math.min(1000, pair.sender.maxMessageSize);
    const count = Math.ceil(trial.settings.capacity / size) + 1;
    const messages = function* () {
      for (let index = 0; index < count; index++) yield pattern(index, size);
    };
    const controller = new AbortController();
    const options = end === "abort" ? { signal: controller.signal } : { timeout: 10 };
    const reason = new Error("Enough");
    const sending = ignored(pair.sender.sendBatch(messages(), options));
    await sleep(5);
    controller.abort(reason);
    const error = await trial.rejection(sending, "a batch that does not fit") as { sent?: number };
    if (end === "abort") expect(error === reason, `it rejects with ${error}, not with the reason`);
    else expect(error instanceof TimeoutError, `it rejects with ${error}, not with a TimeoutError`);
    const { sent } = error;
    expect(typeof sent === "number", `the error says sent: ${sent}`);
    const arrive = patterns(sent + (isPartial(error) ? 1 : 0), size);
    await trial.receives(pair.receiver, arrive, `what had left of the batch (sent: ${sent})`);
    await trial.works(pair, "after a batch that was given up");
  }
}

async function trySend(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const sender = syncSender(pair.sender);
  if (sender === undefined) return;
  const size = Math.min(1000, sender.maxMessageSize);
  const sent: Uint8Array[] = [];
  for (let refused = 0; refused < 3;) {
    const message = pattern(sent.length, size);
    const took = sender.trySend(message);
    expect(typeof took === "boolean", `trySend gives ${took}`);
    if (took) sent.push(message.slice());
    else refused++;
    message.fill(0);
    expect(sent.length * size <= trial.settings.capacity, "trySend never says false while nobody reads");
  }
  await trial.receives(pair.receiver, sent, "what trySend took");
  await trial.works(pair, "after trySend said false");
}

async function tryLong(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const sender = syncSender(pair.sender);
  if (sender === undefined) return;
  const message = long(trial, pair);
  const expected = message.slice();
  const took = sender.trySend(message);
  message.fill(0);
  const behind = ignored(sender.send(pattern(1, 9)));
  await trial.receives(pair.receiver, [...took ? [expected] : [], pattern(1, 9)], "a long message");
  await trial.within(behind, "the send behind it");
}

async function sendSync(trial: Trial): Promise<void> {
  for (const timeout of [0, 5, undefined]) {
    const pair = await trial.open();
    const sender = syncSender(pair.sender);
    if (sender === undefined) return;
    if (timeout === undefined && await canBlock(pair)) return;
    const arrive: Uint8Array[] = await trial.fill(pair);
    // What is full may still have room for a part, and then for none.
    for (let tries = 0; tries < 2; tries++) {
      const message = pattern(1000 + tries, 9);
      try {
        sender.sendSync(message, timeout === undefined ? {} : { timeout });
        arrive.push(message.slice());
      } catch (error) {
        if (!(error instanceof TimeoutError) && !(error instanceof NotSupportedError)) throw error;
        if (isPartial(error)) arrive.push(message.slice());
      }
      message.fill(0);
    }
    await trial.receives(pair.receiver, arrive, "what was taken");
    const last = long(trial, pair);
    let arrives = true;
    try {
      sender.sendSync(last, timeout === undefined ? {} : { timeout });
    } catch (error) {
      if (!(error instanceof TimeoutError) && !(error instanceof NotSupportedError)) throw error;
      arrives = isPartial(error);
    }
    const expected = arrives ? [last.slice()] : [];
    last.fill(0);
    await trial.receives(pair.receiver, expected, "a long message by sendSync");
    await trial.works(pair, "after sendSync");
  }
}

/** Whether the sync forms can block this thread: where they can, one without a limit would never return. */
async function canBlock({ receiver }: ChannelPair): Promise<boolean> {
  await turn();
  try {
    (receiver as { receiveSync?(options: { timeout: number }): unknown }).receiveSync?.({ timeout: 1 });
    return true;
  } catch (error) {
    return !(error instanceof NotSupportedError);
  }
}

async function closed(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const whole = pattern(1, 8);
  await trial.within(pair.sender.send(whole), "a send");
  const error = await pair.sender.send(long(trial, pair), { timeout: 10 }).catch((caught) => caught);
  if (!isPartial(error)) return;
  pair.sender.close();
  await trial.receives(pair.receiver, [whole], "the message before");
  await trial.rejects(
    pair.receiver.receive(),
    TruncatedError,
    "the rest of a message that was never written",
  );
  await trial.ends(pair.receiver, "after it");
}

async function randomEnds(trial: Trial): Promise<void> {
  for (let round = trial.times(5); round > 0; round--) {
    const pair = await trial.open();
    const { sender, receiver } = pair;
    const random = trial.random.fork();
    const last = pattern(100_000, 13);
    const got: Uint8Array[] = [];
    const receiving = ignored((async () => {
      const pace = random.fork();
      while (true) {
        if (pace.oneIn(4)) await turns(pace.between(1, 6));
        const message = await receiver.receive(pace.oneIn(3) ? { timeout: 1 } : {}).catch((error) => {
          if (!(error instanceof TimeoutError)) throw error;
          return null;
        });
        if (message === undefined) break;
        if (message !== null) got.push(message);
        if (message?.byteLength === last.byteLength) break;
      }
    })());
    const calls: Promise<Uint8Array[]>[] = [];
    const unawaited = new Unawaited(trial.settings);
    for (let index = 0; index < 80; index++) {
      const messages = someMessages(trial, pair, index, random);
      await unawaited.room(messages.reduce((bytes, { byteLength }) => bytes + byteLength, 0));
      calls.push(unawaited.add(endEarly(pair, messages, random)));
      const then = random.between(0, 3);
      if (then === 0) await calls.at(-1);
      else if (then === 1) await turns(random.between(1, 3));
    }
    const arrive = (await trial.within(Promise.all(calls), "sends that end early", 10)).flat();
    await trial.within(sender.send(last), "the last send", 10);
    await trial.within(receiving, "the last message", 10);
    trial.same(got, [...arrive, last], "sends that ended early at random");
  }
}

/** One message, or the four of a batch. */
function someMessages(
  trial: Trial,
  { sender }: ChannelPair,
  number: number,
  random: Trial["random"],
): Uint8Array[] {
  const chosen = trial.size(sender);
  // The last message of all is known by its 13 bytes.
  const size = chosen === 13 ? 12 : chosen;
  if (random.oneIn(4)) return patterns(4, Math.min(size, 999), 4 * number);
  return [pattern(4 * number, size)];
}

/** Sends something that is given up at some moment, and returns the messages that have to arrive. */
async function endEarly(
  { sender }: ChannelPair,
  messages: Uint8Array[],
  random: Trial["random"],
): Promise<Uint8Array[]> {
  const controller = new AbortController();
  const options = random.pick([
    () => ({}),
    () => ({ timeout: random.between(0, 2) }),
    () => ({ signal: controller.signal }),
    () => ({ signal: controller.signal, timeout: random.between(0, 2) }),
  ])();
  const isBatch = messages.length > 1;
  const call = ignored(isBatch ? sender.sendBatch(messages, options) : sender.send(messages[0]!, options));
  if ("signal" in options) {
    for (let left = random.between(0, 4); left > 0; left--) await turn();
    controller.abort(new Error("Enough"));
  }
  try {
    await call;
    return messages;
  } catch (error) {
    if (!(error instanceof TimeoutError) && error !== controller.signal.reason) throw error;
    const whole = isBatch ? (error as { sent: number }).sent : 0;
    const arrive = messages.slice(0, whole + (isPartial(error) ? 1 : 0)).map((message) => message.slice());
    for (const message of messages) message.fill(0);
    return arrive;
  }
}
