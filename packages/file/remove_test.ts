/** Removing a log beside those who write to it, and those who create one of the same name. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AlreadyExistsError, IpcError, NotFoundError, RemovedError, UntrustedError } from "@ipc/core";
import { abi, interceptCalls } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { TestProcess } from "../core/testdata/process.ts";
import { FileLog } from "./mod.ts";
import { append, CEILING, MOD, withLog } from "./testdata/logs.ts";
import { withFolder } from "./testdata/pair.ts";

leakCheck();

const SMALL = { fsync: "never", segmentBytes: 4096 } as const;

/** What lies in a folder. */
function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

Deno.test("file log: one that is being removed is there as a whole or not at all, also where a segment is begun meanwhile", () =>
  withFolder((folder) => {
    const path = `${folder}/log`;
    using log = FileLog.create(path, SMALL);
    append(log, 1, 10, 3000);
    log.consumer("worker").close();
    let looked = false;
    interceptCalls((symbol, args, real) => {
      if (symbol === "rmdir" && !looked) {
        looked = true;
        const [away] = namesIn(folder).filter((name) => name !== "log");
        // A writer that was about to begin it when the log was removed.
        Deno.writeTextFileSync(`${folder}/${away}/00000000000000000099.log`, "");
        assertThrows(() => FileLog.open(path), NotFoundError);
        using next = FileLog.openOrCreate(path, SMALL);
        append(next, 1, 2);
      }
      return real(...args);
    });
    try {
      FileLog.remove(path);
    } finally {
      interceptCalls(undefined);
    }
    assertEquals([looked, namesIn(folder)], [true, ["log"]]);
    using next = FileLog.open(path);
    assertEquals(next.stat().last, 2);
    assertThrows(() => append(log, 11, 11), RemovedError);
  }));

Deno.test("file log: who begins a segment, or a consumer, at the moment it is removed is told so", async () => {
  const acts: ((log: FileLog) => void)[] = [
    (log) => append(log, 11, 11),
    (log) => log.consumer("another").close(),
  ];
  for (const act of acts) {
    await withFolder((folder) => {
      const path = `${folder}/log`;
      using log = FileLog.create(path, SMALL);
      append(log, 1, 10, 3000);
      let removed = false;
      interceptCalls((symbol, args, real) => {
        if (symbol === "openat" && (Number(args[2]) & abi.O_CREAT) !== 0 && !removed) {
          removed = true;
          FileLog.remove(path);
        }
        return real(...args);
      });
      try {
        assertThrows(() => act(log), RemovedError, "it was removed");
      } finally {
        interceptCalls(undefined);
      }
      assertEquals([removed, namesIn(folder)], [true, []]);
    });
  }
});

/** Begins segments all the time. */
const writing = (path: string) => `
import { FileLog } from ${MOD};
using log = FileLog.open(${JSON.stringify(path)});
using writer = log.writer();
console.log("ready");
try {
  for (;;) await writer.sendBatch(Array.from({ length: 50 }, () => new Uint8Array(3000)));
} catch (error) {
  console.log(error.name);
}
`;

Deno.test("file log: one that two processes write to is removed, and nothing is left", () =>
  withFolder(async (folder) => {
    const path = `${folder}/log`;
    for (let round = 1; round <= 5; round++) {
      FileLog.create(path, SMALL).close();
      await using one = new TestProcess(writing(path));
      await using two = new TestProcess(writing(path));
      for (const process of [one, two]) assertEquals(await process.line(), "ready");
      await new Promise((resolve) => setTimeout(resolve, 5 * round));
      FileLog.remove(path);
      for (const process of [one, two]) assertEquals(await process.line(), "RemovedError");
      assertEquals(namesIn(folder), []);
    }
  }));

Deno.test("file log: what is not the log's stays, and so does the log", () =>
  withLog(async (log) => {
    append(log, 1, 3);
    log.consumer("worker").close();
    for (const odd of ["mine", "consumers/.mine"]) {
      Deno.writeTextFileSync(`${log.path}/${odd}`, "keep");
      assertThrows(() => FileLog.remove(log.path), IpcError, "not the log's");
      assertEquals(Deno.readTextFileSync(`${log.path}/${odd}`), "keep");
      Deno.removeSync(`${log.path}/${odd}`);
    }
    using reader = log.reader();
    assertEquals((await reader.receiveBatch(CEILING)).length, 3);
    assertEquals(log.stat().consumers.length, 1);
  }));

Deno.test("file log: an empty directory is no log yet, and becomes one; a path may end with a slash", () =>
  withFolder(async (folder) => {
    const path = `${folder}/log`;
    Deno.mkdirSync(path);
    assertThrows(() => FileLog.open(path), NotFoundError, "empty directory");
    assertThrows(() => FileLog.remove(path), NotFoundError);
    using log = FileLog.openOrCreate(`${path}/`, SMALL);
    assertEquals(log.path, path);
    append(log, 1, 1);
    assertThrows(() => FileLog.create(`${path}//`), AlreadyExistsError);
    Deno.symlinkSync(path, `${folder}/link`);
    for (const link of ["link", "link/"]) {
      assertThrows(() => FileLog.open(`${folder}/${link}`), UntrustedError);
      assertThrows(() => FileLog.remove(`${folder}/${link}`), UntrustedError);
    }
    using reader = log.reader();
    assertEquals(await reader.receive(CEILING).then((data) => data?.length), 4);
    FileLog.remove(`${path}/`);
    await assertRejects(() => reader.receive(CEILING), RemovedError);
    assertEquals(namesIn(folder), ["link"]);
  }));
