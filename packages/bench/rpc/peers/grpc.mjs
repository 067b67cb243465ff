/** gRPC's unary calls over TCP or a unix socket, with JSON in them; the arguments are its folder, and which. */

import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import process from "node:process";
import { cpuTime, firstLine, linesOf, obey, startFar } from "./_calls.mjs";

const [folder, over, role] = process.argv.slice(2);
const grpc = createRequire(`${folder}/`)("@grpc/grpc-js");
const write = (value) => Buffer.from(JSON.stringify(value));
const read = (bytes) => JSON.parse(bytes);
const method = (name) => ({
  path: `/bench/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: write,
  requestDeserialize: read,
  responseSerialize: write,
  responseDeserialize: read,
});
const service = { echo: method("echo"), cpu: method("cpu") };

if (role === "far") {
  const server = new grpc.Server();
  server.addService(service, {
    echo: ({ request }, callback) => callback(null, request),
    cpu: (_, callback) => callback(null, { value: cpuTime() }),
  });
  const path = `unix:${tmpdir()}/ipc-bench-${process.pid}`;
  const at = over === "unix" ? path : "127.0.0.1:0";
  server.bindAsync(at, grpc.ServerCredentials.createInsecure(), (_error, port) => {
    console.log(over === "unix" ? path : `127.0.0.1:${port}`);
  });
  process.stdin.on("end", () => {
    server.forceShutdown();
    process.exit(0);
  }).resume();
} else {
  const child = startFar([folder, over, "far"]);
  const Client = grpc.makeGenericClientConstructor(service, "bench");
  const client = new Client(await firstLine(child), grpc.credentials.createInsecure());
  const call = (name, value) =>
    new Promise((resolve, reject) => {
      client[name]({ value }, (error, answer) => error ? reject(error) : resolve(answer.value));
    });
  await obey(linesOf(), (text) => call("echo", text), () => call("cpu", null), child.pid);
  client.close();
  child.stdin.end();
  child.on("exit", () => process.exit(0));
}
