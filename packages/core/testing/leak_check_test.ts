import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { libc } from "../sys/_libc.ts";
import { abi } from "../sys/abi.ts";
import { dupCloexec, OwnedFd } from "../sys/fd.ts";
import { bind } from "../sys/libc.ts";
import { Mapping } from "../sys/mapping.ts";
import { has } from "../testdata/child.ts";
import { leakCheck, resources, trackLeaks } from "./leak_check.ts";

leakCheck();

const systemV = bind({
  msgget: { parameters: [/* key_t key */ "i32", /* int flags */ "i32"], result: "i32" },
  msgctl: {
    parameters: [/* int id */ "i32", /* int cmd */ "i32", /* struct msqid_ds *buf */ "buffer"],
    result: "i32",
  },
});

Deno.test("trackLeaks finds descriptors, by what they are open on", async () => {
  const leaks = await trackLeaks({ settle: 0 });
  const ends = new Int32Array(2);
  libc.pipe2(ends, abi.O_CLOEXEC);
  const [reader, writer] = [new OwnedFd(ends[0]!), new OwnedFd(ends[1]!)];
  const copy = new OwnedFd(dupCloexec(reader.fd));
  const error = await assertRejects(() => leaks.check(), Error);
  assert(/^Left behind:\n {2}descriptor pipe:\[\d+\] \(3 times\)$/.test(error.message), error.message);
  for (const fd of [reader, writer, copy]) fd.close();
  await leaks.check();
});

Deno.test("trackLeaks finds an eventfd and an epoll set, which the runtime has of its own too", async () => {
  const leaks = await trackLeaks({ settle: 0 });
  {
    using _eventfd = new OwnedFd(libc.eventfd(0, abi.EFD_CLOEXEC));
    using _epoll = new OwnedFd(libc.epoll_create1(abi.EPOLL_CLOEXEC));
    const error = await assertRejects(() => leaks.check(), Error);
    assertStringIncludes(error.message, "descriptor anon_inode:[eventfd]");
    assertStringIncludes(error.message, "descriptor anon_inode:[eventpoll]");
  }
  await leaks.check();
});

Deno.test("trackLeaks finds mappings and files in /dev/shm", async () => {
  const leaks = await trackLeaks({ settle: 0 });
  const name = `/dev/shm/leak-check-${crypto.randomUUID()}`;
  const file = await Deno.open(name, { create: true, read: true, write: true });
  await file.truncate(4096);
  const mapping = Mapping.anonymous(4096);
  const error = await assertRejects(() => leaks.check(), Error);
  assertStringIncludes(error.message, `object ${name}`);
  assertStringIncludes(error.message, `descriptor ${name}`);
  assertStringIncludes(error.message, "mapping rw-s /dev/zero (deleted)");
  mapping.close();
  file.close();
  await assertRejects(() => leaks.check(), Error, name);
  await Deno.remove(name);
  await leaks.check();
});

Deno.test("trackLeaks finds System V objects", async () => {
  const leaks = await trackLeaks({ settle: 0 });
  const id = systemV.msgget(0, 0o1600);
  try {
    await assertRejects(() => leaks.check(), Error, `System V msg ${id}, key 0`);
  } finally {
    systemV.msgctl(id, 0, null);
  }
  await leaks.check();
});

Deno.test("trackLeaks waits for what is still being let go of, and overlooks what it is told to", async () => {
  const leaks = await trackLeaks();
  const fd = new OwnedFd(dupCloexec(0));
  const closing = new Promise<void>((resolve) => setTimeout(() => (fd.close(), resolve()), 100));
  await leaks.check();
  assertEquals(fd.closed, true);
  await closing;

  await using _overlooking = await trackLeaks({ settle: 0, ignore: [/eventfd/] });
  using _kept = new OwnedFd(libc.eventfd(0, abi.EFD_CLOEXEC));
  await _overlooking.check();
});

Deno.test("resources counts what is there, whoever made it", { ignore: !has("perl") }, () => {
  const descriptors = [...resources()].filter(([line]) => line.startsWith("descriptor "));
  const count = descriptors.reduce((sum, [, times]) => sum + times, 0);
  assert(count >= 3, `${count} descriptors`);
});

Deno.test("leakCheck makes a test file fail, naming what it leaves", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const core = new URL("..", import.meta.url).href;
    const file = (leak: string) => `
      import { leakCheck } from "${core}testing/leak_check.ts";
      import { libc } from "${core}sys/_libc.ts";
      leakCheck({ settle: 0 });
      Deno.test("leaks", () => { ${leak} });
    `;
    await Deno.writeTextFile(`${folder}/clean_test.ts`, file(""));
    await Deno.writeTextFile(`${folder}/dirty_test.ts`, file("libc.eventfd(0, 0);"));
    const run = async (name: string) => {
      const args = ["test", "-A", "--no-config", "--no-lock", "--no-check", `${folder}/${name}`];
      const env = { NO_COLOR: "1" };
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env }).output();
      const text = new TextDecoder();
      return { code, output: text.decode(stdout) + text.decode(stderr) };
    };
    const clean = await run("clean_test.ts");
    assertEquals(clean.code, 0, clean.output);
    const dirty = await run("dirty_test.ts");
    assertEquals(dirty.code, 1);
    assertStringIncludes(dirty.output, "Left behind:\n  descriptor anon_inode:[eventfd]");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
