import { assert, assertEquals, assertThrows } from "@std/assert";
import { NotSupportedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { listMessageQueues, listSemaphores, listSharedMemory } from "./mod.ts";
import { answer, canBeAnother, inNamespaces, NOBODY, prepared } from "./testdata/process.ts";
import { MOD } from "./testdata/queues.ts";

leakCheck();

/** In namespaces of its own, where the mqueue file system is mounted in a folder with a space in its name. */
const mounted = prepared(
  'mount -t tmpfs none /mnt && mkdir "/mnt/my queues" && mount -t mqueue none "/mnt/my queues"',
);
/** The same without, whatever the system has mounted. */
const unmounted = prepared(
  "while umount -t mqueue -a 2>/dev/null && grep -q ' mqueue ' /proc/self/mounts; do :; done",
);

Deno.test({
  name: "listMessageQueues has every queue, with all that stat has",
  ignore: mounted === undefined,
  fn: async () => {
    const told = await answer(
      `import { listMessageQueues, MessageQueue } from ${MOD};
      const none = listMessageQueues();
      const size = { maxMessages: 3, maxMessageSize: 10 };
      const queues = ["/b", "/a \\n", "/ü"].map((name) => MessageQueue.create(name, { ...size, mode: 0o640 }));
      queues[0].sendSync(new Uint8Array(7));
      queues[0].sendSync(new Uint8Array(2));
      const all = listMessageQueues();
      const same = all.map(({ name, status }) =>
        JSON.stringify(status) === JSON.stringify(queues.find((queue) => queue.name === name).stat()));
      // The file of a queue says so much in text.
      const [file] = Deno.readTextFileSync("/mnt/my queues/b").split(/\\s+/);
      // What listing opens and closes does not end a registration for good.
      const notified = queues[1].notify();
      listMessageQueues();
      queues[1].sendSync(new Uint8Array(1));
      await notified;
      queues[1].unlink();
      console.log(JSON.stringify({ none, all, same, file, left: listMessageQueues().length, pid: Deno.pid }));`,
      { before: mounted },
    ) as Record<string, unknown>;
    const { all, pid, ...rest } = told as { all: Record<string, unknown>[]; pid: number };
    assertEquals(rest, { none: [], same: [true, true, true], file: "QSIZE:9", left: 2 });
    assertEquals(all.map(({ name }) => name), ["/a \n", "/b", "/ü"]);
    const common = { uid: all[0]!.uid, gid: all[0]!.gid, mode: 0o640 };
    assertEquals(all[1], {
      name: "/b",
      ...common,
      status: { name: "/b", messages: 2, maxMessages: 3, maxMessageSize: 10, ...common, bytes: 9 },
    });
    assert(pid > 0);
  },
});

Deno.test({
  name: "listMessageQueues has queues that this user may not read, with what everybody may see",
  ignore: mounted === undefined || !canBeAnother,
  fn: async () => {
    const told = await answer(
      `import { listMessageQueues, limits, MessageQueue } from ${MOD};
      import { asUser } from ${JSON.stringify(new URL("testdata/process.ts", import.meta.url).href)};
      using queue = MessageQueue.create("/secret", { maxMessages: 2, maxMessageSize: 4, mode: 0o620 });
      console.log(JSON.stringify(asUser(${NOBODY}, () => [listMessageQueues(), limits().find(({ name }) => name === "queues_max").used])));`,
      { before: mounted },
    );
    assertEquals(told, [[{ name: "/secret", uid: 0, gid: 0, mode: 0o620 }], 1]);
  },
});

Deno.test({
  name: "listMessageQueues says what to mount where nothing is, and creating works all the same",
  ignore: unmounted === undefined,
  fn: async () => {
    const told = await answer(
      `import { listMessageQueues, limits, MessageQueue } from ${MOD};
      using queue = MessageQueue.create("/q", { maxMessages: 2, maxMessageSize: 4 });
      let failure;
      try { listMessageQueues(); } catch ({ name, message, hint }) { failure = { name, message, hint }; }
      console.log(JSON.stringify([failure, limits().filter(({ used }) => used !== undefined).map(({ name }) => name)]));`,
      { before: unmounted },
    );
    assertEquals(told, [{
      name: "NotSupportedError",
      message: "Cannot list message queues: the mqueue file system is not mounted",
      hint: "mount it: mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue",
    }, ["/dev/shm"]]);
  },
});

Deno.test({
  name: "listMessageQueues leaves out the queues of another namespace, whose file system is mounted here",
  ignore: mounted === undefined || inNamespaces === undefined,
  fn: async () => {
    const inner = `
      import { listMessageQueues, MessageQueue } from ${MOD};
      using queue = MessageQueue.create("/inner", { maxMessages: 2, maxMessageSize: 4 });
      console.log(JSON.stringify(listMessageQueues().map(({ name }) => name)));`;
    const told = await answer(
      `import { MessageQueue } from ${MOD};
      import { answer } from ${JSON.stringify(new URL("testdata/process.ts", import.meta.url).href)};
      using queue = MessageQueue.create("/outer", { maxMessages: 2, maxMessageSize: 4 });
      console.log(JSON.stringify(await answer(${JSON.stringify(inner)}, { before: ["unshare", "--ipc"] })));`,
      { before: mounted },
    );
    assertEquals(told, []);
  },
});

/** What is left of /dev/shm while it is another's: a file system of our own over it. */
const ownMemory = prepared("mount -t tmpfs -o size=1m none /dev/shm");

Deno.test({
  name: "listSemaphores and listSharedMemory tell files of /dev/shm apart, and overlook what is neither",
  ignore: ownMemory === undefined,
  fn: async () => {
    const told = await answer(
      `import { limits, listSemaphores, listSharedMemory } from ${MOD};
      const none = [listSemaphores(), listSharedMemory()];
      const semaphore = new Uint8Array(32);
      new DataView(semaphore.buffer).setUint32(0, 0x8000_0005, true);
      Deno.writeFileSync("/dev/shm/sem.lock", semaphore, { mode: 0o600 });
      Deno.writeFileSync("/dev/shm/sem.short", new Uint8Array(3), { mode: 0o600 });
      Deno.writeFileSync("/dev/shm/table", new Uint8Array(5000), { mode: 0o644 });
      Deno.symlinkSync("/etc/passwd", "/dev/shm/link");
      Deno.mkdirSync("/dev/shm/folder");
      Deno.symlinkSync("/etc/passwd", "/dev/shm/sem.link");
      const { limit, used, percent } = limits().find(({ name }) => name === "/dev/shm");
      console.log(JSON.stringify([none, listSemaphores(), listSharedMemory(), limit, used > 5000, percent === used / limit * 100]));`,
      { before: ownMemory },
    ) as unknown[];
    const owner = { uid: 0, gid: 0 };
    assertEquals(told, [
      [[], []],
      [{ name: "/lock", ...owner, mode: 0o600, value: 5 }, { name: "/short", ...owner, mode: 0o600 }],
      [{ name: "/table", ...owner, mode: 0o644, size: 5000 }],
      1024 * 1024,
      true,
      true,
    ]);
  },
});

Deno.test("what cannot be read of this machine's objects is no crash", () => {
  listSemaphores();
  listSharedMemory();
  const mountedHere = /^\S+ \S+ mqueue /m.test(Deno.readTextFileSync("/proc/self/mounts"));
  if (mountedHere) listMessageQueues();
  else assertThrows(listMessageQueues, NotSupportedError);
});
