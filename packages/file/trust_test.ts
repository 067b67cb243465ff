/** What those can do who may only read a log, or only have a message put into it, or share it with others. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UntrustedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { answer, permitted, TestProcess } from "../core/testdata/process.ts";
import { FileLog } from "./mod.ts";
import { append, MOD, segmentFiles, withLog } from "./testdata/logs.ts";
import { withFolder } from "./testdata/pair.ts";

leakCheck();

/** A message that is made of what looks like headers of long records that are due, torn or damaged; says what is found. */
const forged = (path: string, damage: string) => `
import { FileLog } from ${MOD};
const SIZE = 16 * 1024 * 1024;
using log = FileLog.create(${JSON.stringify(path)}, { fsync: "never" });
const message = new Uint8Array(SIZE);
const view = new DataView(message.buffer);
for (let at = 0; at + 28 <= SIZE; at += 28) {
  view.setUint32(at, SIZE / 2, true);
  view.setUint32(at + 8, 2, true);
}
{
  using writer = log.writer();
  writer.sendSync(message);
}
const file = log.path + "/00000000000000000001.log";
${damage}
using reader = log.reader();
const found = [reader.tryReceive() === undefined, log.verify().damage.map(({ kind }) => kind).join()];
using writer = log.writer();
found.push(writer.trySend(new Uint8Array([7])), reader.tryReceive()?.join());
console.log(JSON.stringify(found));
`;

const damages = {
  "of which the end is missing": "Deno.truncateSync(file, SIZE);",
  "of which a bit of the header flipped":
    "const bytes = Deno.readFileSync(file); bytes[16] ^= 1; Deno.writeFileSync(file, bytes);",
};

for (const [title, damage] of Object.entries(damages)) {
  Deno.test(`file log: a record ${title} costs a look, whatever its message holds`, () =>
    withFolder(async (folder) => {
      await using process = new TestProcess(forged(`${folder}/log`, damage));
      // Looking at each of the forged records would take hours.
      const timer = setTimeout(() => process.kill(), 120_000);
      try {
        assertEquals(await process.line(), '[true,"torn",true,"7"]');
      } finally {
        clearTimeout(timer);
      }
    }));
}

Deno.test("file log: a link in the place of the consumers' folder, or what is no file in theirs, is refused", () =>
  withFolder((folder) => {
    const path = `${folder}/log`;
    using log = FileLog.create(path, { fsync: "never" });
    append(log, 1, 3);
    Deno.mkdirSync(`${folder}/private`);
    Deno.writeTextFileSync(`${folder}/private/worker`, "precious");
    Deno.removeSync(`${path}/consumers`);
    Deno.symlinkSync(`${folder}/private`, `${path}/consumers`);
    for (
      const use of [
        () => log.consumer("worker"),
        () => log.consumer("fresh"),
        () => log.removeConsumer("worker"),
        () => log.stat(),
        () => FileLog.remove(path),
      ]
    ) {
      assertThrows(use, UntrustedError, 'its "consumers" is no directory');
    }
    assertEquals([...Deno.readDirSync(`${folder}/private`)].map(({ name }) => name), ["worker"]);
    assertEquals(Deno.readTextFileSync(`${folder}/private/worker`), "precious");
    Deno.removeSync(`${path}/consumers`);
    Deno.mkdirSync(`${path}/consumers/worker`, { recursive: true });
    assertThrows(() => log.consumer("worker"), UntrustedError, 'its "worker" is no file');
    assertEquals(log.verify().records, 3);
  }));

/** Root without what lets it open every file, in a group. */
const plain = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-chown", "--groups", "4321"];

/** What becomes of calls of somebody else. */
const others = (path: string, calls: string) => `
import { FileLog } from ${MOD};
using log = FileLog.open(${JSON.stringify(path)}, { allowOwner: "any" });
const told = (call) => {
  try {
    return call() ?? "done";
  } catch (error) {
    return error.name;
  }
};
console.log(JSON.stringify([${calls}].map(told)));
`;

Deno.test({
  name: "file log: who may only read reads, waits and looks, and cannot open what others lock",
  ignore: Deno.uid() !== 0 || !permitted(plain),
  fn: () =>
    withLog(async (log) => {
      append(log, 1, 3);
      log.consumer("worker").close();
      for (const path of [log.path, `${log.path}/consumers`]) Deno.chownSync(path, 12_345, 12_345);
      const modes: Record<string, number> = {};
      for (const folder of [log.path, `${log.path}/consumers`]) {
        for (const { name, isFile } of Deno.readDirSync(folder)) {
          if (!isFile) continue;
          Deno.chownSync(`${folder}/${name}`, 12_345, 12_345);
          modes[name] = Deno.statSync(`${folder}/${name}`).mode! & 0o777;
        }
      }
      const [readable, lockable] = [0o644, 0o600];
      assertEquals(modes, {
        "00000000000000000001.log": readable,
        active: readable,
        lock: lockable,
        settings: readable,
        worker: lockable,
      });
      const calls = `
        () => log.reader().tryReceive()?.length,
        () => { log.reader({ from: "end" }).receiveSync({ timeout: 10 }); },
        () => log.stat().last,
        () => log.stat().consumers.length,
        () => log.verify().records,
        () => { Deno.openSync(log.path + "/lock"); },
        () => { Deno.openSync(log.path + "/consumers/worker"); },
        () => { log.writer(); },
        () => { log.consumer("worker"); }`;
      assertEquals(await answer(others(log.path, calls), { before: plain }), [
        4,
        "TimeoutError",
        3,
        0,
        3,
        "PermissionDenied",
        "PermissionDenied",
        "PermissionError",
        "PermissionError",
      ]);
    }, { fsync: "never", mode: 0o644 }),
});

Deno.test({
  name: "file log: what one of a group creates in it is the group's",
  ignore: Deno.uid() !== 0 || !permitted(plain),
  fn: () =>
    withLog(async (log) => {
      assertEquals(Deno.statSync(log.path).mode! & 0o7777, 0o2770);
      for (const path of [log.path, `${log.path}/consumers`, `${log.path}/lock`, `${log.path}/active`]) {
        Deno.chownSync(path, 12_345, 4321);
      }
      Deno.chownSync(`${log.path}/settings`, 12_345, 4321);
      const calls = `
        () => { using writer = log.writer(); for (let left = 3; left > 0; left--) writer.sendSync(new Uint8Array(3000)); },
        () => { using consumer = log.consumer("worker"); return consumer.tryReceive().length; }`;
      assertEquals(await answer(others(log.path, calls), { before: plain }), ["done", 3000]);
      const files = [...segmentFiles(log), `${log.path}/consumers/worker`];
      assertEquals(files.length, 3);
      for (const file of files) {
        const { gid, mode } = Deno.statSync(file);
        assertEquals([gid, mode! & 0o777], [4321, 0o660], file);
      }
    }, { fsync: "never", mode: 0o660, segmentBytes: 4096 }),
});

Deno.test({
  name: "file log: what root creates in somebody else's is theirs",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withLog((log) => {
      for (const path of [log.path, `${log.path}/consumers`]) Deno.chownSync(path, 12_345, 12_346);
      append(log, 1, 3, 3000);
      using consumer = log.consumer("worker");
      assert(consumer.tryReceive() !== undefined);
      const files = [...segmentFiles(log), `${log.path}/consumers/worker`];
      assertEquals(files.length, 3);
      for (const file of files) {
        const { uid, gid } = Deno.statSync(file);
        assertEquals([uid, gid], [12_345, 12_346], file);
      }
    }, { fsync: "never", segmentBytes: 4096 }),
});
