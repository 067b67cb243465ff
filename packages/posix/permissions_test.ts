import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { answer, TestProcess } from "./testdata/process.ts";
import { MOD, withName } from "./testdata/queues.ts";

leakCheck();

const program = (name: string) => `
import { limits, listSemaphores, MessageQueue } from ${MOD};
using queue = MessageQueue.create("${name}", { maxMessages: 4, maxMessageSize: 100, unlinkOnClose: true });
const pending = queue.receiveMessage();
await new Promise((resolve) => setTimeout(resolve, 20));
await queue.send(new Uint8Array([1]), { priority: 5 });
const told = [(await pending).priority];
queue.sendSync(new Uint8Array(70), { priority: 9 });
told.push(queue.receiveSync().byteLength, queue.stat().mode, queue.tryReceive() === undefined);
try { queue.receiveSync({ timeout: 1 }); } catch (error) { told.push(error.name); }
const notified = queue.notify();
queue.sendSync(new Uint8Array(1));
await notified;
const { priority, data } = queue.receiveMessageSync();
told.push(priority, data.byteLength, limits().length > 7, Array.isArray(listSemaphores()));
console.log(JSON.stringify(told));
`;
const expected = [5, 70, 0o600, true, "TimeoutError", 0, 1, true, true];

const arch = Deno.build.arch;
const library = [`/lib/${arch}-linux-gnu/libc.so.6`, "/lib64/libc.so.6", `/lib/libc.musl-${arch}.so.1`].find(
  (path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  },
);
// The program itself, its modules and nothing else: they are read before it runs.
const grants = { "--allow-ffi alone": "--allow-ffi", "one library": `--allow-ffi=${library}` };

for (const [what, flag] of Object.entries(grants)) {
  Deno.test({
    name: `a queue needs no more than ${what}`,
    ignore: library === undefined,
    fn: () =>
      withName(async (name) => {
        assertEquals(await answer(program(name), { flags: [flag] }), expected);
      }),
  });
}

Deno.test("without permission importing works, and opening asks", async () => {
  await using process = new TestProcess(
    `import { MessageQueue } from ${MOD};
    try { MessageQueue.open("/jobs"); } catch (error) { console.log(error.name); }`,
    { flags: [] },
  );
  const line = await process.line();
  assert(line === "NotCapable", line);
});

const begin = (name: string) => `
import { MessageQueue } from ${MOD};
const queue = MessageQueue.openOrCreate("${name}", { maxMessages: 1, maxMessageSize: 1 });
`;

Deno.test("an open queue does not keep a process alive", () =>
  withName(async (name) => {
    await using idle = new TestProcess(begin(name));
    assert((await idle.status).success);
  }));

for (const wait of ["receive", "notify"]) {
  Deno.test(`${wait} keeps a process alive while it waits`, () =>
    withName(async (name) => {
      await using waiting = new TestProcess(
        `${begin(name)} console.log("ready"); await queue.${wait}(); console.log("done");`,
      );
      assertEquals(await waiting.line(), "ready");
      await waiting.blocked();
      await using _ = new TestProcess(`${begin(name)} queue.sendSync(new Uint8Array(1));`);
      assertEquals(await waiting.line(), "done");
      assert((await waiting.status).success);
    }));
}
