import { faultSuite, leakCheck } from "@ipc/core/testing";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { openEnding, withQueue } from "./testdata/queue_pair.ts";

await warmUpWaiting();
leakCheck();

const message = new Uint8Array(100);

faultSuite("System V message queue", openEnding, {
  // A message enters the queue whole, or not at all.
  short: false,
  more: {
    "create, look, change, remove": () =>
      withQueue((queue) => {
        queue.stat();
        queue.set({ mode: 0o640 });
        queue.remove();
      }, { maxBytes: 1000 }),
    "messages with types": () =>
      withQueue(async (queue) => {
        queue.sendSync(message, { type: 2 });
        await queue.send(message, { type: 3 });
        queue.peek();
        queue.receiveMessageSync({ type: 3 });
        await queue.receiveMessage({ except: 3 });
      }),
    "both directions of one queue": () =>
      withQueue(async (queue) => {
        const view = queue.duplex({ send: 1, receive: 1 });
        await view.send(message);
        await view.receive();
        view.close();
      }),
  },
});
