import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, duplex, type Receiver, type SyncChannel } from "@ipc/core";
import { hasReadiness, READY } from "@ipc/core/base";
import { memoryChannel } from "@ipc/core/testing";

const ONE = new Uint8Array([1]);
const TWO = new Uint8Array([2]);

function pair(): [SyncChannel, SyncChannel] {
  const there = memoryChannel({ capacity: 1 << 16 });
  const back = memoryChannel({ capacity: 1 << 16 });
  return [duplex(back.receiver, there.sender), duplex(there.receiver, back.sender)];
}

Deno.test("duplex: both directions, in every form", async () => {
  const [here, peer] = pair();
  await here.send(ONE);
  await here.sendBatch([TWO]);
  here.sendSync(ONE);
  assert(here.trySend(TWO));
  assertEquals(await peer.receive(), ONE);
  assertEquals((await peer.receiveBatch({ max: 1 })).length, 1);
  await peer.send(ONE);
  let answer = here.tryReceive();
  while (answer === undefined) answer = await here.receive();
  assertEquals(answer, ONE);
  assertEquals(here.maxMessageSize, 16 * 1024 * 1024);
  here.close();
  peer.close();
});

Deno.test("duplex: end ends one direction only", async () => {
  const [here, peer] = pair();
  await here.end();
  assertEquals(await peer.receive(), undefined);
  assertEquals([peer.ended, here.ended], [true, false]);
  await assertRejects(() => here.send(ONE), ClosedError);
  await peer.send(TWO);
  assertEquals(await here.receive(), TWO);
  await peer.end();
  const seen = [];
  for await (const message of here) seen.push(message);
  assertEquals(seen, []);
  here.close();
  peer.close();
});

Deno.test("duplex: close closes both halves, even when one throws", async () => {
  const there = memoryChannel();
  const back = memoryChannel();
  const channel = duplex(back.receiver, there.sender);
  const pending = channel.receive();
  channel.close();
  channel.close();
  assertEquals(await pending, undefined);
  await assertRejects(() => channel.receive(), ClosedError);
  await assertRejects(() => channel.send(ONE), ClosedError);

  const stubborn = memoryChannel();
  const sender = Object.create(stubborn.sender, {
    close: {
      value: () => {
        throw new Error("stuck");
      },
    },
  });
  const other = memoryChannel();
  const broken = duplex(other.receiver as Receiver, sender);
  try {
    broken.close();
  } catch { /* What matters is the other half. */ }
  await assertRejects(() => other.receiver.receive(), ClosedError);
  stubborn.sender.close();
});

Deno.test("duplex: asynchronous disposal ends and closes", async () => {
  const [here, peer] = pair();
  {
    await using channel = here;
    await channel.send(ONE);
  }
  assertEquals(await peer.receive(), ONE);
  assertEquals(await peer.receive(), undefined);
  await assertRejects(() => here.receive(), ClosedError);
  {
    using _ = peer;
  }
  await assertRejects(() => peer.receive(), ClosedError);
});

Deno.test("duplex: streams", async () => {
  const [here, peer] = pair();
  await Promise.all([
    new Response(new Uint8Array(1000)).body!.pipeTo(here.writable),
    (async () => {
      let bytes = 0;
      for await (const message of peer.readable) bytes += message.length;
      assertEquals(bytes, 1000);
    })(),
  ]);
  here.close();
  peer.close();
});

Deno.test("duplex: says when a message is there", async () => {
  const [here, peer] = pair();
  assert(hasReadiness(here));
  const ready = here[READY]();
  await peer.send(ONE);
  await ready;
  assertEquals(await here.receive({ timeout: 0 }), ONE);
  here.close();
  peer.close();
});
