/** Promises 3 and 5: messages that are too long, and back-pressure. */

import { LimitError, MessageTooLongError } from "../errors.ts";
import {
  type Check,
  expect,
  expectBytes,
  ignored,
  pattern,
  patterns,
  sleep,
  syncSender,
  type Trial,
  turns,
  waitsForRoom,
} from "./_trial.ts";

/** The checks of promises 3 and 5. */
export const limits: readonly Check[] = [
  {
    promise: 3,
    title: "a message over maxMessageSize throws MessageTooLongError and sends nothing",
    run: tooLong,
  },
  {
    promise: 3,
    title: "a batch with a message over maxMessageSize says how many left before it",
    run: tooLongInBatch,
  },
  {
    promise: 5,
    title: "send waits while nobody reads",
    run: sendWaits,
    applies: waitsForRoom,
  },
  {
    promise: 5,
    title: "memory stays flat for callers who await",
    run: flat,
    applies: waitsForRoom,
  },
  {
    promise: 5,
    title: "the bytes of sends that nobody awaits are capped",
    run: capped,
    applies: waitsForRoom,
  },
  {
    promise: 5,
    title: "writable is not ready while the mechanism is full",
    run: writableWaits,
    applies: waitsForRoom,
  },
  { promise: 5, title: "readable takes nothing before it is read", run: readableWaits },
];

/** Beyond this, a message that is too long would cost more memory than a test may. */
const LONGEST_TOO_LONG = 256 * 1024 * 1024;

function tooLongFor(maxMessageSize: number): Uint8Array | undefined {
  return maxMessageSize < LONGEST_TOO_LONG ? new Uint8Array(maxMessageSize + 1) : undefined;
}

async function tooLong(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const { sender } = pair;
  const message = tooLongFor(sender.maxMessageSize);
  if (message === undefined) return;
  await trial.rejects(sender.send(message), MessageTooLongError, "send");
  await trial.rejects(sender.sendBatch([message]), MessageTooLongError, "sendBatch");
  await trial.rejects(sender.send(message, { timeout: 0 }), MessageTooLongError, "send with timeout 0");
  const sync = syncSender(sender);
  if (sync !== undefined) {
    try {
      sync.trySend(message);
      throw new Error("trySend takes a message over maxMessageSize");
    } catch (error) {
      if (!(error instanceof MessageTooLongError)) throw error;
    }
    try {
      sync.sendSync(message);
      throw new Error("sendSync takes a message over maxMessageSize");
    } catch (error) {
      if (!(error instanceof MessageTooLongError)) throw error;
    }
  }
  await trial.works(pair, "after messages that were too long");
  await trial.rejects(sender.send("text" as unknown as Uint8Array), TypeError, "a message that is no bytes");
  await trial.works(pair, "after a message that is no bytes");
}

async function tooLongInBatch(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const message = tooLongFor(pair.sender.maxMessageSize);
  if (message === undefined) return;
  const before = patterns(3, 8);
  const sending = ignored(pair.sender.sendBatch([...before, message, pattern(9, 8)]));
  const error = await trial.rejects(sending, MessageTooLongError, "sendBatch");
  expect(error.sent !== undefined && error.sent <= 3, `the error says sent: ${error.sent}`);
  await trial.receives(pair.receiver, before.slice(0, error.sent), "what left before the long one");
  await trial.works(pair, "after a batch with a long message");
}

async function sendWaits(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const filled = await trial.fill(pair);
  let settled = false;
  const waits = ignored(pair.sender.send(pattern(1, 9)).finally(() => settled = true));
  await turns(20);
  await sleep(5);
  expect(!settled, "a send resolves though there is no room");
  await trial.receives(pair.receiver, [...filled, pattern(1, 9)], "everything in the end");
  await trial.within(waits, "the send that waited");
}

async function flat(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const size = Math.min(16 * 1024, sender.maxMessageSize);
  const total = Math.ceil(2 * trial.settings.capacity / size);
  const message = pattern(1, size);
  let sent = 0;
  const sending = ignored((async () => {
    while (sent < total) {
      await sender.send(message);
      sent++;
    }
  })());
  let most = 0;
  for (let got = 0; got < total; got++) {
    if (got % 50 === 0) await sleep(1);
    most = Math.max(most, (sent - got) * size);
    const received = await trial.within(receiver.receive(), `message ${got} of ${total}`, 5);
    expectBytes(received, message, `message ${got}`);
  }
  await trial.within(sending, "the sends resolve");
  expect(most <= trial.settings.capacity, `${most} bytes were on their way though each send was awaited`);
}

async function capped(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const size = Math.min(64 * 1024, trial.longest(pair.sender));
  const most = trial.settings.maxQueuedBytes + trial.settings.capacity;
  const message = pattern(1, size);
  const pending: Promise<unknown>[] = [];
  let refused: unknown;
  for (let bytes = 0; refused === undefined; bytes += size) {
    expect(bytes <= most + size, `${bytes} bytes were taken from sends that nobody awaited`);
    pending.push(ignored(pair.sender.send(message).catch((error) => refused ??= error)));
    // A refusal is known at once, without a turn of the event loop.
    for (let step = 0; step < 4; step++) await Promise.resolve();
  }
  expect(refused instanceof LimitError, `expected LimitError, got ${refused}`);
  // One place becomes free, and all goes on.
  expectBytes(await trial.within(pair.receiver.receive(), "a receive"), message, "the first of many");
  pair.sender.close();
  await trial.within(Promise.all(pending), "the sends settle at close", 5);
}

async function writableWaits(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const size = Math.min(1000, sender.maxMessageSize);
  const most = Math.ceil(trial.settings.capacity / size) + 2;
  const writer = sender.writable.getWriter();
  ignored(writer.closed);
  const written: Uint8Array[] = [];
  let over = false;
  const writing = ignored((async () => {
    while (!over && written.length <= most) {
      await writer.ready;
      if (over) break;
      const message = pattern(written.length, size);
      written.push(message);
      ignored(writer.write(message));
    }
  })());
  // Full is when nothing was written for a while.
  for (let before = -1; before !== written.length && written.length <= most;) {
    before = written.length;
    await sleep(10);
  }
  expect(written.length <= most, `writable was ready ${written.length} times while nobody reads`);
  over = true;
  const last = writer.write(pattern(5000, 9));
  ignored(last);
  await trial.receives(receiver, [...written, pattern(5000, 9)], "everything that was written");
  await trial.within(last, "the last write");
  await trial.within(writing, "the writing loop");
  await trial.within(writer.ready, "writable is ready again");
}

async function readableWaits(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const messages = patterns(4, 8);
  await trial.within(sender.send(messages[0]!), "a send");
  const { readable } = receiver;
  expect(receiver.readable === readable, "readable is another stream the second time");
  for (const message of messages.slice(1)) await trial.within(sender.send(message), "a send");
  await turns(10);
  await sleep(2);
  await trial.receives(receiver, messages.slice(0, 1), "a receive beside an unread stream");
  const reader = readable.getReader();
  const first = await trial.within(reader.read(), "a read");
  expectBytes(first.value, messages[1]!, "the first read");
  reader.releaseLock();
  await turns(10);
  await trial.receives(receiver, messages.slice(2), "receives after a read");
}
