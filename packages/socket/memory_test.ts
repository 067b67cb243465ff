import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { listenTcp } from "./tcp_listener.ts";
import type { TcpStream } from "./tcp.ts";
import { CEILING } from "./testdata/process.ts";

leakCheck();

const KIB = 1024;
const CROWD = 1000;

/** Bytes of memory outside the heap that one of the crowd has, on the average. */
function each(before: number): number {
  return (Deno.memoryUsage().external - before) / CROWD;
}

Deno.test("a thousand open connections that say little have little memory", async () => {
  using listener = await listenTcp("127.0.0.1:0", { maxConnections: CROWD });
  const port = Number(listener.address.split(":").at(-1));
  const clients: Deno.TcpConn[] = [];
  const channels: TcpStream[] = [];
  try {
    const before = Deno.memoryUsage().external;
    while (clients.length < CROWD) clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    while (channels.length < CROWD) {
      const channel = (await listener.accept(CEILING))!;
      channels.push(channel);
      // Now there is memory to read into.
      assertEquals(channel.tryReceive(), undefined);
    }
    assert(each(before) < 8 * KIB, `a connection that is idle has ${each(before)} bytes`);
    for (const client of clients) await client.write(new Uint8Array([5, 0, 0, 0, 1, 2, 3, 4, 5]));
    for (const channel of channels) {
      assertEquals(await channel.receive(CEILING), new Uint8Array([1, 2, 3, 4, 5]));
    }
    assert(each(before) < 12 * KIB, `one that had a message has ${each(before)} bytes`);
  } finally {
    for (const channel of channels) channel.close();
    for (const client of clients) client.close();
  }
});
