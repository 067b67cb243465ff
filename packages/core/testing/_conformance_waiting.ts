/** Promise 2, receiving: timeouts, aborts, and that neither costs a message. */

import { NotSupportedError, TimeoutError } from "../errors.ts";
import {
  type Check,
  expect,
  expectBytes,
  ignored,
  pattern,
  patterns,
  sleep,
  syncReceiver,
  thrown,
  type Trial,
  turn,
  turns,
} from "./_trial.ts";

/** The checks of promise 2 on the receiving side. */
export const waiting: readonly Check[] = [
  { promise: 2, title: "a receive whose time is over throws TimeoutError and costs nothing", run: timeouts },
  { promise: 2, title: "a receive waits for a message that comes within its time", run: comesInTime },
  { promise: 2, title: "receiveSync whose time is over throws TimeoutError", run: syncTimeout },
  { promise: 2, title: "a signal that was aborted before takes nothing", run: abortedBefore },
  { promise: 2, title: "an aborted receive rejects with the signal's reason (CORE-004)", run: abortedWhile },
  {
    promise: 2,
    title: "an abort in the middle of a line of receives leaves the others",
    run: abortOneOfThree,
  },
  { promise: 2, title: "a message that meets an abort is delivered or kept", run: abortRace },
  { promise: 2, title: "a time limit that is no number of milliseconds is a RangeError", run: badTimeouts },
];

async function timeouts(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const { receiver } = pair;
  await trial.rejects(receiver.receive({ timeout: 0 }), TimeoutError, "receive with timeout 0");
  await trial.rejects(receiver.receive({ timeout: 10 }), TimeoutError, "receive with timeout 10");
  await trial.rejects(receiver.receiveBatch({ timeout: 0 }), TimeoutError, "receiveBatch with timeout 0");
  await trial.rejects(receiver.receiveBatch({ timeout: 10 }), TimeoutError, "receiveBatch with timeout 10");
  await trial.works(pair, "after four timeouts");
  const [message] = patterns(1, 8, 7) as [Uint8Array];
  await trial.within(pair.sender.send(message), "a send");
  // One try is enough once the message is there, which some mechanisms take a moment for.
  let got: Uint8Array | undefined;
  for (let tries = 0; got === undefined; tries++) {
    try {
      got = await trial.within(receiver.receive({ timeout: 0 }), "receive with timeout 0");
    } catch (error) {
      if (!(error instanceof TimeoutError) || tries > 1000) throw error;
      await sleep(1);
    }
  }
  expectBytes(got, message, "a receive that tries once");
}

async function comesInTime(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  for (let round = 0; round < 5; round++) {
    const { signal } = new AbortController();
    const receiving = ignored(receiver.receive({ timeout: 60_000, signal }));
    await (round % 2 === 0 ? sleep(5) : turns(round));
    await trial.within(sender.send(pattern(round, 8)), "a send");
    expectBytes(await trial.within(receiving, "a receive"), pattern(round, 8), `round ${round}`);
  }
}

async function syncTimeout(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const receiver = syncReceiver(pair.receiver);
  if (receiver === undefined) return;
  expect(receiver.tryReceive() === undefined, "tryReceive on an empty channel gives a message");
  expect(!receiver.ended, "`ended` is true on an open channel");
  thrown(() => receiver.receiveSync({ timeout: 0 }), TimeoutError, "receiveSync with timeout 0");
  try {
    const got = receiver.receiveSync({ timeout: 5 });
    throw new Error(`receiveSync on an empty channel gives ${got}`);
  } catch (error) {
    if (!(error instanceof TimeoutError) && !(error instanceof NotSupportedError)) throw error;
  }
  thrown(() => receiver.receiveSync({ timeout: -1 }), RangeError, "receiveSync with timeout -1");
  await trial.works(pair, "after receiveSync timed out");
}

async function abortedBefore(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  for (const reason of [new Error("Enough"), { not: "an error" }, undefined]) {
    const signal = AbortSignal.abort(reason);
    await trial.within(sender.send(pattern(1, 8)), "a send");
    const rejections = [
      await trial.rejection(receiver.receive({ signal }), "receive"),
      await trial.rejection(receiver.receiveBatch({ signal }), "receiveBatch"),
      await trial.rejection(sender.send(pattern(2, 8), { signal }), "send"),
      await trial.rejection(sender.sendBatch([pattern(3, 8)], { signal }), "sendBatch"),
    ];
    for (const rejection of rejections) {
      expect(rejection === signal.reason, `it rejects with ${rejection}, not with the signal's reason`);
    }
    await trial.receives(receiver, [pattern(1, 8)], "the message that was there");
  }
}

async function abortedWhile(trial: Trial): Promise<void> {
  const pair = await trial.open();
  const { receiver } = pair;
  for (const reason of [new Error("Enough"), { not: "an error" }, undefined]) {
    for (const receive of ["receive", "receiveBatch"] as const) {
      const controller = new AbortController();
      const options = { signal: controller.signal, timeout: 60_000 };
      const receiving = ignored(receiver[receive](options));
      await (trial.random.oneIn(2) ? turns(trial.random.between(0, 3)) : sleep(2));
      controller.abort(reason);
      const rejection = await trial.rejection(receiving, "an aborted receive");
      expect(rejection === controller.signal.reason, `it rejects with ${rejection}, not with the reason`);
    }
    await trial.works(pair, "after an abort");
  }
  const done = new AbortController();
  const receiving = receiver.receive({ signal: done.signal });
  await trial.within(pair.sender.send(pattern(1, 8)), "a send");
  expectBytes(await trial.within(receiving, "a receive"), pattern(1, 8), "a receive with a signal");
  done.abort();
  await trial.works(pair, "after an abort that came too late");
}

async function abortOneOfThree(trial: Trial): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const pair = await trial.open();
    const controller = new AbortController();
    const pending = [0, 1, 2].map((index) =>
      ignored(pair.receiver.receive(index === round ? { signal: controller.signal } : {}))
    );
    await turns(2);
    controller.abort();
    await trial.rejection(pending.splice(round, 1)[0]!, "the aborted receive");
    const messages = patterns(2, 8);
    for (const message of messages) await trial.within(pair.sender.send(message), "a send");
    const got = await trial.within(Promise.all(pending), "the other two");
    trial.same(got.filter((message) => message !== undefined), messages, "the other two");
    await trial.works(pair, "after an abort among three");
  }
}

async function abortRace(trial: Trial): Promise<void> {
  const { sender, receiver } = await trial.open();
  const { random } = trial;
  const count = trial.times(300);
  const messages = Array.from(
    { length: count },
    (_, index) => pattern(index, trial.size(sender) % 3000 || 1),
  );
  const sending = ignored((async () => {
    for (const message of messages) {
      for (let left = random.between(0, 2); left > 0; left--) await turn();
      await sender.send(message);
    }
  })());
  const got: Uint8Array[] = [];
  const pace = random.fork();
  const receiving = (async () => {
    while (got.length < count) {
      const controller = new AbortController();
      const options = pace.oneIn(3) ? { timeout: pace.between(0, 1) } : { signal: controller.signal };
      const batch = pace.oneIn(3);
      const call = ignored(batch ? receiver.receiveBatch(options) : receiver.receive(options));
      if (options.signal !== undefined) {
        for (let left = pace.between(0, 3); left > 0; left--) await turn();
        controller.abort();
      }
      try {
        const result = await call;
        if (result === undefined) break;
        got.push(...Array.isArray(result) ? result : [result]);
      } catch (error) {
        if (!(error instanceof TimeoutError) && error !== controller.signal.reason) throw error;
      }
    }
  })();
  await trial.within(receiving, "receives that are aborted at random", 10);
  trial.same(got, messages, "aborted at random");
  await trial.within(sending, "the sends resolve");
}

async function badTimeouts(trial: Trial): Promise<void> {
  const pair = await trial.open();
  for (const timeout of [-1, NaN]) {
    await trial.rejects(pair.receiver.receive({ timeout }), RangeError, `receive with timeout ${timeout}`);
    await trial.rejects(
      pair.sender.send(pattern(0, 8), { timeout }),
      RangeError,
      `send with timeout ${timeout}`,
    );
  }
  await trial.works(pair, "after bad arguments");
}
