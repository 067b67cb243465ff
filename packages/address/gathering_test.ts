import { assertEquals, assertRejects } from "@std/assert";
import { ERRNO, type IpcError, MessageTooLongError, TimeoutError } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { leakCheck, withFault } from "@ipc/core/testing";
import { connectUnix, type Listener, listenUnix, type UnixStream } from "@ipc/socket";
import { Gathering, type GatheringOptions } from "./_gathering.ts";

leakCheck();

const CEILING = { timeout: 20_000 };
const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);

/** Gathers at a path, and runs a test that connects there. */
async function gathering(
  options: GatheringOptions,
  test: (receiver: BaseReceiver, open: () => Promise<UnixStream>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const address = { type: "unix", path: `${folder}/in` } as const;
  const listener = await listenUnix(address, { maxMessageSize: 100 }) as Listener<UnixStream>;
  const clients: UnixStream[] = [];
  const open = async () => {
    const client = await connectUnix(address) as UnixStream;
    clients.push(client);
    return client;
  };
  const receiver = new BaseReceiver(new Gathering(listener, options));
  try {
    await test(receiver, open);
  } finally {
    receiver.close();
    for (const client of clients) client.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("who connects and says nothing shuts nobody out: the one that was silent for longest makes room", () =>
  gathering({ most: 3 }, async (receiver, open) => {
    const talking = await open();
    await talking.send(bytes("first"));
    assertEquals(textOf(await receiver.receive(CEILING)), "first");
    const silent = [await open(), await open(), await open()];
    await assertRejects(() => receiver.receive({ timeout: 20 }), TimeoutError);
    // It was silent for longest: the three came later.
    assertEquals(await talking.receive(CEILING), undefined);
    const honest = await open();
    await honest.send(bytes("honest"));
    assertEquals(textOf(await receiver.receive(CEILING)), "honest");
    assertEquals(await silent[0]!.receive(CEILING), undefined);
    await silent[1]!.send(bytes("not any more"));
    assertEquals(textOf(await receiver.receive(CEILING)), "not any more");
  }));

Deno.test("who has said something that was not received yet makes no room before it is", () =>
  gathering({ most: 2 }, async (receiver, open) => {
    for (const word of ["a", "b", "c", "d"]) await (await open()).send(bytes(word));
    const got: unknown[] = [];
    for (let count = 0; count < 4; count++) got.push(textOf(await receiver.receive(CEILING)));
    assertEquals(got.toSorted(), ["a", "b", "c", "d"]);
  }));

Deno.test("where no descriptor is left one that is silent makes room, too", () =>
  gathering({}, async (receiver, open) => {
    const silent = await open();
    await assertRejects(() => receiver.receive({ timeout: 20 }), TimeoutError);
    const honest = await open();
    await honest.send(bytes("honest"));
    const fault = { nth: 1, symbols: "accept4", errno: ERRNO.EMFILE };
    const { hit, result } = await withFault(fault, () => receiver.receive(CEILING));
    assertEquals([hit, textOf(result)], ["accept4", "honest"]);
    assertEquals(await silent.receive(CEILING), undefined);
  }));

Deno.test("what one connection did wrong is told, and the others go on", async () => {
  const told: unknown[] = [];
  await gathering({ onLost: (error) => told.push((error as IpcError).name) }, async (receiver, open) => {
    const [bad, good] = [await open(), await open()];
    const receiving = receiver.receiveBatch(CEILING);
    await bad.send(new Uint8Array(101));
    assertEquals(await bad.receive(CEILING), undefined);
    await good.send(bytes("good"));
    assertEquals((await receiving).map(textOf), ["good"]);
    assertEquals(told, ["MessageTooLongError"]);
  });
  await gathering({}, async (receiver, open) => {
    const bad = await open();
    await bad.send(new Uint8Array(101));
    await assertRejects(() => receiver.receive(CEILING), MessageTooLongError);
  });
});
