/** What the kernel does with message queues, at `@ipc/sysv/sys`. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ERRNO } from "@ipc/core";
import { errno, ftok } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { ipcPerm, msginfo, msqidDs } from "./_abi.ts";
import { queueKind } from "./_kinds.ts";
import { libc } from "./_libc.ts";
import { constants, msgctl, msgget, msgrcv, msgsnd } from "./sys.ts";
import { Cases } from "../core/testdata/cases.ts";
import { code, freeKey, nextSecond, withObject } from "./testdata/objects.ts";
import { answer, asUser, canBeAnother, NOBODY, TestProcess, withLimits } from "./testdata/process.ts";

leakCheck();

const { IPC_CREAT, IPC_EXCL, IPC_NOWAIT, IPC_PRIVATE, IPC_RMID, IPC_SET, IPC_STAT } = constants;
const SYS = JSON.stringify(new URL("sys.ts", import.meta.url).href);
const cases = new Cases("sysv-msg", new URL("testdata/conformance.json", import.meta.url));

const withQueue = (test: (id: number, key: number) => unknown, mode?: number) =>
  withObject(queueKind, 0, test, mode);

function stat(id: number): DataView {
  const buffer = new Uint8Array(msqidDs.size);
  msgctl(id, IPC_STAT, buffer);
  return new DataView(buffer.buffer);
}

function depth(id: number): number {
  return Number(stat(id).getBigUint64(msqidDs.qnum, true));
}

function limit(offset: number): number {
  const buffer = new Uint8Array(msqidDs.size);
  msgctl(0, constants.IPC_INFO, buffer);
  return new DataView(buffer.buffer).getInt32(offset, true);
}

const bytes = (text: string) => new TextEncoder().encode(text);

cases.test("SVM-001", () => {
  assertEquals(code(() => msgget(freeKey(), 0)), "ENOENT");
});

cases.test("SVM-002", () =>
  withQueue((_id, key) => {
    assertEquals(code(() => msgget(key, IPC_CREAT | IPC_EXCL | 0o600)), "EEXIST");
  }));

cases.test("SVM-003", () =>
  withQueue((id, key) => {
    assertEquals([msgget(key, IPC_CREAT | 0o600), msgget(key, IPC_CREAT | 0o600)], [id, id]);
  }));

cases.test("SVM-005", () => {
  const ids = [msgget(IPC_PRIVATE, 0o600), msgget(IPC_PRIVATE, 0o600)];
  try {
    assertNotEquals(ids[0], ids[1]);
    for (const id of ids) assertEquals(stat(id).getInt32(ipcPerm.key, true), 0);
  } finally {
    for (const id of ids) msgctl(id, IPC_RMID);
  }
});

cases.test("SVM-006", () =>
  withQueue((id) => {
    msgsnd(id, 1, bytes("abcdefg"));
    assertEquals(msgrcv(id, 100, 0), { mtype: 1n, mtext: bytes("abcdefg") });
  }));

cases.test("SVM-007", () =>
  withQueue((id) => {
    const all = new Uint8Array(512).map((_, index) => index % 2 === 0 ? 0 : index >> 1);
    msgsnd(id, 1, all);
    assertEquals(msgrcv(id, 512).mtext, all);
  }));

cases.test("SVM-008", () =>
  withQueue((id) => {
    for (const type of [0, -1]) assertEquals(code(() => msgsnd(id, type, bytes("x"))), "EINVAL");
    assertEquals(depth(id), 0);
  }));

cases.test("SVM-009", () =>
  withQueue((id) => {
    const tooLong = new Uint8Array(limit(msginfo.msgmax) + 1);
    assertEquals(code(() => msgsnd(id, 1, tooLong, IPC_NOWAIT)), "EINVAL");
    assertEquals(depth(id), 0);
  }));

cases.test("SVM-010", () =>
  withQueue((id) => {
    const longest = crypto.getRandomValues(new Uint8Array(limit(msginfo.msgmax)));
    msgsnd(id, 1, longest, IPC_NOWAIT);
    assertEquals(msgrcv(id, longest.length).mtext, longest);
  }));

cases.test("SVM-011", () => {
  for (const id of [-1, 0x7fff_fff0]) assertEquals(code(() => msgsnd(id, 1, bytes("x"))), "EINVAL");
});

cases.test("SVM-013", () =>
  withQueue((id) => {
    const room = Number(stat(id).getBigUint64(msqidDs.qbytes, true));
    const half = new Uint8Array(room / 2);
    msgsnd(id, 1, half, IPC_NOWAIT);
    msgsnd(id, 1, half, IPC_NOWAIT);
    assertEquals(code(() => msgsnd(id, 1, bytes("x"), IPC_NOWAIT)), "EAGAIN");
    assertEquals(depth(id), 2);
  }));

cases.test("SVM-014", () =>
  withQueue((id) => {
    const status = new Uint8Array(stat(id).buffer as ArrayBuffer);
    new DataView(status.buffer).setBigUint64(msqidDs.qbytes, 16_384n, true);
    msgctl(id, IPC_SET, status);
    let sent = 0;
    assertEquals(
      code(() => {
        for (;;) {
          msgsnd(id, 1, new Uint8Array(1024), IPC_NOWAIT);
          sent++;
        }
      }),
      "EAGAIN",
    );
    assertEquals(sent, 16);
  }));

cases.test("SVM-017", () =>
  withQueue(async (id) => {
    await using receiver = new TestProcess(`
      import { msgrcv } from ${SYS};
      console.log("ready");
      try { msgrcv(${id}, 10); } catch (error) { console.log(error.name, error.code); }`);
    assertEquals(await receiver.line(), "ready");
    await receiver.blocked();
    msgctl(id, IPC_RMID);
    assertEquals(await receiver.line(), "RemovedError EIDRM");
  }));

cases.test("SVM-018", () =>
  withQueue((id) => {
    msgctl(id, IPC_RMID);
    assertEquals(code(() => msgsnd(id, 1, bytes("x"))), "EINVAL");
    assertEquals(code(() => msgrcv(id, 10)), "EINVAL");
    assertEquals(code(() => stat(id)), "EINVAL");
  }));

cases.test("SVM-019", () =>
  withQueue((id) => {
    assertEquals(code(() => msgrcv(id, 10, 0, IPC_NOWAIT)), "ENOMSG");
  }));

cases.test("SVM-020", () =>
  withQueue((id) => {
    msgsnd(id, 2, bytes("two"));
    assertEquals(code(() => msgrcv(id, 10, 3, IPC_NOWAIT)), "ENOMSG");
    assertEquals(depth(id), 1);
  }));

for (
  const [test, selector, order] of [["SVM-021", 0, [4n, 3n, 2n, 1n]], ["SVM-022", -4, [
    1n,
    2n,
    3n,
    4n,
  ]]] as const
) {
  cases.test(test, () =>
    withQueue((id) => {
      for (const type of [4, 3, 2, 1]) msgsnd(id, type, bytes("x"));
      assertEquals(order.map(() => msgrcv(id, 1, selector, IPC_NOWAIT).mtype), [...order]);
    }));
}

cases.test("SVM-024", () =>
  withQueue((id) => {
    msgsnd(id, 1, bytes("0123456789"));
    assertEquals(code(() => msgrcv(id, 4, 0, IPC_NOWAIT)), "E2BIG");
    assertEquals(depth(id), 1);
    assertEquals(msgrcv(id, 4, 0, constants.MSG_NOERROR).mtext, bytes("0123"));
    assertEquals(depth(id), 0);
  }));

cases.test("SVM-026", () =>
  withQueue((id) => {
    msgsnd(id, 1, bytes("x"));
    const buffer = new Uint8Array(16);
    const tooMany = 2n ** 64n - 1n;
    const result = libc.msgrcv(id, buffer, tooMany, 0n, IPC_NOWAIT);
    assertEquals([errno(), result], [ERRNO.EINVAL, -1]);
    assertThrows(() => msgrcv(id, -1), RangeError, "Cannot msgrcv -1 bytes");
    assertEquals(depth(id), 1);
  }));

cases.test("SVM-027", () =>
  withQueue((id) => {
    const view = stat(id);
    for (const counter of [msqidDs.qnum, msqidDs.cbytes, msqidDs.stime, msqidDs.rtime]) {
      assertEquals(view.getBigUint64(counter, true), 0n);
    }
    for (const pid of [msqidDs.lspid, msqidDs.lrpid]) assertEquals(view.getInt32(pid, true), 0);
    assertNotEquals(view.getBigUint64(msqidDs.ctime, true), 0n);
    for (const user of [ipcPerm.uid, ipcPerm.cuid]) assertEquals(view.getUint32(user, true), libc.geteuid());
    assertEquals(view.getUint32(ipcPerm.mode, true) & 0o777, 0o640);
  }, 0o640));

cases.test("SVM-028", () =>
  withQueue(async (id) => {
    await using sender = new TestProcess(`
      import { msgsnd } from ${SYS};
      msgsnd(${id}, 1, new Uint8Array(1));
      console.log("sent");
      setInterval(() => {}, 1000);`);
    assertEquals(await sender.line(), "sent");
    msgrcv(id, 1);
    const view = stat(id);
    assertEquals(view.getInt32(msqidDs.lspid, true), sender.pid);
    assertEquals(view.getInt32(msqidDs.lrpid, true), Deno.pid);
    for (const time of [msqidDs.stime, msqidDs.rtime]) {
      const ago = Date.now() / 1000 - Number(view.getBigInt64(time, true));
      assert(Math.abs(ago) < 30, `${ago} s ago`);
    }
  }));

cases.test("SVM-030", () =>
  withQueue((id) => {
    assertEquals(asUser(NOBODY, () => code(() => stat(id))), "EACCES");
  }), { ignore: !canBeAnother });

cases.test("SVM-031", () =>
  withQueue((id) => {
    assertEquals(code(() => msgctl(id, -1)), "EINVAL");
    assertEquals(code(() => msgctl(id, -1, new Uint8Array(msqidDs.size))), "EINVAL");
  }));

cases.test("SVM-032", () =>
  withQueue(async (id) => {
    const before = stat(id);
    const second = before.getBigInt64(msqidDs.ctime, true);
    await nextSecond();
    before.setUint32(ipcPerm.mode, 0o660, true);
    msgctl(id, IPC_SET, new Uint8Array(before.buffer as ArrayBuffer));
    const after = stat(id);
    assertEquals(after.getUint32(ipcPerm.mode, true) & 0o777, 0o660);
    assert(after.getBigInt64(msqidDs.ctime, true) > second);
  }));

const fewQueues = withLimits({ msgmni: "5" });
cases.test("SVM-035", async () => {
  const source = `
    import { msgget } from ${SYS};
    let made = 0;
    try { for (;;) { msgget(0, 0o600); made++; } }
    catch (error) { console.log(JSON.stringify([made, error.name, error.code])); }`;
  assertEquals(await answer(source, { before: fewQueues }), [5, "LimitError", "ENOSPC"]);
}, { ignore: fewQueues === undefined });

cases.test("SVM-036", () => {
  assertEquals(code(() => ftok("/no/such/file", 65)), "ENOENT");
});

cases.complete();

Deno.test("a short buffer is refused before the kernel writes beyond it", () =>
  withQueue((id) => {
    assertThrows(() => msgctl(id, IPC_STAT, new Uint8Array(msqidDs.size - 1)), RangeError);
    assertEquals(code(() => msgctl(id, IPC_STAT)), "EFAULT");
  }));

Deno.test("msgsnd and msgrcv take types of 64 bits, MSG_EXCEPT and empty messages", () =>
  withQueue((id) => {
    msgsnd(id, 2n ** 63n - 1n, new Uint8Array());
    msgsnd(id, 5, bytes("five"));
    assertEquals(msgrcv(id, 10, 2n ** 63n - 1n, constants.MSG_EXCEPT), { mtype: 5n, mtext: bytes("five") });
    assertEquals(msgrcv(id, 0), { mtype: 2n ** 63n - 1n, mtext: new Uint8Array() });
  }));
