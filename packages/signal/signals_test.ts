import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IpcError, NotSupportedError, TimeoutError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { compile, has } from "../core/testdata/child.ts";
import { answer, permitted, TestProcess } from "../core/testdata/process.ts";
import { mapFile } from "../core/testdata/words.ts";
import { Doorbell } from "./doorbell.ts";
import { type SignalName, signalNumber } from "./names.ts";
import { onReload } from "./reload.ts";
import { send } from "./send.ts";
import { signals } from "./signals.ts";
import { SIGNAL } from "./testdata/modules.ts";

leakCheck();

Deno.test("signals: one of each kind waits, in the order of their coming", async () => {
  using heard = signals("SIGHUP", "SIGUSR2", "SIGWINCH");
  for (const name of ["SIGUSR2", "SIGUSR2", "SIGUSR2"] as const) send(Deno.pid, name);
  assertEquals((await heard.receive())?.signal, "SIGUSR2");
  // All three have arrived, or they were one in the kernel: what comes behind shows it.
  send(Deno.pid, "SIGHUP");
  const rest: string[] = [];
  while (rest.at(-1) !== "SIGHUP") rest.push((await heard.receive({ timeout: 10_000 }))!.signal);
  assert(rest.length <= 3, String(rest));
  assertEquals(heard.tryReceive(), undefined);
  assertEquals(heard.detailed, false);
});

Deno.test("signals: timeout, abort, close and the blocking form", async () => {
  const heard = signals("SIGUSR2");
  await assertRejects(() => heard.receive({ timeout: 10 }), TimeoutError);
  await assertRejects(() => heard.receive({ signal: AbortSignal.timeout(10) }), DOMException);
  assertThrows(() => heard.receiveSync({ timeout: 10 }), NotSupportedError);
  const pending = heard.receive();
  heard.close();
  assertEquals(await pending, undefined);
  await assertRejects(() => heard.receive(), ClosedError);
});

Deno.test("signals: what cannot be heard is refused, and nothing stays heard", () => {
  const refused: [SignalName, ...SignalName[]][] = [["SIGUSR1"], ["SIGKILL"], ["SIGSTOP"], ["SIGSEGV"], [
    "SIGNONE" as SignalName,
  ], ["SIGHUP", "SIGHUP"]];
  for (const names of refused) assertThrows(() => signals(...names), TypeError);
  assertThrows(() => signals("SIGRTMIN+3"), NotSupportedError, "no real-time signals");
});

Deno.test("signals: an idle one lets the program end, a pending receive does not", async () => {
  assertEquals(
    await answer(`import { signals } from ${JSON.stringify(SIGNAL)};
      globalThis.heard = signals("SIGUSR2");
      console.log("1");`),
    1,
  );
  await using child = new TestProcess(`import { signals } from ${JSON.stringify(SIGNAL)};
    const heard = signals("SIGUSR2");
    console.log("ready");
    console.log((await heard.receive()).signal);`);
  assertEquals(await child.line(), "ready");
  send(child.pid, "SIGUSR2");
  assertEquals(await child.line(), "SIGUSR2");
  assertEquals((await child.status).success, true);
});

Deno.test("signals: a shell and python send to us, and we to a trap of the shell's", {
  ignore: !has("sh") || !has("python3"),
}, async () => {
  using heard = signals("SIGUSR2");
  await new Deno.Command("sh", { args: ["-c", `kill -USR2 ${Deno.pid}`] }).output();
  assertEquals((await heard.receive())?.signal, "SIGUSR2");
  await new Deno.Command("python3", {
    args: ["-c", `import os, signal; os.kill(${Deno.pid}, signal.SIGUSR2)`],
  })
    .output();
  assertEquals((await heard.receive())?.signal, "SIGUSR2");
  const script = `trap 'echo heard; exit 3' USR2; kill -WINCH ${Deno.pid}; while :; do sleep 0.01; done`;
  using trapped = signals("SIGWINCH");
  const shell = new Deno.Command("sh", { args: ["-c", script], stdout: "piped" }).spawn();
  await trapped.receive();
  send(shell.pid, "SIGUSR2");
  const { code, stdout } = await shell.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [3, "heard\n"]);
});

const blocked = ["env", "--block-signal=USR2", "--block-signal=RTMIN+1", "--block-signal=RTMIN+2"];
Deno.test(
  "signals: blocked at the start, each that a C program queues comes with its value, and children inherit it",
  {
    ignore: !permitted(blocked) || !has("cc"),
  },
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      const program = await compile(folder, "queue", QUEUE);
      await using child = new TestProcess(
        `import { signals } from ${JSON.stringify(SIGNAL)};
       const heard = signals("SIGUSR2", "SIGRTMIN+1");
       const { stdout } = new Deno.Command("cat", { args: ["/proc/self/status"] }).outputSync();
       const mask = /SigBlk:\\s*(\\w+)/.exec(new TextDecoder().decode(stdout))[1];
       console.log(BigInt("0x" + mask) >> 11n & 1n);
       for await (const { signal, value, sender } of heard) {
         console.log(JSON.stringify([signal, value, sender]));
       }`,
        { before: blocked },
      );
      assertEquals(await child.line(), "1n");
      for (const signal of ["SIGRTMIN+1", "SIGUSR2"] as const) {
        const args = [child.pid, signalNumber(signal)].map(String);
        const queue = new Deno.Command(program, { args }).spawn();
        const { pid } = queue;
        assert((await queue.status).success);
        // Of other signals than real-time ones one waits at most.
        for (const value of signal === "SIGUSR2" ? [1] : [1, -2, 2 ** 31 - 1]) {
          assertEquals(JSON.parse((await child.line())!), [signal, value, { pid, uid: Deno.uid() }]);
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("signals: blocked at the start, each comes with its sender and its value, and in order", {
  ignore: !permitted(blocked),
}, async () => {
  await using child = new TestProcess(
    `import { signals } from ${JSON.stringify(SIGNAL)};
     const heard = signals("SIGUSR2", "SIGRTMIN+1", "SIGRTMIN+2");
     console.log(heard.detailed);
     const show = ({ signal, value, sender }) => console.log(JSON.stringify([signal, value, sender]));
     show(await heard.receive());
     show(heard.receiveSync({ timeout: 10_000 }));
     await new Promise((resolve) => setTimeout(resolve, 100));
     try { heard.receiveSync({ timeout: 10 }); } catch (error) { console.log(error.name); }
     console.log("more");
     for (let count = 0; count < 4; count++) show(await heard.receive());
     heard.close();`,
    { before: blocked },
  );
  const me = { pid: Deno.pid, uid: Deno.uid() };
  assertEquals(await child.line(), "true");
  send(child.pid, "SIGUSR2");
  assertEquals(JSON.parse((await child.line())!), ["SIGUSR2", null, me]);
  send(child.pid, "SIGRTMIN+1", { value: -5 });
  assertEquals(JSON.parse((await child.line())!), ["SIGRTMIN+1", -5, me]);
  assertEquals(await child.line(), "TimeoutError");
  assertEquals(await child.line(), "more");
  send(child.pid, "SIGRTMIN+2", { value: 1 });
  assertEquals(JSON.parse((await child.line())!), ["SIGRTMIN+2", 1, me]);
  for (const value of [2, 3, 4]) send(child.pid, "SIGRTMIN+1", { value });
  for (const value of [2, 3, 4]) assertEquals(JSON.parse((await child.line())!), ["SIGRTMIN+1", value, me]);
  assertEquals((await child.status).success, true);
});

Deno.test(
  "signals: some blocked and some not are refused together",
  { ignore: !permitted(blocked) },
  async () => {
    assertEquals(
      await answer(
        `import { signals } from ${JSON.stringify(SIGNAL)};
       try { signals("SIGUSR2", "SIGHUP"); } catch (error) { console.log(JSON.stringify([error.name, error.hint])); }`,
        { before: blocked },
      ),
      ["NotSupportedError", "hear them apart"],
    );
  },
);

Deno.test("onReload: never two at once, once more for those that come meanwhile, errors told", async () => {
  let running = 0;
  let most = 0;
  let runs = 0;
  let release = () => {};
  const errors: unknown[] = [];
  using reloading = onReload(async () => {
    most = Math.max(most, ++running);
    runs++;
    await new Promise<void>((resolve) => release = resolve);
    running--;
    throw new Error(`run ${runs}`);
  }, { on: "SIGUSR2", onError: (error) => errors.push(error) });
  const runsAre = async (count: number) => {
    while (runs < count) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  using echo = signals("SIGUSR2");
  send(Deno.pid, "SIGUSR2");
  await runsAre(1);
  await echo.receive();
  for (let times = 0; times < 3; times++) {
    send(Deno.pid, "SIGUSR2");
    await echo.receive();
  }
  release();
  await runsAre(2);
  release();
  while (errors.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals([runs, most, errors.map(String)], [2, 1, ["Error: run 1", "Error: run 2"]]);
  reloading.close();
  assertThrows(() => onReload(() => {}, { on: "SIGUSR1" }), TypeError);
});

const program = (body: string) =>
  `import { runUntilStopped } from ${JSON.stringify(SIGNAL)};
   const result = await runUntilStopped(async (stop, owned) => {
     owned.defer(() => console.log("gave back"));
     console.log("ready");
     ${body}
   }, { grace: 60_000 });
   console.log("result", result);`;
const untilAborted = `await new Promise((resolve) => stop.addEventListener("abort", resolve));`;

for (const name of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`runUntilStopped: ${name} gives everything back and ends the process by that signal`, async () => {
    await using child = new TestProcess(
      program(`setInterval(() => {}, 1000); ${untilAborted} console.log("ends");`),
    );
    assertEquals(await child.line(), "ready");
    send(child.pid, name);
    assertEquals([await child.line(), await child.line(), await child.line()], [
      "ends",
      "gave back",
      undefined,
    ]);
    assertEquals((await child.status).signal, name);
  });
}

Deno.test("runUntilStopped: what the abort throws is no error, another error is", async () => {
  await using first = new TestProcess(
    program(`await new Promise((_, reject) => {
      const timer = setInterval(() => {}, 1000);
      stop.addEventListener("abort", () => (clearInterval(timer), reject(stop.reason)));
    });`),
  );
  assertEquals(await first.line(), "ready");
  send(first.pid, "SIGTERM");
  assertEquals([await first.line(), await first.line()], ["gave back", undefined]);
  assertEquals((await first.status).signal, "SIGTERM");
  await using second = new TestProcess(
    program(`throw new Error("odd");`).replace("const result", "try { const result").concat(
      `} catch (error) { console.log(error.message); }`,
    ),
  );
  assertEquals([await second.line(), await second.line(), await second.line()], [
    "ready",
    "gave back",
    "odd",
  ]);
});

Deno.test("runUntilStopped: a second signal ends it at once", async () => {
  await using child = new TestProcess(
    program(`stop.addEventListener("abort", () => console.log("stopping")); setInterval(() => {}, 1000);
      await new Promise(() => {});`),
  );
  assertEquals(await child.line(), "ready");
  send(child.pid, "SIGTERM");
  assertEquals(await child.line(), "stopping");
  send(child.pid, "SIGINT");
  assertEquals(await child.line(), undefined);
  assertEquals((await child.status).signal, "SIGINT");
});

Deno.test("runUntilStopped: done without a signal, the program goes on and hears it no more", async () => {
  await using child = new TestProcess(program("return 7;") + `setInterval(() => {}, 1000);`);
  assertEquals([await child.line(), await child.line(), await child.line()], [
    "ready",
    "gave back",
    "result 7",
  ]);
  send(child.pid, "SIGTERM");
  assertEquals((await child.status).signal, "SIGTERM");
});

Deno.test("Doorbell: another process changes the memory and rings", async () => {
  const path = await Deno.makeTempFile({ dir: "/dev/shm" });
  try {
    await Deno.truncate(path, 4096);
    await using child = new TestProcess(bell(
      `
      const bell = Doorbell.at(memory, 64);
      for (let round = 1; round <= 3; round++) {
        await bell.wait(() => Atomics.load(words, 0) === round);
        console.log(round);
      }
      bell.close();
      memory.close();`,
      path,
    ));
    using memory = mapFile(path);
    const words = new Int32Array(memory.buffer);
    using bellHere = Doorbell.at(memory, 64);
    for (let round = 1; round <= 3; round++) {
      // Whether it waits already or comes later: no change is missed.
      Atomics.store(words, 0, round);
      bellHere.ring();
      assertEquals(await child.line(), String(round));
    }
    assertEquals((await child.status).success, true);
    assertEquals(bellHere.ring(), false);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Doorbell: one waits at a time, and one that was killed is replaced and not rung", async () => {
  const path = await Deno.makeTempFile({ dir: "/dev/shm" });
  try {
    await Deno.truncate(path, 4096);
    const child = new TestProcess(bell(
      `
      const bell = Doorbell.at(memory, 0);
      const waiting = bell.wait(() => false);
      console.log("waits");
      await waiting;`,
      path,
    ));
    using memory = mapFile(path);
    using here = Doorbell.at(memory, 0);
    assertEquals(await child.line(), "waits");
    assertEquals(here.ring(), true);
    const error = await assertRejects(
      () => here.wait(() => true),
      IpcError,
      `process ${child.pid} waits for it`,
    );
    assertEquals(error.code, "EBUSY");
    await child.kill();
    assertEquals(here.ring(), false);
    await here.wait(() => true);
    await child[Symbol.asyncDispose]();
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Doorbell: timeout, abort, close of the bell and of the memory end a wait", async () => {
  const memory = Mapping.anonymous(64);
  const bell = Doorbell.at(memory, 32);
  await assertRejects(() => bell.wait(() => false, { timeout: 10 }), TimeoutError);
  await assertRejects(() => bell.wait(() => false, { signal: AbortSignal.timeout(10) }), DOMException);
  const first = bell.wait(() => false);
  bell.close();
  await assertRejects(() => first, ClosedError);
  using other = Doorbell.at(memory, 32);
  const second = other.wait(() => false);
  memory.close();
  await assertRejects(() => second, ClosedError);
  assertThrows(() => other.ring(), ClosedError);
});

Deno.test("Doorbell: what is not there is refused, and a hostile name reaches nobody", () => {
  using memory = Mapping.anonymous(64);
  for (const offset of [-8, 4, 33, 40, NaN]) assertThrows(() => Doorbell.at(memory, offset), RangeError);
  using bell = Doorbell.at(memory, 0);
  const words = new BigInt64Array(memory.buffer);
  for (const word of [0n, 1n, 2n ** 32n - 1n, 2n ** 62n, -(2n ** 63n), -1n]) {
    memory.bytes.fill(0xff);
    Atomics.store(words, 0, word);
    assertEquals(bell.ring(), false);
    memory.bytes.fill(0, 8);
    assertEquals(bell.ring(), false);
  }
});

function bell(body: string, path: string): string {
  const mapped = new URL("../core/testdata/words.ts", import.meta.url).href;
  return `import { Doorbell } from ${JSON.stringify(SIGNAL)};
    import { mapFile } from ${JSON.stringify(mapped)};
    const memory = mapFile(${JSON.stringify(path)});
    const words = new Int32Array(memory.buffer);
    ${body}`;
}

/** Queues three values with a signal, or one where it does not queue. */
const QUEUE = `
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  pid_t pid = atoi(arguments[1]);
  int number = atoi(arguments[2]);
  int values[] = { 1, -2, INT_MAX };
  for (int index = 0; index < (number < SIGRTMIN ? 1 : 3); index++) {
    union sigval value = { .sival_int = values[index] };
    if (sigqueue(pid, number, value) != 0) return 1;
  }
  return count != 3;
}
`;
