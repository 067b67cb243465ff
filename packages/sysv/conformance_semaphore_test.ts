/** What the kernel does with semaphore sets, at `@ipc/sysv/sys`. */

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { semidDs, seminfo } from "./_abi.ts";
import { setKind } from "./_kinds.ts";
import { constants, semctl, semget, semop, semtimedop } from "./sys.ts";
import { Cases } from "../core/testdata/cases.ts";
import { code, freeKey, withObject } from "./testdata/objects.ts";
import { asUser, canBeAnother, NOBODY, TestProcess } from "./testdata/process.ts";

leakCheck();

const {
  IPC_CREAT,
  IPC_EXCL,
  IPC_NOWAIT,
  IPC_RMID,
  IPC_STAT,
  GETALL,
  GETNCNT,
  GETPID,
  GETVAL,
  GETZCNT,
  SETALL,
  SETVAL,
} = constants;
const SYS = JSON.stringify(new URL("sys.ts", import.meta.url).href);
const cases = new Cases("sysv-sem", new URL("testdata/conformance.json", import.meta.url));
const BAD_ID = 0x7fff_fff0;

/** Runs a test with a new set of these values. */
function withSet(values: number[], test: (id: number, key: number) => unknown): Promise<void> {
  return withObject(setKind, values.length, (id, key) => {
    semctl(id, 0, SETALL, new Uint16Array(values));
    return test(id, key);
  });
}

function values(id: number): number[] {
  const all = new Uint16Array(Number(stat(id).getBigUint64(semidDs.nsems, true)));
  semctl(id, 0, GETALL, all);
  return [...all];
}

function stat(id: number): DataView {
  const buffer = new Uint8Array(semidDs.size);
  semctl(id, 0, IPC_STAT, buffer);
  return new DataView(buffer.buffer);
}

function limit(offset: number): number {
  const buffer = new Uint8Array(semidDs.size);
  semctl(0, 0, constants.IPC_INFO, buffer);
  return new DataView(buffer.buffer).getInt32(offset, true);
}

/** Another process that does one operation and then stays. */
async function operate(id: number, sops: string): Promise<TestProcess> {
  const process = new TestProcess(`
    import { semop } from ${SYS};
    console.log("ready");
    try { semop(${id}, ${sops}); console.log("done"); }
    catch (error) { console.log(error.name, error.code); }
    setInterval(() => {}, 1000);`);
  assertEquals(await process.line(), "ready");
  return process;
}

/** Waits until so many are waiting for semaphore 0 to grow. */
async function waiters(id: number, count: number): Promise<void> {
  while (semctl(id, 0, GETNCNT) !== count) await new Promise((resolve) => setTimeout(resolve, 5));
}

cases.test("SVS-001", () => {
  assertEquals(code(() => semget(freeKey(), 1, 0)), "ENOENT");
});

cases.test("SVS-002", () =>
  withSet([0], (_id, key) => {
    assertEquals(code(() => semget(key, 1, IPC_CREAT | IPC_EXCL | 0o600)), "EEXIST");
  }));

cases.test("SVS-003", () =>
  withSet([0, 0], (_id, key) => {
    assertEquals(code(() => semget(key, 3, 0)), "EINVAL");
  }));

cases.test("SVS-004", () => {
  const key = freeKey();
  for (const size of [0, -1, limit(seminfo.semmsl) + 1]) {
    assertEquals(code(() => semget(key, size, IPC_CREAT | 0o600)), "EINVAL");
  }
});

cases.test("SVS-005", () =>
  withSet([0, 0], (id, key) => {
    assertEquals(semget(key, 0, 0), id);
  }));

cases.test("SVS-006", () =>
  withObject(setKind, 2, (id) => {
    assertEquals([semctl(id, 0, GETVAL), semctl(id, 1, GETVAL)], [0, 0]);
  }));

cases.test("SVS-007", () =>
  withSet([0], (id) => {
    assertEquals(code(() => semop(id, [{ num: 0, op: -1, flg: IPC_NOWAIT }])), "EAGAIN");
    assertEquals(values(id), [0]);
  }));

cases.test("SVS-008", () =>
  withSet([1], (id) => {
    assertEquals(code(() => semop(id, [{ num: 0, op: 0, flg: IPC_NOWAIT }])), "EAGAIN");
  }));

cases.test("SVS-009", () =>
  withSet([0], (id) => {
    semop(id, [{ num: 0, op: 0 }]);
    assertEquals(values(id), [0]);
  }));

cases.test("SVS-010", () =>
  withSet([1, 0], (id) => {
    const both = [{ num: 0, op: -1, flg: IPC_NOWAIT }, { num: 1, op: -1, flg: IPC_NOWAIT }];
    assertEquals(code(() => semop(id, both)), "EAGAIN");
    assertEquals(values(id), [1, 0]);
    assertEquals(code(() => semop(id, both.reverse())), "EAGAIN");
    assertEquals(values(id), [1, 0]);
  }));

cases.test("SVS-011", () =>
  withSet([constants.SEMVMX], (id) => {
    assertEquals(code(() => semop(id, [{ num: 0, op: 1 }])), "ERANGE");
    assertEquals(values(id), [constants.SEMVMX]);
  }));

cases.test("SVS-012", () =>
  withSet([7], (id) => {
    for (const value of [-1, 32_768]) assertEquals(code(() => semctl(id, 0, SETVAL, value)), "ERANGE");
    assertEquals(code(() => semctl(id, 0, SETALL, new Uint16Array([32_768]))), "ERANGE");
    assertEquals(values(id), [7]);
  }));

cases.test("SVS-013", () =>
  withSet([1], (id) => {
    for (const num of [1, -1, 65_535]) {
      assertEquals(code(() => semop(id, [{ num, op: 1, flg: IPC_NOWAIT }])), "EFBIG");
    }
  }));

cases.test("SVS-015", () =>
  withSet([1], (id) => {
    assertEquals(code(() => semop(id, [])), "EINVAL");
  }));

cases.test("SVS-016", () => {
  for (const id of [-1, BAD_ID]) {
    assertEquals(code(() => semop(id, [{ num: 0, op: 1 }])), "EINVAL");
    assertEquals(code(() => semctl(id, 0, GETVAL)), "EINVAL");
  }
});

cases.test("SVS-017", () =>
  withSet([0], async (id) => {
    await using waiter = await operate(id, "[{ num: 0, op: -1 }]");
    await waiters(id, 1);
    semctl(id, 0, IPC_RMID);
    assertEquals(await waiter.line(), "RemovedError EIDRM");
  }));

cases.test("SVS-019", () =>
  withSet([1], async (id) => {
    await using holder = await operate(id, `[{ num: 0, op: -1, flg: ${constants.SEM_UNDO} }]`);
    assertEquals(await holder.line(), "done");
    await using waiter = await operate(id, "[{ num: 0, op: -1 }]");
    await waiters(id, 1);
    assertEquals(values(id), [0]);
    await holder.kill();
    assertEquals(await waiter.line(), "done");
    semop(id, [{ num: 0, op: 1 }]);
    assertEquals(values(id), [1]);
  }));

cases.test("SVS-020", () =>
  withSet([1], async (id) => {
    await using holder = await operate(id, "[{ num: 0, op: -1 }]");
    assertEquals(await holder.line(), "done");
    await holder.kill();
    assertEquals(values(id), [0]);
    assertEquals(code(() => semop(id, [{ num: 0, op: -1, flg: IPC_NOWAIT }])), "EAGAIN");
  }));

cases.test("SVS-022", () =>
  withSet([0], async (id) => {
    semop(id, [{ num: 0, op: 1 }]);
    assertEquals(semctl(id, 0, GETPID), Deno.pid);
    await using other = await operate(id, "[{ num: 0, op: -1 }]");
    assertEquals(await other.line(), "done");
    assertEquals(semctl(id, 0, GETPID), other.pid);
  }));

cases.test("SVS-023", () =>
  withSet([0], async (id) => {
    await using first = await operate(id, "[{ num: 0, op: -1 }]");
    await using second = await operate(id, "[{ num: 0, op: -1 }]");
    await waiters(id, 2);
    assertEquals(semctl(id, 0, GETZCNT), 0);
    semop(id, [{ num: 0, op: 2 }]);
    assertEquals([await first.line(), await second.line()], ["done", "done"]);
    assertEquals(semctl(id, 0, GETNCNT), 0);
  }));

cases.test("SVS-024", () =>
  withSet([0, 0, 0], (id) => {
    semctl(id, 0, SETALL, new Uint16Array([1, 2, 3]));
    assertEquals(values(id), [1, 2, 3]);
    for (const command of [SETALL, GETALL]) {
      assertThrows(() => semctl(id, 0, command, new Uint16Array(2)), RangeError, "at least 6 bytes");
    }
  }));

cases.test("SVS-025", () =>
  withSet([1], (id) => {
    asUser(NOBODY, () => {
      assertEquals(code(() => semop(id, [{ num: 0, op: 1 }])), "EACCES");
      assertEquals(code(() => semop(id, [{ num: 0, op: 0, flg: IPC_NOWAIT }])), "EACCES");
    });
    assertEquals(values(id), [1]);
  }), { ignore: !canBeAnother });

cases.test("SVS-027", () =>
  withObject(setKind, 4, (id) => {
    assertEquals(stat(id).getBigUint64(semidDs.nsems, true), 4n);
    assertEquals(stat(id).getBigInt64(semidDs.otime, true), 0n);
    semctl(id, 0, SETVAL, 1);
    assertEquals(stat(id).getBigInt64(semidDs.otime, true), 0n);
    semop(id, [{ num: 0, op: -1 }]);
    assert(stat(id).getBigInt64(semidDs.otime, true) > 0n);
  }));

cases.test("SVS-028", () =>
  withSet([0], (id) => {
    const start = performance.now();
    assertEquals(code(() => semtimedop(id, [{ num: 0, op: -1 }], 50)), "EAGAIN");
    // What was waited is at least what was asked for, but for the clocks' rounding.
    assertGreater(performance.now() - start, 49);
    assertThrows(() => semtimedop(id, [{ num: 0, op: -1 }], NaN), RangeError);
    for (const timeout of [0, 1e300, Infinity]) semtimedop(id, [{ num: 0, op: 1 }], timeout);
    assertEquals(values(id), [3]);
  }));

cases.test("SVS-030", () =>
  withSet([42], (id) => {
    semop(id, [{ num: 0, op: -10 }]);
    assertEquals(values(id), [32]);
  }));

cases.complete();

Deno.test("more than SEMOPM operations: E2BIG; what has no 16 bits is refused before", () =>
  withSet([0], (id) => {
    const one = { num: 0, op: 0, flg: IPC_NOWAIT };
    assertEquals(code(() => semop(id, Array(limit(seminfo.semopm) + 1).fill(one))), "E2BIG");
    for (const op of [-32_769, 32_768]) assertThrows(() => semop(id, [{ num: 0, op }]), RangeError);
  }));
