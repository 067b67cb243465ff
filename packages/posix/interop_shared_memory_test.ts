import { assert, assertEquals, assertThrows } from "@std/assert";
import { NotFoundError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { compile, has, scaled } from "../core/testdata/child.ts";
import { SharedMemory } from "./mod.ts";
import { OwnName } from "./testdata/shared_memory_objects.ts";

leakCheck();

const SIZE = 5000;

/** Another program: runs a command, and returns what it prints. */
type Peer = (...words: (string | number)[]) => Promise<string>;

async function run(command: string, words: (string | number)[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: words.map(String) }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`"${words.join(" ")}" failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Gives a test the program in C. */
async function withC(test: (peer: Peer) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ipc-peer-" });
  try {
    const source = await Deno.readTextFile(new URL("testdata/shared_memory_peer.c", import.meta.url));
    const program = await compile(folder, "peer", source, ["-Wall"]);
    await test((...words) => run(program, words));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const script = new URL("testdata/shared_memory_peer.py", import.meta.url).pathname;
const python: Peer = (...words) => run("python3", [script, ...words]);

const peers: {
  name: string;
  missing: boolean;
  start: (test: (peer: Peer) => Promise<void>) => Promise<void>;
}[] = [
  { name: "C", missing: !has("cc"), start: withC },
  {
    name: "python's multiprocessing.shared_memory",
    missing: !has("python3"),
    start: (test) => test(python),
  },
  {
    name: "python's mmap",
    missing: !has("python3"),
    start: (test) => test((...words) => python("file", ...words)),
  },
];

for (const { name, missing: ignore, start } of peers) {
  Deno.test(
    `shared memory that ${name} created is used and unlinked by us`,
    { ignore },
    () =>
      start(async (peer) => {
        using own = new OwnName();
        await peer("create", own.name, SIZE);
        await peer("write", own.name, 1000, "from there");
        using memory = SharedMemory.open(own.name, { size: SIZE, reserve: true });
        assertEquals([memory.byteLength, memory.stat().mode], [SIZE, 0o600]);
        assertEquals(new TextDecoder().decode(memory.read(1000, 11)), "from there\0");
        memory.write(SIZE - 9, new TextEncoder().encode("from here"));
        assertEquals(await peer("read", own.name, SIZE - 9, 9), "from here");
        memory.unlink();
        assertEquals(own.taken, false);
      }),
  );

  Deno.test(
    `shared memory that we created is used and unlinked by ${name}`,
    { ignore },
    () =>
      start(async (peer) => {
        using own = new OwnName();
        using memory = SharedMemory.create(own.name, SIZE);
        memory.write(7, new TextEncoder().encode("from here"));
        assertEquals(await peer("read", own.name, 7, 9), "from here");
        await peer("write", own.name, 4990, "from there");
        assertEquals(new TextDecoder().decode(memory.bytes.subarray(4990)), "from there");
        await peer("unlink", own.name);
        assertThrows(() => SharedMemory.open(own.name), NotFoundError);
        assertEquals(memory.bytes[4990], "f".charCodeAt(0), "still mapped here");
      }),
  );
}

Deno.test(
  "a counter in shared memory is exact, in C and here at once",
  { ignore: !has("cc") },
  () =>
    withC(async (peer) => {
      using own = new OwnName();
      using memory = SharedMemory.create(own.name, 64);
      const words = new Int32Array(memory.buffer);
      const times = scaled(2_000_000);
      const other = peer("add", own.name, 12, times);
      for (let i = 0; i < times; i++) {
        Atomics.add(words, 3, 1);
        if (i % 10_000 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      await other;
      assertEquals(Atomics.load(words, 3), 2 * times);
    }),
);

Deno.test("what a shell puts into /dev/shm is shared memory, and the other way round", async () => {
  using own = new OwnName();
  await run("sh", ["-c", `echo hello >${own.path}`]);
  using memory = SharedMemory.open(own.name);
  assertEquals(memory.byteLength, 6);
  memory.write(0, new TextEncoder().encode("HELLO"));
  assertEquals(await run("cat", [own.path]), "HELLO\n");
  await run("truncate", ["-s", "3", own.path]);
  assert(assertThrows(() => memory.read(0, 6), Error).message.endsWith("it has 3 bytes now"));
});
