/** The process never dies of it: what goes wrong around mapped memory, in processes that must end with status 0. */

import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "@ipc/core";
import { everyFault, leakCheck, trackLeaks } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { answer, prepared, TestProcess } from "../core/testdata/process.ts";
import { MappedFile } from "./mapped_file.ts";
import { OwnFile } from "./testdata/own_file.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);

/** Runs what has to survive, and returns what it printed. */
async function survivor(source: string, before?: readonly string[]): Promise<string | undefined> {
  await using process = new TestProcess(source, { before });
  const line = await process.line();
  const { code, signal } = await process.status;
  assertEquals([code, signal], [0, null], line);
  return line;
}

Deno.test("MappedFile bears every fault: a typed error, and nothing stays mapped, open or behind", async () => {
  using own = new OwnFile();
  await using leaks = await trackLeaks();
  const report = await everyFault(() => {
    using file = MappedFile.open(own.path, { create: true, size: 5000 });
    file.grow(20_000);
    using _window = file.window(10_000, 5);
  }, {
    errnos: [ERRNO.ENOSPC, ERRNO.EMFILE],
    symbols: ["open", "fchmod", "posix_fallocate", "mmap", "fcntl"],
    verify: async () => {
      await leaks.check();
      if (own.exists && own.status.size < 5000) throw new Error("half of a file was left behind");
      if (own.exists) Deno.removeSync(own.path);
    },
  });
  assertEquals(report.errors, report.faults);
  assertEquals(Object.keys(report.hits).sort(), ["fchmod", "fcntl", "mmap", "open", "posix_fallocate"]);
});

const small = prepared("mount -t tmpfs -o size=1m none /mnt");
Deno.test({
  name: "MappedFile on a full disk: LimitError when it is made or grows, and what was there stays",
  ignore: small === undefined,
  fn: async () => {
    const source = `
      import { MappedFile } from ${MOD};
      using file = MappedFile.open("/mnt/file", { create: true, size: 600_000 });
      file.bytes.fill(1);
      const told = [];
      const attempt = (call) => { try { call(); } catch ({ name, code }) { told.push(name, code); } };
      attempt(() => file.grow(2_000_000));
      attempt(() => MappedFile.open("/mnt/other", { create: true, size: 600_000 }));
      attempt(() => MappedFile.open("/mnt/file", { size: 2_000_000 }));
      Deno.writeFileSync("/mnt/sparse", new Uint8Array(1));
      Deno.truncateSync("/mnt/sparse", 600_000);
      attempt(() => MappedFile.open("/mnt/sparse", { reserve: "all" }));
      told.push(file.byteLength, file.read(599_999, 1)[0], [...Deno.readDirSync("/mnt")].length);
      console.log(JSON.stringify(told));`;
    const full = ["LimitError", "ENOSPC"];
    assertEquals(JSON.parse(await survivor(source, small) ?? ""), [
      ...full,
      ...full,
      ...full,
      ...full,
      600_000,
      1,
      2,
    ]);
  },
});

Deno.test("MappedFile whose file shrinks again and again: reads and writes tell, and touch nothing", async () => {
  using own = OwnFile.of(new Uint8Array(100_000));
  const source = `
    import { MappedFile } from ${MOD};
    using file = MappedFile.open("${own.path}");
    const told = {};
    for (let round = 0; round < 200; round++) {
      Deno.truncateSync("${own.path}", round % 2 === 0 ? 0 : 100_000);
      for (const call of [() => file.read(50_000, 10), () => file.write(99_990, new Uint8Array(10))]) {
        try { call(); } catch ({ name }) { told[name] = (told[name] ?? 0) + 1; }
      }
    }
    console.log(JSON.stringify(told));`;
  assertEquals(JSON.parse(await survivor(source) ?? ""), { TruncatedError: 200 });
});

Deno.test("use after close, in every way, is an error and no crash", async () => {
  using own = OwnFile.of(new Uint8Array(100_000));
  const source = `
    import { MappedFile, createMemfd } from ${MOD};
    using memory = createMemfd("test", 100_000);
    let errors = 0;
    const attempt = (call) => { try { call(); } catch (error) {
      if (!/^(TypeError|RangeError|ClosedError)$/.test(error.name)) throw error;
      errors++;
    } };
    for (let round = 0; round < 300; round++) {
      for (const open of [() => MappedFile.open("${own.path}"), () => memory.map()]) {
        const mapping = open();
        const bytes = mapping.bytes;
        const words = new Int32Array(mapping.buffer);
        const view = new DataView(mapping.buffer);
        for (let i = 0; i < 1000; i++) { words[i] = i; Atomics.add(words, i, 1); }
        mapping.close();
        for (let i = 0; i < 1000; i++) words[i] = i;
        attempt(() => Atomics.add(words, 0, 1));
        attempt(() => view.setInt8(0, 1));
        attempt(() => bytes.fill(1));
        attempt(() => bytes.set([1], 0));
        attempt(() => new Uint8Array(view.buffer, 0, 10));
        attempt(() => mapping.read(0, 1));
        attempt(() => mapping.bytes);
        if (bytes.length || words.length || bytes[0] !== undefined) throw new Error("not empty");
      }
    }
    console.log(errors);`;
  assertEquals(await survivor(source), `${300 * 2 * 7}`);
});

Deno.test("a mapping of a Worker is its own: closing here empties nothing there, and the other way round", async () => {
  using own = OwnFile.of(new Uint8Array(100_000));
  const source = `
    const worker = \`
      import { MappedFile } from ${MOD.replaceAll('"', '\\"')};
      let file, words;
      onmessage = ({ data }) => {
        if (data === "open") { file = MappedFile.open("${own.path}"); words = new Int32Array(file.buffer); }
        if (data === "add") Atomics.add(words, 0, 1);
        if (data === "close") file.close();
        let error;
        try { Atomics.load(words, 0); } catch ({ name }) { error = name; }
        postMessage([words.length, words[0], error]);
      };\`;
    import { MappedFile } from ${MOD};
    const thread = new Worker("data:text/javascript," + encodeURIComponent(worker), { type: "module" });
    const ask = (what) => new Promise((resolve) => {
      thread.onmessage = ({ data }) => resolve(data);
      thread.postMessage(what);
    });
    const told = [];
    const file = MappedFile.open("${own.path}");
    const words = new Int32Array(file.buffer);
    told.push(await ask("open"));
    Atomics.add(words, 0, 41);
    told.push(await ask("add"));
    file.close();
    told.push(words.length, await ask("add"));
    told.push(await ask("close"));
    thread.terminate();
    console.log(JSON.stringify(told));`;
  assertEquals(JSON.parse(await survivor(source) ?? ""), [
    [25_000, 0, null],
    [25_000, 42, null],
    0,
    [25_000, 43, null],
    [0, null, "TypeError"],
  ]);
});

Deno.test("a buffer that is sent to a Worker: a copy, or moved there and cut off from the file at close", async () => {
  using own = OwnFile.of(new Uint8Array(100_000).fill(1));
  const source = `
    import { MappedFile } from ${MOD};
    const worker = "let view; onmessage = ({ data }) => { view = data?.buffer ?? view; view[0]++; postMessage([view.length, view[0], view[1]]); }";
    const thread = new Worker("data:text/javascript," + encodeURIComponent(worker), { type: "module" });
    const ask = (message, moved) => new Promise((resolve) => {
      thread.onmessage = ({ data }) => resolve(data);
      thread.postMessage(message, moved);
    });
    const told = [];
    const file = MappedFile.open("${own.path}");
    told.push(await ask({ buffer: file.bytes }, []), file.bytes[0]);
    const { bytes } = file;
    told.push(await ask({ buffer: bytes }, [bytes.buffer]), bytes.length);
    file.close();
    told.push(await ask(), Deno.readFileSync("${own.path}")[0]);
    thread.terminate();
    console.log(JSON.stringify(told));`;
  assertEquals(JSON.parse(await survivor(source) ?? ""), [
    [100_000, 2, 1], // a copy,
    1, // of which the file learns nothing
    [100_000, 2, 1], // the memory itself, which is gone from here
    0,
    [100_000, 1, 0], // private zero pages
    2,
  ]);
});

Deno.test("MappedFile, its windows and memfds leave maps and descriptors as they were after many cycles", async () => {
  using own = OwnFile.of(new Uint8Array(20_000));
  const source = `
    import { createMemfd, MappedFile } from ${MOD};
    const count = () => [
      [...Deno.readDirSync("/proc/self/fd")].length,
      Deno.readTextFileSync("/proc/self/maps").split("\\n").filter((line) => /${
    own.folder.split("/").at(-1)
  }|memfd:test/.test(line)).length,
    ];
    using whole = MappedFile.open("${own.path}");
    using memory = createMemfd("test", 20_000);
    const cycle = (i) => {
      using file = MappedFile.open("${own.path}", { offset: i % 9000, access: i % 2 ? "read" : "write" });
      using mapped = whole.window(i % 20_000, 1);
      using shared = memory.map({ offset: i % 20_000 });
      if (file.bytes.length !== 20_000 - i % 9000) throw new Error("wrong length");
    };
    for (let i = 0; i < 100; i++) cycle(i);
    const before = count();
    const { rss } = Deno.memoryUsage();
    for (let i = 0; i < ${scaled(100_000)}; i++) cycle(i);
    console.log(JSON.stringify([before, count(), Deno.memoryUsage().rss - rss]));`;
  const [before, after, more] = await answer(source) as [number[], number[], number];
  assertEquals(after, before);
  assert(more < 100e6, `${more} bytes more`);
});
