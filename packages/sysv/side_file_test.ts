/** The file that stands for a segment where locks are needed: `openFile` of shared memory. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClosedError, ERRNO, IPC_PRIVATE, IpcError, PermissionError, UntrustedError } from "@ipc/core";
import { stat } from "@ipc/core/sys";
import { everyFault, leakCheck, trackLeaks, withFault } from "@ipc/core/testing";
import { SharedMemory } from "./shared_memory.ts";
import { asUser, canBeAnother, NOBODY, TestProcess } from "./testdata/process.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const pathOf = ({ id }: SharedMemory) => `/dev/shm/ipc-sysv-shm.${id}`;

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

Deno.test("SharedMemory.openFile: one file for all, with a description for each, gone with the segment", () => {
  const memory = SharedMemory.create(IPC_PRIVATE, 100, { mode: 0o640, removeOnClose: true });
  const same = SharedMemory.open({ id: memory.id });
  const path = pathOf(memory);
  try {
    assertEquals(exists(path), false);
    using one = memory.openFile();
    using two = same.openFile();
    const [first, second] = [stat(one.fd), stat(two.fd)];
    assertEquals([first.ino, first.dev], [second.ino, second.dev]);
    assertEquals([first.mode, first.uid, first.type, first.size], [0o640, memory.stat().uid, "file", 0]);
    memory.close();
    // Somebody still has it attached.
    assertEquals(exists(path), true);
    assertThrows(() => memory.openFile(), ClosedError);
  } finally {
    memory.close();
    same.close();
  }
  assertEquals(exists(path), false);
});

Deno.test("SharedMemory.openFile: who comes at the same time gets the same file", async () => {
  using memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
  const child = `
    import { stat } from ${JSON.stringify(import.meta.resolve("@ipc/core/sys"))};
    import { SharedMemory } from ${MOD};
    using memory = SharedMemory.open({ id: ${memory.id} });
    const words = new Int32Array(memory.buffer);
    console.log("ready");
    while (Atomics.load(words, 0) === 0);
    using file = memory.openFile();
    console.log(String(stat(file.fd).ino));`;
  const processes = [1, 2, 3].map(() => new TestProcess(child));
  try {
    for (const process of processes) assertEquals(await process.line(), "ready");
    Atomics.store(new Int32Array(memory.buffer, 0, 1), 0, 1);
    using file = memory.openFile();
    for (const process of processes) assertEquals(await process.line(), String(stat(file.fd).ino));
  } finally {
    for (const process of processes) await process[Symbol.asyncDispose]();
  }
});

Deno.test("SharedMemory.openFile trusts no link, no folder, and nothing of somebody else's", () => {
  using memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
  const path = pathOf(memory);
  Deno.symlinkSync("/dev/null", path);
  assertThrows(() => memory.openFile(), UntrustedError, "a symbolic link");
  Deno.removeSync(path);
  Deno.mkdirSync(path);
  try {
    assertThrows(() => memory.openFile(), IpcError, "Cannot open lock file");
  } finally {
    Deno.removeSync(path);
  }
  if (!canBeAnother) return;
  Deno.writeTextFileSync(path, "");
  Deno.chownSync(path, NOBODY, NOBODY);
  assertThrows(() => memory.openFile(), UntrustedError, `it belongs to user ${NOBODY}`);
});

Deno.test({
  name:
    "SharedMemory.openFile: only whose memory it is makes the file, the others use it if its mode permits",
  ignore: !canBeAnother,
  fn: () => {
    using memory = SharedMemory.create(IPC_PRIVATE, 100, { mode: 0o666, removeOnClose: true });
    const { uid } = memory.stat();
    assertThrows(() => asUser(NOBODY, () => memory.openFile()), PermissionError, `belongs to user ${uid}`);
    memory.openFile().close();
    asUser(NOBODY, () => memory.openFile()).close();
    const own = asUser(NOBODY, () => SharedMemory.create(IPC_PRIVATE, 100));
    try {
      using file = own.openFile();
      assertEquals([stat(file.fd).uid, stat(file.fd).mode], [NOBODY, 0o600]);
    } finally {
      own.remove();
      own.close();
    }
  },
});

Deno.test("SharedMemory.openFile bears every fault: a typed error, and nothing stays behind", async () => {
  await using leaks = await trackLeaks();
  const report = await everyFault(() => {
    using memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
    memory.openFile().close();
  }, {
    errnos: [ERRNO.EACCES, ERRNO.EMFILE, ERRNO.ENOSPC, ERRNO.EIO],
    symbols: ["open", "fchmod", "linkat"],
    verify: () => leaks.check(),
  });
  assertEquals(report.hits, { open: 8, fchmod: 4, linkat: 4 });
  assertEquals(report.errors, report.faults);
  // Interrupted, it tries again; somebody else may be faster.
  for (const [symbols, errno] of [["open", ERRNO.EINTR], ["linkat", ERRNO.EEXIST]] as const) {
    const run = await withFault({ nth: 1, symbols, errno }, () => {
      using memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
      memory.openFile().close();
    });
    assert(run.error === undefined && run.hit === symbols);
  }
  const gone = SharedMemory.create(IPC_PRIVATE, 100);
  gone.removeOnLastDetach();
  gone.openFile().close();
  gone.close();
});
