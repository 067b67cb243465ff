// Programs of Node that speak JSON-RPC with jayson, over HTTP and TCP.
const jayson = require("jayson");

const [role, kind, port] = process.argv.slice(2);

if (role === "serve") {
  const heard = [];
  const server = new jayson.Server({
    add: ([a, b], callback) => callback(null, a + b),
    total: ({ a, b }, callback) => callback(null, a + b),
    echo: (params, callback) => callback(null, params[0]),
    fail: (_, callback) => callback({ code: 42, message: "Out of cheese", data: [1] }),
    tell: ([word], callback) => callback(null, heard.push(word)),
    heard: (_, callback) => callback(null, heard),
  });
  const listener = kind === "http" ? server.http() : server.tcp();
  listener.listen(0, "127.0.0.1", () => console.log(listener.address().port));
  process.stdin.on("end", () => process.exit(0)).resume();
} else {
  const at = { host: "127.0.0.1", port: Number(port) };
  const client = kind === "http" ? jayson.Client.http(at) : jayson.Client.tcp(at);
  const send = (request) =>
    new Promise((resolve, reject) => {
      client.request(request, (error, answer) => error ? reject(error) : resolve(answer));
    });
  const call = (method, params, id) => client.request(method, params, id);
  (async () => {
    const results = {};
    results.add = await send(call("add", [1, 2], "one"));
    results.total = await send(call("total", { a: 3, b: 4 }, 2));
    results.echo = (await send(call("echo", ["x".repeat(100_000) + "ü"], 3))).result.length;
    results.count = await send(call("count", [3], 4));
    results.fail = await send(call("fail", [], 5));
    results.missing = await send(call("missing", [], 6));
    results.tell = await send(call("tell", ["word"], null));
    results.batch = await send([call("add", [1, 1], 7), call("tell", ["batch"], null), call("fail", [], 8)]);
    results.heard = await send(call("heard", [], 9));
    console.log(JSON.stringify(results));
  })();
}
