import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AlreadyExistsError, NotFoundError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import type { ConsumedRecord, LogRecord } from "@ipc/file";
import {
  AddressError,
  connect,
  list,
  listen,
  type LogFileStatus,
  make,
  parseAddress,
  remove,
  stat,
} from "./mod.ts";

leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);

function folder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("connect() opens a log that exists: each reader at its own place", async () => {
  using dir = folder();
  const address = `file:${dir.path}/log`;
  for (const direction of ["send", "receive"] as const) {
    await assertRejects(() => connect(address, { direction } as { direction: "send" }), NotFoundError);
  }
  await make(address);
  const before = new Date(Date.now() - 1000).toISOString();
  await using sender = await connect(address, { direction: "send" });
  await sender.sendBatch(["a", "b", "c"].map(bytes));
  const firstOf = async (query: string) => {
    using receiver = await connect(`${address}${query}`, { direction: "receive" });
    return textOf(await receiver.receive({ timeout: 20 }));
  };
  assertEquals(await firstOf(""), "a");
  assertEquals(await firstOf("?from=start"), "a");
  assertEquals(await firstOf("?from=2"), "b");
  assertEquals(await firstOf(`?from=${encodeURIComponent(before)}`), "a");
  await assertRejects(() => firstOf("?from=end"), TimeoutError);
});

Deno.test("messages of a log tell their sequence and time, those of a consumer can be acknowledged", async () => {
  using dir = folder();
  const address = `file:${dir.path}/log`;
  await make(address);
  await using sender = await connect(address, { direction: "send" });
  await sender.sendBatch(["a", "b"].map(bytes));
  type Telling = { receiveMessage(): Promise<LogRecord & Partial<ConsumedRecord>> };
  using reader = await connect(address, { direction: "receive" });
  const { sequence, time } = await (reader as unknown as Telling).receiveMessage();
  assertEquals(sequence, 1);
  assert(Math.abs(Date.now() - time.getTime()) < 60_000);
  for (const [word, used] of [["a", false], ["a", true], ["b", true]] as const) {
    using member = await connect(`${address}?consumer=w`, { direction: "receive" });
    const record = await (member as unknown as Telling).receiveMessage();
    assertEquals(textOf(record.data), word);
    if (used) record.acknowledge!();
  }
});

Deno.test("listen() creates a log, and removes only what it created", async () => {
  using dir = folder();
  const address = `file:${dir.path}/log`;
  const first = await listen(address, { direction: "receive", removeOnClose: true, mode: 0o640 });
  assertEquals((await stat(address) as LogFileStatus).mode, 0o640);
  const second = await listen(address, { direction: "send", removeOnClose: true });
  await second.send(bytes("x"));
  assertEquals(textOf(await first.receive()), "x");
  second.close();
  assertEquals((await stat(address) as LogFileStatus).last, 1);
  first.close();
  await assertRejects(() => stat(address), NotFoundError);
  (await listen(address, { direction: "send" })).close();
  assertEquals((await stat(address) as LogFileStatus).last, 0);
});

Deno.test("make(), stat(), list() and remove() follow the life of a log", async () => {
  using dir = folder();
  const address = `file:${dir.path}/a/my%25log`;
  Deno.mkdirSync(`${dir.path}/a/settings`, { recursive: true });
  for (const look of [stat, remove]) await assertRejects(() => look(address), NotFoundError);
  await make(address, { fsync: "always", segmentBytes: 4096, retainBytes: 16_384, maxMessageSize: 5000 });
  await assertRejects(() => make(address), AlreadyExistsError);
  await assertRejects(() => make(address, { size: 1 }), AddressError, "no size");
  {
    await using sender = await connect(address, { direction: "send" });
    assertEquals(sender.maxMessageSize, 5000);
    for (let count = 0; count < 30; count++) await sender.send(new Uint8Array(1000));
  }
  const status = await stat(address) as LogFileStatus;
  assertEquals([status.type, status.mode, status.last, status.fsync], ["file", 0o600, 30, "always"]);
  assert(status.first > 1 && status.segments > 1 && status.bytes < 24_000, Deno.inspect(status));
  assert(Math.abs(Date.now() - status.modifyTime!.getTime()) < 60_000);
  assertEquals(list([`file:${dir.path}`]), [status]);
  Deno.writeTextFileSync(`${dir.path}/a/my%log/mine`, "");
  await assertRejects(() => remove(address));
  assertEquals(Deno.readTextFileSync(`${dir.path}/a/my%log/mine`), "");
});

Deno.test("framing follows a text file that any program appends to", async () => {
  using dir = folder();
  const path = `${dir.path}/text`;
  using receiver = await connect(`file:${path}?framing=lines`, { direction: "receive" });
  const pending = receiver.receive();
  Deno.writeTextFileSync(path, "one\ntw");
  assertEquals(textOf(await pending), "one");
  Deno.writeTextFileSync(path, "o\n", { append: true });
  assertEquals(textOf(await receiver.receive()), "two");
  using all = await connect(`file:${path}?framing=lines&from=start`, { direction: "receive" });
  assertEquals((await all.receiveBatch()).map(textOf), ["one", "two"]);
  await assertRejects(
    () => connect(`file:${path}?framing=lines`, { direction: "send" }),
    AddressError,
    "only followed",
  );
});

Deno.test("an address of a log is checked before anything is opened", async () => {
  const wrong = {
    "file:": "it has no path",
    "file:/l?from=0": "must be start, end, a number from 1, or a time",
    "file:/l?from=yesterday": "must be start, end",
    "file:/l?consumer=.x": "must be letters",
    "file:/l?framing=lines&consumer=w": "?consumer= is for a log",
    "file:/l?framing=lines&from=3": "from its start or its end",
  };
  for (const [address, message] of Object.entries(wrong)) {
    assertThrows(() => parseAddress(address), AddressError, message);
  }
  await assertRejects(() => connect("file:/l" as string), AddressError, "its own messages back");
});
