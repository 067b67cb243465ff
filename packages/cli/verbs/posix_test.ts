import { assert, assertEquals, assertMatch } from "@std/assert";
import { type NamedQueueStatus, type NamedSemaphoreStatus, openMemory, stat } from "@ipc/address";
import { inNamespaces, prepared } from "../../posix/testdata/process.ts";
import { exists, folder, ipc, made, shell, start, until } from "../_testing.ts";

/** A queue of which as many can be made at the same time as tests like. */
const SMALL = { maxMessages: 4, maxMessageSize: 64 } as const;

const waiting = async (address: string) => (await stat(address) as NamedQueueStatus).messages;
const value = async (address: string) => (await stat(address) as NamedSemaphoreStatus).value;

if (inNamespaces === undefined) console.warn("no namespaces: lists of POSIX queues are not tested");

Deno.test("a POSIX queue gives the highest priority first, and recv --json tells it", async () => {
  await using queue = await made("mq", SMALL);
  assertEquals((await ipc(["send", queue.address, "later", ""])).code, 0);
  assertEquals((await ipc(["send", queue.address, "now", "--priority", "9"])).code, 0);
  assertEquals((await ipc(["send", `${queue.address}?priority=3`], new Uint8Array([0xff]))).code, 0);
  const { stdout } = await ipc(["recv", queue.address, "--json", "--count", "3"]);
  assertEquals(
    stdout,
    '{"data":"now","priority":9}\n{"base64":"/w==","priority":3}\n{"data":"later","priority":0}\n',
  );
  assertEquals(await waiting(queue.address), 1, "what was not asked for stays");
  assertEquals((await ipc(["recv", queue.address])).stdout, "\n");
  const none = await ipc(["recv", queue.address, "--timeout", "20ms"]);
  assertEquals([none.code, none.stderr], [
    124,
    `ipc: recv ${queue.address}: nothing happened within 20 ms\n`,
  ]);
  const long = await ipc(["send", queue.address, "x".repeat(65)]);
  assertEquals(long.code, 1);
  assertMatch(long.stderr, /^ipc: send mq:.*: the message has 65 bytes/);
});

Deno.test("recv --listen creates a POSIX queue and removes it at the end, also by a signal", async () => {
  const gone = await made("mq", SMALL);
  await gone[Symbol.asyncDispose]();
  const there = () => stat(gone.address).then(() => true, () => false);
  await using receiver = start(["recv", gone.address, "--listen"]);
  await until(there);
  assertEquals((await ipc(["send", gone.address, "hello"])).code, 0);
  assertEquals((await receiver.finished).stdout, "hello\n");
  assertEquals(await there(), false);
  await using interrupted = start(["recv", gone.address, "--listen"]);
  await until(there);
  interrupted.process.kill("SIGINT");
  assertEquals((await interrupted.finished).signal, "SIGINT");
  assertEquals(await there(), false);
  const { code, stderr } = await ipc(["recv", gone.address]);
  assertEquals([code, stderr], [
    1,
    `ipc: recv ${gone.address}: no such message queue (ENOENT)\n` +
    `     create it with "ipc make ${gone.address}", or here with --listen\n`,
  ]);
});

Deno.test("bridge carries messages from one POSIX queue into another, with a priority of their own", async () => {
  await using from = await made("mq", SMALL);
  await using to = await made("mq", SMALL);
  await using bridge = start(["bridge", from.address, `${to.address}?priority=5`]);
  await ipc(["send", from.address, "a", "b"]);
  const { stdout } = await ipc(["recv", to.address, "--count", "2", "--json"]);
  assertEquals(stdout, '{"data":"a","priority":5}\n{"data":"b","priority":5}\n');
  bridge.process.kill("SIGTERM");
  assertEquals((await bridge.finished).signal, "SIGTERM");
});

Deno.test("acquire and release take and give units of a POSIX semaphore", async () => {
  await using semaphore = await made("sem", { initial: 1 });
  assertEquals((await ipc(["acquire", semaphore.address])).code, 0);
  assertEquals((await ipc(["acquire", semaphore.address, "--timeout", "20ms"])).code, 124);
  await using waiter = start(["acquire", semaphore.address]);
  assertEquals((await ipc(["release", semaphore.address, "3"])).code, 0);
  assertEquals((await waiter.finished).code, 0);
  assertEquals(await value(semaphore.address), 2);
  const several = await ipc(["acquire", semaphore.address, "2"]);
  assertEquals([several.code, several.stderr], [
    2,
    `ipc: acquire ${semaphore.address}: a POSIX semaphore is acquired one unit at a time\n`,
  ]);
});

Deno.test("with holds a POSIX semaphore while the command runs: its streams, its arguments, its status", async () => {
  await using semaphore = await made("sem", { initial: 1 });
  const script = 'cat; echo "$@" >&2; exit 7';
  const { code, stdout, stderr } = await ipc(
    ["with", semaphore.address, "--", "sh", "-c", script, "sh", "--timeout", "a b", "--", ""],
    "input\n",
  );
  assertEquals([code, stdout, stderr], [7, "input\n", "--timeout a b -- \n"]);
  assertEquals(await value(semaphore.address), 1);

  await using holder = start(["with", semaphore.address, "--", "sleep", "60"]);
  await until(async () => await value(semaphore.address) === 0);
  const busy = await ipc(["with", semaphore.address, "--timeout", "0", "--", "echo", "never"]);
  assertEquals([busy.code, busy.stdout], [124, ""]);
  await using next = start(["with", semaphore.address, "--", "echo", "now"]);
  // It runs by now, so that the signal is passed on.
  await until(() => childrenOf(holder.process.pid).length === 1);
  holder.process.kill("SIGTERM");
  assertEquals((await holder.finished).signal, "SIGTERM", "it ends as the command does");
  assertEquals((await next.finished).stdout, "now\n");
  assertEquals(await value(semaphore.address), 1);
});

Deno.test("with passes signals on, and a command that goes on keeps its POSIX semaphore", async () => {
  await using semaphore = await made("sem", { initial: 1 });
  for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const) {
    const script = `trap 'echo caught; exit 3' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    using dir = folder();
    const command = `${script.replace("echo ready", `: > ${dir.path}/ready`)}`;
    await using holder = start(["with", semaphore.address, "--", "sh", "-c", command]);
    await until(() => exists(`${dir.path}/ready`));
    holder.process.kill(signal);
    const { code, stdout } = await holder.finished;
    assertEquals([code, stdout], [3, "caught\n"], signal);
    assertEquals(await value(semaphore.address), 1);
  }
});

Deno.test("a command that is killed gives its POSIX semaphore back; kill -9 of with itself does not", async () => {
  await using semaphore = await made("sem", { initial: 1 });
  const killed = await shell(`ipc with ${semaphore.address} -- sh -c 'kill -9 $$'; echo $?`);
  assertEquals(killed.stdout, "137\n");
  assertEquals(await value(semaphore.address), 1);
  await using holder = start(["with", semaphore.address, "--", "sleep", "60"]);
  await until(() => childrenOf(holder.process.pid).length === 1);
  const [child] = childrenOf(holder.process.pid);
  holder.process.kill("SIGKILL");
  Deno.kill(child!, "SIGKILL");
  await holder.finished;
  assertEquals(await value(semaphore.address), 0);
});

Deno.test("a command finds the signals as the caller has left them, with a POSIX semaphore too", async () => {
  await using semaphore = await made("sem", { initial: 1 });
  const ignored = async (trap: string) => {
    const { stdout } = await shell(`${trap} ipc with ${semaphore.address} -- grep SigIgn /proc/self/status`);
    const bits = parseInt(stdout.split(":")[1]!, 16);
    return ["SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM"].filter((_, index) =>
      bits & 1 << [0, 1, 12, 14][index]!
    );
  };
  assertEquals(await ignored(""), []);
  assertEquals(await ignored("trap '' HUP TERM;"), ["SIGHUP", "SIGTERM"]);
});

Deno.test("with says when there is no command, and gives a POSIX semaphore back", async () => {
  await using semaphore = await made("sem", { initial: 1 });
  const none = await ipc(["with", semaphore.address, "--", "ipc-test-no-such-command"]);
  assertEquals([none.code, none.stderr], [
    127,
    'ipc: with: there is no command "ipc-test-no-such-command"\n',
  ]);
  const notOne = await ipc(["with", semaphore.address, "--", "/etc/passwd"]);
  assertEquals([notOne.code, notOne.stderr], [126, "ipc: with: /etc/passwd: permission denied\n"]);
  assertEquals(await value(semaphore.address), 1);
});

Deno.test("write and read reach shared memory and mapped files, byte for byte", async () => {
  using dir = folder();
  await using memory = await made("shm", { size: 3_000_001 });
  const file = `mmap:${dir.path}/table`;
  assertEquals((await ipc(["make", file, "--size", "3000001", "--mode", "640"])).code, 0);
  const bytes = new Uint8Array(3_000_001).map((_, index) => index * 31 + (index >> 8));
  for (const address of [memory.address, file]) {
    const written = await ipc(["write", address], bytes);
    assertEquals([written.code, written.stdout, written.stderr], [0, "", ""]);
    assertEquals((await ipc(["read", address])).bytes, bytes);
    assertEquals((await ipc(["write", address, "--offset", "5"], "abc")).code, 0);
    assertEquals((await ipc(["read", address, "--offset", "5", "--length", "3"])).stdout, "abc");
    using seen = await openMemory(address);
    assertEquals(seen.read(1_000_000, 100), bytes.subarray(1_000_000, 1_000_100));
    const past = await ipc(["write", address, "--offset", "3000000"], "xy");
    assertEquals([past.code, past.stderr], [
      1,
      `ipc: write ${address}: standard input has more than 1 byte\n`,
    ]);
  }
  assertEquals(Deno.readFileSync(`${dir.path}/table`).subarray(5, 8), new TextEncoder().encode("abc"));
  assertEquals((await ipc(["rm", file])).code, 0);
  assertEquals(exists(`${dir.path}/table`), false);
});

Deno.test("ls and stat show POSIX objects in words, and tell the same to programs", async () => {
  using dir = folder();
  await using semaphore = await made("sem", { initial: 1234, mode: 0o640 });
  await using memory = await made("shm", { size: 2_000_000 });
  const file = `mmap:${dir.path}/table`;
  await ipc(["make", file, "--size", "1K"]);
  using _mapped = await openMemory(file);
  const { code, stdout, stderr } = await ipc(["ls", "sem", "shm", `mmap:${dir.path}`]);
  assertEquals([code, stderr], [0, ""]);
  const lineOf = (address: string) => stdout.split("\n").find((line) => line.startsWith(`${address} `))!;
  assertMatch(lineOf(semaphore.address), / 0640 +1,234 units$/);
  assertMatch(lineOf(memory.address), / 0600 +2.00 MB$/);
  assertMatch(lineOf(file), / 0600 +1.02 kB, mapped by 1 process +\d+ s ago$/);

  const listed = (await ipc(["ls", "--json"])).stdout.trim().split("\n").map((line) => JSON.parse(line));
  for (const { address } of [semaphore, memory]) {
    const { holders: _, ...status } = JSON.parse((await ipc(["stat", address, "--json"])).stdout);
    assertEquals(listed.find((object) => object.address === address), status);
  }
  const told = (await ipc(["stat", file])).stdout;
  assertMatch(told, /^ {2}size +1,024 bytes$/m);
  assertMatch(told, new RegExp(`^ {2}holders +${Deno.pid} deno$`, "m"));

  await using queue = await made("mq", SMALL);
  await ipc(["send", queue.address, "hello"]);
  const shown = (await ipc(["stat", queue.address])).stdout;
  assertMatch(shown, /^ {2}messages +1 of 4$/m);
  assertMatch(shown, /^ {2}max message size +64 bytes$/m);
  assertMatch(shown, /^ {2}bytes +5 bytes$/m);
  assertMatch(shown, /^ {2}notified pid +none$/m);
});

Deno.test({
  name: "ls lists POSIX queues where their file system is mounted",
  ignore: prepared("mount -t mqueue none /mnt") === undefined,
  async fn() {
    const { code, stdout, stderr } = await inside(
      `mount -t mqueue none /mnt; ipc make mq:/jobs; ipc send mq:/jobs hello; ipc ls; ipc limits`,
    );
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^mq:\/jobs .* 0600 +1 of \d+ messages, 5 B$/m);
    assertMatch(stdout, /^queues_max +1 /m);
  },
});

Deno.test({
  name: "ls mq says what to do where queues cannot be listed, and ls lists the rest",
  ignore: prepared("while umount -t mqueue -a && grep -q ' mqueue ' /proc/self/mounts; do :; done") ===
    undefined,
  async fn() {
    const { stdout, stderr } = await inside(
      `while umount -t mqueue -a && grep -q ' mqueue ' /proc/self/mounts; do :; done
       ipc ls mq; echo $?; ipc ls > /dev/null; echo $?`,
    );
    assertEquals(stdout, "1\n0\n");
    assertMatch(stderr, /^ipc: ls mq: the mqueue file system is not mounted\n +mount it: .*\n$/);
  },
});

Deno.test("make and rm say what exists and what does not", async () => {
  const kinds = [
    ["mq", "message queue", SMALL, "--max-messages=4"],
    ["sem", "semaphore", {}, "--initial=1"],
    [
      "shm",
      "shared memory",
      { size: 1 },
      "--size=1",
    ],
  ] as const;
  for (const [scheme, what, options, option] of kinds) {
    await using object = await made(scheme, options);
    const again = await ipc(["make", object.address, option]);
    assertEquals([again.code, again.stdout], [1, ""]);
    assertMatch(again.stderr, /: .*exists.* \(EEXIST\)\n$/);
    const none = `${object.address}-none`;
    const removed = await ipc(["rm", none, object.address]);
    assertEquals([removed.code, removed.stderr], [1, `ipc: rm ${none}: no such ${what} (ENOENT)\n`]);
    assertEquals((await ipc(["stat", object.address])).code, 1);
  }
});

/** The same shell, in namespaces of its own. */
function inside(script: string) {
  assert(inNamespaces !== undefined);
  return shell(`exec ${inNamespaces.join(" ")} sh -c '${script.replaceAll("'", `'\\''`)}'`);
}

function childrenOf(pid: number): number[] {
  return Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(
    Number,
  );
}
