// A client of the Model Context Protocol, of its own software development kit.
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");

(async () => {
  const [command, ...args] = process.argv.slice(2);
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(new StdioClientTransport({ command, args, stderr: "inherit", env: process.env }));
  const results = { server: client.getServerVersion() };
  results.ping = await client.ping();
  results.tools = (await client.listTools()).tools.map(({ name }) => name);
  results.add = (await client.callTool({ name: "add", arguments: { a: 1, b: 2 } })).content;
  const progress = [];
  const onprogress = (each) => progress.push(each.progress);
  const slowly = { name: "slowly", arguments: { a: 3, b: 4 } };
  results.slowly = (await client.callTool(slowly, undefined, { onprogress })).content;
  results.progress = progress;
  results.missing = await client.callTool({ name: "none", arguments: { a: 1, b: 2 } })
    .catch(({ code, message }) => ({ code, message }));
  const unknown = await client.listResources().catch(({ message }) => message);
  results.unknown = unknown;
  await client.close();
  console.log(JSON.stringify(results));
})();
