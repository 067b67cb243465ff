import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, ERRNO, NotFoundError, PermissionError, TimeoutError } from "@ipc/core";
import { everyFault, leakCheck } from "@ipc/core/testing";
import { compile, has } from "../core/testdata/child.ts";
import { permitted, TestProcess } from "../core/testdata/process.ts";
import { asUser, canBeAnother, NOBODY } from "../core/testdata/user.ts";
import { type SignalName, signalName, signalNumber } from "./names.ts";
import { ProcessHandle } from "./process_handle.ts";
import { send } from "./send.ts";
import { alive, watch } from "./watch.ts";
import { SIGNAL } from "./testdata/modules.ts";

leakCheck();

function sleeper(): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["60"], stdin: "null" }).spawn();
}

Deno.test("names: every number has its name and back, and the shell agrees", async () => {
  for (const number of [...Array(31).keys()].map((index) => index + 1)) {
    assertEquals(signalNumber(signalName(number)), number);
  }
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", "kill -l TERM USR2 URG SYS RTMIN RTMIN+3 RTMAX"],
  })
    .output();
  const numbers = new TextDecoder().decode(stdout).trim().split("\n").map(Number);
  const names: SignalName[] = [
    "SIGTERM",
    "SIGUSR2",
    "SIGURG",
    "SIGSYS",
    "SIGRTMIN",
    "SIGRTMIN+3",
    "SIGRTMIN+30",
  ];
  assertEquals(names.map(signalNumber), numbers);
  for (const name of ["SIGNONE", "term", "SIGRTMIN+31", "SIGRTMIN+-1", "SIGRTMIN+", "toString"]) {
    assertThrows(() => signalNumber(name as SignalName), TypeError, "There is no signal");
  }
  for (const number of [0, 32, 33, 65, -1, 1.5, NaN]) assertThrows(() => signalName(number), RangeError);
});

Deno.test("send ends a process by its number, by its handle, and with its group", async () => {
  const first = sleeper();
  send(first.pid, "SIGTERM");
  assertEquals((await first.status).signal, "SIGTERM");

  const second = sleeper();
  using handle = ProcessHandle.open(second.pid);
  send(handle, "SIGINT");
  assertEquals((await second.status).signal, "SIGINT");

  const shell = new Deno.Command("setsid", { args: ["sleep", "60"], stdin: "null" }).spawn();
  while (!(await Deno.readTextFile(`/proc/${shell.pid}/stat`)).includes("(sleep)")) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  send({ group: shell.pid }, "SIGHUP");
  assertEquals((await shell.status).signal, "SIGHUP");
});

Deno.test("a handle stays the process that it was, when that has ended", async () => {
  const child = sleeper();
  using handle = ProcessHandle.open(child.pid);
  assertEquals([handle.alive, alive(child.pid)], [true, true]);
  child.kill("SIGKILL");
  await handle.ended({ timeout: 10_000 });
  assertEquals([handle.alive, alive(child.pid)], [false, false]);
  await child.status;
  assertEquals(handle.alive, false);
  assertThrows(() => handle.send("SIGTERM"), NotFoundError, `Cannot send SIGTERM to process ${child.pid}`);
  assertThrows(() => send(child.pid, "SIGTERM"), NotFoundError);
  await watch(child.pid);
});

Deno.test("watch resolves at the end of a process that is not a child of this one", async () => {
  const shell = new Deno.Command("sh", {
    args: ["-c", "sleep 60 >/dev/null 2>&1 & echo $!"],
    stdout: "piped",
  });
  const pid = Number(new TextDecoder().decode((await shell.output()).stdout));
  await assertRejects(() => watch(pid, { timeout: 20 }), TimeoutError, `wait for the end of process ${pid}`);
  await assertRejects(() => watch(pid, { signal: AbortSignal.timeout(20) }), DOMException);
  assertEquals(alive(pid), true);
  const watched = watch(pid);
  send(pid, "SIGKILL");
  await watched;
  assertEquals(alive(pid), false);
});

Deno.test("closing a handle ends its waits, and later calls say that it is closed", async () => {
  const child = sleeper();
  const handle = ProcessHandle.open(child.pid);
  const ended = handle.ended();
  handle.close();
  handle.close();
  await assertRejects(() => ended, ClosedError);
  await assertRejects(() => handle.ended(), ClosedError);
  assertThrows(() => handle.send("SIGTERM"), ClosedError);
  assertThrows(() => handle.alive, ClosedError);
  child.kill();
  await child.status;
});

Deno.test("what would reach everybody, nobody, or open an inspector is refused before any call", () => {
  for (const pid of [0, -1, 1.5, NaN, 2 ** 31]) assertThrows(() => send(pid, "SIGTERM"), RangeError);
  for (const group of [1, -1, 1.5, 2 ** 31]) assertThrows(() => send({ group }, "SIGTERM"), RangeError);
  assertThrows(() => send(Deno.pid, "SIGNONE" as SignalName), TypeError);
  assertThrows(() => send(Deno.pid, "SIGUSR1"), TypeError, "inspector");
  assertThrows(() => send({ group: 0 }, "SIGURG", { value: 1 }), TypeError, "only one process");
  for (const value of [2 ** 31, -(2 ** 31) - 1, 0.5, NaN]) {
    assertThrows(() => send(Deno.pid, "SIGURG", { value }), RangeError, "32 bits");
  }
});

Deno.test("somebody else's process is a PermissionError", { ignore: !canBeAnother }, async () => {
  const child = new Deno.Command("sleep", { args: ["60"], stdin: "null", uid: 12_345 }).spawn();
  using handle = ProcessHandle.open(child.pid);
  asUser(NOBODY, () => {
    assertThrows(() => send(child.pid, "SIGTERM"), PermissionError);
    assertThrows(() => send(handle, "SIGTERM"), PermissionError);
    assertEquals(alive(child.pid), true);
  });
  child.kill();
  await child.status;
});

const limited = ["prlimit", "--sigpending=1", "env", "--block-signal=RTMIN+1"];
Deno.test("too many waiting signals are a LimitError", { ignore: !permitted(limited) }, async () => {
  await using child = new TestProcess(
    `import { send } from ${JSON.stringify(SIGNAL)};
     try {
       for (let value = 0; value < 4; value++) send(Deno.pid, "SIGRTMIN+1", { value });
     } catch (error) {
       console.log(error.name, error.code, error.hint);
     }`,
    { before: limited },
  );
  assertEquals(
    await child.line(),
    "LimitError EAGAIN raise the limit of waiting signals of this user (ulimit -i, RLIMIT_SIGPENDING)",
  );
});

Deno.test("a C program gets the value and the sender", { ignore: !has("cc") }, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const program = await compile(folder, "hear", C);
    for (const by of ["number", "handle"]) {
      const child = new Deno.Command(program, { stdin: "null", stdout: "piped" }).spawn();
      const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      assertEquals((await lines.read()).value, "ready\n");
      using handle = ProcessHandle.open(child.pid);
      const target = by === "number" ? child.pid : handle;
      for (const value of [7, -7, -(2 ** 31), 2 ** 31 - 1]) {
        send(target, "SIGRTMIN+4", { value });
        assertEquals((await lines.read()).value, `${value} ${Deno.pid} ${Deno.uid()}\n`);
      }
      child.kill("SIGKILL");
      await child.status;
      await lines.cancel();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every fault is a typed error, and nothing stays open", async () => {
  const child = sleeper();
  const { hits } = await everyFault(() => {
    using process = ProcessHandle.open(child.pid);
    process.send("SIGURG", { value: 1 });
    assert(process.alive);
    send(child.pid, "SIGURG");
    send(child.pid, "SIGURG", { value: 1 });
  }, { errnos: [ERRNO.EINTR, ERRNO.EAGAIN, ERRNO.EMFILE, ERRNO.ENOMEM, ERRNO.EPERM, ERRNO.ESRCH] });
  for (const call of ["pidfd_open", "pidfd_send_signal", "poll", "kill", "sigqueue"]) {
    assert(hits[call]! > 0, call);
  }
  child.kill();
  await child.status;
});

const C = `
#include <signal.h>
#include <stdio.h>
int main(void) {
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 4);
  sigprocmask(SIG_BLOCK, &set, NULL);
  puts("ready");
  fflush(stdout);
  while (sigwaitinfo(&set, &info) > 0) {
    printf("%d %d %d\\n", info.si_value.sival_int, info.si_pid, info.si_uid);
    fflush(stdout);
  }
}`;
