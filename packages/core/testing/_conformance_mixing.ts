/** Promises 1 and 7: every way of sending against every way of receiving, and sync beside async. */

import type { ChannelPair } from "./conformance.ts";
import { NotSupportedError, TimeoutError } from "../errors.ts";
import {
  type Check,
  expect,
  expectBytes,
  ignored,
  pattern,
  patterns,
  syncReceiver,
  syncSender,
  type Trial,
  turn,
  turns,
  Unawaited,
} from "./_trial.ts";

/** The checks that mix ways of calling. */
export const mixing: readonly Check[] = [
  {
    promise: 1,
    title: "any mix of sending and receiving keeps messages whole, once and in order",
    run: anyMix,
  },
  { promise: 7, title: "a sync receive beside a pending receive throws and disturbs nothing", run: refuses },
  { promise: 7, title: "sync and async sends keep their order", run: syncSends },
  { promise: 7, title: "sync and async receives keep the order", run: syncReceives },
];

async function anyMix(trial: Trial): Promise<void> {
  for (let round = trial.times(6); round > 0; round--) {
    const pair = await trial.open();
    const messages = Array.from({ length: 150 }, (_, index) => pattern(index, trial.size(pair.sender)));
    const progress = { sent: 0 };
    const sending = ignored(sendInAnyWay(trial, pair, messages, progress));
    const got = await trial.within(
      receiveInAnyWay(trial, pair, messages.length, progress),
      "a random mix",
      15,
    );
    trial.same(got, messages, "a random mix");
    await trial.within(sending, "the sends resolve");
    if (!trial.settings.endDetectable) continue;
    await trial.within(pair.sender.end(), "end");
    await trial.ends(pair.receiver, "after a random mix");
  }
}

/** Sends all messages, each in a way chosen at random; `progress.sent` are surely with the mechanism. */
async function sendInAnyWay(
  trial: Trial,
  { sender }: ChannelPair,
  messages: readonly Uint8Array[],
  progress: { sent: number },
): Promise<void> {
  const random = trial.random.fork();
  const sync = syncSender(sender);
  const unawaited = new Unawaited(trial.settings);
  let next = 0;
  // What was called before has left before: the order of the calls is the order of the messages.
  const all = async (sending: Promise<void>): Promise<void> => {
    const reached = next;
    await sending;
    progress.sent = reached;
  };
  const ways: (() => unknown)[] = [
    () => all(sender.send(messages[next++]!)),
    async () => {
      for (let left = random.between(1, 8); left > 0 && next < messages.length; left--) {
        const full = unawaited.room(messages[next]!.byteLength);
        if (full !== undefined) await full;
        unawaited.add(sender.send(messages[next++]!));
      }
    },
    () => {
      const from = next;
      next = Math.min(messages.length, next + random.between(0, 12));
      return all(sender.sendBatch(messages.slice(from, next)));
    },
    async () => {
      const writer = sender.writable.getWriter();
      await all(writer.write(messages[next++]!));
      writer.releaseLock();
    },
    () => turns(random.between(1, 4)),
  ];
  if (sync !== undefined) {
    ways.push(() => {
      if (sync.trySend(messages[next]!)) next++;
    }, () => {
      try {
        sync.sendSync(messages[next]!, { timeout: 0 });
        next++;
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        if (error.partial === true) next++;
      }
    });
  }
  while (next < messages.length) {
    await random.pick(ways)();
    if (random.oneIn(4)) await unawaited.settle();
  }
  await unawaited.settle();
}

/** Receives so many messages, each in a way chosen at random. */
async function receiveInAnyWay(
  trial: Trial,
  { receiver }: ChannelPair,
  count: number,
  progress: { sent: number },
): Promise<Uint8Array[]> {
  const random = trial.random.fork();
  const sync = syncReceiver(receiver);
  const got: Uint8Array[] = [];
  const take = (message: Uint8Array | undefined): void => {
    expect(message !== undefined, `the channel ended after ${got.length} of ${count} messages`);
    got.push(message);
  };
  const ways: (() => unknown)[] = [
    async () => take(await receiver.receive()),
    async () => {
      const calls = Array.from(
        { length: Math.min(count - got.length, random.between(2, 6)) },
        () => receiver.receive(),
      );
      (await Promise.all(calls)).forEach(take);
    },
    async () => {
      const batch = await receiver.receiveBatch(random.oneIn(2) ? {} : { max: random.between(1, 20) });
      expect(batch.length > 0, `the channel ended after ${got.length} of ${count} messages`);
      batch.forEach(take);
    },
    async () => {
      let left = Math.min(count - got.length, random.between(1, 5));
      for await (const message of receiver) {
        take(message);
        if (--left === 0) break;
      }
    },
    async () => {
      const reader = receiver.readable.getReader();
      take((await reader.read()).value);
      reader.releaseLock();
    },
    () => turns(random.between(1, 4)),
  ];
  if (sync !== undefined) {
    let mayBlock = true;
    ways.push(async () => {
      const message = sync.tryReceive();
      if (message === undefined) await turn();
      else take(message);
    }, () => {
      // Only for what is surely there: this thread is the sender's too.
      if (!mayBlock || progress.sent <= got.length) return;
      try {
        take(sync.receiveSync({ timeout: trial.settings.ceiling }));
      } catch (error) {
        if (!(error instanceof NotSupportedError)) throw error;
        mayBlock = false;
      }
    });
  }
  while (got.length < count) await random.pick(ways)();
  return got;
}

async function refuses(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const sync = syncReceiver(pair.receiver);
  if (sync === undefined) return;
  const controller = new AbortController();
  const waits: (() => Promise<unknown>)[] = [
    () => sync.receive(),
    () => sync.receiveBatch().then((batch) => batch[0]),
    () => sync[Symbol.asyncIterator]().next().then(({ value }) => value),
  ];
  for (const wait of waits) {
    const pending = ignored(wait());
    for (let round = 0; round < 2; round++) {
      throws(() => sync.tryReceive(), "tryReceive");
      throws(() => sync.receiveSync({ timeout: 0 }), "receiveSync");
      await turns(2);
    }
    await trial.within(pair.sender.send(pattern(1, 8)), "a send");
    expectBytes(await trial.within(pending, "the pending receive"), pattern(1, 8), "the pending receive");
    expect(sync.tryReceive() === undefined, "tryReceive finds a message that was taken");
  }
  const aborted = ignored(sync.receive({ signal: controller.signal }));
  controller.abort();
  await trial.rejection(aborted, "an aborted receive");
  expect(sync.tryReceive() === undefined, "tryReceive after an abort finds a message");
}

function throws(call: () => unknown, what: string): void {
  let message: unknown;
  try {
    message = call();
  } catch (error) {
    // One that waited and found nothing has not noticed the pending receive.
    if (error instanceof TimeoutError) throw error;
    return;
  }
  throw new Error(`${what} beside a pending receive gives ${message}`);
}

async function syncSends(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const sync = syncSender(sender);
  if (sync === undefined) return;
  const messages = patterns(4, 8);
  // The first waits for the turn to end; what is sent without waiting must not overtake it.
  const first = ignored(sync.send(messages[0]!));
  expect(sync.trySend(messages[1]!), "trySend finds no room in an empty channel");
  const third = ignored(sync.send(messages[2]!));
  sync.sendSync(messages[3]!);
  await trial.receives(receiver, messages, "async and sync sends in turns");
  await trial.within(Promise.all([first, third]), "the sends resolve");
}

async function syncReceives(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const sync = syncReceiver(receiver);
  if (sync === undefined) return;
  const messages = patterns(60, 20);
  const sending = ignored((async () => {
    for (let index = 0; index < messages.length; index += 3) {
      await sender.sendBatch(messages.slice(index, index + 3));
    }
  })());
  const got: Uint8Array[] = [];
  while (got.length < messages.length) {
    const now = got.length % 2 === 0
      ? await trial.eventually(() => sync.tryReceive(), `tryReceive of message ${got.length}`)
      : await trial.within(sync.receive(), `message ${got.length}`);
    expect(now !== undefined, `the channel ended after ${got.length} messages`);
    got.push(now);
  }
  trial.same(got, messages, "received in turns");
  await trial.within(sending, "the sends resolve");
}
