/** How much memory a process has for each of many connections that are open and silent. */

import type { Channel } from "@ipc/core";
import { type Listener, listenTcp, listenUnix } from "@ipc/socket";
import { help, Helper, obeyLines } from "./_helper.ts";
import { cpuTime } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

/** A server: where clients connect, and how it accepts the next. */
export interface Server {
  readonly address: Deno.ConnectOptions | Deno.UnixConnectOptions;
  /** Resolves with what waits for a message of the client. */
  accept(): Promise<() => Promise<unknown>>;
}

/** Descriptors that a process has for other things. */
const OTHERS = 200;
/** Connections before the first that counts: by then everything is there that a program has once. */
const FIRST = 20;
/** A message of 64 bytes behind its length. */
const GREETING = new Uint8Array(4 + 64);
GREETING[0] = 64;

/** Ours. */
export const listenTo: Readonly<Record<"unix-crowd" | "tcp-crowd", (most: number) => Promise<Server>>> = {
  async "unix-crowd"(most) {
    const path = `@ipc-bench-${crypto.randomUUID()}`;
    const listener = await listenUnix({ type: "unix", path }, { sameUser: true, maxConnections: most });
    return serverOf(listener, { transport: "unix", path: path.replace("@", "\0") });
  },
  async "tcp-crowd"(most) {
    const listener = await listenTcp("127.0.0.1:0", { maxConnections: most });
    const port = Number(listener.address.split(":").at(-1));
    return serverOf(listener, { transport: "tcp", hostname: "127.0.0.1", port });
  },
};

function serverOf(listener: Listener<Channel>, address: Server["address"]): Server {
  return {
    address,
    async accept() {
      const channel = (await listener.accept())!;
      return () => channel.receive();
    },
  };
}

/** Runs as `near NAME PROGRAM [ARGUMENT…]`, where PROGRAM is first the server and then its clients, or as `far NAME`. */
export async function crowdWork(
  [role, _, ...given]: readonly string[],
  listen: (most: number) => Promise<Server>,
): Promise<void> {
  if (role === "near") {
    return await obeyLines(({ count }) => measure(given, Math.min(count, mostConnections())));
  }
  await help(({ test, count }, ready) => {
    return test === "serve" ? serve(listen, count, ready) : come(JSON.parse(test), count);
  });
  Deno.exit(0);
}

/** Both are new each time: what memory is used again says nothing. */
async function measure([program, ...args]: readonly string[], count: number): Promise<Figures> {
  const collecting = args.toSpliced(1, 0, "--v8-flags=--expose-gc");
  await using server = new Helper(program!, collecting);
  await server.tell(`serve 0 ${count}`);
  const address = await server.answer();
  await using clients = new Helper(program!, args);
  await clients.tell(`${address} 0 ${count}`);
  return JSON.parse(await server.answer());
}

async function serve(
  listen: (most: number) => Promise<Server>,
  count: number,
  ready: (word: string) => void,
): Promise<Figures> {
  const server = await listen(FIRST + count);
  ready(JSON.stringify(server.address));
  const accept = async (left: number) => {
    for (; left > 0; left--) {
      const receive = await server.accept();
      await receive();
      receive();
    }
  };
  await accept(FIRST);
  const [began, before, used] = [performance.now(), memory(), cpuTime()];
  await accept(count);
  const nanoseconds = Math.round((performance.now() - began) * 1e6);
  return { nanoseconds, cpu: (cpuTime() - used) / count, bytes: (memory() - before) / count };
}

async function come(address: Deno.ConnectOptions & Deno.UnixConnectOptions, count: number): Promise<void> {
  for (let left = FIRST + count; left > 0;) {
    try {
      const connection = await Deno.connect(address);
      await connection.write(GREETING);
      left--;
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      // The server has as many to accept as the kernel keeps for it.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** How many connections a process may have: each takes two descriptors, one of them for the runtime. */
function mostConnections(): number {
  const [, limit] = /^Max open files +(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))!;
  return (Number(limit) - OTHERS) >> 1;
}

/** Of this process, in bytes, without what nobody needs any more. */
function memory(): number {
  (globalThis as { gc?: () => void }).gc!();
  return Deno.memoryUsage().rss;
}
