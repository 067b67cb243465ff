/**
 * A page in a browser that calls this program over a WebSocket, and is called by it. Its other half is
 * rpc_browser_page.ts, which is bundled for the browser.
 *
 *     deno run -A examples/rpc_browser.ts
 */
import { client, RpcPeer, serve } from "@ipc/rpc";
import { webSocketChannel } from "@ipc/rpc/websocket";

/** What the page can call. */
export interface Machine {
  hostname(): string;
  /** How busy it is, as often as the page asks for more. */
  load(): AsyncIterable<number>;
  /** What the page has seen. */
  seen(text: string): void;
}

/** What can be called in the page. */
export interface Page {
  title(): string;
}

const HTML = `<!doctype html><meta charset="utf-8"><title>A page that calls a program</title>
<body></body><script type="module" src="page.js"></script>`;

if (import.meta.main) {
  const { stdout: script } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "rpc_browser_page.ts"],
    cwd: import.meta.dirname!,
    stderr: "inherit",
  }).output();

  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: Number(Deno.args[0] ?? 0),
    onListen: ({ port }) => console.log(`open http://127.0.0.1:${port}/`),
  }, (request) => {
    const { pathname, hostname, origin } = new URL(request.url);
    if (pathname === "/") return new Response(HTML, { headers: { "content-type": "text/html" } });
    if (pathname === "/page.js") {
      return new Response(script, { headers: { "content-type": "text/javascript" } });
    }
    // Any page in the world can make a browser connect to this machine, under a name that it gave this address: only
    // ours may.
    const ours = hostname === "127.0.0.1" && request.headers.get("origin") === origin;
    if (pathname !== "/calls" || !ours) {
      return new Response("Not found\n", { status: 404 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    const page = new RpcPeer(webSocketChannel(socket));
    serve<Machine>(page, {
      hostname: () => "this machine",
      async *load() {
        for (;;) yield Deno.loadavg()[0] ?? 0;
      },
      async seen(text) {
        console.log(`the page "${await client<Page>(page).title()}" saw: ${text}`);
        void page.end();
        void server.shutdown();
      },
    });
    return response;
  });
  await server.finished;
}
