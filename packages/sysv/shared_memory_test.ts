import { assert, assertEquals, assertInstanceOf, assertNotEquals, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ClosedError,
  ERRNO,
  IPC_PRIVATE,
  LimitError,
  NotFoundError,
  PermissionError,
  RemovedError,
} from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { everyFault, leakCheck, resources, trackLeaks, withFault } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { memoryKind } from "./_kinds.ts";
import { SharedMemory } from "./shared_memory.ts";
import { freeKey, withKey } from "./testdata/objects.ts";
import { answer, asUser, canBeAnother, NOBODY, TestProcess } from "./testdata/process.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);

/** Whether there is such a segment. */
function exists(id: number): boolean {
  try {
    SharedMemory.open({ id }, { access: "read" }).close();
    return true;
  } catch (error) {
    assertInstanceOf(error, RemovedError);
    return false;
  }
}

Deno.test("SharedMemory is a mapping of exactly its size, the same in every attachment", () =>
  withKey((key) => {
    for (const size of [1, 100, 4096, 4097]) {
      using memory = SharedMemory.create(key, size, { removeOnClose: true });
      assertInstanceOf(memory, Mapping);
      assertEquals([memory.key, memory.byteLength, memory.readOnly], [key, size, false]);
      assert(memory.bytes.every((byte) => byte === 0));
      using byKey = SharedMemory.open(key);
      using byId = SharedMemory.open({ id: memory.id });
      assertEquals([byKey.id, byId.id, byKey.key, byId.key], [memory.id, memory.id, key, key]);
      assertEquals([byKey.byteLength, byId.byteLength], [size, size]);
      memory.bytes[size - 1] = 7;
      assertEquals([byKey.bytes[size - 1], byId.bytes[size - 1]], [7, 7]);
    }
  }));

Deno.test("SharedMemory without a key is found by its id alone", () => {
  using memory = SharedMemory.create(IPC_PRIVATE, 10, { removeOnClose: true });
  using other = SharedMemory.create(IPC_PRIVATE, 10, { removeOnClose: true });
  assertNotEquals(memory.id, other.id);
  assertEquals(memory.key, IPC_PRIVATE);
  assertThrows(() => SharedMemory.open(IPC_PRIVATE), TypeError, "opened by its id");
  assertThrows(() => SharedMemory.openOrCreate(IPC_PRIVATE, 10), TypeError, "use create");
});

Deno.test("SharedMemory: create, open and openOrCreate throw by meaning", () =>
  withKey((key) => {
    const missing = assertThrows(() => SharedMemory.open(key), NotFoundError, "no such shared memory");
    assertEquals([missing.code, missing.syscall], ["ENOENT", "shmget"]);
    using memory = SharedMemory.create(key, 100, { removeOnClose: true });
    assertThrows(() => SharedMemory.create(key, 100), AlreadyExistsError, "Cannot create shared memory 0x");
    const target = `0x${(key >>> 0).toString(16).padStart(8, "0")}`;
    for (
      const find of [() => SharedMemory.open(key, { size: 101 }), () => SharedMemory.openOrCreate(key, 101)]
    ) {
      assertThrows(find, RangeError, `Cannot open shared memory ${target}: it has 100 bytes, not 101`);
    }
    using open = SharedMemory.open(key, { size: 100 });
    using same = SharedMemory.openOrCreate(key, 1);
    assertEquals([open.byteLength, same.byteLength, same.id], [100, 100, memory.id]);
    assertEquals(memory.stat().attachCount, 3);
  }));

Deno.test("SharedMemory: bad arguments are refused before anything is made", () => {
  const key = freeKey();
  for (const size of [0, -1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => SharedMemory.create(key, size), RangeError, "a size is an integer from 1");
    assertThrows(() => SharedMemory.openOrCreate(key, size), RangeError);
    assertThrows(() => SharedMemory.open(key, { size }), RangeError);
  }
  for (const mode of [-1, 0o1000, 0.5]) {
    assertThrows(() => SharedMemory.create(key, 1, { mode }), RangeError, "nine bits");
    assertThrows(() => SharedMemory.openOrCreate(key, 1, { mode }), RangeError, "nine bits");
  }
  for (const id of [-1, 0.5, 2 ** 31]) assertThrows(() => SharedMemory.open({ id }), TypeError);
  const both = { hugePages: true, noReserve: true };
  assertThrows(() => SharedMemory.create(key, 1, both), TypeError, "SIGBUS");
  assertThrows(() => SharedMemory.open(key), NotFoundError);
});

Deno.test("SharedMemory: two processes see what the other writes, and Atomics are exact", async () => {
  using memory = SharedMemory.create(IPC_PRIVATE, 64, { removeOnClose: true });
  const words = new Int32Array(memory.buffer);
  const times = scaled(1_000_000);
  await using other = new TestProcess(`
    import { SharedMemory } from ${MOD};
    const words = new Int32Array(SharedMemory.open({ id: ${memory.id} }).buffer);
    Atomics.store(words, 1, 1);
    for (let i = 0; i < ${times}; i++) Atomics.add(words, 0, 1);
    console.log(words[2]);`);
  words[2] = 42;
  while (Atomics.load(words, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < times; i++) Atomics.add(words, 0, 1);
  assertEquals(await other.line(), "42");
  assertEquals(Atomics.load(words, 0), 2 * times);
});

Deno.test("SharedMemory: a process that is killed detaches, and what it was to remove on closing stays", () =>
  withKey(async (key) => {
    await using creator = new TestProcess(`
      import { SharedMemory } from ${MOD};
      const memory = SharedMemory.create(${key}, 100, { removeOnClose: true });
      memory.bytes[0] = 5;
      console.log("created");
      setInterval(() => {}, 1000);`);
    assertEquals(await creator.line(), "created");
    using memory = SharedMemory.open(key);
    assertEquals([memory.stat().attachCount, memory.stat().creatorPid], [2, creator.pid]);
    await creator.kill();
    assertEquals([memory.stat().attachCount, memory.bytes[0]], [1, 5]);
    memory.remove();
  }));

Deno.test("SharedMemory: removeOnLastDetach lets it go with its last user, however that ends", async () => {
  await using creator = new TestProcess(`
    import { IPC_PRIVATE, SharedMemory } from ${MOD};
    const memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnLastDetach: true });
    console.log(memory.id);
    setInterval(() => {}, 1000);`);
  const id = Number(await creator.line());
  // On Linux it is still found by its id.
  const memory = SharedMemory.open({ id });
  assertEquals([memory.stat().removalPending, memory.stat().attachCount], [true, 2]);
  memory.close();
  assertEquals(exists(id), true);
  await creator.kill();
  assertEquals(exists(id), false);
});

Deno.test("SharedMemory: removal frees the key at once and leaves attachments alone", () =>
  withKey((key) => {
    using memory = SharedMemory.create(key, 100);
    using other = SharedMemory.open(key);
    assertEquals(memory.stat().removalPending, false);
    memory.removeOnLastDetach();
    assertEquals([other.stat().removalPending, other.stat().key as number], [true, 0]);
    using next = SharedMemory.create(key, 100, { removeOnClose: true });
    other.bytes[0] = 3;
    assertEquals([memory.bytes[0], next.bytes[0]], [3, 0]);
    memory.close();
    assertEquals(exists(memory.id), true);
    other.close();
    assertEquals(exists(memory.id), false);
    assertEquals(exists(next.id), true);
  }));

Deno.test("SharedMemory: removeOnClose is the creator's, and bears that somebody else was faster", () =>
  withKey((key) => {
    const memory = SharedMemory.openOrCreate(key, 100, { removeOnClose: true });
    SharedMemory.openOrCreate(key, 100, { removeOnClose: true }).close();
    assertEquals(exists(memory.id), true);
    memory.close();
    memory.close();
    assertEquals(exists(memory.id), false);

    const removed = SharedMemory.create(key, 100, { removeOnClose: true });
    removed.remove();
    removed.close();
    const kept = SharedMemory.create(key, 100);
    kept[Symbol.dispose]();
    assertEquals(exists(kept.id), true);
  }));

Deno.test("SharedMemory: after close every view is empty and every call refuses", () => {
  const memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
  const { bytes } = memory;
  const words = new Int32Array(memory.buffer);
  memory.detach();
  assertEquals([bytes.length, words.length, memory.byteLength, memory.closed], [0, 0, 0, true]);
  for (
    const call of [
      () => memory.stat(),
      () => memory.set({ mode: 0o600 }),
      () => memory.lock(),
      () => memory.unlock(),
      () => memory.remove(),
      () => memory.removeOnLastDetach(),
      () => memory.bytes,
    ]
  ) assertThrows(call, ClosedError);
});

Deno.test("SharedMemory: what was transferred away becomes private zero pages, and is detached all the same", () => {
  using memory = SharedMemory.create(IPC_PRIVATE, 10_000, { removeOnClose: true });
  const other = SharedMemory.open({ id: memory.id });
  memory.bytes.fill(5);
  const moved = new Uint8Array(other.buffer.transfer());
  other.close();
  assertEquals(memory.stat().attachCount, 1);
  assert(moved.every((byte) => byte === 0));
  moved.fill(6);
  assert(memory.bytes.every((byte) => byte === 5));

  const pinned = SharedMemory.open({ id: memory.id });
  const pin = pinned.pin();
  pinned.close();
  assertEquals(memory.stat().attachCount, 1);
  pin[Symbol.dispose]();
});

Deno.test("SharedMemory: stat tells every field", async () => {
  using memory = SharedMemory.create(IPC_PRIVATE, 5000, { mode: 0o640, removeOnClose: true });
  const { changeTime, lastAttachTime, ...rest } = memory.stat();
  assertEquals<unknown>(rest, {
    id: memory.id,
    key: 0,
    uid: Deno.uid(),
    gid: Deno.gid(),
    creatorUid: Deno.uid(),
    creatorGid: Deno.gid(),
    mode: 0o640,
    size: 5000,
    attachCount: 1,
    creatorPid: Deno.pid,
    lastPid: Deno.pid,
    lastDetachTime: undefined,
    removalPending: false,
    locked: false,
  });
  for (const time of [changeTime, lastAttachTime]) {
    assert(Math.abs(Date.now() - time!.getTime()) < 30_000, `${time}`);
  }
  await using other = new TestProcess(`
    import { SharedMemory } from ${MOD};
    SharedMemory.open({ id: ${memory.id} }).close();
    console.log("detached");
    setInterval(() => {}, 1000);`);
  assertEquals(await other.line(), "detached");
  const { attachCount, creatorPid, lastPid, lastDetachTime } = memory.stat();
  assertEquals([attachCount, creatorPid, lastPid], [1, Deno.pid, other.pid]);
  assert(Math.abs(Date.now() - lastDetachTime!.getTime()) < 30_000);
});

Deno.test({
  name: "SharedMemory: another user's permission to read is enough for reading, and only for that",
  ignore: !canBeAnother,
  fn: () => {
    using memory = SharedMemory.create(IPC_PRIVATE, 100, { mode: 0o644, removeOnClose: true });
    memory.bytes[0] = 9;
    const target = { id: memory.id };
    asUser(NOBODY, () => {
      const allowOwner = 0;
      using readable = SharedMemory.open(target, { access: "read", allowOwner });
      assertEquals(readable.bytes[0], 9);
      const refused = assertThrows(() => SharedMemory.open(target, { allowOwner }), PermissionError);
      assertEquals([refused.code, refused.syscall, refused.target], ["EACCES", "shmat", `id ${memory.id}`]);
      assertThrows(() => readable.remove(), PermissionError);
      assertThrows(() => readable.set({ mode: 0o666 }), PermissionError);
    });
    assertEquals(memory.stat().attachCount, 1);
  },
});

Deno.test({
  name: "SharedMemory: what its own creator may not attach is not left behind",
  ignore: !canBeAnother,
  fn: () =>
    withKey((key) => {
      asUser(NOBODY, () => {
        assertThrows(() => SharedMemory.create(key, 100, { mode: 0o400 }), PermissionError);
      });
      assertThrows(() => SharedMemory.open(key), NotFoundError);
    }),
});

Deno.test("SharedMemory: openOrCreate by many processes at once gives one segment", () =>
  withKey(async (key) => {
    const rounds = scaled(200);
    const source = `
      import { SharedMemory } from ${MOD};
      for (let round = 0; round < ${rounds}; round++) {
        using memory = SharedMemory.openOrCreate(${key}, 64, { removeOnClose: round % 2 === 0 });
        if (memory.byteLength !== 64) throw new Error("not whole");
      }
      console.log(SharedMemory.openOrCreate(${key}, 64).id);`;
    const all = Array.from({ length: 4 }, () => answer(source));
    const ids = await Promise.all(all);
    using memory = SharedMemory.open(key);
    assert(ids.includes(memory.id), `${ids} has no ${memory.id}`);
    memory.remove();
  }));

Deno.test("SharedMemory bears every fault: a typed error, and nothing stays attached or behind", async () => {
  const key = freeKey();
  const verify = async () => {
    const id = memoryKind.get(key, 0, 0);
    if (id !== -1) throw new Error(`segment ${id} was left behind`);
    await leaks.check();
  };
  await using leaks = await trackLeaks();
  const report = await everyFault(() => {
    using memory = SharedMemory.create(key, 100, { removeOnClose: true });
    using same = SharedMemory.openOrCreate(key, 100);
    same.bytes[0] = 1;
    memory.set({ mode: 0o600 });
  }, {
    errnos: [ERRNO.EINTR, ERRNO.EACCES, ERRNO.ENOMEM, ERRNO.EINVAL, ERRNO.EIDRM],
    symbols: ["shmget", "shmat"],
    verify,
  });
  assertEquals(report.hits, { shmget: 10, shmat: 10 });

  const run = await withFault(
    { nth: 1, symbols: "shmat", errno: ERRNO.ENOMEM },
    () => SharedMemory.create(key, 1),
  );
  assertInstanceOf(run.error, LimitError);
  await verify();
});

Deno.test("SharedMemory leaves nothing behind after many cycles", () =>
  withKey((key) => {
    const count = () => [...resources().values()].reduce((sum, each) => sum + each, 0);
    using memory = SharedMemory.create(key, 100_000, { removeOnClose: true });
    const before = count();
    for (let cycle = 0; cycle < scaled(20_000); cycle++) {
      using same = SharedMemory.open(key, { access: cycle % 2 === 0 ? "read" : "write" });
      assertEquals(same.bytes[0], 0);
    }
    assertEquals([memory.stat().attachCount, count()], [1, before]);
  }));

Deno.test("SharedMemory needs --allow-ffi, and nothing else", async () => {
  const source = `
    import { IPC_PRIVATE, list, limits, SharedMemory } from ${MOD};
    using memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
    memory.bytes[0] = 1;
    const { resident } = list().memories.find(({ id }) => id === memory.id);
    console.log(JSON.stringify([resident > 0, limits().length]));`;
  assertEquals(await answer(source, { flags: ["--allow-ffi"] }), [true, 11]);
});
