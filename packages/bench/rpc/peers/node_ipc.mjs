/** Node's child_process with its IPC channel and a map of ids, as programs write it by hand. */

import { fork } from "node:child_process";
import process from "node:process";
import { cpuTime, linesOf, obey } from "./_calls.mjs";

if (process.argv[2] === "far") {
  const methods = { echo: (text) => text, cpu: cpuTime };
  process.on("message", ({ id, method, params }) => process.send({ id, result: methods[method](...params) }));
  process.on("disconnect", () => process.exit(0));
} else {
  const child = fork(process.argv[1], ["far"], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const pending = new Map();
  let last = 0;
  child.on("message", ({ id, result }) => {
    pending.get(id)(result);
    pending.delete(id);
  });
  const call = (method, ...params) =>
    new Promise((resolve) => {
      pending.set(++last, resolve);
      child.send({ id: last, method, params });
    });
  await obey(linesOf(), (text) => call("echo", text), () => call("cpu"), child.pid);
  child.disconnect();
}
