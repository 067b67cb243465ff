import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { formatKey, type Key, NotFoundError, RemovedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { list, MessageQueue, SemaphoreSet, SharedMemory, type SystemVStatus } from "./mod.ts";
import { c, OwnKey, Peer, seconds, until } from "./testdata/interop_peer.ts";

Deno.test.beforeAll(warmUpWaiting);
leakCheck();

const CEILING = { timeout: 20_000 };
const needs = (program: string) => ({ ignore: !has(program) });

type Flag = "-q" | "-s" | "-m";

/** Runs a program of util-linux and returns what it prints, in plain English and UTC. */
async function run(program: string, ...args: (string | number)[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(program, {
    args: args.map(String),
    stdin: "null",
    env: { LC_ALL: "C", TZ: "UTC" },
  }).output();
  const text = new TextDecoder();
  assertEquals(text.decode(stderr), "", `${program} ${args.join(" ")}`);
  return text.decode(stdout);
}

/** What `ipcs -i` prints as `name=value`, moments in seconds, and of a set the table of its semaphores. */
async function ipcsDetails(flag: Flag, id: number) {
  const printed = await run("ipcs", flag, "-i", id);
  const fields: Record<string, string | number> = {};
  for (const [, name = "", text = ""] of printed.matchAll(/(\w+) ?= ?([^\t\n,]*)/g)) {
    const value = text.trim();
    if (!/time$/.test(name)) fields[name] = /mode|perms/.test(name) ? value : Number(value);
    else fields[name] = value === "Not set" ? 0 : Date.parse(`${value} UTC`) / 1000;
  }
  const table = printed.split("\n").map((line) => line.trim().split(/ +/).map(Number))
    .filter((numbers) => numbers.length === 5 && numbers.every(Number.isInteger));
  return { fields, table };
}

/** The words of this object's line in the table that `ipcs` prints: key, id, owner, mode, and what differs. */
async function ipcsLine(flag: Flag, id: number): Promise<string[] | undefined> {
  const lines = (await run("ipcs", flag)).split("\n").map((line) => line.trim().split(/ +/));
  return lines.find((words) => words[1] === String(id));
}

/** This object as `lsipc --json` prints it, every value as text. */
async function lsipc(flag: Flag, id: number, columns: string): Promise<Record<string, string>> {
  const all = `KEY,ID,PERMS,UID,GID,CUID,CGID,CTIME,${columns}`;
  const printed = JSON.parse(
    await run("lsipc", flag, "--json", "--bytes", "--time-format", "iso", "-o", all),
  );
  const objects = Object.values(printed)[0] as Record<string, unknown>[];
  const found = objects.find((object) => String(object.id) === String(id));
  return Object.fromEntries(Object.entries(found ?? {}).map(([name, value]) => [name, String(value ?? "")]));
}

/** What is common to all three kinds, as `lsipc` prints it. */
function commonOf({ key, id, mode, uid, gid, creatorUid, creatorGid, changeTime }: SystemVStatus) {
  const perms = [..."rwxrwxrwx"].map((letter, bit) => mode & (0o400 >> bit) ? letter : "-").join("");
  return {
    key: formatKey(key),
    id: `${id}`,
    perms,
    uid: `${uid}`,
    gid: `${gid}`,
    cuid: `${creatorUid}`,
    cgid: `${creatorGid}`,
    ctime: iso(changeTime),
  };
}

function iso(time: Date | undefined): string {
  return time === undefined ? "" : time.toISOString().replace(".000Z", "+00:00");
}

const octal = (mode: number) => mode.toString(8);

const kinds = [
  {
    object: "message queue",
    flag: "-q",
    make: ["-Q"],
    create: (key: Key) => MessageQueue.create(key, { mode: 0o640 }),
    open: (target: Key | { id: number }) => MessageQueue.open(target),
  },
  {
    object: "semaphore set",
    flag: "-s",
    make: ["-S", 3],
    create: (key: Key) => SemaphoreSet.create(key, { mode: 0o640, size: 2 }),
    open: (target: Key | { id: number }) => SemaphoreSet.open(target),
  },
  {
    object: "memory segment",
    flag: "-m",
    make: ["-M", 5000],
    create: (key: Key) => SharedMemory.create(key, 5000, { mode: 0o640 }),
    open: (target: Key | { id: number }) => SharedMemory.open(target),
  },
] as const;

for (const { object, flag, make, create, open } of kinds) {
  Deno.test(`a ${object} that ipcmk created is opened by us, and gone for ipcs after remove`, {
    ignore: !has("ipcmk") || !has("ipcs"),
  }, async () => {
    const id = Number(/id: (\d+)/.exec(await run("ipcmk", ...make, "-p", "0604"))?.[1]);
    using handle = open({ id });
    try {
      const { key, mode } = handle.stat();
      assertEquals(mode, 0o604);
      using same = open(key);
      assertEquals(same.id, id);
      if (handle instanceof MessageQueue) {
        await handle.send(new Uint8Array(10), CEILING);
        assertEquals((await ipcsLine(flag, id))?.slice(4), ["10", "1"]);
      } else if (handle instanceof SemaphoreSet) {
        handle.setValues([1, 2, 3]);
        assertEquals((await ipcsDetails(flag, id)).table.map(([, value]) => value), [1, 2, 3]);
      } else {
        assertEquals(handle.byteLength, 5000);
        assertEquals((await ipcsLine(flag, id))?.slice(4, 6), ["5000", "2"]);
      }
    } finally {
      handle.remove();
      handle.close();
    }
    assertEquals(await ipcsLine(flag, id), undefined);
  });

  Deno.test(`a ${object} of ours is removed by ipcrm, by its id and by its key`, needs("ipcrm"), async () => {
    using own = new OwnKey();
    for (const name of ["id", "key"]) {
      using handle = create(own.key);
      await run("ipcrm", ...name === "id" ? [flag, handle.id] : [flag.toUpperCase(), formatKey(own.key)]);
      assertThrows(() => open(own.key), NotFoundError);
      // Memory stays until nobody has it attached.
      if (handle instanceof SharedMemory) assert(handle.stat().removalPending);
      else assertThrows(() => handle.stat(), RemovedError);
    }
  });
}

Deno.test("who waits learns that ipcrm removed the object", needs("ipcrm"), async () => {
  using own = new OwnKey();
  using queue = MessageQueue.create(own.key);
  using set = SemaphoreSet.create(own.key);
  const waiting = [
    queue.receive(CEILING),
    queue.receiveMessage({ type: 4, ...CEILING }),
    set.at(0).acquire(1, CEILING),
    set.operate([{ index: 0, by: -2 }], CEILING),
  ];
  const gone = Promise.all(waiting.map((wait: Promise<unknown>) => assertRejects(() => wait, RemovedError)));
  await run("ipcrm", "-q", queue.id, "-S", formatKey(own.key));
  await gone;
});

Deno.test("ipcs and lsipc show a queue of ours field by field", needs("lsipc"), async () => {
  using own = new OwnKey();
  using queue = MessageQueue.create(own.key, { mode: 0o640, maxBytes: 5000, removeOnClose: true });
  for (const length of [1, 20, 300]) queue.sendSync(new Uint8Array(length));
  queue.receiveSync();
  const status = queue.stat();
  const { id } = status;

  assertEquals((await ipcsLine("-q", id))?.slice(3), ["640", "320", "2"]);
  assertEquals((await ipcsDetails("-q", id)).fields, {
    msqid: id,
    uid: status.uid,
    gid: status.gid,
    cuid: status.creatorUid,
    cgid: status.creatorGid,
    mode: `0${octal(status.mode)}`,
    cbytes: status.bytes,
    qbytes: status.maxBytes,
    qnum: status.messages,
    lspid: status.lastSendPid,
    lrpid: status.lastReceivePid,
    send_time: seconds(status.lastSendTime),
    rcv_time: seconds(status.lastReceiveTime),
    change_time: seconds(status.changeTime),
  });
  assertEquals(await lsipc("-q", id, "USEDBYTES,MSGS,SEND,RECV,LSPID,LRPID"), {
    ...commonOf(status),
    usedbytes: `${status.bytes}`,
    msgs: `${status.messages}`,
    send: iso(status.lastSendTime),
    recv: iso(status.lastReceiveTime),
    lspid: `${status.lastSendPid}`,
    lrpid: `${status.lastReceivePid}`,
  });
  assertEquals(list().queues.find((queue) => queue.id === id), status);
});

Deno.test("ipcs and lsipc show a semaphore set of ours field by field", {
  ignore: !has("lsipc") || c.missing,
}, async () => {
  using own = new OwnKey();
  using set = SemaphoreSet.create(own.key, { mode: 0o640, size: 3, initial: [0, 7, 2], removeOnClose: true });
  set.at(1).acquireSync(2);
  await using peer = await Peer.start(c);
  await peer.ask("set", "open", own.key);
  const waiting = peer.ask("set", "operate", "2:0:");
  await until(() => set.at(2).waitersForZero === 1);
  const status = set.stat();
  const { id } = status;

  const { fields, table } = await ipcsDetails("-s", id);
  assertEquals(fields, {
    semid: id,
    uid: status.uid,
    gid: status.gid,
    cuid: status.creatorUid,
    cgid: status.creatorGid,
    mode: `0${octal(status.mode)}`,
    access_perms: `0${octal(status.mode)}`,
    nsems: status.semaphores,
    otime: seconds(status.lastOperationTime),
    ctime: seconds(status.changeTime),
  });
  assertEquals(table.map(([index, value]) => [index, value]), [[0, 0], [1, 5], [2, 2]]);
  assertEquals(
    table.map(([, , increase, zero, pid]) => [increase, zero, pid]),
    [0, 1, 2].map((index) => set.at(index)).map((semaphore) => [
      semaphore.waitersForIncrease,
      semaphore.waitersForZero,
      semaphore.lastPid,
    ]),
    "who waits, and who was the last",
  );
  assertEquals((await ipcsLine("-s", id))?.slice(3), ["640", "3"]);
  assertEquals(await lsipc("-s", id, "NSEMS,OTIME"), {
    ...commonOf(status),
    nsems: `${status.semaphores}`,
    otime: iso(status.lastOperationTime),
  });
  assertEquals(list().semaphoreSets.find((set) => set.id === id), status);
  set.setValues([0, 0, 0]);
  assertEquals(await waiting, true);
});

Deno.test("ipcs and lsipc show shared memory of ours field by field", needs("lsipc"), async () => {
  using own = new OwnKey();
  using memory = SharedMemory.create(own.key, 5000, { mode: 0o640 });
  SharedMemory.open(own.key).close();
  const status = memory.stat();
  const { id } = status;

  const { fields } = await ipcsDetails("-m", id);
  assertEquals(fields, {
    shmid: id,
    uid: status.uid,
    gid: status.gid,
    cuid: status.creatorUid,
    cgid: status.creatorGid,
    mode: `0${octal(status.mode)}`,
    access_perms: `0${octal(status.mode)}`,
    bytes: status.size,
    lpid: status.lastPid,
    cpid: status.creatorPid,
    nattch: status.attachCount,
    att_time: seconds(status.lastAttachTime),
    det_time: seconds(status.lastDetachTime),
    change_time: seconds(status.changeTime),
  });
  assertEquals((await ipcsLine("-m", id))?.slice(3), ["640", "5000", "1"]);
  assertEquals(await lsipc("-m", id, "SIZE,NATTCH,STATUS,ATTACH,DETACH,CPID,LPID"), {
    ...commonOf(status),
    size: `${status.size}`,
    nattch: `${status.attachCount}`,
    status: "",
    attach: iso(status.lastAttachTime),
    detach: iso(status.lastDetachTime),
    cpid: `${status.creatorPid}`,
    lpid: `${status.lastPid}`,
  });
  const { resident, swapped, creatorCommand, ...listed } = list().memories.find((memory) =>
    memory.id === id
  )!;
  assertEquals(listed, status);
  assertEquals([typeof resident, typeof swapped, typeof creatorCommand], ["number", "number", "string"]);

  memory.remove();
  assertEquals((await ipcsLine("-m", id))?.at(-1), "dest");
  assertMatch((await lsipc("-m", id, "STATUS")).status ?? "", /dest/);
});
