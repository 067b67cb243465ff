import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AlreadyExistsError,
  formatKey,
  IPC_PRIVATE,
  NotFoundError,
  PermissionError,
  RemovedError,
  stableKey,
  TimeoutError,
  UntrustedError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { ftok, MessageQueue, SemaphoreSet, SharedMemory } from "@ipc/sysv";
import {
  connect,
  limits,
  list,
  listen,
  make,
  type MemoryStatus,
  openMemory,
  openSemaphore,
  type QueueStatus,
  remove,
  type SetStatus,
  stat,
} from "./mod.ts";
import { warmUpWaiting } from "../sysv/_waiting/mod.ts";

await warmUpWaiting();
leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);

/** An object that is gone at the end of the block, whatever happened. */
async function made(
  scheme: string,
  options: Parameters<typeof make>[1] = {},
): Promise<{ readonly key: string; readonly address: string } & AsyncDisposable> {
  const key = formatKey(stableKey(`test ${crypto.randomUUID()}`));
  const address = await make(`${scheme}:${key}`, options);
  return { key, address, [Symbol.asyncDispose]: () => remove(address).catch(() => {}) };
}

Deno.test("an address says the key in any of ipcrm's forms, or the id, or a path and a project", async () => {
  using dir = { path: Deno.makeTempDirSync(), [Symbol.dispose]: () => Deno.removeSync(dir.path) };
  const byPath = `sysv-msg:${dir.path}?proj=`;
  await make(`${byPath}A`);
  try {
    const { id, key } = await stat(`${byPath}65`) as QueueStatus;
    assertEquals(key, ftok(dir.path, "A"));
    for (const name of [key, `0x${(key >>> 0).toString(16)}`, `0${(key >>> 0).toString(8)}`, `?id=${id}`]) {
      assertEquals((await stat(`sysv-msg:${name}`) as QueueStatus).id, id);
    }
  } finally {
    await remove(`${byPath}65`);
  }
  await assertRejects(() => stat(`sysv-msg:${dir.path}/none?proj=1`), NotFoundError, "none");
});

Deno.test("make(), stat(), list() and remove() follow the life of each kind of object", async () => {
  const kinds: [scheme: string, options: Parameters<typeof make>[1], shown: Record<string, unknown>][] = [
    ["sysv-msg", { maxBytes: 1000 }, { messages: 0, maxBytes: 1000 }],
    ["sysv-sem", { size: 3, initial: [1, 0, 5] }, { semaphores: 3 }],
    ["sysv-shm", { size: 10_000 }, { size: 10_000, attachCount: 0 }],
  ];
  for (const [scheme, options, shown] of kinds) {
    const address = `${scheme}:${formatKey(stableKey(`test ${crypto.randomUUID()}`))}`;
    for (const look of [stat, remove]) {
      const error = await assertRejects(() => look(address), NotFoundError);
      assertEquals([error.code, error.errno], ["ENOENT", 2]);
    }
    assertEquals(await make(address, { ...options, mode: 0o640 }), address);
    try {
      await assertRejects(() => make(address, options), AlreadyExistsError);
      const status = await stat(address);
      assertEquals([status.address, status.type as string, status.mode], [address, scheme, 0o640]);
      for (const [name, value] of Object.entries(shown)) {
        assertEquals((status as unknown as Record<string, unknown>)[name], value, name);
      }
      const listed = list([scheme]).find((found) => found.address === address);
      assertEquals(listed?.mode, 0o640);
      assert(list().some((found) => found.address === address));
    } finally {
      await remove(address);
    }
    assertEquals(list().some((found) => found.address === address), false);
  }
});

Deno.test("an object without a key gets an address by its id", async () => {
  for (const scheme of ["sysv-msg", "sysv-sem", "sysv-shm"]) {
    const address = await make(`${scheme}:0`, scheme === "sysv-shm" ? { size: 1 } : {});
    assert(new RegExp(`^${scheme}:\\?id=\\d+$`).test(address), address);
    assert(list([scheme]).some((found) => found.address === address));
    assertEquals((await stat(address) as QueueStatus).key, IPC_PRIVATE);
    await remove(address);
  }
});

Deno.test("connect() sends and receives by type, and in both directions", async () => {
  await using queue = await made("sysv-msg");
  await using plain = await connect(queue.address, { direction: "send" });
  await using seven = await connect(`${queue.address}?send=7`, { direction: "send" });
  await plain.send(bytes("one"));
  await seven.send(bytes("two"));
  await seven.send(bytes("three"));
  {
    await using receiver = await connect(`${queue.address}?receive=7`, { direction: "receive" });
    assertEquals((await receiver.receiveBatch()).map(textOf), ["two", "three"]);
    await assertRejects(() => receiver.receive({ timeout: 0 }), TimeoutError);
  }
  await using all = await connect(queue.address, { direction: "receive" });
  assertEquals(textOf(await all.receive()), "one");

  await using client = await connect(`${queue.address}?send=1&receive=2`);
  await using server = await connect(`${queue.address}?send=2&receive=1`);
  await client.send(bytes("question"));
  assertEquals(textOf(await server.receive()), "question");
  await server.send(bytes("answer"));
  assertEquals(textOf(await client.receive()), "answer");
});

Deno.test("listen() creates a queue, and removes only what it created, however it is closed", async () => {
  const key = formatKey(stableKey(`test ${crypto.randomUUID()}`));
  const address = `sysv-msg:${key}?send=1&receive=2`;
  const exists = () => stat(`sysv-msg:${key}`).then(() => true, () => false);
  const first = await listen(address, { removeOnClose: true });
  assertEquals((await stat(`sysv-msg:${key}`)).mode, 0o600);
  (await listen(address, { direction: "receive", removeOnClose: true })).close();
  assert(await exists(), "the second found it");
  first.close();
  assertEquals(await exists(), false);
  {
    await using _channel = await listen(address, { removeOnClose: true, mode: 0o622 });
    assertEquals((await stat(`sysv-msg:${key}`)).mode, 0o622);
  }
  assertEquals(await exists(), false);
  {
    using _channel = await listen(`sysv-msg:${key}`, { direction: "send", removeOnClose: true });
    assert(await exists());
  }
  assertEquals(await exists(), false);
});

Deno.test("openSemaphore() acquires and releases one member of a set", async () => {
  await using set = await made("sysv-sem", { size: 2, initial: [0, 2] });
  const values = async () => (await stat(set.address) as SetStatus).members?.map(({ value }) => value);
  using second = await openSemaphore(`${set.address}?index=1`);
  using first = await openSemaphore(set.address);
  await second.acquire(2);
  assertEquals(await values(), [0, 0]);
  await assertRejects(() => second.acquire(1, { timeout: 0 }), TimeoutError);
  const pending = first.acquire();
  while ((await stat(set.address) as SetStatus).members![0]!.waitersForIncrease === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  second.release();
  first.release(3);
  await pending;
  assertEquals(await values(), [2, 1]);
  assertEquals((await stat(set.address) as SetStatus).members![1]!.lastPid, Deno.pid);
  await assertRejects(() => openSemaphore(`${set.address}?index=2`), RangeError);
  const waiting = assertRejects(() => first.acquire(3), RemovedError);
  await remove(set.address);
  await waiting;
});

Deno.test("openMemory() attaches for reading or writing, and stat() names who has it attached", async () => {
  await using made_ = await made("sysv-shm", { size: 100 });
  const holders = async () => (await stat(made_.address) as MemoryStatus).holders;
  assertEquals(await holders(), []);
  using memory = await openMemory(made_.address);
  assertEquals([memory.byteLength, memory.readOnly, await holders()], [100, false, [Deno.pid]]);
  memory.write(90, bytes("0123456789"));
  using reader = await openMemory(made_.address, { access: "read" });
  assertEquals([textOf(reader.read(95, 5)), reader.readOnly], ["56789", true]);
});

Deno.test("limits() counts what is there", async () => {
  const used = (name: string) => limits().find((limit) => limit.name === name)?.used ?? NaN;
  const before = used("SEMMNS");
  await using _set = await made("sysv-sem", { size: 1000 });
  // Others may come and go at the same time, but not so many.
  assert(used("SEMMNS") > before + 500);
  assertEquals(
    limits().map(({ name }) => name).filter((name) => /^(MSG|SEM|SHM)[A-Z]+$/.test(name)).length,
    11,
  );
});

const root = Deno.uid() === 0;
if (!root) console.warn("not root: objects of other users are not tested");

Deno.test({
  name: "what belongs to somebody else takes a word in the address, and looking takes none",
  ignore: !root,
  async fn() {
    const options = { mode: 0o666 } as const;
    const key = () => stableKey(`test ${crypto.randomUUID()}`);
    using queue = MessageQueue.create(key(), { ...options, removeOnClose: true });
    using set = SemaphoreSet.create(key(), { ...options, removeOnClose: true });
    using memory = SharedMemory.create(key(), 10, { ...options, removeOnClose: true });
    for (const object of [queue, set, memory]) object.set({ uid: 12_345 });
    const opened: [object: { key: number }, open: (address: string) => Promise<Disposable>][] = [
      [queue, (address) => connect(address.replace("x:", "sysv-msg:"), { direction: "send" })],
      [set, (address) => openSemaphore(address.replace("x:", "sysv-sem:"))],
      [memory, (address) => openMemory(address.replace("x:", "sysv-shm:"))],
    ];
    for (const [{ key }, open] of opened) {
      await assertRejects(() => open(`x:${key}`), UntrustedError, "12345");
      await assertRejects(() => open(`x:${key}?allow-owner=54321`), UntrustedError);
      (await open(`x:${key}?allow-owner=12345`))[Symbol.dispose]();
      (await open(`x:${key}?allow-owner=any`))[Symbol.dispose]();
    }
    for (const scheme of ["sysv-msg", "sysv-sem", "sysv-shm"]) {
      assert(list([scheme]).some(({ uid }) => uid === 12_345));
    }
  },
});

Deno.test({
  name: "a user without permission sees all but the values, and can remove nothing",
  ignore: !root,
  async fn() {
    await using queue = await made("sysv-msg");
    await using set = await made("sysv-sem");
    await using memory = await made("sysv-shm", { size: 10 });
    const program = new URL("./testdata/nobody.ts", import.meta.url).pathname;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", program, queue.address, set.address, memory.address],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals([code, textOf(stderr)], [0, ""]);
    const refused = (what: string, { key }: { key: string }) => {
      const message = `Cannot remove ${what} ${key}: operation not permitted`;
      return { mode: 0o600, members: false, removed: [PermissionError.name, message] };
    };
    assertEquals(JSON.parse(textOf(stdout)!), [
      refused("message queue", queue),
      refused("semaphore set", set),
      refused("shared memory", memory),
      PermissionError.name,
    ]);
  },
});
