/** What the kernel does with shared memory, at `@ipc/sysv/sys`, and what `SharedMemory` makes of it. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ClosedError, ERRNO, type Key } from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { ipcPerm, shmidDs } from "./_abi.ts";
import { memoryKind } from "./_kinds.ts";
import { libc } from "./_libc.ts";
import { SharedMemory } from "./shared_memory.ts";
import { constants, shmat, shmctl, shmdt, shmget } from "./sys.ts";
import { Cases } from "../core/testdata/cases.ts";
import { code, freeKey, withObject } from "./testdata/objects.ts";
import { asUser, canBeAnother, NOBODY, TestProcess } from "./testdata/process.ts";

leakCheck();

const { IPC_CREAT, IPC_EXCL, IPC_RMID, IPC_SET, IPC_STAT } = constants;
const SYS = JSON.stringify(new URL("sys.ts", import.meta.url).href);
const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const cases = new Cases("sysv-shm", new URL("testdata/conformance.json", import.meta.url));

const withMemory = (size: number, test: (id: number, key: Key) => unknown) =>
  withObject(memoryKind, size, test);

function stat(id: number): DataView {
  const buffer = new Uint8Array(shmidDs.size);
  shmctl(id, IPC_STAT, buffer);
  return new DataView(buffer.buffer);
}

function attached(id: number): number {
  return Number(stat(id).getBigUint64(shmidDs.nattch, true));
}

cases.test("SVH-001", () => {
  assertEquals(code(() => shmget(freeKey(), 0, IPC_CREAT | 0o600)), "EINVAL");
});

cases.test("SVH-002", () =>
  withMemory(4096, (_id, key) => {
    assertEquals(code(() => shmget(key, 8192, 0)), "EINVAL");
  }));

cases.test("SVH-003", () =>
  withMemory(4096, (id, key) => {
    assertEquals(shmget(key, 0, 0), id);
  }));

cases.test("SVH-004", () =>
  withMemory(4096, (_id, key) => {
    assertEquals(code(() => shmget(freeKey(), 4096, 0)), "ENOENT");
    assertEquals(code(() => shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0o600)), "EEXIST");
  }));

cases.test("SVH-005", () =>
  withMemory(10_000, (id) => {
    const address = shmat(id);
    try {
      const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(address, 10_000)).slice();
      assert(bytes.every((byte) => byte === 0));
    } finally {
      shmdt(address);
    }
  }));

cases.test("SVH-006", () =>
  withMemory(100, (id) => {
    assertEquals(stat(id).getBigUint64(shmidDs.segsz, true), 100n);
    const address = shmat(id);
    try {
      // The rest of the page is there.
      assertEquals(new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(address, 4096)).slice()[4095], 0);
    } finally {
      shmdt(address);
    }
    using memory = SharedMemory.open({ id });
    assertEquals(memory.byteLength, 100);
  }));

cases.test("SVH-007", () => {
  for (const id of [-1, 0x7fff_fff0]) {
    const pointer = libc.shmat(id, null, 0);
    assertEquals(errno(), ERRNO.EINVAL);
    assertNotEquals(pointer, null);
    assertEquals(code(() => shmat(id)), "EINVAL");
  }
});

cases.test("SVH-009", () =>
  withMemory(100, async (id) => {
    using memory = SharedMemory.open({ id }, { access: "read" });
    assertThrows(() => memory.write(0, new Uint8Array(1)), TypeError, "for reading");
    assertEquals([memory.readOnly, memory.read(0, 1)[0]], [true, 0]);
    await using raw = new TestProcess(`
      import { SharedMemory } from ${MOD};
      const memory = SharedMemory.open({ id: ${id} }, { access: "read" });
      console.log("reads", memory.bytes[0]);
      memory.bytes[0] = 1;
      console.log("survived");`);
    assertEquals([await raw.line(), await raw.line()], ["reads 0", undefined]);
    assertEquals((await raw.status).signal, "SIGSEGV");
  }));

cases.test("SVH-010", () =>
  withMemory(100, async (id) => {
    const address = shmat(id);
    try {
      await using other = new TestProcess(`
        import { shmat } from ${SYS};
        shmat(${id});
        console.log("attached");
        setInterval(() => {}, 1000);`);
      assertEquals(await other.line(), "attached");
      assertEquals(attached(id), 2);
      await other.kill();
      assertEquals(attached(id), 1);
    } finally {
      shmdt(address);
    }
    assertEquals(attached(id), 0);
  }));

cases.test("SVH-011", () =>
  withMemory(100, (id, key) => {
    using memory = SharedMemory.open(key);
    memory.write(0, new Uint8Array([1, 2, 3]));
    shmctl(id, IPC_RMID);
    assertEquals([...memory.read(0, 3)], [1, 2, 3]);
    const view = stat(id);
    assertEquals(view.getInt32(ipcPerm.key, true), 0);
    assertEquals(view.getUint32(ipcPerm.mode, true), constants.SHM_DEST | 0o600);
    assertEquals(code(() => shmget(key, 0, 0)), "ENOENT");
  }));

cases.test("SVH-012", () =>
  withMemory(100, (id) => {
    const address = shmat(id);
    shmctl(id, IPC_RMID);
    shmdt(address);
    assertEquals(code(() => stat(id)), "EINVAL");
  }));

cases.test("SVH-013", () =>
  withMemory(100, (id) => {
    const address = shmat(id);
    const inside = Deno.UnsafePointer.create(Deno.UnsafePointer.value(address) + 1n);
    try {
      assertEquals(code(() => shmdt(inside)), "EINVAL");
    } finally {
      shmdt(address);
    }
    assertEquals(code(() => shmdt(address)), "EINVAL");
  }));

cases.test("SVH-014", () =>
  withMemory(100, (id) => {
    const memory = SharedMemory.open({ id });
    const { bytes } = memory;
    const words = new Int32Array(memory.buffer);
    memory.detach();
    assertEquals([bytes.length, words.length, words[0]], [0, 0, undefined]);
    assertThrows(() => Atomics.load(words, 0));
    assertThrows(() => memory.read(0, 1), ClosedError);
    assertThrows(() => memory.write(0, new Uint8Array(1)), ClosedError);
  }));

cases.test("SVH-016", () =>
  withMemory(100, (id) => {
    using memory = SharedMemory.open({ id });
    memory.bytes.fill(7);
    for (const [offset, length] of [[100, 1], [99, 2], [-1, 1]] as const) {
      assertThrows(() => memory.write(offset, new Uint8Array(length)), RangeError);
    }
    assert(memory.bytes.every((byte) => byte === 7));
  }));

// A short answer would have to be noticed by the caller: ours is none at all.
cases.test("SVH-017", () =>
  withMemory(100, (id) => {
    using memory = SharedMemory.open({ id });
    assertThrows(() => memory.read(0, 200), RangeError, "the mapping has 100 bytes");
    assertEquals(memory.read(0, 100).length, 100);
  }));

cases.test("SVH-019", () =>
  withMemory(100, (id) => {
    const status = new Uint8Array(stat(id).buffer as ArrayBuffer);
    asUser(NOBODY, () => {
      assertEquals(code(() => shmctl(id, IPC_RMID)), "EPERM");
      assertEquals(code(() => shmctl(id, IPC_SET, status)), "EPERM");
    });
    assertEquals(stat(id).getBigUint64(shmidDs.segsz, true), 100n);
  }), { ignore: !canBeAnother });

cases.complete();

Deno.test("shmget refuses what is no size; shmctl refuses a short buffer", () =>
  withMemory(100, (id) => {
    for (const size of [-1, 0.5, NaN, Infinity]) {
      assertThrows(() => shmget(freeKey(), size, IPC_CREAT | 0o600), RangeError);
    }
    assertThrows(() => shmctl(id, IPC_STAT, new Uint8Array(shmidDs.size - 1)), RangeError);
  }));
