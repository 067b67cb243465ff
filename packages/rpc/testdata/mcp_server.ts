/** A server of the Model Context Protocol over standard input and output: two tools. */

import { lines } from "@ipc/core";
import { stdioChannel } from "@ipc/pipe";
import { type RpcContext, RpcError, serve } from "../mod.ts";

interface CallOfTool {
  name: string;
  arguments: { a: number; b: number };
  _meta?: { progressToken?: string | number };
}

const schema = {
  type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } },
  required: ["a", "b"],
};
const text = (text: string) => ({ content: [{ type: "text", text }] });

/** Names as the protocol has them. */
type Api = Record<string, (params: never) => unknown>;

await serve<Api>(stdioChannel({ framing: lines() }), {
  initialize: ({ protocolVersion }: { protocolVersion: string }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: "sums", version: "1.0.0" },
  }),
  "notifications/initialized": () => {},
  ping: () => ({}),
  "tools/list": () => ({
    tools: ["add", "slowly"].map((name) => ({ name, description: `Adds, ${name}`, inputSchema: schema })),
  }),
  async "tools/call"(this: RpcContext, { name, arguments: { a, b }, _meta }: CallOfTool) {
    if (name === "add") return text(String(a + b));
    if (name !== "slowly") throw new RpcError(-32602, `There is no tool ${name}`);
    for (let progress = 1; progress <= 3; progress++) {
      const progressToken = _meta?.progressToken;
      await this.peer.notify("notifications/progress", { progressToken, progress, total: 3 });
      // The client forgets what it was to be told of as soon as it has read the answer.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return text(String(a + b));
  },
}, { extensions: false }).closed;
