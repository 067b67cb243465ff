/** vscode-jsonrpc over standard input and output or a unix socket; the arguments are its folder and which. */

import { connect, createServer } from "node:net";
import { createRequire } from "node:module";
import process from "node:process";
import { cpuTime, firstLine, linesOf, obey, startFar } from "./_calls.mjs";

const [folder, over, role] = process.argv.slice(2);
const rpc = createRequire(`${folder}/`)("vscode-jsonrpc/node");
const { SocketMessageReader, SocketMessageWriter, StreamMessageReader, StreamMessageWriter } = rpc;

function talk(reader, writer) {
  const connection = rpc.createMessageConnection(reader, writer);
  connection.onRequest("echo", (text) => text);
  connection.onRequest("cpu", cpuTime);
  connection.onClose(() => role === "far" && process.exit(0));
  connection.listen();
  return connection;
}

const overSocket = (socket) => talk(new SocketMessageReader(socket), new SocketMessageWriter(socket));
const overStreams = (input, output) => talk(new StreamMessageReader(input), new StreamMessageWriter(output));

if (role === "far") {
  if (over === "stdio") overStreams(process.stdin, process.stdout);
  else {
    const server = createServer((socket) => {
      server.close();
      overSocket(socket);
    });
    const path = `\0ipc-bench-${process.pid}`;
    server.listen(path, () => console.log(process.pid));
  }
} else {
  const child = startFar([folder, over, "far"]);
  const connection = over === "stdio"
    ? overStreams(child.stdout, child.stdin)
    : overSocket(connect(`\0ipc-bench-${await firstLine(child)}`));
  const echo = (text) => connection.sendRequest("echo", text);
  await obey(linesOf(), echo, () => connection.sendRequest("cpu"), child.pid);
  connection.end();
  process.exit(0);
}
