import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists, folder, ipc, shell, start, until } from "../_testing.ts";

Deno.test("send and recv move a message from one process to another", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  assertEquals((await ipc(["make", address])).code, 0);
  await using receiver = start(["recv", address]);
  const sent = await ipc(["send", address, "hello, wörld"]);
  assertEquals([sent.code, sent.stdout, sent.stderr], [0, "", ""]);
  const { code, stdout, stderr } = await receiver.finished;
  assertEquals([code, stdout, stderr], [0, "hello, wörld\n", ""]);
  assert(exists(`${dir.path}/in`), "what was made stays");
});

Deno.test("each argument of send is one message, and recv --count takes them all", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await using receiver = start(["recv", address, "--count", "4", "--listen"]);
  await until(() => exists(`${dir.path}/in`));
  assertEquals((await ipc(["send", address, "a", "", "--", "--lines", "two\nlines"])).code, 0);
  assertEquals((await receiver.finished).stdout, "a\n\n--lines\ntwo\nlines\n");
});

Deno.test("recv --json prints an object a line, in base64 where the bytes are not UTF-8", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await using receiver = start(["recv", address, "--count", "3", "--listen", "--json"]);
  await until(() => exists(`${dir.path}/in`));
  const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0x0a, 0xff, 0x00, 0x0a, 0x22, 0x0a]);
  assertEquals((await ipc(["send", address, "--lines"], bytes)).code, 0);
  const { stdout } = await receiver.finished;
  assertEquals(stdout, '{"data":"\ufeffa"}\n{"base64":"/wA="}\n{"data":"\\""}\n');
});

Deno.test("standard input of any bytes arrives as one message, byte for byte", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  const bytes = new Uint8Array(1_000_003);
  for (let at = 0; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, bytes.length)));
  }
  await using receiver = start(["recv", address, "--listen", "--no-newline"]);
  await until(() => exists(`${dir.path}/in`));
  assertEquals((await ipc(["send", address], bytes)).code, 0);
  assertEquals(
    Array.from((await receiver.finished).bytes.subarray(0, 100)),
    Array.from(bytes.subarray(0, 100)),
  );
  assertEquals((await receiver.finished).bytes, bytes);
});

Deno.test("send --lines sends each line, the last one also without its newline", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await using receiver = start(["recv", address, "--count", "4", "--listen"]);
  await until(() => exists(`${dir.path}/in`));
  assertEquals((await ipc(["send", address, "--lines"], "one\n\r\n\nlast")).code, 0);
  assertEquals((await receiver.finished).stdout, "one\n\r\n\nlast\n");
});

Deno.test("what was sent with --lines arrives while standard input is still open", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  const { code, stdout } = await shell(
    `ipc recv ${address} --listen & sleep 0.1
     while [ ! -p ${dir.path}/in ]; do sleep 0.05; done
     mkfifo ${dir.path}/input; ipc send ${address} --lines < ${dir.path}/input & 
     exec 3> ${dir.path}/input; echo early >&3; wait %1; echo received; exec 3>&-; wait`,
  );
  assertEquals([code, stdout], [0, "early\nreceived\n"]);
});

Deno.test("recv tells when the sender leaves too early, with status 1", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await ipc(["make", address]);
  await using receiver = start(["recv", address, "--count", "3"]);
  await ipc(["send", address, "a", "b"]);
  const { code, stdout, stderr } = await receiver.finished;
  assertEquals([code, stdout], [1, "a\nb\n"]);
  assertEquals(stderr, `ipc: recv ${address}: the sender left after 2 of 3 messages\n`);
});

Deno.test("recv --follow goes on when senders come and go, and ends with SIGTERM", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await ipc(["make", address]);
  await using receiver = start(["recv", address, "--follow"]);
  for (const word of ["one", "two", "three"]) assertEquals((await ipc(["send", address, word])).code, 0);
  // The third has left: what it sent was taken or is still in the FIFO, and comes before anything else.
  await until(async () => JSON.parse((await ipc(["stat", address, "--json"])).stdout).available === 0);
  receiver.process.kill("SIGTERM");
  const { signal, stdout, stderr } = await receiver.finished;
  assertEquals([signal, stdout, stderr], ["SIGTERM", "one\ntwo\nthree\n", ""]);
  assert(exists(`${dir.path}/in`), "what --listen did not create stays");
});

Deno.test("recv --timeout ends with status 124, whether a sender is there or not", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await ipc(["make", address]);
  const none = await ipc(["recv", address, "--timeout", "50ms"]);
  assertEquals([none.code, none.stdout], [124, ""]);
  assertMatch(none.stderr, /^ipc: recv fifo:.*\/in: .*50 ms\n$/);
  const listening = await ipc(["recv", address, "--listen", "--timeout", "0.05s"]);
  assertEquals(listening.code, 124);
  assert(exists(`${dir.path}/in`));
});

Deno.test("send --timeout ends with status 124 when nobody receives", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  const { code, stderr } = await ipc(["send", address, "x", "--timeout", "50", "--listen"]);
  assertEquals(code, 124);
  assertMatch(stderr, /^ipc: send fifo:.*\/in: .*50 ms\n$/);
  assertEquals(exists(`${dir.path}/in`), false);
});

for (const verb of ["send", "recv"]) {
  Deno.test(`${verb} says what to do where there is nothing, with status 1`, async () => {
    using dir = folder();
    const address = `fifo:${dir.path}/none?framing=lines`;
    const { code, stdout, stderr } = await ipc([verb, address]);
    assertEquals([code, stdout], [1, ""]);
    const [first, second] = stderr.split("\n");
    assertMatch(first!, /^ipc: (send|recv) fifo:.*\/none\?framing=lines: no such .* \(ENOENT\)$/);
    assertEquals(second, `     create it with "ipc make fifo:${dir.path}/none", or here with --listen`);
  });
}

Deno.test("what is no FIFO is refused and stays", async () => {
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/file`, "text");
  for (const verb of ["send", "recv", "rm", "stat"]) {
    const { code, stderr } = await ipc([verb, `fifo:${dir.path}/file`]);
    assertEquals([verb, code], [verb, 1]);
    assertStringIncludes(stderr, "not a FIFO");
  }
  assertEquals(Deno.readTextFileSync(`${dir.path}/file`), "text");
});

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`${name} ends recv --listen by that signal and leaves no FIFO behind`, async () => {
    using dir = folder();
    await using receiver = start(["recv", `fifo:${dir.path}/in`, "--listen"]);
    await until(() => exists(`${dir.path}/in`));
    assertEquals(Deno.statSync(`${dir.path}/in`).mode! & 0o777, 0o600);
    receiver.process.kill(name);
    const { signal, stdout, stderr } = await receiver.finished;
    assertEquals([signal, stdout, stderr], [name, "", ""]);
    assertEquals(exists(`${dir.path}/in`), false);
  });
}

Deno.test("SIGINT ends send, waiting for a receiver or for standard input", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await using waiting = start(["send", address, "--listen", "x"]);
  await until(() => exists(`${dir.path}/in`));
  waiting.process.kill("SIGINT");
  assertEquals((await waiting.finished).signal, "SIGINT");
  assertEquals(exists(`${dir.path}/in`), false);

  const { code, stdout } = await shell(
    `cd ${dir.path}; mkfifo input; exec 3<> input
     ipc recv ${address} --listen --follow > received & receiver=$!
     while [ ! -p in ]; do sleep 0.05; done
     ipc send ${address} --lines < input & pid=$!
     echo line >&3
     while [ ! -s received ]; do sleep 0.05; done
     kill -TERM $pid; wait $pid; code=$?
     kill -TERM $receiver; wait $receiver; cat received; exit $code`,
  );
  assertEquals([code, stdout], [143, "line\n"]);
});

Deno.test("a signal that the shell told it to ignore is ignored", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  const { code, stdout } = await shell(
    `trap '' HUP; ipc recv ${address} --listen & pid=$!
     while [ ! -p ${dir.path}/in ]; do sleep 0.05; done
     kill -HUP $pid; ipc send ${address} still; wait $pid`,
  );
  assertEquals([code, stdout], [0, "still\n"]);
});

Deno.test("a closed output ends it quietly", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  const { stdout, stderr } = await shell(
    `{ ipc recv ${address} --listen --follow; echo "status $?" >&2; } | head -1 &
     while [ ! -p ${dir.path}/in ]; do sleep 0.05; done
     yes line | head -50000 | ipc send ${address} --lines 2> /dev/null; wait`,
  );
  assertEquals([stdout, stderr], ["line\n", "status 0\n"]);
  assertEquals(exists(`${dir.path}/in`), false);
});

Deno.test("shells take part with framing=lines, and cat with framing=raw", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  await using receiver = start(["recv", `fifo:${path}?framing=lines`, "--listen", "--count", "2"]);
  await until(() => exists(path));
  assertEquals((await shell(`echo hello > ${path}; echo again > ${path}`)).code, 0);
  assertEquals((await receiver.finished).stdout, "hello\nagain\n");

  const { stdout } = await shell(
    `mkfifo ${path}; ipc send 'fifo:${path}?framing=raw' a b & cat ${path}; wait`,
  );
  assertEquals(stdout, "ab");
});

Deno.test("a message that a framing cannot carry is refused, and nothing is sent", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  await using receiver = start(["recv", `fifo:${path}?framing=lines`, "--listen"]);
  await until(() => exists(path));
  const { code, stderr } = await ipc(["send", `fifo:${path}?framing=lines`, "two\nlines"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "byte 3 is a newline");
  await ipc(["send", `fifo:${path}?framing=lines`, "one"]);
  assertEquals((await receiver.finished).stdout, "one\n");
});

Deno.test("stdio: speaks lines, or as it is told", async () => {
  const lines = await ipc(["recv", "stdio:", "--count", "2", "--json"], "a\nb\nc\n");
  assertEquals([lines.code, lines.stdout], [0, '{"data":"a"}\n{"data":"b"}\n']);
  const sent = await ipc(["send", "stdio:?framing=nul", "a", "b"]);
  assertEquals([sent.code, sent.stdout], [0, "a\0b\0"]);
});
