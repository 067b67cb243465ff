import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { permitted, TestProcess } from "../core/testdata/process.ts";
import { send } from "./mod.ts";
import { SIGNAL } from "./testdata/modules.ts";

leakCheck();

const program = (options = "{}") => `
  import { onReload } from ${JSON.stringify(SIGNAL)};
  let runs = 0;
  const reloading = onReload(() => {
    console.log(++runs);
    throw new Error("odd");
  }, ${options});
  const alive = setInterval(() => {}, 1000);
  console.log("ready");`;

const blocked = ["env", "--block-signal=HUP"];
Deno.test(
  "onReload hears a signal that was blocked at the start",
  { ignore: !permitted(blocked) },
  async () => {
    await using child = new TestProcess(program("{ onError: () => {} }"), { before: blocked });
    assertEquals(await child.line(), "ready");
    for (const run of ["1", "2"]) {
      send(child.pid, "SIGHUP");
      assertEquals(await child.line(), run);
    }
  },
);

Deno.test("onReload goes on after an onError that throws", async () => {
  await using child = new TestProcess(
    `addEventListener("error", (event) => (event.preventDefault(), console.log(event.error.message)));
    ${program('{ onError: () => { throw new Error("odder"); } }')}`,
  );
  assertEquals(await child.line(), "ready");
  for (const run of ["1", "2"]) {
    send(child.pid, "SIGHUP");
    assertEquals([await child.line(), await child.line()], [run, "odder"]);
  }
});
