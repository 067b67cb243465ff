/** Channels whose sending end breaks a promise. */

import { ClosedError, MessageTooLongError } from "../errors.ts";
import { memoryChannel } from "../testing/memory_channel.ts";
import { turn } from "../testing/_trial.ts";
import { type Broken, HANGS, raced, replace } from "./broken_channel.ts";

export const brokenSenders: readonly Broken[] = [
  {
    name: "sends a batch from its end",
    check: "any mix of sending and receiving keeps messages whole, once and in order",
    says: /a random mix: message/,
    options: { scale: 1 },
    breaks: ({ sender }) =>
      replace(
        sender,
        "sendBatch",
        (sendBatch) => (messages, options) => sendBatch([...messages].reverse(), options),
      ),
  },
  {
    name: "drops empty messages",
    check: "empty messages are messages",
    says: /nothing happened|bytes, not/,
    options: HANGS,
    breaks: ({ sender }) =>
      replace(
        sender,
        "send",
        (send) => (message, options) => message.byteLength === 0 ? Promise.resolve() : send(message, options),
      ),
  },
  {
    name: "cuts long messages",
    check: "messages of all sizes arrive as they were sent",
    says: /bytes, not/,
    breaks: ({ sender }) => replace(sender, "send", (send) => (message) => send(message.subarray(0, 5000))),
  },
  {
    name: "merges the messages of a batch",
    check: "a batch arrives whole and in order",
    says: /bytes, not/,
    breaks: ({ sender }) =>
      replace(sender, "sendBatch", (sendBatch) => (messages) => {
        const [first, second, ...others] = messages;
        if (second === undefined) return sendBatch(first === undefined ? [] : [first]);
        return sendBatch([new Uint8Array([...first!, ...second]), ...others]);
      }),
  },
  {
    name: "delivers a message twice now and then",
    check: "sends of one turn arrive in the order of the calls",
    says: /message \d+ of/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => {
        let count = 0;
        return (message, options) => {
          if (++count % 50 === 0) send(message).catch(() => {});
          return send(message, options);
        };
      }),
  },
  {
    name: "forgets the end",
    check: "end lets everything arrive, then the end, which stays",
    says: /nothing happened/,
    options: HANGS,
    breaks: ({ sender }) => replace(sender, "end", () => () => Promise.resolve()),
  },
  {
    name: "sends what was aborted",
    check: "an aborted send that has not begun is withdrawn",
    says: /message \d+ of|bytes, not/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => (message, options) => {
        if (options?.signal === undefined) return send(message, options);
        return raced(send(message), options.signal);
      }),
  },
  {
    name: "does not tell that bytes had left",
    check: "an aborted send that has begun still arrives whole",
    says: /bytes, not/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => (message, options) =>
        send(message, options).catch((error) => {
          delete error.partial;
          throw error;
        })),
  },
  {
    name: "counts one message of a batch too many",
    check: "a batch that ends early says how many left",
    says: /nothing happened/,
    options: HANGS,
    breaks: ({ sender }) =>
      replace(
        sender,
        "sendBatch",
        (sendBatch) => (messages, options) =>
          sendBatch(messages, options).catch((error) => {
            error.sent++;
            throw error;
          }),
      ),
  },
  {
    name: "sends although trySend said false",
    check: "trySend that says false has sent nothing",
    says: /the next message|bytes, not|byte \d+ of/,
    breaks: ({ sender }) =>
      replace(sender, "trySend", (trySend) => (message) => {
        const took = trySend(message);
        if (!took) sender.send(message.slice()).catch(() => {});
        return took;
      }),
  },
  {
    name: "keeps hold of a message that trySend took",
    check: "sync and async sends keep their order",
    says: /message \d+ of 4/,
    breaks: ({ sender }) =>
      replace(sender, "trySend", () => (message) => {
        turn().then(() => sender.send(message)).catch(() => {});
        return true;
      }),
  },
  {
    name: "sends the first part of what is too long",
    check: "a message over maxMessageSize throws MessageTooLongError and sends nothing",
    says: /the next message/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => (message, options) => {
        if (message.byteLength > sender.maxMessageSize) send(message.subarray(0, 100)).catch(() => {});
        return send(message, options);
      }),
  },
  {
    name: "calls a message that is too long something else",
    check: "a message over maxMessageSize throws MessageTooLongError and sends nothing",
    says: /expected MessageTooLongError/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => (message, options) =>
        send(message, options).catch((error) => {
          throw error instanceof MessageTooLongError ? new RangeError(error.message) : error;
        })),
  },
  {
    name: "resolves a pending send at close",
    check: "close rejects pending sends with ClosedError",
    says: /expected a rejection/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => (message, options) =>
        send(message, options).catch((error) => {
          if (!(error instanceof ClosedError)) throw error;
        })),
  },
  {
    name: "forgets what was sent at the end of await using",
    check: "await using lets everything arrive",
    says: /message/,
    breaks: ({ sender }) =>
      replace(sender, Symbol.asyncDispose, () => () => {
        sender.close();
        return Promise.resolve();
      }),
  },
  {
    name: "forgets what was sent at the end of using",
    check: "using gives the mechanism what it takes first",
    says: /channel is closed/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => (message, options) => turn().then(() => send(message, options))),
  },
  {
    name: "queues without bound",
    check: "send waits while nobody reads",
    says: /send never waits/,
    breaks: ({ sender }) =>
      replace(sender, "send", (send) => (message) => {
        send(message.slice()).catch(() => {});
        return Promise.resolve();
      }),
  },
  {
    name: "has no limit for sends that nobody awaits",
    check: "the bytes of sends that nobody awaits are capped",
    says: /bytes were taken/,
    breaks: () => memoryChannel({ maxQueuedBytes: Infinity }),
  },
  {
    name: "is always ready to be written",
    check: "writable is not ready while the mechanism is full",
    says: /writable was ready/,
    breaks: ({ sender }) => {
      const writable = new WritableStream<Uint8Array>({
        write: (message) => void sender.send(message).catch(() => {}),
      });
      replace(sender, "writable", () => writable);
    },
  },
];
