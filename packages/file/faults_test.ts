import { ERRNO } from "@ipc/core";
import { faultSuite, leakCheck } from "@ipc/core/testing";
import { FileLock, FileLog, follow } from "./mod.ts";
import { openEnding, withFolder } from "./testdata/pair.ts";

leakCheck();

const message = new Uint8Array(100);

faultSuite("file log", openEnding, {
  backPressure: false,
  errnos: [ERRNO.EINTR, ERRNO.EACCES],
  more: {
    "create, look, verify, repair, remove": () =>
      withFolder((folder) => {
        using log = FileLog.create(`${folder}/log`, { fsync: "always", segmentBytes: 4096 });
        using writer = log.writer();
        writer.sendSync(message);
        log.stat();
        log.verify();
        log.repair();
        using same = FileLog.open(`${folder}/log`);
        same.close();
        FileLog.remove(`${folder}/log`);
      }),
    "wait for the first record": () =>
      withFolder(async (folder) => {
        using log = FileLog.create(`${folder}/log`, { fsync: "never" });
        using reader = log.reader();
        const waiting = reader.receive();
        waiting.catch(() => {});
        // So long that it has looked whatever its beginning, and waits for a change.
        await new Promise((resolve) => setTimeout(resolve, 20));
        using writer = log.writer();
        writer.sendSync(message);
        await waiting;
      }),
    "consumer": () =>
      withFolder(async (folder) => {
        using log = FileLog.create(`${folder}/log`, { fsync: "never" });
        using writer = log.writer();
        writer.sendSync(message);
        using consumer = log.consumer("worker");
        const record = await consumer.receiveRecord({ timeout: 2000 });
        record?.acknowledge();
      }),
    "lock": () =>
      withFolder(async (folder) => {
        using whole = FileLock.open(`${folder}/lock`);
        whole.lockSync().unlock();
        using part = FileLock.open(`${folder}/lock`, { offset: 10, length: 1 });
        (await part.lock({ shared: true })).unlock();
      }),
    "follow": () =>
      withFolder(async (folder) => {
        using file = follow(`${folder}/text`);
        await Deno.writeTextFile(`${folder}/text`, "line\n");
        file.receiveSync({ timeout: 2000 });
      }),
  },
});
