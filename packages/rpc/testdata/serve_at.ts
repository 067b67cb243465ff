/** A second process that serves the words at an address, which it prints. */

import { listen } from "@ipc/socket";
import { httpHandler } from "../http.ts";
import { serveListener, type ServeListenerOptions } from "../local.ts";
import { serve } from "../mod.ts";
import { webSocketChannel } from "../websocket.ts";
import { type Words, words } from "./words.ts";

const [address, framing] = Deno.args as [string, "lines" | undefined];

/** Over HTTP there are no callbacks and no streams from the caller. */
function overHttp(): number {
  const onListen = () => {};
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") return handler(request);
    const { socket, response } = Deno.upgradeWebSocket(request);
    serve<Words>(webSocketChannel(socket), words, { binary: true });
    return response;
  }).addr.port;
}

const handler = httpHandler<Words>(words);
if (address.startsWith("http:")) console.log(`http://127.0.0.1:${overHttp()}/`);
else {
  const options: ServeListenerOptions = { binary: framing === undefined };
  const listener = await listen(address, { framing });
  console.log(serveListener<Words>(listener, words, options).address);
}
