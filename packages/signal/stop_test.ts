import { assertEquals, assertRejects } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { permitted, TestProcess } from "../core/testdata/process.ts";
import { runUntilStopped, send, type SignalName } from "./mod.ts";
import { SIGNAL } from "./testdata/modules.ts";

leakCheck();

/** A program that is stopped while it waits, and says so. */
const program = (before = "", after = "", options = "{}") => `
  import { runUntilStopped, send, signals } from ${JSON.stringify(SIGNAL)};
  console.error = (error) => console.log("error:", error.message);
  ${before}
  await runUntilStopped(async (stop, owned) => {
    owned.defer(() => console.log("gave back"));
    console.log("ready");
    await new Promise((resolve) => stop.addEventListener("abort", resolve));
    ${after}
  }, ${options});
  console.log("went on");`;

async function stopped(child: TestProcess, by: SignalName = "SIGTERM"): Promise<(string | undefined)[]> {
  assertEquals(await child.line(), "ready");
  send(child.pid, by);
  const lines: (string | undefined)[] = [];
  while (lines.at(-1) !== undefined || lines.length === 0) lines.push(await child.line());
  return lines.slice(0, -1);
}

Deno.test("runUntilStopped ends the process where others listen to the signal as well", async () => {
  await using child = new TestProcess(program(`Deno.addSignalListener("SIGTERM", () => {});`));
  assertEquals(await stopped(child), ["gave back"]);
  assertEquals((await child.status).code, 143);
});

Deno.test("runUntilStopped: a second signal ends it at once though others listen", async () => {
  await using child = new TestProcess(
    program(
      `Deno.addSignalListener("SIGTERM", () => {});`,
      `console.log("stopping"); await new Promise(() => {});`,
    ),
  );
  assertEquals(await child.line(), "ready");
  send(child.pid, "SIGTERM");
  assertEquals(await child.line(), "stopping");
  send(child.pid, "SIGTERM");
  assertEquals(await child.line(), undefined);
  assertEquals((await child.status).code, 143);
});

Deno.test("runUntilStopped prints what is thrown after the signal", async () => {
  await using child = new TestProcess(program("", `throw new Error("disk full");`));
  assertEquals(await stopped(child), ["gave back", "error: disk full"]);
  assertEquals((await child.status).signal, "SIGTERM");
});

Deno.test("runUntilStopped prints what is thrown while all is given back, and what it came upon", async () => {
  const after = `owned.defer(() => { throw new Error("lock lost"); }); throw new Error("disk full");`;
  await using child = new TestProcess(program("", after));
  assertEquals(await stopped(child), ["gave back", "error: disk full", "error: lock lost"]);
  // The abort itself is no error here either.
  const aborted = `owned.defer(() => { throw new Error("lock lost"); }); throw stop.reason;`;
  await using other = new TestProcess(program("", aborted));
  assertEquals(await stopped(other), ["gave back", "error: lock lost"]);
});

const blocked = ["env", "--block-signal=TERM"];
Deno.test(
  "runUntilStopped hears a signal that was blocked at the start",
  { ignore: !permitted(blocked) },
  async () => {
    await using child = new TestProcess(program(), { before: blocked });
    assertEquals(await stopped(child), ["gave back"]);
    assertEquals((await child.status).code, 143);
  },
);

const alone = ["unshare", "--pid", "--fork", "--kill-child"];
Deno.test(
  "runUntilStopped as process 1 ends with the number of the signal",
  { ignore: !has("unshare") || !permitted(alone) },
  async () => {
    await using child = new TestProcess(program(`setTimeout(() => send(1, "SIGTERM"), 100);`), {
      before: alone,
    });
    assertEquals([await child.line(), await child.line(), await child.line()], [
      "ready",
      "gave back",
      undefined,
    ]);
    assertEquals((await child.status).code, 143);
  },
);

Deno.test("runUntilStopped refuses what cannot be heard, and then hears nothing", async () => {
  for (const on of [["SIGUSR1"], ["SIGTERM", "SIGKILL"], []] as SignalName[][]) {
    await assertRejects(() => runUntilStopped(() => {}, { on }), TypeError, "Cannot");
  }
  await assertRejects(() => runUntilStopped(() => {}, { grace: -1 }), RangeError);
});
