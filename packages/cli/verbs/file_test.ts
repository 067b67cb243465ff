/** Logs and text files, from a shell. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { exists, folder, ipc, shell, start, until } from "../_testing.ts";

Deno.test("a log keeps what was sent, for all who come later", async () => {
  using dir = folder();
  const address = `file:${dir.path}/log`;
  const missing = await ipc(["send", address, "x"]);
  assertEquals(missing.code, 1);
  assertMatch(
    missing.stderr,
    /no such log \(ENOENT\)\n {5}create it with "ipc make file:.*", or here with --listen\n$/,
  );
  assertEquals((await ipc(["make", address, "--mode", "640", "--fsync", "always"])).code, 0);
  assertEquals((await ipc(["send", address, "a", "", "b"])).code, 0);
  for (let reader = 0; reader < 2; reader++) {
    const { code, stdout } = await ipc(["recv", address, "--count", "3"]);
    assertEquals([code, stdout], [0, "a\n\nb\n"]);
  }
  const { sequence, data, time } = JSON.parse((await ipc(["recv", `${address}?from=3`, "--json"])).stdout);
  assertEquals([sequence, data], [3, "b"]);
  assert(Math.abs(Date.now() - Date.parse(time)) < 60_000);
  const none = await ipc(["recv", `${address}?from=end`, "--timeout", "50"]);
  assertEquals(none.code, 124);
  assertEquals((await ipc(["rm", address])).code, 0);
  assertEquals([...Deno.readDirSync(dir.path)], []);
});

Deno.test("the place of a consumer is kept, and what was printed does not come again", async () => {
  using dir = folder();
  const address = `file:${dir.path}/jobs`;
  assertEquals((await ipc(["send", address, "a", "b", "c", "--listen"])).code, 0);
  assert(exists(`${dir.path}/jobs`), "a log that --listen created keeps its messages");
  const consumer = `${address}?consumer=w`;
  assertEquals((await ipc(["recv", consumer])).stdout, "a\n");
  assertEquals(JSON.parse((await ipc(["recv", consumer, "--json"])).stdout).data, "b");
  await using waiting = start(["recv", consumer, "--count", "2"]);
  await ipc(["send", address, "d"]);
  assertEquals((await waiting.finished).stdout, "c\nd\n");
  const { consumers } = JSON.parse((await ipc(["stat", address, "--json"])).stdout);
  assertEquals(consumers, [{ name: "w", position: 5, waiting: 0, out: 0 }]);
  assertMatch((await ipc(["stat", address])).stdout, /^consumer +position +waiting +out\nw +5 +0 +0$/m);
});

Deno.test("who follows a log is told of damage, and goes on behind it", async () => {
  using dir = folder();
  const address = `file:${dir.path}/log`;
  const words = Array.from({ length: 9 }, (_, index) => `message ${index + 1}`);
  assertEquals((await ipc(["send", address, ...words, "--listen"])).code, 0);
  const [segment] = [...Deno.readDirSync(`${dir.path}/log`)].filter(({ name }) => name.endsWith(".log"));
  const file = `${dir.path}/log/${segment!.name}`;
  const bytes = Deno.readFileSync(file);
  // In the text of the fourth.
  bytes[new TextDecoder("latin1").decode(bytes).indexOf("message 4") + 2]! ^= 1;
  Deno.writeFileSync(file, bytes);
  const whole = words.filter((_, index) => index !== 3).join("\n") + "\n";
  for (const from of [address, `${address}?consumer=w`]) {
    const { code, stdout, stderr } = await ipc(["recv", from, "--follow", "--timeout", "500"]);
    assertEquals([code, stdout], [124, whole]);
    assertEquals(stderr.split("damaged; the next is 5").length, 2);
  }
  const first = await ipc(["recv", `${address}?consumer=x`, "--count", "9"]);
  assertEquals([first.code, first.stdout], [1, words.slice(0, 3).join("\n") + "\n"]);
  await using bridge = start(["bridge", address, `file:${dir.path}/copy`, "--follow", "--listen"]);
  const copied = await ipc(["recv", `file:${dir.path}/copy`, "--listen", "--count", "8", "--timeout", "30s"]);
  assertEquals(copied.stdout, whole);
  bridge.process.kill("SIGTERM");
  assertMatch((await bridge.finished).stderr, /damaged; the next is 5/);
});

Deno.test("several who are one consumer share the messages", async () => {
  using dir = folder();
  const address = `file:${dir.path}/jobs`;
  const words = Array.from({ length: 100 }, (_, index) => String(index));
  assertEquals((await ipc(["send", address, ...words, "--listen"])).code, 0);
  const members = [1, 2].map(() => ipc(["recv", `${address}?consumer=w`, "--follow", "--timeout", "1s"]));
  const got = (await Promise.all(members)).flatMap(({ stdout }) => stdout.trim().split("\n"));
  assertEquals(got.filter((word) => word !== "").sort((a, b) => Number(a) - Number(b)), words);
});

Deno.test("ls finds the logs below a folder", async () => {
  using dir = folder();
  const address = `file:${dir.path}/a/log`;
  Deno.mkdirSync(`${dir.path}/a`);
  await ipc(["send", address, "hello", "--listen"]);
  const { stdout } = await ipc(["ls", `file:${dir.path}`]);
  assertMatch(stdout, new RegExp(`^${address} .* 0600 +1 message, \\d+ B +\\d+ s ago$`, "m"));
  const [found] = (await ipc(["ls", `file:${dir.path}`, "--json"])).stdout.trim().split("\n");
  assertEquals(JSON.parse(found!), JSON.parse((await ipc(["stat", address, "--json"])).stdout));
});

Deno.test("recv follows a text file as tail -F does, also when it is rotated", async () => {
  using dir = folder();
  const { code, stdout } = await shell(
    `cd ${dir.path}; echo old > log
     ipc recv 'file:./log?framing=lines&from=start' --count 3 > got & receiver=$!
     while [ ! -s got ]; do sleep 0.05; done
     echo more >> log; mv log log.1; echo rotated > log
     wait $receiver; cat got`,
  );
  assertEquals([code, stdout], [0, "old\nmore\nrotated\n"]);
});

Deno.test("bridge carries a log into a FIFO until a signal, and what comes meanwhile", async () => {
  using dir = folder();
  const [from, to] = [`file:${dir.path}/log`, `fifo:${dir.path}/to`];
  await ipc(["send", from, "a", "b", "--listen"]);
  await using receiver = start(["recv", to, "--listen", "--count", "3"]);
  await until(() => exists(`${dir.path}/to`));
  await using bridge = start(["bridge", from, to]);
  await ipc(["send", from, "c"]);
  assertEquals((await receiver.finished).stdout, "a\nb\nc\n");
  bridge.process.kill("SIGINT");
  assertEquals((await bridge.finished).signal, "SIGINT");
});
