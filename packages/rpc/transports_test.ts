/** The same service in another process, over every channel there is. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Channel,
  contentLength,
  duplex,
  type Framing,
  type Key,
  lengthPrefix,
  lines,
  nul,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { Fifo, mkfifo } from "@ipc/fifo";
import { spawnWithChannel } from "@ipc/pipe";
import { MessageQueue as PosixQueue } from "@ipc/posix";
import { MessageQueue } from "@ipc/sysv";
import { warmUpWaiting } from "../sysv/_waiting/mod.ts";
import { has } from "../core/testdata/child.ts";
import { client, DisconnectedError, RpcPeer } from "./mod.ts";
import { suite } from "./testdata/suite.ts";
import { until } from "./testdata/waiting.ts";
import type { Words } from "./testdata/words.ts";

leakCheck();
await warmUpWaiting();

const script = new URL("testdata/serve.ts", import.meta.url).pathname;

interface Transport extends AsyncDisposable {
  readonly channel: Channel;
  readonly status: Promise<{ code: number }>;
}

function run(...args: string[]): string[] {
  return ["run", "-A", "--quiet", "--no-check", script, ...args];
}

function spawn(transport: "pipe" | "stdio", name: string, framing: Framing): Transport {
  const { process, channel } = spawnWithChannel(Deno.execPath(), {
    args: run(transport, name),
    framing,
    stdio: transport === "stdio",
  });
  return { channel, status: process.status, [Symbol.asyncDispose]: async () => void await process.status };
}

function command(...args: string[]): Promise<{ code: number }> & { kill(): void } {
  const child = new Deno.Command(Deno.execPath(), { args: run(...args), stdin: "null" }).spawn();
  return Object.assign(child.status, { kill: () => child.kill() });
}

async function fifos(): Promise<Transport> {
  const folder = await Deno.makeTempDir();
  const [up, down] = [`${folder}/up`, `${folder}/down`];
  mkfifo(up);
  mkfifo(down);
  const status = command("fifo", up, down);
  const channel = await Fifo.openPair(down, up);
  return {
    channel,
    status,
    [Symbol.asyncDispose]: () => status.then(() => Deno.remove(folder, { recursive: true })),
  };
}

function queue(): Transport {
  const key = (0x52504300 + crypto.getRandomValues(new Uint8Array(1))[0]!) as Key;
  const queue = MessageQueue.create(key, { mode: 0o600 });
  const channel = queue.duplex({ send: 1, receive: 2 });
  const status = command("sysv", String(key));
  return {
    channel,
    status,
    // A queue does not know that its user has gone: that it is removed ends the other side.
    [Symbol.asyncDispose]: async () => {
      queue.remove();
      queue.close();
      await status;
    },
  };
}

/** Neither do POSIX queues: the one who serves is stopped. */
function queues(): Transport {
  const names = ["up", "down"].map((way) => `/rpc-${way}-${crypto.randomUUID()}`) as [string, string];
  const made = names.map((name) => PosixQueue.create(name, { unlinkOnClose: true })) as [
    PosixQueue,
    PosixQueue,
  ];
  const status = command("posix", ...names);
  return {
    channel: duplex(made[1], made[0]),
    status,
    [Symbol.asyncDispose]: async () => {
      for (const queue of made) queue.close();
      status.kill();
      await status;
    },
  };
}

const transports: Record<string, () => Transport | Promise<Transport>> = {
  "two pipes": () => spawn("pipe", "length", lengthPrefix()),
  "two pipes, one message a line": () => spawn("pipe", "lines", lines()),
  "two pipes, NUL after each": () => spawn("pipe", "nul", nul()),
  "two pipes, Content-Length": () => spawn("pipe", "content-length", contentLength()),
  "standard input and output": () => spawn("stdio", "lines", lines()),
  "two FIFOs": fifos,
  "a System V queue by types": queue,
  "two POSIX queues": queues,
};

for (const [name, open] of Object.entries(transports)) {
  Deno.test(`a service in another process: ${name}`, async () => {
    await using transport = await open();
    const bytes = !/line|NUL|input/.test(name);
    const peer = new RpcPeer(transport.channel, { binary: bytes });
    const api = client<Words>(peer);
    try {
      await suite(api, peer, Math.min(50_000, (transport.channel.maxMessageSize - 200) * 0.7 | 0));
    } finally {
      peer.close();
    }
    if (!name.includes("queue")) assertEquals((await transport.status).code, 0);
  });
}

for (const name of ["two pipes", "standard input and output", "two FIFOs"]) {
  Deno.test(`a service that is killed fails its calls at once: ${name}`, async () => {
    await using transport = await transports[name]!();
    const api = client<Words>(transport.channel);
    assertEquals(await api.add(1, 2), 3);
    const stream = await api.count(1_000_000);
    await stream.next();
    const calls = [api.hang(), api.die(), api.hang()];
    for (const call of calls) await assertRejects(() => call, DisconnectedError, "the other side is gone");
    await assertRejects(async () => {
      for await (const _ of stream);
    }, DisconnectedError);
    assert((await transport.status).code !== 0);
  });
}

Deno.test("a caller that goes ends what runs for it, and the one who serves goes on to its end", async () => {
  await using transport = await transports["two pipes"]!();
  const peer = new RpcPeer(transport.channel);
  const api = client<Words>(peer);
  void api.hang().catch(() => {});
  await until(() => peer.calls === 1);
  assertEquals(await api.add(1, 1), 2);
  peer.close();
  assertEquals((await transport.status).code, 0);
});

Deno.test(
  "a program that only writes requests and reads answers, line by line",
  { ignore: !has("sh") },
  async () => {
    const requests = [
      '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}',
      '{"jsonrpc":"2.0","id":2,"method":"count","params":[3]}',
      "no JSON",
      '{"jsonrpc":"2.0","method":"fail"}',
      '[{"jsonrpc":"2.0","id":3,"method":"reverse","params":["ab"]}]',
    ];
    const { stdout, success } = await new Deno.Command("sh", {
      args: ["-c", 'printf "%s\\n" "$@" | "$DENO" $RUN', "sh", ...requests],
      env: { DENO: Deno.execPath(), RUN: run("stdio", "lines", "half-open").join(" ") },
    }).output();
    assert(success);
    const answers = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
    const byId = (id: unknown) =>
      answers.find((answer) => answer.id === id || (Array.isArray(answer) && id === 3));
    assertEquals(answers.length, 4);
    assertEquals(byId(1), { jsonrpc: "2.0", id: 1, result: 3 });
    assertEquals(byId(2), { jsonrpc: "2.0", id: 2, result: [1, 2, 3] });
    assertEquals(byId(null).error.code, -32700);
    assertEquals(byId(3), [{ jsonrpc: "2.0", id: 3, result: "ba" }]);
  },
);
