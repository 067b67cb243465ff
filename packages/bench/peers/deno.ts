/** What Deno has of its own: a unix socket, and the standard streams of a child. */

import type { Bytes, SyncChannel } from "@ipc/core";
import type { Meeting } from "@ipc/address/meeting";
import { crowdWork, type Server } from "../../cli/bench/_crowd_work.ts";
import { work } from "../../cli/bench/_work.ts";
import { Framed } from "./_framed.ts";

/** Only `send`, `receive`, `end` and `close` are asked of a peer. */
function channel(framed: Framed): SyncChannel<Uint8Array, Bytes> {
  return framed as unknown as SyncChannel<Uint8Array, Bytes>;
}

const connect: Meeting = {
  name: "connect",
  async near({ folder, start }) {
    const path = `${folder}/socket`;
    const listener = Deno.listen({ transport: "unix", path });
    start(path);
    const connection = await listener.accept();
    listener.close();
    return overConnection(connection);
  },
  async far([path]) {
    return overConnection(await Deno.connect({ transport: "unix", path: path! }));
  },
};

function overConnection(connection: Deno.Conn): SyncChannel<Uint8Array, Bytes> {
  return channel(
    new Framed({
      async write(bytes) {
        for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
      },
      read: async (into) => await connection.read(into) ?? 0,
      end: () => connection.closeWrite(),
      close: () => connection.close(),
    }),
  );
}

const stdio: Meeting = {
  name: "stdio",
  near({ command, args, signal }) {
    const child = new Deno.Command(command, { args: args(), stdin: "piped", stdout: "piped", signal })
      .spawn();
    return Promise.resolve(overStreams(child.stdout, child.stdin));
  },
  far: () => overStreams(Deno.stdin.readable, Deno.stdout.writable),
};

function overStreams(
  readable: ReadableStream<Bytes>,
  writable: WritableStream<Uint8Array<ArrayBufferLike>>,
): SyncChannel<Uint8Array, Bytes> {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let rest: Bytes = new Uint8Array(0);
  return channel(
    new Framed({
      write: (bytes) => writer.write(bytes),
      async read(into) {
        // The stream chooses how much it gives.
        if (rest.length === 0) rest = (await reader.read()).value ?? rest;
        const count = Math.min(into.length, rest.length);
        into.set(rest.subarray(0, count));
        rest = rest.subarray(count);
        return count;
      },
      end: () => writer.close(),
      close: () => {},
    }),
  );
}

/** A server that waits for a message of every client. */
async function listenPlainly(): Promise<Server> {
  const path = `\0ipc-bench-${crypto.randomUUID()}`;
  const listener = Deno.listen({ transport: "unix", path });
  return await Promise.resolve({
    address: { transport: "unix", path },
    async accept() {
      const connection = overConnection(await listener.accept());
      return () => connection.receive();
    },
  });
}

if (import.meta.main) {
  if (Deno.args[1] === "crowd") await crowdWork(Deno.args, listenPlainly);
  else await work(Deno.args, [connect, stdio]);
}
