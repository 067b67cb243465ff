import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatKey, stableKey } from "@ipc/core";
import { folder, ipc, made, shell, start, until } from "../_testing.ts";

const lineOf = (text: string, address: string) =>
  text.split("\n").find((line) => line.startsWith(`${address} `));

Deno.test("ls lists objects of every kind under the addresses that other verbs take", async () => {
  await using queue = await made("sysv-msg", { maxBytes: 1000, mode: 0o640 });
  await using set = await made("sysv-sem", { size: 3 });
  await using memory = await made("sysv-shm", { size: 2_000_000 });
  await ipc(["send", queue.address, "hello"]);
  const { code, stdout, stderr } = await ipc(["ls"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^address +id +owner +mode +holds +last used$/m);
  const me = (await shell("id -un")).stdout.trim();
  assertMatch(
    lineOf(stdout, queue.address)!,
    new RegExp(` \\d+ +${me} +0640 +1 message, 5 B of 1.00 kB +\\d+ s ago by \\d+`),
  );
  assertMatch(lineOf(stdout, set.address)!, new RegExp(` \\d+ +${me} +0600 +3 semaphores +\\d+ s ago$`));
  assertMatch(lineOf(stdout, memory.address)!, / 2.00 MB, not attached +\d+ s ago by \d+/);
  const one = await ipc(["ls", "sysv-sem"]);
  assert(lineOf(one.stdout, set.address) && !lineOf(one.stdout, queue.address));
});

Deno.test("ls --json prints an object a line, the same as stat --json", async () => {
  await using queue = await made("sysv-msg");
  await using set = await made("sysv-sem");
  const { stdout } = await ipc(["ls", "--json"]);
  const all = stdout.trim().split("\n").map((line) => JSON.parse(line));
  for (const { address } of [queue, set]) {
    const listed = all.find((object) => object.address === address);
    const { members: _, ...status } = JSON.parse((await ipc(["stat", address, "--json"])).stdout);
    assertEquals(listed, status);
  }
});

Deno.test("ls lists FIFOs below a folder, with who has them open", async () => {
  using dir = folder();
  Deno.mkdirSync(`${dir.path}/below`);
  const address = `fifo:${dir.path}/below/in`;
  await ipc(["make", address]);
  await using receiver = start(["recv", address, "--follow"]);
  await until(async () => {
    const { stdout } = await ipc(["ls", `fifo:${dir.path}`]);
    return / 0 B, 1 reader, [01] writers?$/.test(lineOf(stdout, address)!);
  });
  receiver.process.kill("SIGTERM");
  await receiver.finished;
  const none = await ipc(["ls", `fifo:${dir.path}/none`]);
  assertEquals(none.code, 1);
  assertMatch(none.stderr, /^ipc: ls fifo:.*\/none: No such file/);
});

Deno.test("make prints the address of a private object, which stat and rm take", async () => {
  for (
    const args of [["sysv-msg:0"], ["sysv-sem:0", "--initial", "1,2", "--size", "2"], [
      "sysv-shm:0",
      "--size",
      "4K",
    ]]
  ) {
    const { code, stdout } = await ipc(["make", ...args]);
    const address = stdout.trim();
    try {
      assertEquals(code, 0);
      assertMatch(address, /^sysv-[a-z]+:\?id=\d+$/);
      const status = JSON.parse((await ipc(["stat", address, "--json"])).stdout);
      assertEquals([status.key, status.mode], [0, 0o600]);
      if (args[0] === "sysv-sem:0") {
        assertEquals(status.members.map(({ value }: { value: number }) => value), [1, 2]);
      }
      if (args[0] === "sysv-shm:0") assertEquals(status.size, 4096);
    } finally {
      assertEquals((await ipc(["rm", address])).code, 0);
    }
    assertMatch(
      (await ipc(["rm", address])).stderr,
      /: (it was removed|no such shared memory) \(E[A-Z]+\)\n/,
    );
  }
});

Deno.test("make and rm say what exists and what does not", async () => {
  for (
    const [scheme, what] of [["sysv-msg", "message queue"], ["sysv-sem", "semaphore set"], [
      "sysv-shm",
      "shared memory",
    ]]
  ) {
    await using object = await made(scheme!, scheme === "sysv-shm" ? { size: 1 } : {});
    const size = scheme === "sysv-shm" ? ["--size", "1"] : [];
    const again = await ipc(["make", object.address, ...size]);
    assertEquals([again.code, again.stdout], [1, ""]);
    assertMatch(again.stderr, /^ipc: make sysv-.*: .*exists.* \(EEXIST\)\n$/);
    const none = `${scheme}:${formatKey(stableKey(`test ${crypto.randomUUID()}`))}`;
    const removed = await ipc(["rm", none, object.address]);
    assertEquals([removed.code, removed.stderr], [1, `ipc: rm ${none}: no such ${what} (ENOENT)\n`]);
    assertEquals((await ipc(["stat", object.address])).code, 1);
  }
});

Deno.test("stat tells all of an object in words", async () => {
  await using set = await made("sysv-sem", { size: 2, initial: [7, 0] });
  await using waiter = start(["acquire", set.address, "--index", "1"]);
  let stdout = "";
  await until(async () => {
    stdout = (await ipc(["stat", set.address])).stdout;
    return /^ +1 +0 +1 +0 +\d+/m.test(stdout);
  });
  assertMatch(stdout, /^ {2}mode +0600 {2}rw-------$/m);
  assertMatch(stdout, new RegExp(`^ {2}key +${set.address.split(":")[1]}$`, "m"));
  assertMatch(stdout, /^ {2}uid +\w+ \(\d+\)$/m);
  assertMatch(stdout, /^semaphore +value +waiters for increase +waiters for zero +last pid$/m);
  assertMatch(stdout, /^ +0 +7 +0 +0 +\d+/m);
  waiter.process.kill("SIGKILL");

  await using queue = await made("sysv-msg", { maxBytes: 5000 });
  await ipc(["send", queue.address, "hello"]);
  const told = (await ipc(["stat", queue.address])).stdout;
  assertMatch(told, /^ {2}bytes +5 bytes of 5,000$/m);
  assertMatch(told, /^ {2}last receive time +never$/m);
  assertMatch(told, /^ {2}last receive pid +none$/m);
  assertMatch(told, /^ {2}last send time +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/m);
});

Deno.test("limits tells every limit and what is used, for people and for programs", async () => {
  await using _queue = await made("sysv-msg");
  const { code, stdout } = await ipc(["limits", "--json"]);
  assertEquals(code, 0);
  const limits = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const text = (await ipc(["limits"])).stdout;
  for (
    const name of "MSGMAX MSGMNB MSGMNI SEMMSL SEMMNS SEMOPM SEMMNI SEMVMX SHMMAX SHMALL SHMMNI".split(" ")
  ) {
    const limit = limits.find((limit) => limit.name === name);
    assertEquals(typeof limit.limit, "number", name);
    assertEquals(typeof limit.percent, typeof limit.used);
    assertMatch(text, new RegExp(`^${name} .* ${limit.meaning}$`, "m"));
  }
  const queues = limits.find(({ name }) => name === "MSGMNI");
  assert(queues.used >= 1 && queues.percent > 0);
  assertEquals(queues.limit, Number(Deno.readTextFileSync("/proc/sys/kernel/msgmni")));
});
