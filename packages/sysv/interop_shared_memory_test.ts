import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Key, NotFoundError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { SharedMemory } from "./mod.ts";
import {
  c,
  commonFields,
  OwnKey,
  Peer,
  perl,
  php,
  python3,
  seconds,
  toHex,
} from "./testdata/interop_peer.ts";

leakCheck();

const SIZE = 5000;
const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Compares every field that a peer tells, and returns their names. */
async function compareStatus(peer: Peer, memory: SharedMemory): Promise<string[]> {
  const told = await peer.ask<Record<string, number>>("memory", "status");
  const status = memory.stat();
  const ours: Record<string, number> = {
    ...commonFields(status),
    segsz: status.size,
    nattch: status.attachCount,
    cpid: status.creatorPid,
    lpid: status.lastPid,
    atime: seconds(status.lastAttachTime),
    dtime: seconds(status.lastDetachTime),
  };
  for (const [name, value] of Object.entries(told)) assertEquals([name, ours[name]], [name, value]);
  return Object.keys(told);
}

const FIELDS = [
  "atime",
  "cgid",
  "cpid",
  "ctime",
  "cuid",
  "dtime",
  "gid",
  "lpid",
  "mode",
  "nattch",
  "segsz",
  "uid",
];

for (const language of [c, perl, python3, php]) {
  const { name, missing: ignore } = language;

  Deno.test(`shared memory that ${name} created is used and removed by us`, { ignore }, async () => {
    using own = new OwnKey();
    await using peer = await Peer.start(language);
    await peer.ask("memory", "create", own.key, SIZE, "640");
    await peer.ask("memory", "write", 1000, toHex(everyByte));

    using memory = SharedMemory.open(own.key);
    const { size, mode, creatorPid, attachCount } = memory.stat();
    assertEquals([size, mode, creatorPid, attachCount], [SIZE, 0o640, peer.pid, 2]);
    assertEquals((await compareStatus(peer, memory)).sort(), language === php ? ["segsz"] : FIELDS);

    assertEquals(memory.bytes.subarray(1000, 1256), everyByte);
    assertEquals(memory.bytes[999], 0);
    memory.bytes.set(everyByte.toReversed(), SIZE - 256);
    assertEquals(await peer.ask("memory", "read", SIZE - 256, 256), toHex(everyByte.toReversed()));

    await peer.ask("memory", "detach");
    assertEquals(memory.stat().attachCount, 1);
    memory.remove();
    assertThrows(() => SharedMemory.open(own.key), NotFoundError);
  });

  Deno.test(`shared memory that we created is used and removed by ${name}`, { ignore }, async () => {
    using own = new OwnKey();
    using memory = SharedMemory.create(own.key, SIZE);
    memory.bytes.set(everyByte, 7);
    await using peer = await Peer.start(language);
    await peer.ask("memory", "open", own.key);
    await compareStatus(peer, memory);

    assertEquals(await peer.ask("memory", "read", 7, 256), toHex(everyByte));
    await peer.ask("memory", "write", 4000, toHex(everyByte));
    assertEquals(memory.bytes.subarray(4000, 4256), everyByte);

    await peer.ask("memory", "remove");
    assertEquals([memory.stat().removalPending, memory.stat().key], [true, 0 as Key]);
    await peer.ask("memory", "detach");
    assertEquals(memory.bytes[4255], 255, "still attached here");
  });
}

Deno.test(
  "counters in memory of C are seen by Atomics while they change",
  { ignore: c.missing },
  async () => {
    using own = new OwnKey();
    using memory = SharedMemory.create(own.key, 64);
    await using peer = await Peer.start(c);
    await peer.ask("memory", "open", own.key);
    const words = new Uint32Array(memory.buffer, 0, 16);
    Atomics.store(words, 3, 0x01020304);
    assertEquals(await peer.ask("memory", "read", 12, 4), "04030201");
    await peer.ask("memory", "write", 12, "ffffffff");
    assertEquals(Atomics.add(words, 3, 2), 0xffff_ffff);
    assertEquals(await peer.ask("memory", "read", 12, 4), "01000000");
  },
);

/** What shm_put_var writes: a header of four words, then variables of three words and a serialised value each. */
function phpVariables(memory: SharedMemory): Map<number, string> {
  const view = new DataView(memory.buffer);
  const word = (offset: number) => Number(view.getBigInt64(offset, true));
  const text = (offset: number, length: number) => new TextDecoder().decode(memory.read(offset, length));
  assertEquals(text(0, 8), "PHP_SM\0\0");
  const [start, end] = [word(8), word(16)];
  const found = new Map<number, string>();
  for (let at = start; at < end; at += word(at + 16)) found.set(word(at), text(at + 24, word(at + 8)));
  return found;
}

Deno.test("variables of php's shm_put_var are read, and written", { ignore: php.missing }, async () => {
  using own = new OwnKey();
  await using peer = await Peer.start(php);
  await peer.ask("table", "attach", own.key, 2000);
  await peer.ask("table", "put", 5, '"hello"');
  await peer.ask("table", "put", 7, "[1.5,true]");

  using memory = SharedMemory.open(own.key);
  assertEquals(memory.byteLength, 2000);
  assertEquals(
    phpVariables(memory),
    new Map([[5, 's:5:"hello";'], [7, "a:2:{i:0;d:1.5;i:1;b:1;}"]]),
  );

  const at = new TextDecoder("latin1").decode(memory.bytes).indexOf("hello");
  assert(at > 0);
  memory.write(at, new TextEncoder().encode("olleh"));
  assertEquals(await peer.ask("table", "get", 5), { value: "olleh" });
  await peer.ask("table", "remove");
  assertThrows(() => SharedMemory.open(own.key), NotFoundError);
});
