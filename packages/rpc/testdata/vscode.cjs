// A program of Node that speaks JSON-RPC as editors do, over its standard input and output.
const rpc = require("vscode-jsonrpc/node");

const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(process.stdin),
  new rpc.StreamMessageWriter(process.stdout),
);

if (process.argv[2] === "serve") {
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
} else {
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
