/** Channels whose receiving end breaks a promise. */

import type { Bytes } from "../channel.ts";
import { TruncatedError } from "../errors.ts";
import { bind } from "../sys/libc.ts";
import { turn } from "../testing/_trial.ts";
import { type Broken, HANGS, raced, replace } from "./broken_channel.ts";

const libc = bind({
  usleep: { parameters: [/* useconds_t usec */ "u32"], result: "i32", nonblocking: true },
});
const sleeping: Promise<number>[] = [];

export const brokenReceivers: readonly Broken[] = [
  {
    name: "loses order where messages come together",
    check: "receiveBatch gives at least one and at most max",
    says: /batches: message/,
    breaks: ({ receiver }) =>
      replace(
        receiver,
        "receiveBatch",
        (receiveBatch) => async (options) => (await receiveBatch(options)).reverse(),
      ),
  },
  {
    name: "serves a batch before the receives that came earlier",
    check: "pending receives are served in the order of the calls",
    says: /receive \d+/,
    breaks: ({ receiver }) => {
      const receive = receiver.receive.bind(receiver);
      replace(receiver, "receive", () => (options) => turn().then(() => receive(options)));
    },
  },
  {
    name: "delivers a short message when the sender dies",
    check: "a sender that dies inside a frame is a TruncatedError",
    says: /expected a rejection, got a message/,
    breaks: ({ receiver }) =>
      replace(receiver, "receive", (receive) => (options) =>
        receive(options).catch((error) => {
          if (error instanceof TruncatedError) return new Uint8Array(46);
          throw error;
        })),
  },
  {
    name: "takes the death of a sender for the end",
    check: "a sender that dies inside a frame is a TruncatedError",
    says: /expected a rejection, got undefined/,
    breaks: ({ receiver }) =>
      replace(receiver, "receive", (receive) => (options) =>
        receive(options).catch((error) => {
          if (error instanceof TruncatedError) return undefined;
          throw error;
        })),
  },
  {
    name: "loses what an iterator took when it is left",
    check: "leaving a for await early loses nothing",
    says: /several for await/,
    options: { ...HANGS, scale: 3 },
    breaks: ({ receiver }) =>
      replace(receiver, Symbol.asyncIterator, () => () =>
        (async function* (): AsyncGenerator<Bytes> {
          while (true) {
            const batch = await receiver.receiveBatch();
            if (batch.length === 0) return;
            yield* batch;
          }
        })()),
  },
  {
    name: "has an async generator as its iterator",
    check: "an iterator that is left while it waits loses nothing",
    says: /return behind a pending next: nothing happened/,
    options: HANGS,
    breaks: ({ receiver }) =>
      replace(receiver, Symbol.asyncIterator, () => () =>
        (async function* (): AsyncGenerator<Bytes> {
          for (
            let message = await receiver.receive();
            message;
            message = await receiver.receive()
          ) yield message;
        })()),
  },
  {
    name: "drops the message that comes after an abort",
    check: "an aborted receive rejects with the signal's reason (CORE-004)",
    says: /nothing happened/,
    options: HANGS,
    breaks: ({ receiver }) =>
      replace(receiver, "receive", (receive) => {
        let dropping = false;
        return async (options) => {
          if (dropping) await receive();
          dropping = false;
          try {
            return await receive(options);
          } catch (error) {
            dropping = true;
            throw error;
          }
        };
      }),
  },
  {
    name: "loses a message that meets an abort",
    check: "a message that meets an abort is delivered or kept",
    says: /nothing happened|message \d+ of/,
    options: HANGS,
    breaks: ({ receiver }) =>
      replace(
        receiver,
        "receive",
        (receive) => (options) =>
          options?.signal === undefined ? receive(options) : raced(receive(), options.signal),
      ),
  },
  {
    name: "rejects with an error of its own at an abort",
    check: "an aborted receive rejects with the signal's reason (CORE-004)",
    says: /not with the reason/,
    breaks: ({ receiver }) =>
      replace(receiver, "receive", (receive) => (options) =>
        receive(options).catch((error) => {
          throw options?.signal?.aborted ? new DOMException("Aborted", "AbortError") : error;
        })),
  },
  {
    name: "waits for ever whatever the timeout",
    check: "a receive whose time is over throws TimeoutError and costs nothing",
    says: /nothing happened/,
    options: HANGS,
    breaks: ({ receiver }) => replace(receiver, "receive", (receive) => () => receive()),
  },
  {
    name: "leaves a receive pending at close",
    check: "close ends pending receives with undefined",
    says: /pending receives at close: nothing happened/,
    options: HANGS,
    breaks: ({ receiver }) =>
      replace(
        receiver,
        "receive",
        (receive) => (options) => receive(options).then((message) => message ?? new Promise(() => {})),
      ),
  },
  {
    name: "gives undefined after close",
    check: "receiving after close throws ClosedError",
    says: /expected a rejection, got undefined/,
    breaks: ({ receiver }) =>
      replace(
        receiver,
        "receive",
        (receive) => (options) => receiver.closed ? Promise.resolve(undefined) : receive(options),
      ),
  },
  {
    name: "throws when it is closed twice",
    check: "closing twice, in any way, does nothing (CORE-001)",
    says: /closed already/,
    breaks: ({ receiver }) => {
      let closed = 0;
      replace(receiver, "close", (close) => () => {
        // The check itself closes once more in the end.
        if (++closed === 2) throw new Error("It is closed already");
        close();
      });
    },
  },
  {
    name: "swallows a message into readable",
    check: "readable takes nothing before it is read",
    says: /a receive beside an unread stream/,
    breaks: ({ receiver }) => {
      const readable = new ReadableStream<Bytes>({
        pull: async (controller) => controller.enqueue((await receiver.receive())!),
      });
      replace(receiver, "readable", () => readable);
    },
  },
  {
    name: "holds a pool thread for each receive",
    settle: () => Promise.all(sleeping.splice(0)),
    check: "64 pending receives leave file I/O working (CORE-002)",
    says: /reading a file beside 64 pending receives: nothing happened/,
    options: HANGS,
    breaks: ({ receiver }) =>
      replace(receiver, "receive", (receive) => (options) => {
        for (let count = 0; count < 2; count++) {
          sleeping.push(libc.usleep(400_000));
        }
        return receive(options);
      }),
  },
  {
    name: "answers at once as long as it can",
    check: "calls that all succeed at once leave timers running",
    says: /keeps a timer from running/,
    options: HANGS,
    breaks: ({ sender, receiver }) => {
      replace(
        sender,
        "send",
        (send) => (message, options) => sender.trySend(message) ? Promise.resolve() : send(message, options),
      );
      replace(receiver, "receive", (receive) => (options) => {
        for (let look = 0; look < 100; look++) {
          const message = receiver.tryReceive();
          if (message !== undefined) return Promise.resolve(message);
        }
        return receive(options);
      });
    },
  },
  {
    name: "takes a message from under a pending receive",
    check: "a sync receive beside a pending receive throws and disturbs nothing",
    says: /tryReceive beside a pending receive gives undefined/,
    breaks: ({ receiver }) =>
      replace(receiver, "tryReceive", (tryReceive) => () => {
        try {
          return tryReceive();
        } catch {
          return undefined;
        }
      }),
  },
  {
    name: "receives into one buffer",
    check: "received buffers are never written again",
    says: /messages that were kept: message/,
    breaks: ({ receiver }) => {
      const buffer = new Uint8Array(64 * 1024);
      replace(receiver, "receive", (receive) => async (options) => {
        const message = await receive(options);
        if (message === undefined) return undefined;
        buffer.set(message);
        return buffer.subarray(0, message.byteLength);
      });
    },
  },
];
