/** Node's MessagePort: two threads of one process. */

import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { farEnd, Inbox, nearEnd } from "./_common.mjs";

const inbox = new Inbox();
const receive = () => inbox.receive();
const message = (size) => new Uint8Array(size);

if (isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url));
  worker.on("message", (message) => {
    if (message === "flush") worker.postMessage("flushed");
    else inbox.put(message);
  });
  await nearEnd({
    send: (payload) => worker.postMessage(payload),
    receive,
    message,
    pids: [],
    shared: true,
    close: () => worker.terminate(),
  });
} else {
  let flushed;
  parentPort.on("message", (message) => message === "flushed" ? flushed() : inbox.put(message));
  const flush = (payload) => {
    parentPort.postMessage(payload);
    parentPort.postMessage("flush");
    return new Promise((resolve) => flushed = resolve);
  };
  await farEnd({ send: (payload) => parentPort.postMessage(payload), receive, message, flush });
}
