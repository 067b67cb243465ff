import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { compile, has, scaled } from "../core/testdata/child.ts";
import { MappedFile } from "./mapped_file.ts";
import { OwnFile } from "./testdata/own_file.ts";

leakCheck();

const SIZE = 10_000;

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
    const source = await Deno.readTextFile(new URL("testdata/peer.c", import.meta.url));
    const program = await compile(folder, "peer", source, ["-Wall"]);
    await test((...words) => run(program, words));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const script = new URL("testdata/peer.py", import.meta.url).pathname;
const peers = [
  { name: "C", missing: !has("cc"), start: withC },
  {
    name: "python's mmap",
    missing: !has("python3"),
    start: (test: (peer: Peer) => Promise<void>) => test((...words) => run("python3", [script, ...words])),
  },
];

for (const { name, missing: ignore, start } of peers) {
  Deno.test(
    `a file that ${name} maps and writes is read here, and the other way round`,
    { ignore },
    () =>
      start(async (peer) => {
        using own = new OwnFile();
        await peer("create", own.path, SIZE);
        await peer("write", own.path, 5000, "from there");
        using file = MappedFile.open(own.path, { offset: 4990, length: 100 });
        assertEquals(new TextDecoder().decode(file.read(10, 11)), "from there\0");
        file.write(0, new TextEncoder().encode("from here"));
        assertEquals(await peer("read", own.path, 4990, 9), "from here");

        using grown = MappedFile.open(own.path, { size: 2 * SIZE });
        await peer("write", own.path, 2 * SIZE - 4, "last");
        assertEquals(new TextDecoder().decode(grown.bytes.subarray(-4)), "last");
      }),
  );

  Deno.test(`a file that we made is mapped by ${name}`, { ignore }, () =>
    start(async (peer) => {
      using own = new OwnFile();
      using file = MappedFile.open(own.path, { create: true, size: SIZE });
      file.write(1234, new TextEncoder().encode("from here"));
      assertEquals(await peer("read", own.path, 1234, 9), "from here");
      await peer("write", own.path, 0, "from there");
      assertEquals(new TextDecoder().decode(file.bytes.subarray(0, 10)), "from there");
    }));
}

Deno.test(
  "a counter in a mapped file is exact, in C and here at once",
  { ignore: !has("cc") },
  () =>
    withC(async (peer) => {
      using own = new OwnFile();
      using file = MappedFile.open(own.path, { create: true, size: 4096 });
      const words = new Int32Array(file.buffer);
      const times = scaled(2_000_000);
      const other = peer("add", own.path, 12, times);
      for (let i = 0; i < times; i++) {
        Atomics.add(words, 3, 1);
        if (i % 10_000 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      await other;
      assertEquals(Atomics.load(words, 3), 2 * times);
    }),
);

Deno.test("what other programs write into the file is seen, and cat sees what is written here", async () => {
  using own = OwnFile.of("hello, world");
  using file = MappedFile.open(own.path);
  await run("sh", ["-c", `printf HELLO | dd of=${own.path} conv=notrunc status=none`]);
  assertEquals(new TextDecoder().decode(file.bytes), "HELLO, world");
  file.write(7, new TextEncoder().encode("WORLD"));
  assertEquals(await run("cat", [own.path]), "HELLO, WORLD");
});
