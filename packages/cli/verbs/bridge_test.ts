import { assertEquals, assertMatch } from "@std/assert";
import { exists, folder, ipc, start, until } from "../_testing.ts";

Deno.test("bridge carries messages from one FIFO into another until the sender leaves", async () => {
  using dir = folder();
  const [from, to] = [`fifo:${dir.path}/from`, `fifo:${dir.path}/to`];
  await ipc(["make", from]);
  await ipc(["make", to]);
  await using bridge = start(["bridge", from, to]);
  await using receiver = start(["recv", to, "--count", "3", "--json"]);
  await ipc(["send", from, "a", "", "b"]);
  assertEquals((await receiver.finished).stdout, '{"data":"a"}\n{"data":""}\n{"data":"b"}\n');
  const { code, stdout, stderr } = await bridge.finished;
  assertEquals([code, stdout, stderr], [0, "", ""]);
});

Deno.test("bridge carries standard input to standard output, and changes the framing on the way", async () => {
  const { code, stdout, stderr } = await ipc(["bridge", "stdio:", "stdio:?framing=nul"], "a\n\nb\n");
  assertEquals([code, stdout, stderr], [0, "a\0\0b\0", ""]);
});

Deno.test("bridge --listen creates both ends, and a signal ends it and removes them", async () => {
  using dir = folder();
  await using bridge = start(["bridge", `fifo:${dir.path}/from`, `fifo:${dir.path}/to`, "--listen"]);
  await until(() => exists(`${dir.path}/from`) && exists(`${dir.path}/to`));
  await using receiver = start(["recv", `fifo:${dir.path}/to`, "--follow"]);
  for (const word of ["a", "b"]) assertEquals((await ipc(["send", `fifo:${dir.path}/from`, word])).code, 0);
  await until(async () => {
    const { stdout } = await ipc(["stat", `fifo:${dir.path}/from`, "--json"]);
    return JSON.parse(stdout).available === 0;
  });
  bridge.process.kill("SIGINT");
  assertEquals((await bridge.finished).signal, "SIGINT");
  assertEquals([exists(`${dir.path}/from`), exists(`${dir.path}/to`)], [false, false]);
  receiver.process.kill("SIGINT");
  assertEquals((await receiver.finished).stdout, "a\nb\n");
});

Deno.test("bridge says which end is missing, and waits for the other no longer", async () => {
  using dir = folder();
  await ipc(["make", `fifo:${dir.path}/to`]);
  const { code, stderr } = await ipc(["bridge", `fifo:${dir.path}/from`, `fifo:${dir.path}/to`]);
  assertEquals(code, 1);
  assertMatch(stderr, /^ipc: bridge fifo:.*\/from: no such .* \(ENOENT\)\n/);
});
