import { assert, assertEquals, assertMatch } from "@std/assert";
import { type SetStatus, stat } from "@ipc/address";
import { type Io, main, type Output } from "../main.ts";
import { ipc, made, shell, start, until } from "../_testing.ts";

const members = async (address: string) => (await stat(address) as SetStatus).members!;
const values = async (address: string) => (await members(address)).map(({ value }) => value);

Deno.test("acquire takes units and release gives them, one or several, of any semaphore of a set", async () => {
  await using set = await made("sysv-sem", { size: 2, initial: [1, 5] });
  assertEquals(await ipc(["acquire", set.address]), await ipc(["release", set.address]));
  assertEquals((await ipc(["acquire", set.address])).code, 0);
  assertEquals((await ipc(["acquire", set.address, "3", "--index", "1"])).code, 0);
  assertEquals(await values(set.address), [0, 2], "nothing comes back when the command ends");
  assertEquals((await ipc(["release", `${set.address}?index=1`, "4"])).code, 0);
  assertEquals(await values(set.address), [0, 6]);
  const none = await ipc(["acquire", set.address, "--index", "2"]);
  assertEquals([none.code, none.stderr], [
    1,
    `ipc: acquire ${set.address}: there is no semaphore 2, the set has 2\n`,
  ]);
});

Deno.test("acquire waits for another process, at most as long as it is told", async () => {
  await using set = await made("sysv-sem");
  const late = await ipc(["acquire", set.address, "--timeout", "20ms"]);
  assertEquals([late.code, late.stderr], [
    124,
    `ipc: acquire ${set.address}: nothing happened within 20 ms\n`,
  ]);
  assertEquals((await ipc(["acquire", set.address, "--timeout", "0"])).code, 124);
  await using waiter = start(["acquire", set.address, "2"]);
  for (let units = 0; units < 2; units++) assertEquals((await ipc(["release", set.address])).code, 0);
  assertEquals((await waiter.finished).code, 0);
  assertEquals(await values(set.address), [0]);
});

Deno.test("a signal ends acquire, which then has taken nothing", async () => {
  await using set = await made("sysv-sem");
  await using waiter = start(["acquire", set.address]);
  await until(async () => (await members(set.address))[0]!.waitersForIncrease > 0);
  waiter.process.kill("SIGINT");
  const { signal, stderr } = await waiter.finished;
  assertEquals([signal, stderr], ["SIGINT", ""]);
  assertEquals((await ipc(["release", set.address])).code, 0);
  assertEquals(await values(set.address), [1]);
});

Deno.test("with becomes the command: its arguments, its streams, its exit status", async () => {
  await using set = await made("sysv-sem", { initial: 1 });
  const script = 'cat; echo "$@" >&2; exit 7';
  const { code, stdout, stderr } = await ipc(
    ["with", set.address, "--", "sh", "-c", script, "sh", "--timeout", "a b", "--", ""],
    "input\n",
  );
  assertEquals([code, stdout, stderr], [7, "input\n", "--timeout a b -- \n"]);
  assertEquals(await values(set.address), [1]);
});

Deno.test("with holds its unit while the command runs, and others wait", async () => {
  await using set = await made("sysv-sem", { initial: 1 });
  await using holder = start(["with", set.address, "--", "sh", "-c", "exec sleep 60"]);
  await until(async () => (await values(set.address))[0] === 0);
  const busy = await ipc(["with", set.address, "--timeout", "0", "--", "echo", "never"]);
  assertEquals([busy.code, busy.stdout], [124, ""]);
  await using next = start(["with", set.address, "--", "echo", "now"]);
  await until(async () => (await members(set.address))[0]!.waitersForIncrease > 0);
  holder.process.kill("SIGTERM");
  assertEquals((await holder.finished).signal, "SIGTERM", "signals are the command's");
  const { code, stdout } = await next.finished;
  assertEquals([code, stdout], [0, "now\n"]);
  assertEquals(await values(set.address), [1]);
});

Deno.test("kill -9 of the command gives the unit back", async () => {
  await using set = await made("sysv-sem", { size: 2, initial: 1 });
  await using holder = start(["with", set.address, "--index", "1", "--", "sleep", "60"]);
  await until(async () => (await values(set.address))[1] === 0);
  assertEquals(await values(set.address), [1, 0]);
  holder.process.kill("SIGKILL");
  assertEquals((await holder.finished).signal, "SIGKILL");
  await until(async () => (await values(set.address))[1] === 1);
});

Deno.test("many at the same time, one after the other", async () => {
  await using set = await made("sysv-sem", { initial: 1 });
  const { code, stdout } = await shell(
    `counter=$(mktemp); echo 0 > $counter
     for i in 1 2 3 4 5 6; do
       ipc with ${set.address} -- sh -c 'n=$(cat $0); sleep 0.02; echo $((n + 1)) > $0' $counter &
     done
     wait; cat $counter; rm $counter`,
  );
  assertEquals([code, stdout], [0, "6\n"]);
  assertEquals(await values(set.address), [1]);
});

Deno.test("a command finds the signals as the caller has left them", async () => {
  await using set = await made("sysv-sem", { initial: 1 });
  const ignored = async (trap: string) => {
    const { stdout } = await shell(`${trap} ipc with ${set.address} -- grep SigIgn /proc/self/status`);
    const bits = parseInt(stdout.split(":")[1]!, 16);
    return ["SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM"].filter((_, index) =>
      bits & 1 << [0, 1, 12, 14][index]!
    );
  };
  assertEquals(await ignored(""), []);
  assertEquals(await ignored("trap '' HUP TERM;"), ["SIGHUP", "SIGTERM"]);
});

Deno.test("with says when there is no command, and gives the unit back", async () => {
  await using set = await made("sysv-sem", { initial: 1 });
  const none = await ipc(["with", set.address, "--", "ipc-test-no-such-command"]);
  assertEquals([none.code, none.stderr], [
    127,
    'ipc: with: there is no command "ipc-test-no-such-command"\n',
  ]);
  const notOne = await ipc(["with", set.address, "--", "/etc/passwd"]);
  assertEquals([notOne.code, notOne.stderr], [126, "ipc: with: /etc/passwd: permission denied\n"]);
  assertEquals(await values(set.address), [1]);
});

Deno.test("inside a program that goes on, with runs nothing and takes nothing", async () => {
  await using set = await made("sysv-sem", { initial: 1 });
  let said = "";
  const output: Output = {
    write: (bytes) => Promise.resolve(void (said += new TextDecoder().decode(bytes))),
    terminal: false,
    colour: false,
    columns: 80,
  };
  const { signal } = new AbortController();
  const io: Io = { stdin: new Blob([]).stream(), stdout: output, stderr: output, signal };
  assertEquals(await main(["with", set.address, "--", "true"], io), 1);
  assertMatch(said, /^ipc: with: /);
  assertEquals(await values(set.address), [1]);
});

Deno.test("where there is no semaphore it says what to do", async () => {
  const gone = await made("sysv-sem");
  await gone[Symbol.asyncDispose]();
  for (
    const args of [["acquire", gone.address], ["release", gone.address], ["with", gone.address, "--", "true"]]
  ) {
    const { code, stderr } = await ipc(args);
    assertEquals(code, 1);
    assert(
      stderr.endsWith(`no such semaphore set (ENOENT)\n     create it with "ipc make ${gone.address}"\n`),
      stderr,
    );
  }
});
