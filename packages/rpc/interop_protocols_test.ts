/** Protocols that are made of JSON-RPC: those of language servers and of tools for models. */

import { assert, assertEquals } from "@std/assert";
import { contentLength } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { spawnWithChannel } from "@ipc/pipe";
import { client, RpcPeer } from "./mod.ts";
import { install, result } from "./testdata/npm.ts";
import { until } from "./testdata/waiting.ts";

leakCheck();

const installed = await install(
  "@modelcontextprotocol/sdk@1.32.2",
  "vscode-languageserver-protocol@3.18.5",
  "vscode-json-languageserver@1.3.4",
);
const ignore = installed === undefined;

Deno.test.afterAll(async () => await installed?.[Symbol.asyncDispose]());

function ours(path: string): string[] {
  return [Deno.execPath(), "run", "-A", "--quiet", "--no-check", new URL(path, import.meta.url).pathname];
}

Deno.test("an MCP client from npm drives our server over standard input and output", { ignore }, async () => {
  const process = installed!.node("mcp_client.cjs", ...ours("testdata/mcp_server.ts"));
  const { missing, unknown, progress, ...results } = await result(process) as Record<string, unknown>;
  assertEquals(results, {
    server: { name: "sums", version: "1.0.0" },
    ping: {},
    tools: ["add", "slowly"],
    add: [{ type: "text", text: "3" }],
    slowly: [{ type: "text", text: "7" }],
  });
  assertEquals((progress as number[])[0], 1);
  const { code, message } = missing as { code: number; message: string };
  assertEquals(code, -32602);
  assert(message.includes("There is no tool none"), message);
  assert(typeof unknown === "string", String(unknown));
});

Deno.test("what editors speak with drives our language server", { ignore }, async () => {
  const process = installed!.node("editor.cjs", ...ours("../../examples/rpc_language_server.ts"));
  const todo = {
    range: { start: { line: 1, character: 0 }, end: { line: 1, character: 4 } },
    severity: 2,
    message: "There is something left to do",
  };
  assertEquals(await result(process), {
    initialize: {
      capabilities: { textDocumentSync: 1, hoverProvider: true },
      serverInfo: { name: "todo-marker" },
    },
    hover: { contents: { kind: "plaintext", value: "write: 5 letters" } },
    nothing: null,
    published: [[todo], []],
    definition: -32601,
    status: 0,
  });
});

interface LanguageServer {
  initialize(params: object): { capabilities: { hoverProvider?: boolean } };
  initialized(params: object): void;
  "textDocument/didOpen"(params: object): void;
  "textDocument/documentSymbol"(params: object): { name: string }[];
  shutdown(): null;
  exit(): void;
}

Deno.test("our client drives a language server from npm", { ignore }, async () => {
  const { process, channel } = spawnWithChannel("node", {
    args: [
      `${installed!.folder}/node_modules/vscode-json-languageserver/bin/vscode-json-languageserver`,
      "--stdio",
    ],
    stdio: true,
    framing: contentLength(),
  });
  const peer = new RpcPeer(channel, { extensions: false });
  const published: { uri: string; diagnostics: { message: string }[] }[] = [];
  peer.serve({
    "textDocument/publishDiagnostics": (params: typeof published[number]) => void published.push(params),
    "client/registerCapability": () => null,
  });
  const server = client<LanguageServer>(peer).with({ byName: true });
  const tell = server.with({ notify: true });
  const { capabilities } = await server.initialize({ processId: Deno.pid, rootUri: null, capabilities: {} });
  assertEquals(capabilities.hoverProvider, true);
  await tell.initialized({});
  const uri = "file:///settings.json";
  const text = '{ "name": "value", "list": [1, 2 }';
  await tell["textDocument/didOpen"]({ textDocument: { uri, languageId: "json", version: 1, text } });
  await until(() => published.some(({ diagnostics }) => diagnostics.length > 0));
  const symbols = await server["textDocument/documentSymbol"]({ textDocument: { uri } });
  assertEquals(symbols.map(({ name }) => name), ["name", "list"]);
  assertEquals(await server.shutdown(), null);
  await tell.exit();
  assertEquals((await process.status).code, 0);
  peer.close();
});
