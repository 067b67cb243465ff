/** Disks that are full, that may not be written, and what is asked of them in which order. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { permitted, prepared, TestProcess } from "../core/testdata/process.ts";
import { MOD } from "./testdata/logs.ts";
import { withFolder } from "./testdata/pair.ts";

leakCheck();

/** All that a program prints, line by line. */
async function linesOf(source: string, before: readonly string[]): Promise<string[]> {
  await using process = new TestProcess(source, { before });
  const lines: string[] = [];
  for (let line; (line = await process.line()) !== undefined;) lines.push(line);
  assert((await process.status).success);
  return lines;
}

const small = prepared("mount -t tmpfs -o size=1m none /mnt");

Deno.test({
  name:
    "file log on a full disk: what was acknowledged is there, what failed is not, and it goes on when there is room",
  ignore: small === undefined,
  fn: async () => {
    const source = `
      import { FileLog } from ${MOD};
      using log = FileLog.create("/mnt/log", { fsync: "always", segmentBytes: 65536 });
      using writer = log.writer();
      let sent = 0;
      const told = new Set();
      const message = (number) => new Uint8Array(new Uint32Array(100 + number % 5000).fill(number).buffer);
      const ways = [
        (number) => writer.send(message(number)).then(() => 1),
        (number) => (writer.sendSync(message(number)), 1),
        (number) => writer.sendBatch([0, 1, 2, 3].map((more) => message(number + more))).then(() => 4, (error) => {
          sent += error.sent;
          throw error;
        }),
      ];
      let failures = 0;
      for (let round = 0; failures < 30; round++) {
        try {
          sent += await ways[round % 3](sent + 1);
        } catch (error) {
          told.add(error.name + " " + error.code);
          failures++;
        }
      }
      const check = (from) => {
        using reader = log.reader({ from });
        let next = from;
        for (let record; (record = reader.tryReceiveRecord()) !== undefined; next++) {
          const words = new Uint32Array(record.data.slice().buffer);
          if (record.sequence !== next || !words.every((word) => word === next)) throw new Error("Not " + next);
        }
        return next - 1;
      };
      console.log([...told].join());
      console.log(sent === check(1), log.verify().damage.length, log.stat().last === sent);
      // Room again: a segment is taken away.
      const [first, second] = [...Deno.readDirSync("/mnt/log")].map(({ name }) => name).filter((name) =>
        name.endsWith(".log")).sort();
      Deno.removeSync("/mnt/log/" + first);
      await writer.send(message(sent + 1));
      console.log(check(Number.parseInt(second)) === sent + 1);
      // No room for a log, or a consumer: nothing is left of the attempt.
      Deno.writeFileSync("/mnt/filling", new Uint8Array(0));
      using filling = Deno.openSync("/mnt/filling", { write: true });
      try {
        for (;;) filling.writeSync(new Uint8Array(4096));
      } catch { /* It is full. */ }
      try {
        FileLog.create("/mnt/other");
      } catch (error) {
        console.log(error.name, [...Deno.readDirSync("/mnt")].length);
      }`;
    assertEquals(await linesOf(source, small!), ["LimitError ENOSPC", "true 0 true", "true", "LimitError 2"]);
  },
});

const readOnly = prepared("mount -t tmpfs none /mnt");

Deno.test({
  name: "file log on a disk that may only be read: readers read, writers are told",
  ignore: readOnly === undefined,
  fn: async () => {
    const source = `
      import { FileLock, FileLog } from ${MOD};
      {
        using log = FileLog.create("/mnt/log");
        using writer = log.writer();
        writer.sendSync(new Uint8Array([1]));
        log.consumer("reader").close();
        Deno.writeTextFileSync("/mnt/lock", "");
      }
      new Deno.Command("mount", { args: ["-o", "remount,ro", "/mnt"] }).outputSync();
      const attempt = (call) => {
        try {
          call();
          console.log("done");
        } catch (error) {
          console.log(error.name, error.code);
        }
      };
      using log = FileLog.open("/mnt/log");
      using reader = log.reader();
      console.log(reader.tryReceive()[0], log.verify().records, log.stat().last, log.stat().consumers.length);
      attempt(() => log.writer());
      attempt(() => log.consumer("worker"));
      attempt(() => FileLog.create("/mnt/other"));
      attempt(() => FileLog.remove("/mnt/log"));
      attempt(() => FileLock.open("/mnt/lock").lockSync().unlock());`;
    const told = await linesOf(source, readOnly!);
    assertEquals(told[0], "1 1 1 1");
    assertEquals(told.slice(1, 5).map((line) => line.split(" ")[1]), Array(4).fill("EROFS"));
    assertEquals(told[5], "done");
  },
});

Deno.test({
  name: "file log on a disk that is unmounted: who has it open goes on with it, nobody else finds it",
  ignore: readOnly === undefined,
  fn: async () => {
    const source = `
      import { FileLog, follow } from ${MOD};
      const { log, text, writer, reader, worker } = (() => {
        const log = FileLog.create("/mnt/log", { fsync: "always", segmentBytes: 4096 });
        Deno.writeTextFileSync("/mnt/text", "one\\n");
        return {
          log, text: follow("/mnt/text", { from: "start" }),
          writer: log.writer(), reader: log.reader(), worker: log.consumer("worker"),
        };
      })();
      const pending = [reader.receive(), worker.receiveRecord()];
      console.log((await text.receive()).length);
      new Deno.Command("umount", { args: ["-l", "/mnt"] }).outputSync();
      // Over the ends of segments, too.
      for (let number = 1; number <= 5; number++) await writer.send(new Uint8Array(3000).fill(number));
      const [data, record] = await Promise.all(pending);
      console.log(data[0], record.data[0], record.acknowledge(), (await reader.receive())[0]);
      console.log(log.stat().last, log.stat().segments > 1, log.verify().damage.length, text.tryReceive());
      for (const call of [() => FileLog.open("/mnt/log"), () => FileLog.remove("/mnt/log")]) {
        try {
          call();
        } catch (error) {
          console.log(error.name);
        }
      }
      for (const each of [log, text, writer, reader, worker]) each.close();`;
    assertEquals(await linesOf(source, readOnly!), [
      "3",
      "1 1 true 2",
      "5 true 0 undefined",
      "NotFoundError",
      "NotFoundError",
    ]);
  },
});

const trace = ["strace", "-f", "-qq", "-y", "-e", "trace=pwrite64,fdatasync,fsync,write", "-s", "16"];

Deno.test({
  name:
    'file log with fsync "always": a record is written, then on the disk, and only then is its sender told',
  ignore: !permitted(trace),
  fn: () =>
    withFolder(async (folder) => {
      const path = `${folder}/log`;
      const told = (mark: string) => `Deno.stdout.writeSync(new TextEncoder().encode("${mark}\\n"));`;
      const source = `
        import { FileLog } from ${MOD};
        using log = FileLog.create(${JSON.stringify(path)}, { fsync: "always", segmentBytes: 4096 });
        using writer = log.writer();
        ${told("begun")}
        await writer.send(new Uint8Array(10).fill(65)); ${told("told")}
        writer.sendSync(new Uint8Array(10).fill(66)); ${told("told")}
        await writer.sendBatch([67, 68, 69].map((byte) => new Uint8Array(10).fill(byte))); ${told("told")}
        await Promise.all([70, 71].map((byte) => writer.send(new Uint8Array(10).fill(byte)))); ${told("told")}
        for (let left = 60; left > 0; left--) writer.trySend(new Uint8Array(100)); ${told("told")}`;
      assertEquals((await linesOf(source, [...trace, "-o", `${folder}/trace`])).length, 6);
      const text = Deno.readTextFileSync(`${folder}/trace`);
      const calls = text.slice(text.indexOf("begun")).trimEnd().split("\n");
      let unflushed = 0;
      let flushes = 0;
      for (const call of calls) {
        if (call.includes("pwrite64(") && call.includes(".log>")) {
          unflushed++;
        } else if (call.includes("fdatasync") && call.endsWith(" = 0")) {
          unflushed = 0;
          flushes++;
        } else if (call.includes("write(1<") && call.includes("told")) {
          assertEquals(unflushed, 0, calls.slice(0, calls.indexOf(call)).join("\n"));
        }
      }
      assert(flushes >= 5, `${flushes} flushes`);
      assert(
        calls.some((call) => call.includes("fsync(") && call.includes(`<${path}>`)),
        "the folder was not flushed",
      );
    }),
});
