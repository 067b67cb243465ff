/** Node's child_process with its IPC channel; the argument is its `serialization`: json, or advanced. */

import { fork } from "node:child_process";
import process from "node:process";
import { farEnd, Inbox, nearEnd } from "./_common.mjs";

const [serialization, role] = process.argv.slice(2);
/** JSON has no bytes: a string of so many letters takes their place. */
const message = serialization === "json" ? (size) => "a".repeat(size) : (size) => new Uint8Array(size);
const inbox = new Inbox();
const receive = () => inbox.receive();

if (role === "far") {
  process.on("message", (message) => inbox.put(message));
  process.on("disconnect", () => process.exit(0));
  const flush = (payload) => new Promise((resolve) => process.send(payload, resolve));
  await farEnd({ send: (payload) => process.send(payload), receive, message, flush });
} else {
  const child = fork(process.argv[1], [serialization, "far"], {
    serialization,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  child.on("message", (message) => inbox.put(message));
  await nearEnd({
    send: (payload) => child.send(payload),
    receive,
    message,
    pids: [child.pid],
    shared: false,
    close: () => child.disconnect(),
  });
}
