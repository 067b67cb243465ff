import { assert, assertEquals } from "@std/assert";
import { ERRNO, formatKey, type Key } from "@ipc/core";
import { interceptCalls, setErrno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { has, scaled } from "../core/testdata/child.ts";
import { constants, msqidDs } from "./_abi.ts";
import { memoryKind, queueKind, setKind } from "./_kinds.ts";
import { libc } from "./_libc.ts";
import { list } from "./list.ts";
import { SharedMemory } from "./shared_memory.ts";
import type { SystemVStatus } from "./status.ts";
import { msgsnd, semctl, semop } from "./sys.ts";
import { removeKey, withKey } from "./testdata/objects.ts";
import { answer, asUser, canBeAnother, inNamespaces, NOBODY } from "./testdata/process.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const here = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
const CREATE = constants.IPC_CREAT | constants.IPC_EXCL;

Deno.test("list has what this process made, with every field that stat has", () =>
  withKey((key) => {
    const queue = queueKind.get(key, 0, CREATE | 0o640);
    const set = setKind.get(key, 3, CREATE | 0o604);
    using memory = SharedMemory.create(key, 10_000);
    memory.bytes[0] = 1;
    memory.bytes[5000] = 1;
    msgsnd(queue, 1, new Uint8Array(100));
    msgsnd(queue, 1, new Uint8Array(20));
    semop(set, [{ num: 1, op: 2 }]);

    const { queues, semaphoreSets, memories } = list();
    const mine = queues.find(({ id }) => id === queue)!;
    assertEquals([mine.key, mine.mode, mine.messages, mine.bytes], [key, 0o640, 2, 120]);
    assertEquals([mine.uid, mine.creatorUid, mine.gid], [Deno.uid(), Deno.uid(), Deno.gid()]);
    assertEquals([mine.lastSendPid, mine.lastReceivePid, mine.lastReceiveTime], [Deno.pid, 0, undefined]);
    assert(mine.maxBytes >= 120 && mine.lastSendTime instanceof Date);

    const ours = semaphoreSets.find(({ id }) => id === set)!;
    assertEquals([ours.key, ours.mode, ours.semaphores], [key, 0o604, 3]);
    assert(ours.lastOperationTime instanceof Date);

    const { resident, swapped, creatorCommand, ...status } = memories.find(({ id }) => id === memory.id)!;
    assertEquals(creatorCommand?.includes("deno"), true);
    assertEquals(status, memory.stat());
    assertEquals(resident! + swapped!, 8192);
  }));

Deno.test({
  name: "list has everybody's objects, also what this user may not read, and nothing that is gone",
  ignore: !canBeAnother,
  fn: () =>
    withKey((key) => {
      const kinds = [[queueKind, 0], [setKind, 1], [memoryKind, 1]] as const;
      const ids = kinds.map(([kind, size]) => kind.get(key, size, CREATE));
      const all = () => asUser(NOBODY, list);
      const { queues, semaphoreSets, memories } = all();
      for (const [index, objects] of [queues, semaphoreSets, memories].entries()) {
        const found = objects.filter(({ id }) => id === ids[index]);
        assertEquals(found.map(({ key, mode }) => [key, mode]), [[key, 0]]);
      }
      removeKey(key);
      const left: SystemVStatus[] = Object.values(all()).flat();
      assertEquals(left.filter((each) => each.key === key), []);
    }),
});

Deno.test("list before Linux 4.17 has what this user may read; a vanished object is left out", () =>
  withKey((key) => {
    const id = queueKind.get(key, 0, CREATE | 0o600);
    const find = () => list().queues.find((each) => each.id === id);
    const fail = (commands: readonly unknown[], code: number) =>
      interceptCalls((symbol, args, real) => {
        if (symbol !== "msgctl" || !commands.includes(args[1])) return real(...args);
        setErrno(code);
        return -1;
      });
    try {
      fail([constants.MSG_STAT_ANY], ERRNO.EINVAL);
      assertEquals(find()?.key, key);
      fail([constants.MSG_STAT_ANY, constants.MSG_STAT], ERRNO.EIDRM);
      assertEquals(find(), undefined);
    } finally {
      interceptCalls(undefined);
    }
    assertEquals(find()?.key, key);
  }));

Deno.test("list is exact while objects come and go: none twice, none that stays missing", () =>
  withKey((key) => {
    const stays = setKind.get(key, 1, CREATE | 0o600);
    for (let round = 0; round < scaled(500); round++) {
      const passing = setKind.get(constants.IPC_PRIVATE, 1, 0o600);
      const ids = list().semaphoreSets.map(({ id }) => id);
      semctl(passing, 0, constants.IPC_RMID);
      assertEquals(new Set(ids).size, ids.length);
      assert(ids.includes(stays) && ids.includes(passing));
    }
  }));

Deno.test({
  name: "list in a namespace of its own is empty first, and then what ipcs counts",
  ignore: inNamespaces === undefined || !has("ipcs"),
  fn: async () => {
    const source = `
      import { list, parseKey, SharedMemory } from ${MOD};
      import { msgget, semget, shmget } from ${here("sys.ts")};
      const first = list();
      const ids = [0, 1, 2, 3, 4].map((n) => [msgget(0x100 + n, 0o1600), semget(0x200 + n, n + 1, 0o1640), shmget(0x300 + n, n + 1, 0o1604)]);
      const ipcs = (flag) => {
        const { stdout } = new Deno.Command("ipcs", { args: [flag] }).outputSync();
        return new TextDecoder().decode(stdout).split("\\n").filter((line) => line.startsWith("0x")).map((line) => line.split(/ +/));
      };
      const { queues, semaphoreSets, memories } = list();
      console.log(JSON.stringify([first, [ipcs("-q"), ipcs("-s"), ipcs("-m")], [queues, semaphoreSets, memories]]));`;
    type Listed = { key: Key; id: number; mode: number; bytes: number; semaphores: number; size: number };
    const [first, shown, listed] = await answer(source, { before: inNamespaces }) as [
      unknown,
      string[][][],
      Listed[][],
    ];
    assertEquals(first, { queues: [], semaphoreSets: [], memories: [] });
    const size = [
      (each: Listed) => each.bytes,
      (each: Listed) => each.semaphores,
      (each: Listed) => each.size,
    ];
    for (const [index, objects] of listed.entries()) {
      const rows = objects.map((each) => [
        formatKey(each.key),
        String(each.id),
        each.mode.toString(8),
        String(size[index]!(each)),
      ]);
      assertEquals(rows.length, 5);
      const row = ([key = "", id = "", , perms = "", size = ""]: string[]) => [key, id, perms, size];
      assertEquals(rows, shown[index]!.map(row));
    }
  },
});

Deno.test("list without /proc has everything but the bytes in memory", () => {
  using memory = SharedMemory.create(constants.IPC_PRIVATE as Key, 1, { removeOnClose: true });
  interceptCalls((symbol, args, real) => {
    if (symbol !== "open") return real(...args);
    setErrno(ERRNO.ENOENT);
    return -1;
  });
  try {
    const { resident, swapped, creatorCommand, ...status } = list().memories.find(({ id }) =>
      id === memory.id
    )!;
    assertEquals([resident, swapped, creatorCommand, status], [
      undefined,
      undefined,
      undefined,
      memory.stat(),
    ]);
  } finally {
    interceptCalls(undefined);
  }
});

Deno.test("what list relies on: the commands take an id for its index", () =>
  withKey((key) => {
    // The second object at the same place of the table has another id.
    const first = queueKind.get(key, 0, CREATE | 0o600);
    libc.msgctl(first, constants.IPC_RMID, null);
    const second = queueKind.get(key, 0, CREATE | 0o600);
    const buffer = new Uint8Array(msqidDs.size);
    assertEquals(libc.msgctl(second, constants.MSG_STAT, buffer), second);
  }));
