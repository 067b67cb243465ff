/** The same service in another process, over every socket there is. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { connect } from "@ipc/socket";
import { HttpCaller } from "./http.ts";
import { client, DisconnectedError, type RpcChannel, RpcPeer } from "./mod.ts";
import { webSocketChannel } from "./websocket.ts";
import { firstLine } from "./testdata/npm.ts";
import { httpSuite, suite } from "./testdata/suite.ts";
import type { Words } from "./testdata/words.ts";
import { socketTest } from "./testdata/sockets.ts";

leakCheck();

interface Service extends AsyncDisposable {
  readonly address: string;
  readonly status: Promise<Deno.CommandStatus>;
}

/** Starts it; `FOLDER` in its address is a new one. */
async function start(at: string, ...args: string[]): Promise<Service> {
  const folder = await Deno.makeTempDir({ prefix: "ipc-rpc-" });
  const script = new URL("testdata/serve_at.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", script, at.replace("FOLDER", folder), ...args],
    stdin: "null",
    stdout: "piped",
    stderr: at.startsWith("http:") ? "null" : "inherit",
  }).spawn();
  const address = await firstLine(process);
  return {
    address,
    status: process.status,
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await process.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** A WebSocket of the runtime, as browsers have it. */
function standardSocket(address: string): { channel: RpcChannel; closed: Promise<unknown> } {
  const socket = new WebSocket(address.replace("http:", "ws:"));
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve, { once: true }));
  return { channel: webSocketChannel(socket), closed };
}

const LISTENERS = {
  "a unix socket": ["unix:FOLDER/socket"],
  "a unix socket, one message a line": ["unix:FOLDER/socket", "lines"],
  "a seqpacket socket": ["unix-seqpacket:FOLDER/socket"],
  "a TCP connection": ["tcp:127.0.0.1:0"],
  "a TCP connection, one message a line": ["tcp:127.0.0.1:0", "lines"],
  "a WebSocket": ["ws://127.0.0.1:0/words"],
} as const;

for (const [name, [at, framing]] of Object.entries(LISTENERS)) {
  socketTest(`a service in another process: ${name}`, {}, async () => {
    await using service = await start(at, ...framing === undefined ? [] : [framing]);
    const channel = await connect(service.address, { framing });
    await using peer = new RpcPeer(channel, { binary: framing === undefined });
    await suite(client<Words>(peer), peer, 50_000);
  });

  socketTest(`a service that is killed fails its calls at once: ${name}`, {}, async () => {
    await using service = await start(at, ...framing === undefined ? [] : [framing]);
    const api = client<Words>(await connect(service.address, { framing }));
    assertEquals(await api.add(1, 2), 3);
    const stream = await api.count(1_000_000);
    await stream.next();
    const calls = [api.hang(), api.die(), api.hang()];
    for (const call of calls) await assertRejects(() => call, DisconnectedError, "the other side is gone");
    await assertRejects(async () => {
      for await (const _ of stream);
    }, DisconnectedError);
    assert((await service.status).code !== 0);
    api[Symbol.dispose]();
  });
}

socketTest("a service in another process: a WebSocket as browsers have it", {}, async () => {
  await using service = await start("http:");
  const { channel, closed } = standardSocket(service.address);
  const peer = new RpcPeer(channel, { binary: true });
  await suite(client<Words>(peer), peer, 50_000);
  await peer.end();
  await closed;
});

socketTest("a service in another process: HTTP", {}, async () => {
  await using service = await start("http:");
  using caller = new HttpCaller(service.address);
  const api = client<Words>(caller);
  await httpSuite(api, caller);
  const calls = [api.hang(), api.die(), api.hang()];
  for (const call of calls) await assertRejects(() => call, DisconnectedError, "Cannot post to ");
  assert((await service.status).code !== 0);
});
