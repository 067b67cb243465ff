/**
 * A language server as editors start it: it marks every TODO, and tells on hover how long a word is.
 *
 *     deno run -A examples/rpc_language_server.ts
 *
 * What it says to the editor goes through the same connection that the editor calls it by.
 */
import { contentLength } from "@ipc/core";
import { stdioChannel } from "@ipc/pipe";
import { RpcPeer } from "@ipc/rpc";

interface Position {
  line: number;
  character: number;
}

interface Document {
  uri: string;
  text: string;
}

const documents = new Map<string, string>();
const editor = new RpcPeer(stdioChannel({ framing: contentLength() }), { extensions: false });

function look({ uri, text }: Document): void {
  documents.set(uri, text);
  const diagnostics = text.split("\n").flatMap((content, line) =>
    [...content.matchAll(/TODO/g)].map(({ index }) => ({
      range: { start: { line, character: index }, end: { line, character: index + 4 } },
      severity: 2,
      message: "There is something left to do",
    }))
  );
  void editor.notify("textDocument/publishDiagnostics", { uri, diagnostics });
}

editor.serve({
  initialize: () => ({
    capabilities: { textDocumentSync: 1, hoverProvider: true },
    serverInfo: { name: "todo-marker" },
  }),
  initialized: () => {},
  "textDocument/didOpen": ({ textDocument }: { textDocument: Document }) => look(textDocument),
  "textDocument/didChange"(
    { textDocument: { uri }, contentChanges }: {
      textDocument: { uri: string };
      contentChanges: { text: string }[];
    },
  ) {
    look({ uri, text: contentChanges.at(-1)!.text });
  },
  "textDocument/hover"(
    { textDocument, position }: { textDocument: { uri: string }; position: Position },
  ) {
    const line = documents.get(textDocument.uri)?.split("\n")[position.line] ?? "";
    for (const { 0: word, index } of line.matchAll(/\w+/g)) {
      if (position.character < index || position.character > index + word.length) continue;
      return { contents: { kind: "plaintext", value: `${word}: ${word.length} letters` } };
    }
    return null;
  },
  shutdown: () => null,
  exit: () => editor.close(),
});

await editor.closed;
