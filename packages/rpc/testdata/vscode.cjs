// A program of Node that speaks JSON-RPC as editors do, over its standard input and output or a unix socket.
const net = require("node:net");
const rpc = require("vscode-jsonrpc/node");

const [role, path] = process.argv.slice(2);

if (path === undefined) {
  talk(new rpc.StreamMessageReader(process.stdin), new rpc.StreamMessageWriter(process.stdout));
} else if (role === "serve") {
  const server = net.createServer((socket) => {
    server.close();
    talk(new rpc.SocketMessageReader(socket), new rpc.SocketMessageWriter(socket));
  });
  server.listen(path, () => console.log("ready"));
} else {
  const socket = net.connect(path);
  talk(new rpc.SocketMessageReader(socket), new rpc.SocketMessageWriter(socket));
}

function talk(reader, writer) {
  const connection = rpc.createMessageConnection(reader, writer);
  if (role === "serve") serve(connection);
  else call(connection);
}

function serve(connection) {
  const heard = [];
  connection.onRequest("add", (a, b) => a + b);
  connection.onRequest("sum", ({ a, b }) => a + b);
  connection.onRequest("heard", () => heard);
  connection.onNotification("tell", (word) => heard.push(word));
  connection.onRequest("fail", () => {
    throw new rpc.ResponseError(42, "Out of cheese", { left: 0 });
  });
  connection.onRequest("hang", (token) =>
    new Promise((_, reject) => {
      token.onCancellationRequested(() => {
        heard.push("cancelled");
        reject(new rpc.ResponseError(rpc.LSPErrorCodes?.RequestCancelled ?? -32800, "Cancelled"));
      });
    }));
  connection.onRequest("back", async (word) => `${await connection.sendRequest("echo", word)}!`);
  connection.listen();
}

function call(connection) {
  connection.onRequest("echo", (word) => word);
  connection.listen();
  (async () => {
    const results = {};
    results.add = await connection.sendRequest("add", 1, 2);
    results.sum = await connection.sendRequest("sum", { a: 3, b: 4 });
    const error = (e) => ({ code: e.code, message: e.message, data: e.data });
    results.fail = await connection.sendRequest("fail").catch(error);
    results.missing = await connection.sendRequest("no such method").catch(error);
    const source = new rpc.CancellationTokenSource();
    const hanging = connection.sendRequest("hang", source.token).catch(error);
    source.cancel();
    results.hang = await hanging;
    results.back = await connection.sendRequest("back", "ping");
    results.values = await connection.sendRequest("count", 3);
    await connection.sendNotification("tell", "word");
    await connection.sendNotification("results", results);
    connection.end();
    connection.dispose();
  })();
}
