/** Promises 6 and 8: many waits at once, a live event loop, and buffers that stay as they are. */

import type { ChannelPair } from "./conformance.ts";
import { LimitError } from "../errors.ts";
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
  turns,
  Unawaited,
} from "./_trial.ts";

/** The checks of promises 6 and 8. */
export const crowd: readonly Check[] = [
  {
    promise: 6,
    title: "31 pending receives leave file I/O working (CORE-002)",
    run: (trial) => many(trial, 31),
  },
  {
    promise: 6,
    title: "64 pending receives leave file I/O working (CORE-002)",
    run: (trial) => many(trial, 64),
  },
  { promise: 6, title: "1,000 pending receives leave file I/O working (CORE-002)", run: thousand },
  { promise: 6, title: "calls that all succeed at once leave timers running", run: starvation },
  { promise: 8, title: "received buffers are never written again", run: stays },
  { promise: 8, title: "what a receiver does to one message leaves the others", run: independent },
  {
    promise: 8,
    title: "a received message whose buffer is transferred away takes none with it",
    run: transferred,
  },
];

/** Files are read through the pool that waits must not fill; more at once than one worker of it could serve. */
async function readsFiles(trial: Trial, what: string): Promise<void> {
  const path = await trial.within(Deno.makeTempFile({ prefix: "ipc-conformance-" }), what);
  try {
    await trial.within(Deno.writeTextFile(path, "read me"), what);
    const reads = Array.from({ length: 8 }, () => Deno.readTextFile(path));
    for (const text of await trial.within(Promise.all(reads), what)) expect(text === "read me", what);
  } finally {
    Deno.removeSync(path);
  }
}

function thousand(trial: Trial): Promise<void> {
  return many(trial, Math.min(1000, Math.max(100, trial.times(1000))));
}

/** So many pending receives, each on a channel of its own as far as the system's limits go. */
async function many(trial: Trial, count: number): Promise<void> {
  const pairs: ChannelPair[] = [];
  while (pairs.length < count) {
    try {
      pairs.push(await trial.open());
    } catch (error) {
      if (!(error instanceof LimitError) || pairs.length === 0) throw error;
      break;
    }
  }
  const controller = new AbortController();
  const { signal } = controller;
  const pending = Array.from({ length: count }, (_, index) => {
    const { receiver } = pairs[index % pairs.length]!;
    const options = { signal };
    return ignored<Promise<unknown>>(
      index % 2 === 0 ? receiver.receive(options) : receiver.receiveBatch(options),
    );
  });
  await turns(100);
  await readsFiles(trial, `reading a file beside ${count} pending receives`);
  // Any of them can be woken.
  const chosen = trial.random.between(0, pairs.length - 1);
  await trial.within(pairs[chosen]!.sender.send(pattern(chosen, 8)), "a send");
  const got = await trial.within(pending.splice(chosen, 1)[0]!, `receive ${chosen} of ${count}`);
  expectBytes(Array.isArray(got) ? got[0] : got, pattern(chosen, 8), `receive ${chosen} of ${count}`);
  const reason = new Error("Enough");
  controller.abort(reason);
  const outcomes = await trial.within(Promise.allSettled(pending), `the abort of ${pending.length} receives`);
  for (const outcome of outcomes) {
    expect(outcome.status === "rejected" && outcome.reason === reason, "an aborted receive gives a message");
  }
  for (const pair of pairs.slice(0, 10)) await trial.works(pair, "after the abort of all");
}

async function starvation(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const tries = syncSender(sender);
  const takes = syncReceiver(receiver);
  const message = pattern(1, 8);
  const loops: Record<string, () => Promise<void>> = {
    "send and receive": async () => {
      await sender.send(message);
      await receiver.receive();
    },
    "sendBatch and receiveBatch": async () => {
      await sender.sendBatch([message, message]);
      for (let got = 0; got < 2;) got += (await receiver.receiveBatch()).length;
    },
  };
  if (tries !== undefined) {
    loops["trySend and receive"] = async () => {
      if (!tries.trySend(message)) throw new Error("trySend finds no room in an empty channel");
      await receiver.receive();
    };
    loops["trySend and iteration"] = async () => {
      if (!tries.trySend(message)) throw new Error("trySend finds no room in an empty channel");
      for await (const _ of receiver) break;
    };
  }
  if (takes !== undefined) {
    loops["send and tryReceive"] = async () => {
      await sender.send(message);
      while (takes.tryReceive() === undefined) await turns(1);
    };
  }
  for (const [name, loop] of Object.entries(loops)) {
    let fired = false;
    const timer = setTimeout(() => fired = true, 1);
    const begin = performance.now();
    try {
      while (!fired) {
        await loop();
        const waited = performance.now() - begin;
        expect(waited < trial.settings.ceiling, `${name}: a loop keeps a timer from running`);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

async function stays(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const count = trial.times(1500);
  const sizes = Array.from({ length: count }, () => trial.size(sender) % 5000 || 1);
  const sending = ignored((async () => {
    const unawaited = new Unawaited(trial.settings);
    for (const [index, size] of sizes.entries()) {
      await unawaited.room(size);
      unawaited.add(sender.send(pattern(index, size)));
      if (trial.random.oneIn(10)) await unawaited.settle();
    }
    await unawaited.settle();
  })());
  const got: Uint8Array[] = [];
  const pace = trial.random.fork();
  while (got.length < count) {
    if (pace.oneIn(2)) {
      const message = await trial.within(receiver.receive(), `message ${got.length} of ${count}`, 5);
      expect(message !== undefined, `the channel ended after ${got.length} messages`);
      got.push(message);
    } else {
      const batch = await trial.within(receiver.receiveBatch(), `message ${got.length} of ${count}`, 5);
      expect(batch.length > 0, `the channel ended after ${got.length} messages`);
      got.push(...batch);
    }
  }
  await trial.within(sending, "the sends resolve");
  trial.same(got, sizes.map((size, index) => pattern(index, size)), "messages that were kept");
}

async function independent(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const { sender, receiver } = pair;
  const messages = patterns(4, 8);
  for (const message of messages) await trial.within(sender.send(message), "a send");
  const first = await trial.within(receiver.receive(), "a receive");
  expectBytes(first, messages[0]!, "the first message");
  first!.fill(0xff);
  await trial.receives(receiver, messages.slice(1, 2), "a message after one that was written into");
  await trial.receives(receiver, messages.slice(2), "the messages after that");
  await trial.works(pair, "after a message was written into");
}

async function transferred(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const sizes = Array.from({ length: trial.times(300) }, () => Math.max(1, trial.size(sender) % 20_000));
  const messages = sizes.map((size, index) => pattern(index, size));
  const sending = ignored(sender.sendBatch(messages));
  let next = 0;
  while (next < messages.length) {
    const batch = trial.random.oneIn(3)
      ? await trial.within(receiver.receiveBatch(), "a batch", 5)
      : [await trial.within(receiver.receive(), "a receive", 5)];
    for (const message of batch) expectBytes(message, messages[next++]!, `message ${next}`);
    if (batch.length > 0 && trial.random.oneIn(2)) {
      structuredClone(batch[0], { transfer: [batch[0]!.buffer] });
    }
  }
  await trial.within(sending, "the sends resolve");
}
