import { assert, assertEquals } from "@std/assert";
import { BrokenPipeError, type Bytes, TruncatedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { reconnecting } from "./reconnect.ts";
import { listenTcp } from "./tcp_listener.ts";
import { connectTcp } from "./tcp.ts";
import { settled } from "./testdata/net_pairs.ts";
import { newSeed, seeded, TcpProxy, UdpProxy } from "./testdata/proxy.ts";
import { bindUdp, connectUdp } from "./udp.ts";

leakCheck();

/** A test behind which no thread waits any more. */
function test(name: string, run: () => void | Promise<void>): void {
  Deno.test(name, async () => {
    await run();
    await settled();
  });
}

/** Message number `index` of `random`'s length: its number, then bytes that follow from it. */
function letter(index: number, random: () => number): Uint8Array {
  const message = new Uint8Array(4 + Math.floor(random() ** 4 * 40_000)).fill(index);
  new DataView(message.buffer).setUint32(0, index);
  return message;
}

function numberOf(message: Uint8Array): number {
  const index = new DataView(message.buffer, message.byteOffset).getUint32(0);
  assert(message.subarray(4).every((byte) => byte === (index & 0xff)), "the message is not whole");
  return index;
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function withSeed(run: (seed: number, random: () => number) => Promise<void>): Promise<void> {
  const seed = newSeed();
  try {
    await run(seed, seeded(seed ^ 0x5eed));
  } catch (error) {
    throw new Error(`With IPC_TEST_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}

test("TCP that is delayed and split carries every message whole, once and in order, both ways", async () => {
  await withSeed(async (seed, random) => {
    const count = scaled(500);
    await using listener = await listenTcp("127.0.0.1:0");
    await using proxy = new TcpProxy(listener.address, { seed });
    using client = await connectTcp(proxy.address);
    using server = (await listener.accept())!;
    const letters = Array.from({ length: count }, (_, index) => letter(index, random));
    const there = Array.fromAsync(server, numberOf);
    const back = Array.fromAsync(client, numberOf);
    for (const channel of [client, server]) {
      await channel.sendBatch(letters);
      await channel.end();
    }
    const numbers = letters.map((_, index) => index);
    assertEquals(await there, numbers);
    assertEquals(await back, numbers);
  });
});

test("TCP that is cut delivers whole messages in order, and then says so or ends", async () => {
  await withSeed(async (seed, random) => {
    for (let round = 0; round < scaled(50); round++) {
      await using listener = await listenTcp("127.0.0.1:0");
      const cutAfter = (random: () => number) => Math.floor(random() * 100_000);
      await using proxy = new TcpProxy(listener.address, { seed: seed + round, cutAfter });
      using client = await connectTcp(proxy.address);
      using server = (await listener.accept())!;
      const sending = (async () => {
        for (let index = 0;; index++) await client.send(letter(index, random));
      })().catch((error) => error);
      let next = 0;
      try {
        for await (const message of server) assertEquals(numberOf(message), next++);
      } catch (error) {
        assert(error instanceof TruncatedError || error instanceof BrokenPipeError, String(error));
      }
      assert((await sending) instanceof BrokenPipeError);
      assertEquals(proxy.cuts, 1);
    }
  });
});

test("a reconnecting client over cut TCP sends nothing twice, and tells what may be lost", async () => {
  await withSeed(async (seed) => {
    const count = Math.max(100, scaled(300));
    const numbers = Array.from({ length: count }, (_, index) => index);
    await using listener = await listenTcp("127.0.0.1:0");
    const cutAfter = (random: () => number) => 2000 + Math.floor(random() * 20_000);
    await using proxy = new TcpProxy(listener.address, { seed, cutAfter });
    const received = new Set<number>();
    let twice = 0;
    const serving = (async () => {
      const connections: Promise<void>[] = [];
      for await (const channel of listener) {
        connections.push((async () => {
          using server = channel;
          try {
            for await (const message of server) {
              const index = numberOf(message);
              if (received.has(index)) twice++;
              received.add(index);
            }
          } catch (error) {
            assert(error instanceof TruncatedError || error instanceof BrokenPipeError, String(error));
          }
        })());
      }
      await Promise.all(connections);
    })();
    const uncertain = new Set<number>();
    let reconnected = 0;
    using client = await reconnecting((options) => connectTcp(proxy.address, options), {
      delay: 1,
      maxDelay: 2,
      onReconnect: () => reconnected++,
      onUncertain: (messages: Bytes[]) => messages.forEach((message) => uncertain.add(numberOf(message))),
    });
    // A waiting receive is what notices a loss first.
    const watching = client.receive();
    for (let index = 0; index < count; index++) {
      const message = new Uint8Array(1000).fill(index);
      new DataView(message.buffer).setUint32(0, index);
      await client.send(message).catch((error) => assertEquals(error.code, "EUNCERTAIN"));
      if (index % 10 === 9) await sleep(1);
    }
    const open = () => numbers.filter((index) => !received.has(index) && !uncertain.has(index));
    for (let looks = 0; open().length > 0 && looks < 2000; looks++) await sleep(5);
    assertEquals(open(), [], "messages are lost, and nobody was told");
    client.close();
    assertEquals(await watching, undefined);
    listener.close();
    await proxy[Symbol.asyncDispose]();
    await serving;
    assertEquals(twice, 0);
    assert(reconnected > 0, "the connection was never cut");
  });
});

test("UDP that is dropped, doubled and reordered still arrives whole or not at all", async () => {
  await withSeed(async (seed, random) => {
    const count = scaled(2000);
    using receiver = await bindUdp("127.0.0.1:0", { receiveBufferSize: 4 * 1024 * 1024 });
    await using proxy = await UdpProxy.start(receiver.address.port, {
      seed,
      drop: 0.1,
      double: 0.1,
      reorder: 0.1,
    });
    using sender = await connectUdp(proxy.address);
    const copies = new Array<number>(count).fill(0);
    const receive = async (timeout: number) => {
      const message = await receiver.receive({ timeout });
      copies[numberOf(message!)]!++;
    };
    for (let index = 0; index < count; index++) {
      await sender.send(letter(index, random));
      // Not faster than the proxy, which has a small buffer.
      if (index % 5 === 4) await receive(200).catch(() => {});
    }
    for (;;) {
      try {
        await receive(200);
      } catch {
        break;
      }
    }
    const { passed, dropped } = proxy.counts;
    assert(copies.every((times) => times <= 2), "a datagram came more than twice");
    const arrived = copies.reduce((sum, times) => sum + times, 0);
    assert(arrived > 0 && arrived <= passed, `${arrived} of ${passed} arrived, ${dropped} were dropped`);
  });
});
