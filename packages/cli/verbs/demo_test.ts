import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { list, type ObjectStatus, stat } from "@ipc/address";
import { meetings } from "@ipc/address/meeting";
import { folder, ipc, shell, start, until } from "../_testing.ts";

function file(path: string, size: number): string {
  const bytes = new Uint8Array(size).map((_, index) => index * 31 + (index >> 8));
  Deno.writeFileSync(path, bytes);
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("demo moves a file through every mechanism, and the far end has its SHA-256", async () => {
  using dir = folder();
  const path = `${dir.path}/file.bin`;
  const sha256 = file(path, 3_000_001);
  const { code, stdout, stderr } = await ipc(["demo", "--json", path]);
  assertEquals([code, stderr], [0, ""]);
  const result = JSON.parse(stdout);
  assertEquals([result.path, result.bytes, result.sha256], [path, 3_000_001, sha256]);
  const names: string[] = [];
  for (const row of result.mechanisms) {
    names.push(row.mechanism);
    assertEquals([row.ok, row.bytes, row.sha256], [true, 3_000_001, sha256]);
    for (const word of ["bytesPerSecond", "roundTripMicroseconds"]) assertGreater(row[word], 0);
    if (["tls", "ws"].includes(row.mechanism)) assertEquals(row.blockingRoundTripMicroseconds, undefined);
    else assertGreater(row.blockingRoundTripMicroseconds, 0);
  }
  assertEquals(names, meetings.map(({ name }) => name));
});

Deno.test("demo prints one table, with a line for each mechanism that was named", async () => {
  using dir = folder();
  const path = `${dir.path}/small`;
  file(path, 12_345);
  const { code, stdout, stderr } = await ipc(["demo", path, "mq", "pipe"]);
  assertEquals([code, stderr], [0, ""]);
  const line = String.raw`✓ .* (µs|ms) +[\d.]+ [kMGT]?B/s .*s +[\d.]+ [µm]s\n`;
  assertMatch(stdout, new RegExp(`^  pipe +${line}  mq +${line}`, "m"));
  assertMatch(stdout, /✓ 2 mechanisms, every byte checked/);
  assert(!stdout.includes("\x1b"), "no colours in a pipe");
});

Deno.test("demo moves an empty file, and says when there is none", async () => {
  using dir = folder();
  file(`${dir.path}/empty`, 0);
  assertEquals((await ipc(["demo", "--json", `${dir.path}/empty`, "fifo", "unix", "sysv-shm"])).code, 0);
  const { code, stdout, stderr } = await ipc(["demo", `${dir.path}/none`]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^ipc: demo .*\/none: No such file/);
});

Deno.test("demo says which mechanisms there are", async () => {
  const { code, stdout, stderr } = await ipc(["demo", Deno.execPath(), "telepathy"]);
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /there is no mechanism "telepathy"; there are pipe, fifo, /);
});

Deno.test("a signal ends demo and leaves no process and no file behind", async () => {
  using dir = folder();
  const { code, stdout } = await shell(
    `export TMPDIR=${dir.path}; ipc demo & pid=$!
     while ! ls ${dir.path} | grep -q ipc-demo; do sleep 0.02; done; sleep 0.1; kill -TERM $pid; wait $pid`,
  );
  assertEquals([code, stdout, [...Deno.readDirSync(dir.path)]], [143, "", []]);
  await until(() => processesWith(`TMPDIR=${dir.path}`) === 0);
});

for (const kind of ["sysv-msg", "sysv-shm", "sysv-sem"]) {
  Deno.test(`a signal ends demo while it uses ${kind}, and removes that`, async () => {
    using dir = folder();
    file(`${dir.path}/film`, 20_000_000);
    await using demo = start(["demo", `${dir.path}/film`, kind]);
    const used = async () => {
      const objects = await Promise.all(
        list([kind]).map(({ address }) => stat(address).catch(() => undefined)),
      );
      return objects.filter((object) => object !== undefined && usedBy(object, demo.process.pid));
    };
    await until(async () => (await used()).length > 0);
    demo.process.kill("SIGINT");
    assertEquals((await demo.finished).signal, "SIGINT");
    assertEquals(await used(), []);
  });
}

/** Whether an object was last used by a process. */
function usedBy(object: ObjectStatus, pid: number): boolean {
  switch (object.type) {
    case "sysv-msg":
      return object.lastSendPid === pid;
    case "sysv-shm":
      return object.creatorPid === pid;
    case "sysv-sem":
      return object.members?.some(({ lastPid }) => lastPid === pid) ?? false;
    default:
      return false;
  }
}

/** How many processes have this in their environment. */
function processesWith(variable: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (Deno.readTextFileSync(`/proc/${name}/environ`).includes(variable)) count++;
    } catch {
      // Gone, or somebody else's.
    }
  }
  return count;
}
