import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Bytes, NotFoundError, RemovedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { MessageQueue, type MessageSelector } from "./mod.ts";
import {
  c,
  commonFields,
  type Language,
  OwnKey,
  Peer,
  type PeerMessage,
  perl,
  php,
  python3,
  seconds,
  toHex,
} from "./testdata/interop_peer.ts";

Deno.test.beforeAll(warmUpWaiting);
leakCheck();

const CEILING = { timeout: 20_000 };

const messages: { type: number; data: Bytes }[] = [
  { type: 1, data: Uint8Array.from({ length: 256 }, (_, byte) => byte) },
  { type: 2, data: new Uint8Array() },
  { type: 2 ** 31 - 1, data: Uint8Array.of(0) },
  { type: 2 ** 40 + 1, data: new TextEncoder().encode("line\nline\r\n\0 é \0\0") },
  { type: 7, data: Uint8Array.from({ length: 8192 }, (_, index) => index * 31 >> 3) },
];

/** What a language can send: the module of python has types of 32 bits. */
function sendable(language: Language): typeof messages {
  return messages.filter(({ type }) => language !== python3 || type < 2 ** 31);
}

/** What a peer says of a message. */
function told({ type, data }: { type: number; data: Uint8Array }): PeerMessage {
  return { type, hex: data.byteLength === 0 ? "" : toHex(data) };
}

function bytes(text: string): Bytes {
  return new TextEncoder().encode(text);
}

function send(peer: Peer, { type, data }: { type: number; data: Uint8Array }): Promise<unknown> {
  return peer.ask("queue", "send", type, toHex(data));
}

/** Compares every field that a peer tells, and returns their names. */
async function compareStatus(peer: Peer, queue: MessageQueue): Promise<string[]> {
  const fields = await peer.ask<Record<string, number>>("queue", "status");
  const status = queue.stat();
  const ours: Record<string, number> = {
    ...commonFields(status),
    qnum: status.messages,
    cbytes: status.bytes,
    qbytes: status.maxBytes,
    lspid: status.lastSendPid,
    lrpid: status.lastReceivePid,
    stime: seconds(status.lastSendTime),
    rtime: seconds(status.lastReceiveTime),
  };
  for (const [name, value] of Object.entries(fields)) assertEquals([name, ours[name]], [name, value]);
  return Object.keys(fields);
}

/** What every language tells. */
const FIELDS = ["uid", "gid", "mode", "qnum", "qbytes", "lspid", "lrpid", "stime", "rtime", "ctime"];

for (const language of [c, perl, python3, php]) {
  const { name, missing: ignore } = language;

  Deno.test(`a queue that ${name} created is used and removed by us`, { ignore }, async () => {
    using own = new OwnKey();
    await using peer = await Peer.start(language);
    await peer.ask("queue", "create", own.key, "640");

    using queue = MessageQueue.open(own.key);
    assertEquals(queue.stat().mode, 0o640);
    for (const message of sendable(language)) await send(peer, message);
    assertEquals(queue.stat().lastSendPid, peer.pid);
    const fields = await compareStatus(peer, queue);
    assertEquals(FIELDS.filter((field) => !fields.includes(field)), []);
    for (const message of sendable(language)) assertEquals(await queue.receiveMessage(CEILING), message);

    for (const { type, data } of messages) await queue.send(data, { type, ...CEILING });
    for (const message of messages) assertEquals(await peer.ask("queue", "receive", 0), told(message));
    assertEquals([queue.stat().lastSendPid, queue.stat().lastReceivePid], [Deno.pid, peer.pid]);
    await compareStatus(peer, queue);

    const waiting = peer.ask("queue", "receive", 0);
    queue.remove();
    await assertRejects(() => waiting, Error, "failed");
    assertThrows(() => MessageQueue.open(own.key), NotFoundError);
  });

  Deno.test(`a queue that we created is used and removed by ${name}`, { ignore }, async () => {
    using own = new OwnKey();
    using queue = MessageQueue.create(own.key);
    await using peer = await Peer.start(language);
    await peer.ask("queue", "open", own.key);

    for (const message of sendable(language)) {
      const received = queue.receiveMessage(CEILING);
      await send(peer, message);
      assertEquals(await received, message);
    }
    for (const message of messages) {
      const received = peer.ask("queue", "receive", 0);
      await queue.send(message.data, { type: message.type, ...CEILING });
      assertEquals(await received, told(message));
    }
    await compareStatus(peer, queue);

    const waiting = [queue.receive(CEILING), queue.receiveMessage({ type: 5, ...CEILING })];
    const gone = Promise.all(waiting.map((receive) => assertRejects(() => receive, RemovedError)));
    await peer.ask("queue", "remove");
    await gone;
    assertThrows(() => queue.stat(), RemovedError);
  });

  Deno.test(`types choose messages, for ${name} and for us`, { ignore }, async () => {
    using own = new OwnKey();
    using queue = MessageQueue.create(own.key, { removeOnClose: true });
    await using peer = await Peer.start(language);
    await peer.ask("queue", "open", own.key);

    const types = [30, 10, 20, 50, 40];
    for (const type of types) queue.sendSync(bytes(`${type}`), { type });
    const take = async (...words: [string, number]) => (await peer.ask<PeerMessage>("queue", ...words)).type;
    assertEquals(await take("receive", 50), 50);
    assertEquals(await take("receive", -30), 10, "the lowest up to 30");
    assertEquals(await take("receive", 0), 30, "the first");
    assertEquals(await take(language === python3 ? "receive" : "except", language === python3 ? 40 : 20), 40);
    assertEquals(await take("receive", 0), 20);

    for (const type of types) await send(peer, { type, data: bytes(`${type}`) });
    const ours = async (selector: MessageSelector) =>
      (await queue.receiveMessage({ ...selector, ...CEILING }))?.type;
    assertEquals(await ours({ type: 50 }), 50);
    assertEquals(await ours({ atMost: 30 }), 10);
    assertEquals(await ours({ except: 30 }), 20);
    assertEquals(await ours({}), 30);
    assertEquals(queue.stat().messages, 1);

    const waiting = ours({ type: 60 });
    await send(peer, { type: 59, data: bytes("not this") });
    await send(peer, { type: 60, data: bytes("this") });
    assertEquals(await waiting, 60);
  });
}

Deno.test("what php serialises arrives byte for byte, both ways", { ignore: php.missing }, async () => {
  using own = new OwnKey();
  using queue = MessageQueue.create(own.key, { removeOnClose: true });
  await using peer = await Peer.start(php);
  await peer.ask("queue", "open", own.key);

  await peer.ask("queue", "send_value", 3, '{"n":1,"list":[true,null,1.5,"é\\u0000"]}');
  assertEquals(await queue.receiveMessage(CEILING), {
    type: 3,
    data: bytes('a:2:{s:1:"n";i:1;s:4:"list";a:4:{i:0;b:1;i:1;N;i:2;d:1.5;i:3;s:3:"é\0";}}'),
  });

  await queue.send(bytes('a:1:{s:3:"key";s:3:"é\n";}'), { type: 4, ...CEILING });
  assertEquals(await peer.ask("queue", "receive_value", 4), { type: 4, value: { key: "é\n" } });
});
