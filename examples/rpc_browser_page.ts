/** The page's half of rpc_browser.ts. */
import { client, RpcPeer, serve } from "@ipc/rpc";
import { webSocketChannel } from "@ipc/rpc/websocket";
import type { Machine, Page } from "./rpc_browser.ts";

/** What it uses of the document. */
declare const document: { title: string; baseURI: string; body: { append(text: string): void } };

const socket = new WebSocket(new URL("calls", document.baseURI.replace("http", "ws")));
const peer = new RpcPeer(webSocketChannel(socket));
serve<Page>(peer, { title: () => document.title });
const machine = client<Machine>(peer);

document.body.append(await machine.hostname());
let count = 0;
for await (const load of machine.load()) {
  document.body.append(` ${load}`);
  if (++count === 5) break; // The program stops to make more.
}
await machine.with({ notify: true }).seen(`${count} values`);
