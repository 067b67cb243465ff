import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AlreadyExistsError, IpcError, NotFoundError, RemovedError, UntrustedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { TestProcess } from "../core/testdata/process.ts";
import { FileLog } from "./mod.ts";
import { withFolder } from "./testdata/pair.ts";
import { append, bytes, CEILING, count, drain, MOD, segmentFiles, text, withLog } from "./testdata/logs.ts";

leakCheck();

const SMALL = { fsync: "never", segmentBytes: 4096 } as const;

Deno.test("file log: a reader begins at the start, the end, a sequence or a moment", () =>
  withLog(async (log) => {
    append(log, 1, 50, 500);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const moment = new Date();
    append(log, 51, 100, 500);
    assert(segmentFiles(log).length > 5);
    const from = (place: "start" | "end" | number | Date) => {
      using reader = log.reader({ from: place });
      return drain(reader);
    };
    assertEquals(from("start"), count(1, 100));
    assertEquals(from("end"), []);
    assertEquals(from(moment), count(51, 100));
    assertEquals(from(new Date(0)), count(1, 100));
    assertEquals(from(new Date(Date.now() + 1e6)), []);
    for (const sequence of [1, 2, 7, 8, 9, 50, 99, 100, 101]) {
      assertEquals(from(sequence), count(sequence, 100));
    }
    for (const odd of [0, -1, 1.5, NaN, new Date(NaN)]) assertThrows(() => from(odd), RangeError);
    assertThrows(() => from("begin" as "start"), TypeError);
    using ahead = log.reader({ from: 103 });
    append(log, 101, 104);
    assertEquals(drain(ahead), [103, 104]);
  }, SMALL));

Deno.test("file log: records have their sequence and their time, through segments and writers", () =>
  withLog(async (log) => {
    const before = Date.now();
    using first = log.writer();
    using second = log.writer();
    using reader = log.reader();
    for (let number = 1; number <= 60; number++) {
      await (number % 2 === 0 ? first : second).send(new Uint8Array(300));
      const record = (await reader.receiveRecord(CEILING))!;
      assertEquals(record.sequence, number);
      assert(record.time.getTime() >= before && record.time.getTime() <= Date.now());
    }
    assertEquals([first.last, second.last, reader.position], [60, 59, 61]);
  }, SMALL));

Deno.test("file log: a note of the segment in use that is older than the segments, as after a power failure, hides none", () =>
  withLog(async (log) => {
    append(log, 1, 3, 3000);
    const note = Deno.readFileSync(`${log.path}/active`);
    append(log, 4, 12, 3000);
    Deno.writeFileSync(`${log.path}/active`, note);
    using reader = log.reader();
    assertEquals(drain(reader), count(1, 12));
    using consumer = log.consumer("worker");
    for (const number of count(1, 12)) assertEquals(consumer.tryReceiveRecord()?.sequence, number);
    const waiting = reader.receiveRecord(CEILING);
    append(log, 13, 13, 3000);
    assertEquals((await waiting)?.sequence, 13);
  }, SMALL));

Deno.test("file log: creating, opening, removing, and what is in the way", () =>
  withFolder(async (folder) => {
    const path = `${folder}/log`;
    assertThrows(() => FileLog.open(path), NotFoundError, `Cannot open log "${path}": no such log`);
    assertThrows(() => FileLog.create(`${folder}/none/log`), NotFoundError);
    {
      using log = FileLog.create(path, { mode: 0o640 });
      assertEquals(Deno.statSync(path).mode! & 0o777, 0o750);
      append(log, 1, 1);
      for (const { name, isFile } of Deno.readDirSync(path)) {
        const mode = name === "lock" ? 0o600 : 0o640;
        if (isFile) assertEquals(Deno.statSync(`${path}/${name}`).mode! & 0o777, mode, name);
      }
      assertThrows(() => FileLog.create(path), AlreadyExistsError);
      using same = FileLog.openOrCreate(path);
      assertEquals(same.stat().last, 1);
    }
    Deno.writeTextFileSync(`${path}/mine`, "keep");
    assertThrows(() => FileLog.remove(path), IpcError, "not the log's");
    assertEquals(Deno.readTextFileSync(`${path}/mine`), "keep");
    FileLog.open(path).close();
    await Deno.writeTextFile(`${folder}/text`, "");
    assertThrows(() => FileLog.open(`${folder}/text`), UntrustedError, "no directory");
    assertThrows(() => FileLog.create(`${folder}/text`), AlreadyExistsError);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["log", "text"]);
    for (
      const odd of [{ mode: 0o700 }, { segmentBytes: 10 }, { maxMessageSize: 0 }, { retain: { bytes: -1 } }, {
        retain: { unread: "dorp" as "drop" },
      }]
    ) {
      assertThrows(() => FileLog.create(`${folder}/odd`, odd), RangeError);
    }
  }));

Deno.test("file log: symbolic links, somebody else's, and settings that are none are refused", () =>
  withFolder((folder) => {
    const path = `${folder}/log`;
    using log = FileLog.create(path);
    append(log, 1, 1);
    Deno.symlinkSync(path, `${folder}/link`);
    assertThrows(() => FileLog.open(`${folder}/link`), UntrustedError);
    // Of a segment, and of a consumer, too.
    const segment = segmentFiles(log)[0]!;
    Deno.renameSync(segment, `${folder}/away`);
    Deno.symlinkSync(`${folder}/away`, segment);
    assertThrows(() => append(log, 2, 2), UntrustedError, "symbolic link");
    Deno.removeSync(segment);
    Deno.renameSync(`${folder}/away`, segment);
    Deno.symlinkSync(`${folder}/victim`, `${path}/consumers/evil`);
    assertThrows(() => log.consumer("evil"), UntrustedError);
    for (const name of ["", ".", "..", "a/b", "../x", ".x"]) {
      assertThrows(() => log.consumer(name), TypeError);
    }
    if (Deno.uid() === 0) {
      Deno.chownSync(path, 12345, null);
      assertThrows(() => FileLog.open(path), UntrustedError, "uid 12345");
      FileLog.open(path, { allowOwner: 12345 }).close();
      FileLog.open(path, { allowOwner: "any" }).close();
      Deno.chownSync(path, 0, null);
    }
    const settings = JSON.parse(Deno.readTextFileSync(`${path}/settings`));
    const odd = [
      "",
      "{",
      "null",
      '{"format":2}',
      ...["fsync", "segmentBytes", "maxMessageSize", "salt"].map(without),
    ];
    function without(name: string): string {
      return JSON.stringify({ ...settings, [name]: "x" });
    }
    for (const text of odd) {
      Deno.writeTextFileSync(`${path}/settings`, text);
      assertThrows(() => FileLog.open(path), UntrustedError);
    }
  }));

Deno.test("file log: who has a log that is removed is told", () =>
  withFolder(async (folder) => {
    const path = `${folder}/log`;
    using log = FileLog.create(path);
    using writer = log.writer();
    using reader = log.reader();
    await writer.send(bytes("one"));
    assertEquals(text(await reader.receive(CEILING)), "one");
    const waiting = reader.receive(CEILING);
    await new Promise((resolve) => setTimeout(resolve, 10));
    FileLog.remove(path);
    await assertRejects(() => waiting, RemovedError, `Cannot use log "${path}": it was removed`);
    await assertRejects(() => writer.send(bytes("two")), RemovedError);
    assertThrows(() => log.stat(), RemovedError);
    // Another of the same name is another.
    using next = FileLog.create(path);
    await assertRejects(() => writer.send(bytes("three")), RemovedError);
    assertEquals(next.stat().last, 0);
  }));

Deno.test("file log: sends that nobody awaits are there after close", () =>
  withLog((log) => {
    const writer = log.writer();
    for (let number = 1; number <= 3; number++) writer.send(bytes("x")).catch(() => {});
    writer.close();
    assertEquals(log.stat().last, 3);
  }, { fsync: "always" }));

Deno.test("file: --allow-ffi is all it needs", () =>
  withFolder(async (folder) => {
    const source = `
      import { FileLock, FileLog, follow } from ${MOD};
      using log = FileLog.create("${folder}/log");
      using writer = log.writer();
      using reader = log.reader();
      const received = reader.receive();
      await writer.send(new Uint8Array([7]));
      using consumer = log.consumer("worker");
      using file = follow("${folder}/log/settings", { from: "start" });
      using lock = FileLock.open("${folder}/lock");
      using held = lock.lockSync();
      console.log((await received)[0], (await consumer.receive())[0], (await file.receive()).length > 9);
      log.stat();
      FileLog.remove("${folder}/log");`;
    await using process = new TestProcess(source, { flags: ["--allow-ffi"] });
    assertEquals(await process.line(), "7 7 true");
    assert((await process.status).success);
  }));
