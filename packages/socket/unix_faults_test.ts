import { faultSuite, leakCheck } from "@ipc/core/testing";
import { bindUnixDatagram, connect, listen, socketPair } from "./mod.ts";
import { openSeqpacketPair, openStreamPair } from "./testdata/unix_pairs.ts";

leakCheck();

async function withPath(action: (path: string) => Promise<unknown>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(`${folder}/socket`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

faultSuite("unix", openStreamPair, {
  more: {
    "a pair of each kind": () => {
      for (const type of ["stream", "seqpacket", "datagram"] as const) {
        const [first, second] = (socketPair as (type: string) => Disposable[])(type);
        first![Symbol.dispose]();
        second![Symbol.dispose]();
      }
    },
    "a peer looked at": () => {
      const [first, second] = socketPair("stream");
      try {
        first.peer();
        second.peerPidfd()?.close();
      } finally {
        first.close();
        second.close();
      }
    },
    "a connection accepted": () =>
      withPath(async (path) => {
        using listener = await listen({ type: "unix-seqpacket", path });
        using client = await connect({ type: "unix-seqpacket", path });
        using server = await listener.accept();
        await client.send(new Uint8Array(1));
        await server?.receive();
      }),
    "a dead server's path taken over": () =>
      withPath(async (path) => {
        const dead = await listen({ type: "unix", path });
        Deno.renameSync(path, `${path}.old`);
        dead.close();
        Deno.renameSync(`${path}.old`, path);
        (await listen({ type: "unix", path })).close();
      }),
    "an answer by datagram": () =>
      withPath(async (path) => {
        using server = await bindUnixDatagram(path);
        using client = await connect({ type: "unix-dgram", path });
        await client.send(new Uint8Array(3));
        const message = await server.receiveMessage();
        server.sendSync(new Uint8Array(2), message?.from === undefined ? {} : { to: message.from });
        client.receiveSync({ timeout: 1000 });
      }),
  },
});

// A message enters the kernel whole, or not at all.
faultSuite("unix-seqpacket", openSeqpacketPair, { short: false });
