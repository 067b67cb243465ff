/** Promise 4: what closing ends, and what it lets through. */

import { ClosedError, IpcError, TruncatedError } from "../errors.ts";
import {
  type Check,
  describe,
  expect,
  ignored,
  pattern,
  patterns,
  syncReceiver,
  syncSender,
  thrown,
  type Trial,
  turns,
  waitsForRoom,
} from "./_trial.ts";

/** The checks of promise 4 within one process. */
export const closing: readonly Check[] = [
  { promise: 4, title: "close ends pending receives with undefined", run: pendingReceives },
  {
    promise: 4,
    title: "close rejects pending sends with ClosedError",
    run: pendingSends,
    applies: waitsForRoom,
  },
  { promise: 4, title: "receiving after close throws ClosedError", run: receivesAfter },
  { promise: 4, title: "sending after close throws ClosedError", run: sendsAfter },
  { promise: 4, title: "sending after end throws ClosedError", run: sendsAfterEnd },
  { promise: 4, title: "closing twice, in any way, does nothing (CORE-001)", run: twice },
  { promise: 4, title: "await using lets everything arrive", run: asyncDispose },
  { promise: 4, title: "using gives the mechanism what it takes first", run: dispose },
  { promise: 4, title: "what was sent outlives the sender", run: outlives, applies: canEnd },
  {
    promise: 4,
    title: "a sender whose receiver has gone is told",
    run: receiverGone,
    applies: (options) => canEnd(options) && waitsForRoom(options),
  },
  { promise: 4, title: "cancelling readable closes", run: cancel },
  { promise: 4, title: "closing writable ends, aborting it closes", run: closeWritable },
];

function canEnd(options: { endDetectable?: boolean }): boolean {
  return options.endDetectable !== false;
}

async function pendingReceives(trial: Trial): Promise<void> {
  const { receiver } = await trial.open();
  const pending = [
    receiver.receive(),
    receiver.receive({ timeout: 60_000, signal: new AbortController().signal }),
  ];
  const batch = receiver.receiveBatch();
  const next = receiver[Symbol.asyncIterator]().next();
  const read = receiver.readable.getReader().read();
  await turns(trial.random.between(0, 5));
  receiver.close();
  for (const got of await trial.within(Promise.all(pending), "pending receives at close")) {
    expect(got === undefined, `a pending receive gives ${describe(got)} at close`);
  }
  expect(
    (await trial.within(batch, "a pending batch at close")).length === 0,
    "a pending batch is not empty",
  );
  expect((await trial.within(next, "a pending iteration at close")).done === true, "an iteration goes on");
  expect((await trial.within(read, "a pending read at close")).done, "a stream goes on after close");
}

async function pendingSends(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const { sender, receiver } = pair;
  const filled = await trial.fill(pair);
  const pending = [
    ignored(sender.send(pattern(1000, 9))),
    ignored(sender.send(pattern(1001, 9), { timeout: 60_000, signal: new AbortController().signal })),
    ignored(sender.sendBatch(patterns(3, 9, 1002))),
  ];
  const ending = ignored(sender.end());
  await turns(trial.random.between(0, 5));
  sender.close();
  for (const [index, each] of pending.entries()) {
    await trial.rejects(each, ClosedError, `pending send ${index} at close`);
  }
  await trial.rejects(ending, ClosedError, "a pending end at close");
  if (!trial.settings.endDetectable) return;
  // The last message may have been begun only; then it must not come.
  await trial.receives(receiver, filled.slice(0, -1), "what was taken before");
  const last = await trial.within(receiver.receive().catch((error) => error), "the last of them");
  if (last instanceof TruncatedError) return await trial.ends(receiver, "after a begun message");
  trial.same([last], filled.slice(-1), "the last of them");
  await trial.ends(receiver, "after what was taken");
}

async function receivesAfter(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  await trial.within(sender.send(pattern(1, 8)), "a send");
  receiver.close();
  await trial.rejects(receiver.receive(), ClosedError, "receive");
  await trial.rejects(receiver.receive({ timeout: 0 }), ClosedError, "receive with timeout 0");
  await trial.rejects(receiver.receiveBatch(), ClosedError, "receiveBatch");
  await trial.rejects(iterate(receiver), ClosedError, "for await");
  await trial.rejects(read(receiver.readable), ClosedError, "readable");
  expect(receiver.ended, "`ended` is false though nothing will follow");
  const sync = syncReceiver(receiver);
  if (sync === undefined) return;
  thrown(() => sync.tryReceive(), ClosedError, "tryReceive");
  thrown(() => sync.receiveSync(), ClosedError, "receiveSync");
}

async function iterate(receiver: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of receiver) break;
}

async function read(readable: ReadableStream): Promise<void> {
  await readable.getReader().read();
}

async function sendsAfter(trial: Trial): Promise<void> {
  const { sender } = await trial.open();
  sender.close();
  await refuses(trial, sender);
  await trial.rejects(sender.end(), ClosedError, "end");
  const writer = sender.writable.getWriter();
  ignored(writer.closed);
  await trial.rejects(writer.write(pattern(1, 8)), ClosedError, "writable");
}

async function sendsAfterEnd(trial: Trial): Promise<void> {
  const { sender } = await trial.open();
  await trial.within(sender.end(), "end");
  await refuses(trial, sender);
}

async function refuses(trial: Trial, sender: import("../channel.ts").Sender): Promise<void> {
  const message = pattern(1, 8);
  await trial.rejects(sender.send(message), ClosedError, "send");
  await trial.rejects(sender.send(message, { timeout: 0 }), ClosedError, "send with timeout 0");
  await trial.rejects(sender.sendBatch([message]), ClosedError, "sendBatch");
  const sync = syncSender(sender);
  if (sync === undefined) return;
  thrown(() => sync.trySend(message), ClosedError, "trySend");
  thrown(() => sync.sendSync(message), ClosedError, "sendSync");
}

async function twice(trial: Trial): Promise<void> {
  const ways = [
    (end: Disposable & AsyncDisposable & { close(): void }) => end.close(),
    (end: Disposable & AsyncDisposable) => end[Symbol.dispose](),
    (end: Disposable & AsyncDisposable) => end[Symbol.asyncDispose](),
  ];
  for (const first of ways) {
    for (const second of ways) {
      const { sender, receiver } = await trial.open();
      for (const end of [sender, receiver]) {
        await trial.within(Promise.resolve(first(end)), "closing once");
        await trial.within(Promise.resolve(second(end)), "closing twice");
      }
      await trial.rejects(receiver.receive(), ClosedError, "receive");
      await trial.rejects(sender.send(pattern(1, 8)), ClosedError, "send");
    }
  }
}

async function asyncDispose(trial: Trial): Promise<void> {
  const pair = await trial.open();
  // More than most mechanisms take at once.
  const messages = patterns(300, Math.min(1000, pair.sender.maxMessageSize));
  let pending: Promise<void>[] = [];
  const using = ignored((async () => {
    await using sender = pair.sender;
    pending = messages.map((message) => ignored(sender.send(message)));
  })());
  await trial.receives(pair.receiver, messages, "sends before the end of `await using`");
  await trial.within(using, "`await using`");
  await trial.within(Promise.all(pending), "the sends resolve");
  await trial.ends(pair.receiver, "after `await using`");
}

async function dispose(trial: Trial): Promise<void> {
  for (const close of [true, false]) {
    const pair = await trial.open();
    const messages = patterns(4, 8);
    let pending: Promise<void>[];
    {
      using sender = pair.sender;
      pending = messages.map((message) => ignored(sender.send(message)));
      if (close) sender.close();
    }
    await trial.within(Promise.all(pending), "sends for which there is room resolve");
    await trial.receives(pair.receiver, messages, "sends before the end of `using`");
    await trial.ends(pair.receiver, "after `using`");
  }
}

async function outlives(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const messages = patterns(4, 8);
  for (const message of messages) await trial.within(sender.send(message), "a send");
  sender.close();
  await turns(3);
  await trial.receives(receiver, messages, "messages of a sender that closed");
  await trial.ends(receiver, "after a sender that closed");
}

async function receiverGone(trial: Trial): Promise<void> {
  const pair = await trial.open();
  await trial.fill(pair);
  const pending = ignored(pair.sender.send(pattern(1, 9)));
  await turns(3);
  pair.receiver.close();
  await trial.rejects(pending, IpcError, "a send that was pending when the receiver went");
  await trial.rejects(pair.sender.send(pattern(1, 9)), IpcError, "a send after the receiver went");
}

async function cancel(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  await trial.within(sender.send(pattern(1, 8)), "a send");
  await trial.within(receiver.readable.cancel(), "cancel");
  await trial.rejects(receiver.receive(), ClosedError, "receive after cancel");
}

async function closeWritable(trial: Trial): Promise<void> {
  const ended = await trial.open();
  const writer = ended.sender.writable.getWriter();
  const messages = patterns(4, 8);
  for (const message of messages) ignored(writer.write(message));
  const closing = ignored(writer.close());
  await trial.receives(ended.receiver, messages, "what was written before close");
  await trial.within(closing, "closing writable");
  await trial.ends(ended.receiver, "after closing writable");
  await trial.rejects(ended.sender.send(pattern(1, 8)), ClosedError, "send after closing writable");
  const aborted = await trial.open();
  await trial.within(aborted.sender.writable.abort(), "aborting writable");
  await trial.rejects(aborted.sender.send(pattern(1, 8)), ClosedError, "send after aborting writable");
}
