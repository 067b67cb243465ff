import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  NotFoundError,
  NotSupportedError,
  PermissionError,
  type Receiver,
  TimeoutError,
  UntrustedError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { MappedFile } from "@ipc/mmap";
import { MessageQueue, Semaphore, SharedMemory } from "@ipc/posix";
import { answer, inNamespaces, prepared } from "../posix/testdata/process.ts";
import {
  AddressError,
  connect,
  limits,
  list,
  listen,
  make,
  type MappedFileStatus,
  type NamedMemoryStatus,
  type NamedQueueStatus,
  type NamedSemaphoreStatus,
  openMemory,
  openSemaphore,
  remove,
  stat,
} from "./mod.ts";
import { waitsEnded } from "./testdata/waits.ts";

leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);
const newName = () => `/ipc-test-${crypto.randomUUID()}`;

/** A queue of which as many can be made at the same time as tests like. */
const SMALL = { maxMessages: 4, maxMessageSize: 64 } as const;

/** An object that is gone at the end of the block, whatever happened. */
async function made(
  scheme: string,
  options: Parameters<typeof make>[1] = {},
): Promise<{ readonly name: string; readonly address: string } & AsyncDisposable> {
  const name = newName();
  const address = await make(`${scheme}:${name}`, options);
  return {
    name,
    address,
    async [Symbol.asyncDispose]() {
      await remove(address).catch(() => {});
      await waitsEnded();
    },
  };
}

/** A folder that is gone at the end of the block. */
function folder(): { readonly path: string } & Disposable {
  const path = Deno.realPathSync(Deno.makeTempDirSync());
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("make(), stat() and remove() follow the life of each kind of object", async () => {
  using dir = folder();
  const kinds: [address: string, options: Parameters<typeof make>[1], shown: Record<string, unknown>][] = [
    [`mq:${newName()}`, SMALL, { messages: 0, ...SMALL, bytes: 0, readers: [], writers: [] }],
    [`sem:${newName()}`, { initial: 3 }, { value: 3, holders: [] }],
    [`shm:${newName()}`, { size: 10_001 }, { size: 10_001, holders: [] }],
    [`mmap:${dir.path}/table`, { size: 10_001 }, { size: 10_001, holders: [] }],
  ];
  for (const [address, options, shown] of kinds) {
    for (const act of [stat, remove]) {
      const error = await assertRejects(() => act(address), NotFoundError);
      assertEquals([error.code, error.errno], ["ENOENT", 2]);
    }
    assertEquals(await make(address, { ...options, mode: 0o640 }), address);
    try {
      await assertRejects(() => make(address, options), AlreadyExistsError);
      const status = await stat(address);
      assertEquals(
        [status.address, status.type as string, status.mode],
        [address, address.split(":")[0], 0o640],
      );
      for (const [name, value] of Object.entries(shown)) {
        assertEquals((status as unknown as Record<string, unknown>)[name], value, name);
      }
    } finally {
      await remove(address);
    }
    await assertRejects(() => stat(address), NotFoundError);
  }
});

Deno.test("list() has semaphores and memory under their addresses, and files that somebody has mapped", async () => {
  await using semaphore = await made("sem", { initial: 5 });
  await using memory = await made("shm", { size: 77 });
  const of = (kinds: string[] | undefined, address: string) =>
    list(kinds).find((found) => found.address === address);
  assertEquals((of(["sem"], semaphore.address) as NamedSemaphoreStatus).value, 5);
  assertEquals((of(["shm"], memory.address) as NamedMemoryStatus).size, 77);
  assert(of(undefined, semaphore.address) && of(undefined, memory.address), "those without a folder");
  assertEquals(of(["shm"], semaphore.address), undefined);

  using dir = folder();
  const path = `${dir.path}/a% b`;
  const address = `mmap:${dir.path}/a%25 b`;
  await make(address, { size: 100 });
  assertEquals(list([`mmap:${dir.path}`]), [], "nobody has mapped it");
  {
    using _file = MappedFile.open(path);
    assertEquals(list([`mmap:${dir.path}`]), [await stat(address)]);
    assertEquals((await stat(address) as MappedFileStatus).holders, [Deno.pid]);
  }
  assertThrows(() => list([`mmap:${dir.path}/none`]), Deno.errors.NotFound);
});

/** Where the file system of queues is mounted, whatever the machine has. */
const mounted = prepared("mount -t mqueue none /mnt");
/** The same without. */
const unmounted = prepared("while umount -t mqueue -a && grep -q ' mqueue ' /proc/self/mounts; do :; done");
const MOD = JSON.stringify(new URL("./mod.ts", import.meta.url).href);
if (inNamespaces === undefined) console.warn("no namespaces: lists of POSIX queues are not tested");

Deno.test({
  name: "list() has queues where their file system is mounted",
  ignore: mounted === undefined,
  async fn() {
    const found = await answer(
      `import { list, make, connect, limits } from ${MOD};
      const address = await make("mq:/a%25b", ${JSON.stringify(SMALL)});
      await using sender = await connect(address, { direction: "send" });
      await sender.send(new Uint8Array(7));
      const { used } = limits().find(({ name }) => name === "queues_max");
      console.log(JSON.stringify([list(["mq"]), list().filter(({ type }) => type === "mq").length, used]));`,
      { before: mounted },
    );
    const [[queue], all, used] = found as [[NamedQueueStatus], number, number];
    assertEquals([all, used], [1, 1]);
    assertEquals({ ...queue, uid: 0, gid: 0 }, {
      address: "mq:/a%25b",
      type: "mq",
      name: "/a%b",
      messages: 1,
      ...SMALL,
      uid: 0,
      gid: 0,
      mode: 0o600,
      bytes: 7,
    });
  },
});

Deno.test({
  name: "without that file system list() says so, and is without queues where all are asked for",
  ignore: unmounted === undefined,
  async fn() {
    const told = await answer(
      `import { list, make, remove, stat } from ${MOD};
      const address = await make("mq:/a", ${JSON.stringify(SMALL)});
      const others = list().filter(({ type }) => type === "mq").length;
      const { messages } = await stat(address);
      await remove(address);
      try { list(["mq"]); } catch ({ name, hint }) { console.log(JSON.stringify([name, hint, others, messages])); }`,
      { before: unmounted },
    ) as [string, string, number, number];
    assertEquals([told[0], told[2], told[3]], [NotSupportedError.name, 0, 0]);
    assert(told[1].includes("mount -t mqueue"));
  },
});

Deno.test("connect() sends with a priority, also batches and blocking, and asks for no more than it needs", async () => {
  await using queue = await made("mq", { maxMessages: 8, maxMessageSize: 64 });
  await using plain = await connect(queue.address, { direction: "send" });
  await using urgent = await connect(`${queue.address}?priority=9`, { direction: "send" });
  await plain.send(bytes("later"));
  await urgent.send(bytes("one"));
  await urgent.sendBatch([bytes("two"), bytes("three")]);
  await urgent.end();
  assertEquals(urgent.maxMessageSize, 64);
  {
    using receiver = await connect(queue.address, { direction: "receive" }) as MessageQueue;
    assertEquals((await receiver.receiveMessage())?.priority, 9);
    assertEquals((await receiver.receiveBatch()).map(textOf), ["two", "three", "later"]);
    await assertRejects(() => receiver.receive({ timeout: 0 }), TimeoutError);
    await assertRejects(() => receiver.send(bytes("x")), PermissionError);
    await assertRejects(() => (plain as unknown as Receiver).receive(), PermissionError);
  }
  const { readers, writers } = await stat(queue.address) as NamedQueueStatus;
  assertEquals([readers, writers], [[], [Deno.pid]]);
});

Deno.test("a sender with a priority waits while the queue is full, and its close() ends that", async () => {
  await using queue = await made("mq", { maxMessages: 1, maxMessageSize: 8 });
  using sender = await connect(`${queue.address}?priority=2`, { direction: "send" });
  using receiver = await connect(queue.address, { direction: "receive" }) as MessageQueue;
  await sender.send(bytes("first"));
  await assertRejects(() => sender.send(bytes("never"), { timeout: 10 }), TimeoutError);
  const second = sender.send(bytes("second"));
  assertEquals(textOf(await receiver.receive()), "first");
  await second;
  const third = assertRejects(() => sender.send(bytes("third")));
  sender.close();
  await third;
  assertEquals(await receiver.receiveMessage(), { priority: 2, data: bytes("second") });
  assertEquals(receiver.tryReceive(), undefined);
});

Deno.test("listen() creates a queue, and removes only what it created, however it is closed", async () => {
  const name = newName();
  const exists = () => stat(`mq:${name}`).then(() => true, () => false);
  const both = { direction: "receive", removeOnClose: true } as const;
  const first = await listen(`mq:${name}`, { ...both, mode: 0o622 });
  assertEquals((await stat(`mq:${name}`)).mode, 0o622);
  (await listen(`mq:${name}`, both)).close();
  assert(await exists(), "the second found it");
  first.close();
  assertEquals(await exists(), false);
  {
    await using _sender = await listen(`mq:${name}?priority=3`, { direction: "send", removeOnClose: true });
    assert(await exists());
  }
  assertEquals(await exists(), false);
});

Deno.test("openSemaphore() takes one unit at a time, gives several, and has no undo", async () => {
  await using made_ = await made("sem", { initial: 2 });
  const value = async () => (await stat(made_.address) as NamedSemaphoreStatus).value;
  using semaphore = await openSemaphore(made_.address);
  assertEquals(semaphore.undoes, false);
  assertEquals((await stat(made_.address) as NamedSemaphoreStatus).holders, [Deno.pid]);
  await semaphore.acquire();
  await assertRejects(() => semaphore.acquire(2), AddressError, "one unit at a time");
  await assertRejects(() => semaphore.acquire(1, { undo: true }), AddressError, "no undo");
  assertEquals(await value(), 1);
  await semaphore.acquire();
  await assertRejects(() => semaphore.acquire(1, { timeout: 0 }), TimeoutError);
  const pending = semaphore.acquire();
  using other = Semaphore.open(made_.name);
  other.release();
  await pending;
  semaphore.release(4);
  assertEquals(await value(), 4);
});

Deno.test("openMemory() maps memory and files for reading or writing, and stat() names who has it mapped", async () => {
  using dir = folder();
  const file = await make(`mmap:${dir.path}/table`, { size: 100 });
  await using shared = await made("shm", { size: 100 });
  for (const address of [file, shared.address]) {
    using memory = await openMemory(address);
    const { holders } = await stat(address) as MappedFileStatus | NamedMemoryStatus;
    assertEquals([memory.byteLength, memory.readOnly, holders], [100, false, [Deno.pid]]);
    memory.write(90, bytes("0123456789"));
    using reader = await openMemory(address, { access: "read" });
    assertEquals([textOf(reader.read(95, 5)), reader.readOnly], ["56789", true]);
  }
});

Deno.test("what is no file is neither removed nor opened as one", async () => {
  using dir = folder();
  Deno.symlinkSync("nowhere", `${dir.path}/link`);
  await assertRejects(() => remove(`mmap:${dir.path}`), NotSupportedError, "it is not a file");
  await assertRejects(() => remove(`mmap:${dir.path}/link`), NotSupportedError, "it is not a file");
  await assertRejects(() => stat(`mmap:${dir.path}`), NotSupportedError, "it is not a file");
  await assertRejects(() => openMemory(`mmap:${dir.path}`));
  await make(`mmap:${dir.path}/file`, { size: 1 });
  Deno.removeSync(`${dir.path}/link`);
  Deno.symlinkSync("file", `${dir.path}/link`);
  using _memory = await openMemory(`mmap:${dir.path}/link`);
  assertEquals((await stat(`mmap:${dir.path}/link`) as MappedFileStatus).holders, [Deno.pid]);
});

Deno.test("limits() has those of POSIX objects, as numbers that JSON has", () => {
  const names = limits().map(({ name }) => name);
  for (const name of ["msg_max", "queues_max", "RLIMIT_MSGQUEUE", "SEM_VALUE_MAX", "/dev/shm"]) {
    assertEquals(names.filter((other) => other === name), [name]);
  }
  for (const { limit } of limits()) assert(Number.isFinite(limit));
});

const root = Deno.uid() === 0;
if (!root) console.warn("not root: objects of other users are not tested");

Deno.test({
  name: "what belongs to somebody else takes a word in the address, and looking takes none",
  ignore: !root,
  async fn() {
    const options = { mode: 0o666, unlinkOnClose: true } as const;
    using queue = MessageQueue.create(newName(), { ...SMALL, ...options });
    using semaphore = Semaphore.create(newName(), options);
    using memory = SharedMemory.create(newName(), 10, options);
    Deno.chownSync(`/proc/self/fd/${queue.fd}`, 12_345, null);
    Deno.chownSync(`/dev/shm/sem.${semaphore.name!.slice(1)}`, 12_345, null);
    Deno.chownSync(`/dev/shm${memory.name}`, 12_345, null);
    const opened: [address: string, open: (address: string) => Promise<Disposable>][] = [
      [`mq:${queue.name}`, (address) => connect(address, { direction: "send" })],
      [`sem:${semaphore.name}`, (address) => openSemaphore(address)],
      [`shm:${memory.name}`, (address) => openMemory(address)],
    ];
    for (const [address, open] of opened) {
      await assertRejects(() => open(address), UntrustedError, "12345");
      await assertRejects(() => open(`${address}?allow-owner=54321`), UntrustedError);
      (await open(`${address}?allow-owner=12345`))[Symbol.dispose]();
      (await open(`${address}?allow-owner=any`))[Symbol.dispose]();
      assertEquals((await stat(address)).uid, 12_345);
    }
  },
});
