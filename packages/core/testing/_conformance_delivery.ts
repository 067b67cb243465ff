/** Promise 1: a message arrives whole, once, and in order, or not at all. */

import { TruncatedError } from "../errors.ts";
import {
  type Check,
  expect,
  expectBytes,
  ignored,
  pattern,
  patterns,
  type Trial,
  turn,
  turns,
  Unawaited,
} from "./_trial.ts";

/** The checks of promise 1 that use one way of calling at a time. */
export const delivery: readonly Check[] = [
  { promise: 1, title: "messages of all sizes arrive as they were sent", run: allSizes },
  { promise: 1, title: "empty messages are messages", run: emptyMessages },
  {
    promise: 1,
    title: "what a mechanism cannot carry empty is refused",
    run: refusesEmpty,
    applies: noEmpty,
  },
  { promise: 1, title: "a message that was sent belongs to its caller again", run: reuse },
  { promise: 1, title: "sends of one turn arrive in the order of the calls", run: oneTurn },
  { promise: 1, title: "a batch arrives whole and in order", run: batches },
  { promise: 1, title: "a batch whose messages run into an error says how many left", run: brokenBatch },
  { promise: 1, title: "receiveBatch gives at least one and at most max", run: receiveBatches },
  { promise: 1, title: "pending receives are served in the order of the calls", run: pendingInOrder },
  { promise: 1, title: "leaving a for await early loses nothing", run: leaveEarly },
  { promise: 1, title: "an iterator that is left while it waits loses nothing", run: leaveWaiting },
  { promise: 1, title: "writable and readable carry what they are given", run: streams },
  { promise: 1, title: "end lets everything arrive, then the end, which stays", run: end, applies: canEnd },
  { promise: 1, title: "the end reaches every form of receiving", run: endForms, applies: canEnd },
  {
    promise: 1,
    title: "a sender that dies inside a frame is a TruncatedError",
    run: truncated,
    applies: canBeCut,
  },
];

function noEmpty(options: { emptyMessages?: boolean }): boolean {
  return options.emptyMessages === false;
}

function canEnd(options: { endDetectable?: boolean }): boolean {
  return options.endDetectable !== false;
}

function canBeCut(options: { truncatable?: boolean; endDetectable?: boolean }): boolean {
  return options.truncatable !== false && canEnd(options);
}

async function allSizes(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  expect(sender.maxMessageSize > 0, "maxMessageSize is not above 0");
  const longest = trial.longest(sender);
  const sizes = [1, 2, 3, 4, 5, 127, 128, 255, 256, 257, 4091, 4092, 4093, 4095, 4096, 4097, 65_531, 65_532]
    .concat([65_535, 65_536, 65_537, longest - 1, longest])
    .filter((size) => size > 0 && size <= longest);
  const messages = sizes.map((size, index) => pattern(index, size));
  const sending = ignored((async () => {
    for (const message of messages) await sender.send(message);
  })());
  await trial.receives(receiver, messages, "sizes one after another");
  await trial.within(sending, "the sends resolve");
  // A view into the middle of a buffer: what lies around it must not be sent.
  const view = pattern(1, 100).subarray(40, 60);
  await Promise.all([sender.send(view), trial.receives(receiver, [view], "a view")]);
}

async function emptyMessages(trial: Trial): Promise<void> {
  if (!trial.settings.emptyMessages) return;
  const pair = await trial.open();
  const empty = new Uint8Array();
  const messages = [empty, pattern(1, 5), empty, empty, pattern(2, 5), empty];
  for (const message of messages) {
    const sending = ignored(pair.sender.send(message));
    await trial.receives(pair.receiver, [message], "one at a time");
    await trial.within(sending, "the send resolves");
  }
  const sending = ignored(pair.sender.sendBatch(messages));
  await trial.receives(pair.receiver, messages, "a batch");
  await trial.within(sending, "the batch resolves");
  if (!trial.settings.endDetectable) return;
  const last = ignored(pair.sender.send(empty));
  ignored(pair.sender.end());
  await trial.receives(pair.receiver, [empty], "an empty message before the end");
  await trial.within(last, "the last send resolves");
  await trial.ends(pair.receiver, "after an empty message");
}

async function refusesEmpty(trial: Trial): Promise<void> {
  const pair = await trial.open();
  await trial.rejects(pair.sender.send(new Uint8Array()), RangeError, "an empty message");
  await trial.works(pair, "after an empty message");
}

async function reuse(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const expected = patterns(4, 8);
  const message = new Uint8Array(8);
  for (const each of expected) {
    message.set(each);
    await trial.within(sender.send(message), "a send");
    message.fill(0);
  }
  await trial.receives(receiver, expected, "one buffer for four messages");
}

async function oneTurn(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const messages = Array.from({ length: 300 }, (_, index) => pattern(index, 1 + index % 40));
  const sending = Promise.all(messages.map((message) => sender.send(message)));
  ignored(sending);
  await trial.receives(receiver, messages, "sends that nobody awaited");
  await trial.within(sending, "the sends resolve");
}

async function batches(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const { sender, receiver } = pair;
  await trial.within(sender.sendBatch([]), "an empty batch");
  await trial.works(pair, "after an empty batch");
  const messages = Array.from({ length: 3000 }, (_, index) => pattern(index, 1 + index % 100));
  let drawn = 0;
  const sending = ignored(sender.sendBatch((function* () {
    for (const message of messages) {
      drawn++;
      yield message;
    }
  })()));
  const behind = ignored(sender.send(pattern(5000, 3)));
  await trial.receives(receiver, [...messages, pattern(5000, 3)], "a batch and a message behind it");
  await trial.within(sending, "the batch resolves");
  await trial.within(behind, "the send behind the batch resolves");
  expect(drawn === messages.length, `the batch drew ${drawn} messages of ${messages.length}`);
}

async function brokenBatch(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const reason = new Error("Cannot make another message");
  const messages = patterns(3, 8);
  const error = await trial.rejects(
    pair.sender.sendBatch((function* () {
      yield* messages;
      throw reason;
    })()),
    Error,
    "a batch that throws",
  );
  expect(error === reason, `the batch rejects with ${error}, not with what was thrown`);
  const { sent } = error as { sent?: number };
  expect(sent !== undefined && sent <= messages.length, `the error says sent: ${sent}`);
  await trial.receives(pair.receiver, messages.slice(0, sent), "what had left");
  await trial.works(pair, "after a batch that threw");
}

async function receiveBatches(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const messages = Array.from({ length: 500 }, (_, index) => pattern(index, 1 + index % 20));
  const sending = ignored(sender.sendBatch(messages));
  const got: Uint8Array[] = [];
  while (got.length < messages.length) {
    const max = trial.random.oneIn(3) ? undefined : trial.random.between(1, 50);
    const batch = await trial.within(receiver.receiveBatch(max === undefined ? {} : { max }), "a batch");
    expect(batch.length > 0, "a batch is empty before the end");
    expect(max === undefined || batch.length <= max, `a batch has ${batch.length} messages, max was ${max}`);
    got.push(...batch);
  }
  trial.same(got, messages, "batches");
  await trial.within(sending, "the batch resolves");
  await trial.rejects(receiver.receiveBatch({ max: 0 }), RangeError, "a batch of at most 0");
}

async function pendingInOrder(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const served: number[] = [];
  const pending = Array.from({ length: 20 }, (_, index) => {
    const receiving = index % 5 === 4
      ? receiver.receiveBatch({ max: 1 }).then((batch) => batch[0])
      : receiver.receive();
    return ignored(receiving.then((message) => (served.push(index), message)));
  });
  await turns(trial.random.between(0, 3));
  const messages = patterns(20, 8);
  for (const message of messages) {
    await trial.within(sender.send(message), "a send");
    if (trial.random.oneIn(3)) await turn();
  }
  const got = await trial.within(Promise.all(pending), "all pending receives");
  if (!trial.settings.ordered) return;
  for (const [index, message] of messages.entries()) expectBytes(got[index], message, `receive ${index}`);
}

async function leaveEarly(trial: Trial): Promise<void> {
  for (let round = trial.times(10); round > 0; round--) {
    const pair = await trial.open();
    const messages = patterns(30, 8);
    const sending = ignored(pair.sender.sendBatch(messages));
    await turns(trial.random.between(0, 10));
    const got: Uint8Array[] = [];
    const receiving = (async () => {
      while (got.length < messages.length) {
        let left = trial.random.between(1, 4);
        for await (const message of pair.receiver) {
          got.push(message);
          if (--left === 0 || got.length === messages.length) break;
        }
      }
    })();
    await trial.within(receiving, "several for await, each left early");
    trial.same(got, messages, "several for await, each left early");
    await trial.within(sending, "the batch resolves");
    await trial.works(pair, "after leaving");
  }
}

async function leaveWaiting(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const iterator = pair.receiver[Symbol.asyncIterator]();
  const next = iterator.next();
  await turns(3);
  await trial.within(Promise.resolve(iterator.return?.()), "return behind a pending next");
  const { done } = await trial.within(next, "the pending next");
  expect(done === true, "a pending next is not done after return");
  await trial.works(pair, "after return");
  const after = await trial.within(iterator.next(), "next after return");
  expect(after.done === true, "next after return is not done");
}

async function streams(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const messages = Array.from(
    { length: 100 },
    () => pattern(trial.random.between(0, 999), trial.size(sender)),
  );
  const writing = ignored((async () => {
    const writer = sender.writable.getWriter();
    for (const message of messages) {
      await writer.ready;
      if (trial.random.oneIn(2)) await writer.write(message);
      else ignored(writer.write(message));
    }
    if (trial.settings.endDetectable) await writer.close();
  })());
  const got: Uint8Array[] = [];
  const reader = receiver.readable.getReader();
  while (got.length < messages.length) {
    const { done, value } = await trial.within(reader.read(), `reading message ${got.length}`, 5);
    if (done) break;
    got.push(value);
  }
  trial.same(got, messages, "from writable to readable");
  await trial.within(writing, "writing");
  if (!trial.settings.endDetectable) return reader.releaseLock();
  const { done } = await trial.within(reader.read(), "the end of the stream");
  expect(done, "the stream goes on after the end");
}

async function end(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const unawaited = new Unawaited(trial.settings);
  const messages = Array.from({ length: 200 }, (_, index) => pattern(index, trial.size(sender)));
  const sending = ignored((async () => {
    for (const message of messages) {
      await unawaited.room(message.byteLength);
      unawaited.add(sender.send(message));
    }
    await sender.end();
    await unawaited.settle();
  })());
  await trial.receives(receiver, messages, "messages before the end");
  await trial.ends(receiver, "after the last message");
  await trial.ends(receiver, "again");
  await trial.within(sending, "the sends and the end resolve");
  await trial.within(sender.end(), "a second end");
}

async function endForms(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const pending = [receiver.receive(), receiver.receiveBatch(), receiver.receive()] as const;
  const next = receiver[Symbol.asyncIterator]().next();
  await turns(3);
  await trial.within(sender.end(), "end");
  const [one, batch, other] = await trial.within(Promise.all(pending), "pending receives at the end");
  expect(one === undefined && other === undefined, "a pending receive does not give undefined at the end");
  expect(batch.length === 0, "a pending batch is not empty at the end");
  expect((await trial.within(next, "a pending iteration")).done === true, "a pending iteration goes on");
  const later = await trial.within(receiver.receiveBatch(), "a batch after the end");
  expect(later.length === 0, "a batch after the end is not empty");
  for await (const _ of receiver) throw new Error("iterating after the end gives a message");
  const { done } = await trial.within(receiver.readable.getReader().read(), "reading after the end");
  expect(done, "readable goes on after the end");
  expect(receiver.ended, "`ended` is false after the end");
}

async function truncated(trial: Trial): Promise<void> {
  for (const before of [0, 3]) {
    const { sender, receiver, truncate } = await trial.open();
    expect(truncate !== undefined, "the pair has no truncate hook");
    const messages = patterns(before, 8);
    for (const message of messages) await trial.within(sender.send(message), "a send");
    await truncate();
    await trial.receives(receiver, messages, "whole messages before the death");
    await trial.rejects(receiver.receive(), TruncatedError, "a frame whose sender died");
    await trial.ends(receiver, "after the death");
  }
  const { receiver, truncate } = await trial.open();
  const waiting = ignored(receiver.receive());
  await turns(3);
  await truncate!();
  await trial.rejects(waiting, TruncatedError, "a receive that was pending when the sender died");
}
