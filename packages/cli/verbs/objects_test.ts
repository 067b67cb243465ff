import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists, folder, ipc, shell, start, until } from "../_testing.ts";

Deno.test("make creates a FIFO with the exact mode, whatever the umask", async () => {
  using dir = folder();
  const { code, stdout, stderr } = await shell(
    `umask 077; ipc make fifo:${dir.path}/a && ipc make fifo:${dir.path}/b --mode 666`,
  );
  assertEquals([code, stdout, stderr], [0, "", ""]);
  const modes = ["a", "b"].map((name) => Deno.lstatSync(`${dir.path}/${name}`).mode!.toString(8));
  assertEquals(modes, ["10600", "10666"]);
});

Deno.test("make refuses what exists, with status 1", async () => {
  using dir = folder();
  await ipc(["make", `fifo:${dir.path}/a`]);
  const { code, stderr } = await ipc(["make", `fifo:${dir.path}/a`]);
  assertEquals(code, 1);
  assertMatch(stderr, /^ipc: make fifo:.*\/a: .*exists.* \(EEXIST\)\n$/);
});

Deno.test("rm removes what it can and tells the rest", async () => {
  using dir = folder();
  for (const name of ["a", "b"]) await ipc(["make", `fifo:${dir.path}/${name}`]);
  const addresses = ["a", "none", "b"].map((name) => `fifo:${dir.path}/${name}`);
  const { code, stdout, stderr } = await ipc(["rm", ...addresses]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^ipc: rm fifo:.*\/none: no such .* \(ENOENT\)\n$/);
  assertEquals([exists(`${dir.path}/a`), exists(`${dir.path}/b`)], [false, false]);
});

Deno.test("stat --json has full words and plain numbers", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  await ipc(["make", `fifo:${path}`, "--mode", "640"]);
  const { ctime, ino, uid, gid } = Deno.lstatSync(path);
  const { code, stdout } = await ipc(["stat", `fifo:${path}`, "--json"]);
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout), {
    address: `fifo:${path}`,
    type: "fifo",
    path,
    uid,
    gid,
    mode: 0o640,
    inode: ino,
    changeTime: ctime!.toISOString(),
    available: 0,
    readers: [],
    writers: [],
  });
});

Deno.test("stat tells who has it open and what waits, and takes nothing away", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  await using receiver = start(["recv", `fifo:${path}?framing=lines`, "--listen", "--count", "2"]);
  await until(async () => {
    return exists(path) &&
      JSON.parse((await ipc(["stat", `fifo:${path}`, "--json"])).stdout).writers.length > 0;
  });
  // It reads nothing now, so that bytes wait.
  receiver.process.kill("SIGSTOP");
  try {
    await shell(`echo hello > ${path}`);
    const status = JSON.parse((await ipc(["stat", `fifo:${path}`, "--json"])).stdout);
    assertEquals([status.available, status.capacity], [6, 65_536]);
    assertEquals([status.readers, status.writers], [[receiver.process.pid], [receiver.process.pid]]);
    const { stdout } = await ipc(["stat", `fifo:${path}`]);
    assertMatch(stdout, /^ {2}mode +0600 {2}rw-------$/m);
    assertMatch(stdout, /^ {2}available +6 bytes of 65,536$/m);
    assertMatch(stdout, new RegExp(`^ {2}readers +${receiver.process.pid} deno$`, "m"));
  } finally {
    receiver.process.kill("SIGCONT");
  }
  await shell(`echo again > ${path}`);
  assertEquals((await receiver.finished).stdout, "hello\nagain\n");
});

Deno.test("stat wakes nobody who waits for the other end", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  const { stdout } = await shell(
    `mkfifo -m 600 ${path}; (echo hello > ${path}; echo written) & sleep 0.2
     ipc stat fifo:${path} > /dev/null; ipc stat fifo:${path} --json > /dev/null; echo looked; cat ${path}; wait`,
  );
  assertEquals(stdout.split("\n").sort(), ["", "hello", "looked", "written"]);
  assertStringIncludes(stdout, "looked\n");
  assertEquals(stdout.indexOf("looked") < stdout.indexOf("written"), true);
});
