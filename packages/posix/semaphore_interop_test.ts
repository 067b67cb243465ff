/** Semaphores that programs in C use too, named and in shared memory. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NotFoundError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { compile, has, scaled } from "../core/testdata/child.ts";
import { listSemaphores, Semaphore, SharedMemory } from "./mod.ts";
import { CEILING, fileOf, parked, withName } from "./testdata/semaphores.ts";

leakCheck();

const ignore = !has("cc");

type Words = (string | number)[];

/** The program, which does one thing and ends. */
class Peer implements AsyncDisposable {
  readonly #program: string;
  readonly #folder: string;

  private constructor(program: string, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  static async compile(): Promise<Peer> {
    const folder = await Deno.makeTempDir({ prefix: "ipc-peer-" });
    try {
      const source = await Deno.readTextFile(new URL("testdata/semaphore_peer.c", import.meta.url));
      return new Peer(
        await compile(folder, "peer", source, ["-Wall", "-pthread", "-Wl,--no-as-needed", "-lrt"]),
        folder,
      );
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  start(...words: Words): Deno.ChildProcess {
    const args = words.map(String);
    return new Deno.Command(this.#program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  }

  /** What it prints; throws what it says went wrong. */
  async run(...words: Words): Promise<string> {
    const { success, stdout, stderr } = await this.start(...words).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(decoder.decode(stderr));
    return decoder.decode(stdout).trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Waits until all threads of a process sleep, and go on doing so. */
async function asleep(pid: number, threads: number): Promise<void> {
  for (let looks = 0; looks < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const states = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) =>
      Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`).split(") ")[1]?.[0]
    );
    looks = states.length === threads && states.every((state) => state === "S") ? looks + 1 : 0;
  }
}

/** Everything that both can do with one semaphore, at 0 in the beginning and in the end. */
async function useTogether(peer: Peer, semaphore: Semaphore, where: [name: string, offset: string | number]) {
  await peer.run("post", ...where);
  assertEquals([semaphore.value, await peer.run("value", ...where)], [1, "1"]);
  semaphore.acquireSync();
  await assertRejects(() => peer.run("try", ...where), Error, "try: Resource temporarily unavailable");
  semaphore.release();
  await peer.run("try", ...where);
  assertEquals([semaphore.value, semaphore.tryAcquire()], [0, false]);

  // We wait, asynchronously and blocked.
  const acquired = semaphore.acquire(CEILING);
  await parked();
  await peer.run("post", ...where);
  await acquired;
  const posting = peer.start("post", ...where);
  semaphore.acquireSync(CEILING);
  assertEquals((await posting.output()).success, true);

  // The program waits; so do we, behind it or before it.
  const waiting = peer.start("wait", ...where);
  await asleep(waiting.pid, 1);
  const pending = semaphore.acquire(CEILING);
  await parked();
  semaphore.release();
  semaphore.release();
  await pending;
  assertEquals((await waiting.output()).success, true);
  assertEquals(semaphore.value, 0);

  // Many wait, and each gets one.
  const crowd = peer.start("crowd", ...where, 20);
  await asleep(crowd.pid, 21);
  const ours = Array.from({ length: 20 }, () => semaphore.acquire(CEILING));
  await parked();
  for (let permits = 0; permits < 40; permits++) semaphore.release();
  await Promise.all(ours);
  assertEquals((await crowd.output()).success, true);
  assertEquals([semaphore.value, await peer.run("value", ...where)], [0, "0"]);
}

Deno.test(
  "a semaphore that a C program created is used and unlinked by us",
  { ignore },
  () =>
    withName(async (name) => {
      await using peer = await Peer.compile();
      await peer.run("create", name, "-", 3, "600");
      using semaphore = Semaphore.open(name);
      using same = Semaphore.openOrCreate(name, { initial: 9 });
      assertEquals([semaphore.value, same.value], [3, 3]);
      for (let permits = 0; permits < 3; permits++) await semaphore.acquire(CEILING);
      await useTogether(peer, semaphore, [name, "-"]);
      semaphore.unlink();
      await assertRejects(() => peer.run("value", name, "-"), Error, "No such file");
    }),
);

Deno.test(
  "a semaphore that we created is used and unlinked by a C program",
  { ignore },
  () =>
    withName(async (name) => {
      await using peer = await Peer.compile();
      using semaphore = Semaphore.create(name, { initial: 2, mode: 0o640 });
      assertEquals(await peer.run("value", name, "-"), "2");
      assertEquals(Deno.statSync(fileOf(name)).mode! & 0o777, 0o640);
      const listed = listSemaphores().find((each) => each.name === name);
      assertEquals([listed?.value, listed?.mode], [2, 0o640]);
      await assertRejects(() => peer.run("create", name, "-", 1, "600"), Error, "File exists");
      await peer.run("try", name, "-");
      await peer.run("wait", name, "-");
      await useTogether(peer, semaphore, [name, "-"]);
      await peer.run("unlink", name, "-");
      assertThrows(() => Semaphore.open(name), NotFoundError);
      semaphore.release();
      assertEquals(semaphore.value, 1);
    }),
);

for (const maker of ["we", "a C program"]) {
  Deno.test(
    `a semaphore that ${maker} made in shared memory is used by both`,
    { ignore },
    () =>
      withName(async (name) => {
        await using peer = await Peer.compile();
        using memory = SharedMemory.create(name, 8192, { unlinkOnClose: true });
        if (maker === "we") Semaphore.initialize(memory, 4104, 0).close();
        else await peer.run("init", name, 4104, 0);
        using semaphore = Semaphore.at(memory, 4104);
        await useTogether(peer, semaphore, [name, 4104]);
      }),
  );
}

Deno.test(
  "a C program and we take turns, asynchronously and blocked",
  { ignore },
  () =>
    withName((there) =>
      withName(async (back) => {
        await using peer = await Peer.compile();
        using asking = Semaphore.create(there);
        using answering = Semaphore.create(back);
        const rounds = 2 * scaled(5000);
        const echo = peer.start("echo", there, "-", back, rounds);
        for (let round = 0; round < rounds; round++) {
          asking.release();
          if (round % 2 === 0) await answering.acquire(CEILING);
          else answering.acquireSync(CEILING);
        }
        const { success, stderr } = await echo.output();
        assert(success, new TextDecoder().decode(stderr));
        assertEquals([asking.value, answering.value], [0, 0]);
      })
    ),
);
