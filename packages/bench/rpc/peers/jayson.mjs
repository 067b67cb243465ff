/** jayson over TCP or HTTP; the arguments are its folder and which. */

import { Agent } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";
import { cpuTime, firstLine, linesOf, obey, startFar } from "./_calls.mjs";

const [folder, over, role] = process.argv.slice(2);
const jayson = createRequire(`${folder}/`)("jayson");

if (role === "far") {
  const server = new jayson.Server({
    echo: ([text], callback) => callback(null, text),
    cpu: (_, callback) => callback(null, cpuTime()),
  });
  const listener = over === "http" ? server.http() : server.tcp();
  listener.listen(0, "127.0.0.1", () => console.log(listener.address().port));
  process.stdin.on("end", () => process.exit(0)).resume();
} else {
  const child = startFar([folder, over, "far"]);
  const at = { host: "127.0.0.1", port: Number(await firstLine(child)) };
  // Without it, each call is a connection of its own; over TCP it has no other way.
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const client = over === "http" ? jayson.Client.http({ ...at, agent }) : jayson.Client.tcp(at);
  const call = (method, params) =>
    new Promise((resolve, reject) => {
      client.request(method, params, (error, answer) => error ? reject(error) : resolve(answer.result));
    });
  await obey(linesOf(), (text) => call("echo", [text]), () => call("cpu", []), child.pid);
  child.stdin.end();
  process.exit(0);
}
