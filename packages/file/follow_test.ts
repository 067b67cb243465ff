import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { lengthPrefix, lines, MessageTooLongError, NotFoundError, TruncatedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has, scaled } from "../core/testdata/child.ts";
import { follow, type Follower } from "./mod.ts";
import { CEILING, text } from "./testdata/logs.ts";
import { withFolder } from "./testdata/pair.ts";

leakCheck();

const add = (path: string, data: string) => Deno.writeTextFile(path, data, { append: true });

/** What another process does to a file. */
const shell = (script: string, path: string) =>
  new Deno.Command("sh", { args: ["-c", script, path] }).spawn().status;

/** The next `count` messages as text. */
async function next(file: Follower, count: number): Promise<(string | undefined)[]> {
  const found = [];
  for (let left = count; left > 0; left--) found.push(text(await file.receive(CEILING)));
  return found;
}

/** Runs a test with a file that need not be there. */
function withPath(test: (path: string) => Promise<void>): Promise<void> {
  return withFolder((folder) => test(`${folder}/text`));
}

Deno.test("follow: gives lines once their end is there, from the start or the end", () =>
  withPath(async (path) => {
    await add(path, "one\ntwo\nhal");
    using start = follow(path, { from: "start" });
    using end = follow(path);
    assertEquals(await next(start, 2), ["one", "two"]);
    assertEquals(start.tryReceive(), undefined);
    await add(path, "f\n\nfour\n");
    assertEquals(await next(start, 3), ["half", "", "four"]);
    assertEquals(await next(end, 3), ["f", "", "four"]);
  }));

Deno.test("follow: a file that appears later, and one that is removed and comes again", () =>
  withPath(async (path) => {
    using file = follow(path);
    const first = file.receive(CEILING);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await add(path, "one\n");
    assertEquals(text(await first), "one");
    await Deno.remove(path);
    assertEquals(file.tryReceive(), undefined);
    const second = file.receive(CEILING);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await add(path, "two\n");
    assertEquals(text(await second), "two");
    assertEquals(file.tryReceive(), undefined);
  }));

Deno.test("follow: rotation: the old file is read to its end, then the new one from its first byte", () =>
  withPath(async (path) => {
    using file = follow(path);
    await add(path, "one\n");
    assertEquals(await next(file, 1), ["one"]);
    await add(path, "two\n");
    await Deno.rename(path, `${path}.1`);
    await add(`${path}.1`, "three\nlast");
    await add(path, "four\n");
    assertEquals(await next(file, 4), ["two", "three", "last", "four"]);
    await Deno.rename(path, `${path}.2`);
    await add(`${path}.2`, "five\n");
    assertEquals(await next(file, 1), ["five"]);
  }));

Deno.test("follow: a truncated file is read anew, what was left of its last line is dropped", () =>
  withPath(async (path) => {
    await add(path, "one\ntwo\nleft");
    using file = follow(path, { from: "start" });
    assertEquals(await next(file, 2), ["one", "two"]);
    assertEquals(file.tryReceive(), undefined);
    await Deno.truncate(path);
    await add(path, "new\n");
    assertEquals(await next(file, 1), ["new"]);
  }));

Deno.test("follow: a line that is too long is told once, and the next follows", () =>
  withPath(async (path) => {
    using file = follow(path, { from: "start", framing: lines({ maxMessageSize: 1000 }) });
    const long = "x".repeat(300_000);
    await add(path, `one\n${long}\ntwo\n${"y".repeat(1001)}\nthree\n${long}`);
    assertEquals(await next(file, 1), ["one"]);
    await assertRejects(() => file.receive(CEILING), MessageTooLongError);
    assertEquals(await next(file, 1), ["two"]);
    await assertRejects(() => file.receive(CEILING), MessageTooLongError);
    assertEquals(await next(file, 1), ["three"]);
    await assertRejects(() => file.receive(CEILING), MessageTooLongError);
    assertEquals(file.tryReceive(), undefined);
    await add(path, `${long}\nfour\n`);
    assertEquals(await next(file, 1), ["four"]);
  }));

Deno.test("follow: other framings, two followers, one folder", () =>
  withPath(async (path) => {
    using frames = follow(path, { framing: lengthPrefix() });
    using same = follow(path, { framing: lengthPrefix() });
    using other = follow(`${path}.other`);
    await Deno.writeFile(path, new Uint8Array([2, 0, 0, 0, 7, 8, 0, 0, 0, 0]));
    for (const file of [frames, same]) {
      assertEquals(await file.receive(CEILING), new Uint8Array([7, 8]));
      assertEquals(await file.receive(CEILING), new Uint8Array(0));
    }
    const waiting = frames.receive(CEILING);
    // A receive that blocks meanwhile takes nobody's wake-up.
    await new Promise((resolve) => setTimeout(resolve, 10));
    const writer = new Deno.Command("sh", {
      args: [
        "-c",
        'sleep 0.05; printf "\\001\\000\\000\\000a" >> "$0"; sleep 0.05; echo b >> "$0.other"',
        path,
      ],
    }).spawn();
    assertEquals(text(other.receiveSync({ timeout: 20_000 })), "b");
    assertEquals(text(await waiting), "a");
    await writer.status;
  }));

Deno.test("follow: a frame that ends with its file is told of, and the next file is read from its first byte", () =>
  withPath(async (path) => {
    using file = follow(path, { framing: lengthPrefix(), from: "start" });
    await Deno.writeFile(path, new Uint8Array([1, 0, 0, 0, 65, 5, 0, 0, 0, 66]));
    assertEquals(text(await file.receive(CEILING)), "A");
    await Deno.rename(path, `${path}.1`);
    await Deno.writeFile(path, new Uint8Array([2, 0, 0, 0, 67, 68, 1, 0, 0, 0, 69]));
    await assertRejects(() => file.receive(CEILING), TruncatedError);
    assertEquals(await next(file, 2), ["CD", "E"]);
  }));

Deno.test("follow: another process writes to the file by another name, and rotates what a symbolic link leads to", () =>
  withFolder(async (folder) => {
    for (const name of ["real", "names"]) await Deno.mkdir(`${folder}/${name}`);
    const [real, link, same] = [`${folder}/real/text`, `${folder}/names/link`, `${folder}/names/same`];
    await add(real, "");
    await Deno.symlink(real, link);
    await Deno.link(real, same);
    using soft = follow(link);
    using hard = follow(same);
    const told = [soft.receive(CEILING), hard.receive(CEILING)];
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert((await shell('echo one >> "$0"', real)).success);
    assertEquals((await Promise.all(told)).map(text), ["one", "one"]);
    // A link that leads nowhere for a while, and then to another file.
    const rotated = soft.receive(CEILING);
    assert((await shell('mv "$0" "$0.1"; sleep 0.05; echo two >> "$0"', real)).success);
    assertEquals(text(await rotated), "two");
    const kept = hard.receive(CEILING);
    assert((await shell('echo old >> "$0.1"', real)).success);
    assertEquals(text(await kept), "old");
    const after = soft.receive(CEILING);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert((await shell('echo three >> "$0"', real)).success);
    assertEquals(text(await after), "three");
  }));

Deno.test("follow: a folder that is not there, and one that goes", () =>
  withFolder(async (folder) => {
    assertThrows(() => follow(`${folder}/none/text`), NotFoundError);
    assertThrows(() => follow(`${folder}/text`, { from: "middle" as "end" }), TypeError);
    await Deno.mkdir(`${folder}/some`);
    using file = follow(`${folder}/some/text`);
    const told = assertRejects(() => file.receive(CEILING), NotFoundError);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await Deno.remove(`${folder}/some`);
    await told;
    await Deno.mkdir(`${folder}/some`);
    const next = file.receive(CEILING);
    await add(`${folder}/some/text`, "back\n");
    assertEquals(text(await next), "back");
  }));

Deno.test({
  name: "follow: the same lines as tail -F, whatever happens to the file",
  ignore: !has("tail"),
  fn: () =>
    withPath(async (path) => {
      await add(path, "");
      const tail = new Deno.Command("tail", {
        args: ["-n", "+1", "-s", "0.05", "-F", path],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        env: { LC_ALL: "C" },
      }).spawn();
      const said = tail.stdout.pipeThrough(new TextDecoderStream()).getReader();
      const remarks = tail.stderr.pipeThrough(new TextDecoderStream()).getReader();
      let seen = "";
      const until = async (mark: string) => {
        while (!seen.includes(mark)) seen += (await said.read()).value ?? "";
      };
      try {
        using file = follow(path, { from: "start" });
        const found: string[] = [];
        for (let round = 0; round < Math.max(6, scaled(60)); round++) {
          const mark = `mark ${round}.`;
          await add(path, `${"x".repeat(Math.floor(Math.random() * 2000))}\n${mark}\n`);
          await until(mark);
          for (let line; !(line = text(await file.receive(CEILING))!).startsWith(mark);) found.push(line);
          found.push(mark);
          // Both have read all there was; what comes now is another file, or the same from its beginning.
          if (round % 3 === 0) await Deno.rename(path, `${path}.1`);
          else if (round % 3 === 1) {
            await Deno.truncate(path);
            // Unseen, it would be a file that has grown.
            assertEquals(file.tryReceive(), undefined);
            for (let remark = ""; !remark.includes("truncated");) {
              remark += (await remarks.read()).value ?? "";
            }
          }
        }
        assertEquals(found, seen.trimEnd().split("\n"));
      } finally {
        tail.kill("SIGKILL");
        await Promise.all([said.cancel(), remarks.cancel()]);
        await tail.status;
      }
    }),
});
