/** The program of both ends of ours: `near NAME PROGRAM [ARGUMENT…]` calls, `far NAME [ARGUMENT…]` answers. */

import { type FarEnd, type Meeting, meetings } from "@ipc/address/meeting";
import { IPC_PRIVATE } from "@ipc/core";
import { type Caller, type Client, client, RpcPeer, serve } from "@ipc/rpc";
import { HttpCaller, httpHandler } from "@ipc/rpc/http";
import { webSocketChannel } from "@ipc/rpc/websocket";
import { MessageQueue } from "@ipc/sysv";
import { linesOf } from "../../cli/bench/_wire.ts";
import { firstLine } from "../../rpc/testdata/npm.ts";
import { cpuTime, obey } from "./peers/_calls.mjs";

interface Api {
  echo(text: string): string;
  cpu(): number;
  pid(): number;
}

const methods = { echo: (text: string) => text, cpu: () => cpuTime(), pid: () => Deno.pid };

/** How the two ends come to calls through one mechanism. */
interface Link {
  readonly name: string;
  /** Starts the far end, and gives what makes calls. */
  near(far: FarEnd): Promise<Caller>;
  /** Answers until the near end has gone. */
  far(args: readonly string[]): Promise<unknown>;
}

function over({ name, near, far }: Meeting): Link {
  return {
    name,
    near: async (end) => new RpcPeer(await near(end)),
    far: async (args) => await serve<Api>(await far(args), methods).closed,
  };
}

/** One queue for both directions, told apart by the types of messages. */
const types: Link = {
  name: "sysv-msg, by types",
  near({ start }) {
    const queue = MessageQueue.create(IPC_PRIVATE, { removeOnClose: true });
    start(String(queue.id));
    const peer = new RpcPeer(queue.duplex({ send: 1, receive: 2 }));
    void peer.closed.then(() => queue.close());
    return Promise.resolve(peer);
  },
  // That the queue is removed is how it learns of the end.
  async far([id]) {
    using queue = MessageQueue.open({ id: Number(id) });
    await serve<Api>(queue.duplex({ send: 2, receive: 1 }), methods).closed;
  },
};

const answer = httpHandler<Api>(methods);

/** A server that speaks both, at a port that it prints; it ends with its standard input. */
async function web(): Promise<void> {
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`127.0.0.1:${port}`),
  }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") return answer(request);
    const { socket, response } = Deno.upgradeWebSocket(request);
    serve<Api>(webSocketChannel(socket), methods);
    return response;
  });
  for await (const _ of Deno.stdin.readable);
}

/** The address of that server, as a process of its own. */
function startWeb({ command, args }: FarEnd): Promise<string> {
  // Its standard input ends with this process.
  return firstLine(
    new Deno.Command(command, { args: args(), stdin: "piped", stdout: "piped" }).spawn(),
  );
}

const meeting = (name: string) => over(meetings.find((meeting) => meeting.name === name)!);

/** Every link, in the order of the report. */
export const links: readonly Link[] = [
  ...["pipe", "fifo", "unix", "unix-seqpacket", "tcp"].map(meeting),
  types,
  meeting("mq"),
  {
    name: "WebSocket",
    near: async (far) => new RpcPeer(webSocketChannel(new WebSocket(`ws://${await startWeb(far)}/`))),
    far: web,
  },
  { name: "HTTP", near: async (far) => new HttpCaller(`http://${await startWeb(far)}/`), far: web },
];

async function near(link: Link, command: string, given: readonly string[]): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ipc-bench-" });
  const { signal } = new AbortController();
  const args = (...more: string[]) => [...given, ...more];
  const start = (...more: string[]) =>
    new Deno.Command(command, { args: args(...more), stdin: "null", stdout: "null" }).spawn().status;
  try {
    using caller = await link.near({ command, args, start, folder, signal });
    const api: Client<Api> = client<Api>(caller);
    await obey(linesOf(Deno.stdin.readable), (text) => api.echo(text), () => api.cpu(), await api.pid());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [role, name, ...rest] = Deno.args;
  const link = links.find((link) => link.name === name)!;
  if (role === "near") await near(link, rest[0]!, rest.slice(1));
  else await link.far(rest);
  Deno.exit(0);
}
