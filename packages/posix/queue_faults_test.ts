import { faultSuite, leakCheck } from "@ipc/core/testing";
import { limits } from "./mod.ts";
import { openEnding, withQueue } from "./testdata/queues.ts";

leakCheck();

const message = new Uint8Array(100);

faultSuite("POSIX message queue", openEnding, {
  // A message enters the queue whole, or not at all.
  short: false,
  more: {
    "create, look, unlink": () =>
      withQueue((queue) => {
        queue.attributes();
        queue.stat();
        queue.unlink();
      }),
    "messages with priorities": () =>
      withQueue(async (queue) => {
        queue.sendSync(message, { priority: 2 });
        await queue.send(message, { priority: 3 });
        queue.receiveMessageSync();
        await queue.receiveMessage();
      }),
    "notify": () =>
      withQueue(async (queue) => {
        const notified = queue.notify();
        notified.catch(() => {});
        queue.sendSync(message);
        await notified;
      }),
    "limits": () => void limits(),
  },
});
