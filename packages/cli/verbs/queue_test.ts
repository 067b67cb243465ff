import { assertEquals, assertMatch } from "@std/assert";
import { type QueueStatus, stat } from "@ipc/address";
import { folder, ipc, made, shell, start, until } from "../_testing.ts";

const waiting = async (address: string) => (await stat(address) as QueueStatus).messages;

Deno.test("a queue keeps what was sent, byte for byte, until somebody takes it", async () => {
  await using queue = await made("sysv-msg");
  const bytes = new Uint8Array(8000).map((_, index) => index * 31);
  assertEquals((await ipc(["send", queue.address, "hello, wörld", ""])).code, 0);
  assertEquals((await ipc(["send", queue.address], bytes)).code, 0);
  assertEquals((await ipc(["recv", queue.address, "--count", "2"])).stdout, "hello, wörld\n\n");
  assertEquals(await waiting(queue.address), 1, "what was not asked for stays");
  assertEquals((await ipc(["recv", queue.address, "--no-newline"])).bytes, bytes);
  const none = await ipc(["recv", queue.address, "--timeout", "20ms"]);
  assertEquals([none.code, none.stderr], [
    124,
    `ipc: recv ${queue.address}: nothing happened within 20 ms\n`,
  ]);
});

Deno.test("send --listen creates a queue and leaves it, with the message; recv --listen removes it", async () => {
  const address = `sysv-msg:${1 + crypto.getRandomValues(new Uint32Array(1))[0]! % 0x7fff_ffff}`;
  try {
    assertEquals((await ipc(["send", address, "still here", "--listen"])).code, 0);
    assertEquals((await ipc(["recv", address])).stdout, "still here\n");
  } finally {
    assertEquals((await ipc(["rm", address])).code, 0);
  }
  assertEquals((await ipc(["recv", address, "--listen", "--timeout", "0"])).code, 124);
  assertEquals((await ipc(["stat", address])).code, 1);
});

Deno.test("recv takes messages of a type, up to one, or of all but one", async () => {
  await using queue = await made("sysv-msg");
  for (const type of ["3", "1", "2", "5"]) {
    assertEquals((await ipc(["send", queue.address, `type ${type}`, "--type", type])).code, 0);
  }
  const take = async (...args: string[]) =>
    (await ipc(["recv", queue.address, "--timeout", "0", ...args])).stdout;
  assertEquals(await take("--type", "2"), "type 2\n");
  assertEquals(await take("--type", "2"), "");
  assertEquals(await take("--at-most", "3", "--json"), '{"data":"type 1","type":1}\n');
  assertEquals(await take("--except", "3"), "type 5\n");
  assertEquals(await take("--json"), '{"data":"type 3","type":3}\n');
});

Deno.test("an address says the types, and --json tells them", async () => {
  await using queue = await made("sysv-msg");
  await ipc(["send", `${queue.address}?send=7`, "--lines"], "one\ntwo\n");
  await ipc(["send", queue.address], new Uint8Array([0xff]));
  const seven = await ipc(["recv", `${queue.address}?receive=7`, "--json", "--count", "2"]);
  assertEquals(seven.stdout, '{"data":"one","type":7}\n{"data":"two","type":7}\n');
  assertEquals((await ipc(["recv", queue.address, "--json"])).stdout, '{"base64":"/w==","type":1}\n');
});

Deno.test("recv waits for a message from another process, and a signal ends it", async () => {
  await using queue = await made("sysv-msg");
  await using receiver = start(["recv", queue.address, "--follow"]);
  for (const word of ["one", "two"]) {
    assertEquals((await ipc(["send", queue.address, word])).code, 0);
    await until(async () => await waiting(queue.address) === 0);
  }
  receiver.process.kill("SIGTERM");
  const { signal, stdout, stderr } = await receiver.finished;
  assertEquals([signal, stdout, stderr], ["SIGTERM", "one\ntwo\n", ""]);
  assertEquals(await waiting(queue.address), 0, "the queue stays");
});

Deno.test("send waits while the queue is full", async () => {
  await using queue = await made("sysv-msg", { maxBytes: 10 });
  await ipc(["send", queue.address, "12345678"]);
  const full = await ipc(["send", queue.address, "abcdefgh", "--timeout", "20"]);
  assertEquals([full.code, full.stderr], [
    124,
    `ipc: send ${queue.address}: nothing happened within 20 ms\n`,
  ]);
  await using sender = start(["send", queue.address, "abcdefgh"]);
  assertEquals((await ipc(["recv", queue.address])).stdout, "12345678\n");
  assertEquals((await sender.finished).code, 0);
  assertEquals((await ipc(["recv", queue.address])).stdout, "abcdefgh\n");
  const long = await ipc(["send", queue.address, "12345678901"]);
  assertEquals(long.code, 1);
  assertMatch(long.stderr, /^ipc: send .*: the message has 11 bytes/);
});

Deno.test("recv --listen creates a queue and removes it at the end, also by a signal", async () => {
  const { address } = await (async () => {
    await using gone = await made("sysv-msg");
    return gone;
  })();
  const there = () => stat(address).then(() => true, () => false);
  await using receiver = start(["recv", address, "--listen"]);
  await until(there);
  assertEquals((await ipc(["send", address, "hello"])).code, 0);
  assertEquals((await receiver.finished).stdout, "hello\n");
  assertEquals(await there(), false);
  await using interrupted = start(["recv", address, "--listen"]);
  await until(there);
  interrupted.process.kill("SIGINT");
  assertEquals((await interrupted.finished).signal, "SIGINT");
  assertEquals(await there(), false);
});

Deno.test("where there is no queue it says what to do, and a queue that is removed ends all waits", async () => {
  await using queue = await made("sysv-msg");
  await using receiver = start(["recv", queue.address, "--count", "2"]);
  await ipc(["send", queue.address, "first"]);
  await until(async () => await waiting(queue.address) === 0);
  assertEquals((await ipc(["rm", queue.address])).code, 0);
  const { code, stdout, stderr } = await receiver.finished;
  assertEquals([code, stdout], [1, "first\n"]);
  assertMatch(stderr, /^ipc: recv .*: it was removed \(E(IDRM|INVAL)\)\n/);
  for (const verb of ["send", "recv"]) {
    const { code, stderr } = await ipc([verb, `${queue.address}?allow-owner=any`]);
    assertEquals([code, stderr], [
      1,
      `ipc: ${verb} ${queue.address}?allow-owner=any: no such message queue (ENOENT)\n` +
      `     create it with "ipc make ${queue.address}", or here with --listen\n`,
    ]);
  }
});

Deno.test("bridge carries messages of one type out of a queue, and leaves the others", async () => {
  using dir = folder();
  await using from = await made("sysv-msg");
  await using to = await made("sysv-msg");
  await using bridge = start(["bridge", `${from.address}?receive=2`, `${to.address}?send=9`]);
  await ipc(["send", from.address, "stays"]);
  await ipc(["send", from.address, "a", "", "b", "--type", "2"]);
  const { stdout } = await ipc(["recv", to.address, "--count", "3", "--json"]);
  assertEquals(stdout, '{"data":"a","type":9}\n{"data":"","type":9}\n{"data":"b","type":9}\n');
  bridge.process.kill("SIGTERM");
  assertEquals((await bridge.finished).signal, "SIGTERM");
  assertEquals(await waiting(from.address), 1);

  const fifo = `${dir.path}/in`;
  await ipc(["make", `fifo:${fifo}`]);
  await using shells = start(["bridge", `fifo:${fifo}?framing=lines`, from.address]);
  await shell(`echo 'from a shell' > ${fifo}`);
  assertEquals((await shells.finished).code, 0);
  assertEquals((await ipc(["recv", from.address, "--count", "2"])).stdout, "stays\nfrom a shell\n");
});
