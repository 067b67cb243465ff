// What an editor says to a language server, with the library that editors use.
const { spawn } = require("node:child_process");
const lsp = require("vscode-languageserver-protocol/node");

(async () => {
  const [command, ...args] = process.argv.slice(2);
  const server = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => server.on("exit", resolve));
  const connection = lsp.createProtocolConnection(
    new lsp.StreamMessageReader(server.stdout),
    new lsp.StreamMessageWriter(server.stdin),
  );
  const published = [];
  let arrived = () => {};
  connection.onNotification(lsp.PublishDiagnosticsNotification.type, ({ diagnostics }) => {
    published.push(diagnostics);
    arrived();
  });
  const next = () => new Promise((resolve) => arrived = resolve);
  connection.listen();
  const results = {};
  results.initialize = await connection.sendRequest(lsp.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    capabilities: {},
  });
  await connection.sendNotification(lsp.InitializedNotification.type, {});
  const uri = "file:///notes.txt";
  let diagnosed = next();
  await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
    textDocument: { uri, languageId: "plaintext", version: 1, text: "Grüße\nTODO: write" },
  });
  await diagnosed;
  const at = (line, character) => ({ textDocument: { uri }, position: { line, character } });
  results.hover = await connection.sendRequest(lsp.HoverRequest.type, at(1, 7));
  results.nothing = await connection.sendRequest(lsp.HoverRequest.type, at(7, 0));
  diagnosed = next();
  await connection.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
    textDocument: { uri, version: 2 },
    contentChanges: [{ text: "done" }],
  });
  await diagnosed;
  results.published = published;
  results.definition = await connection.sendRequest(lsp.DefinitionRequest.type, at(0, 0))
    .catch(({ code }) => code);
  await connection.sendRequest(lsp.ShutdownRequest.type);
  await connection.sendNotification(lsp.ExitNotification.type);
  results.status = await ended;
  connection.dispose();
  console.log(JSON.stringify(results));
})();
