/** Mutexes that programs in C use too, and what libc does with them. */

import { assertEquals, assertThrows } from "@std/assert";
import { NotRecoverableError, UntrustedError } from "@ipc/core";
import { bind } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { Cases } from "../core/testdata/cases.ts";
import { compile, has, scaled } from "../core/testdata/child.ts";
import { constants, initialise, pthread, sizes, sizesOf, timedLock, tryLock } from "./_pthread.ts";
import { PthreadMutex } from "./mod.ts";
import { CEILING, opening, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const ignore = !has("cc");
const LONG = { timeout: CEILING };
const [EPERM, EOWNERDEAD] = [1, 130];
/** As it must not be called: on a thread of the pool, which owns the mutex then. */
const parked = bind({
  pthread_mutex_lock: { parameters: ["buffer"], result: "i32", nonblocking: true },
});
const cases = new Cases("robust-lock", new URL("testdata/conformance.json", import.meta.url));

/** The program in C, which uses the mutex at the beginning of a file. */
class Peer implements AsyncDisposable {
  readonly #folder: string;
  readonly #program: string;

  private constructor(folder: string, program: string) {
    this.#folder = folder;
    this.#program = program;
  }

  static async compile(): Promise<Peer> {
    const folder = await Deno.makeTempDir({ prefix: "ipc-peer-" });
    try {
      const source = await Deno.readTextFile(new URL("testdata/mutex_peer.c", import.meta.url));
      const flags = ["-D_GNU_SOURCE", "-Wall", "-Werror", "-pthread"];
      return new Peer(folder, await compile(folder, "peer", source, flags));
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  start(...args: string[]): Deno.ChildProcess {
    return new Deno.Command(this.#program, { args, stdin: "piped", stdout: "piped", stderr: "inherit" })
      .spawn();
  }

  /** What it prints, and the signal that ended it. */
  async run(...args: string[]): Promise<string> {
    const child = this.start(...args);
    await child.stdin.close();
    const { stdout, signal, code } = await child.output();
    if (code !== 0 && signal === null) throw new Error(`${args[0]} ended with ${code}`);
    return signal ?? new TextDecoder().decode(stdout).trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function test(
  name: string,
  fn: (peer: Peer, path: string, memory: Parameters<typeof PthreadMutex.at>[0]) => unknown,
) {
  Deno.test({
    name,
    ignore,
    fn: () =>
      withMemory(async (memory, path) => {
        await using peer = await Peer.compile();
        await fn(peer, path, memory);
      }),
  });
}

test("PthreadMutex: sizes and constants are those of the C compiler here", async (peer) => {
  assertEquals(JSON.parse(await peer.run("abi", "-")), { ...sizes, ...constants });
});

Deno.test("PthreadMutex: sizes and constants are those of four platforms", async () => {
  const { targets } = JSON.parse(
    await Deno.readTextFile(new URL("../core/testdata/abi.json", import.meta.url)),
  );
  for (const arch of ["x86_64", "aarch64"]) {
    for (const env of ["gnu", "musl"] as const) {
      const { structs, constants: known } = targets[`linux-${arch}-${env === "gnu" ? "glibc" : "musl"}`];
      const { mutex, attributes } = sizesOf(arch, env);
      assertEquals([mutex, attributes], [structs.pthread_mutex_t.size, structs.pthread_mutexattr_t.size]);
      for (
        const name of ["PTHREAD_PROCESS_SHARED", "PTHREAD_MUTEX_ROBUST", "PTHREAD_MUTEX_ERRORCHECK"] as const
      ) {
        assertEquals(constants[name], known[name]);
      }
    }
  }
});

for (const maker of ["C", "TypeScript"]) {
  test(`PthreadMutex made in ${maker}: both sides wait for each other`, async (peer, path, memory) => {
    if (maker === "C") await peer.run("make", path);
    else PthreadMutex.initialize(memory, 0).close();
    using mutex = PthreadMutex.at(memory, 0);
    const holder = peer.start("hold", path);
    const lines = holder.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await lines.read()).value, "held\n");
    assertEquals(mutex.tryLock(), undefined);
    const waiting = mutex.lock(LONG);
    await holder.stdin.close();
    const guard = await waiting;
    assertEquals(guard.abandoned, false);
    const locking = peer.run("lock", path);
    await using blocked = new TestProcess(`${opening(path)}
      const guard = sync.PthreadMutex.at(memory, 0).lockSync(${JSON.stringify(LONG)});
      console.log(guard.abandoned);
      guard.unlock();`);
    guard.unlock();
    assertEquals([await locking, await blocked.line()], ["0", "false"]);
    assertEquals((await holder.status).success, true);
    await lines.cancel();
  });

  test(
    `PthreadMutex made in ${maker}: an owner in C that is killed is told of here, and the other way round`,
    async (peer, path, memory) => {
      if (maker === "C") await peer.run("make", path);
      else PthreadMutex.initialize(memory, 0).close();
      using mutex = PthreadMutex.at(memory, 0);
      assertEquals(await peer.run("die", path), "SIGKILL");
      {
        using guard = mutex.lockSync(LONG);
        assertEquals(guard.abandoned, true);
        guard.markConsistent();
      }
      await using owner = new TestProcess(`${opening(path)}
      await sync.PthreadMutex.at(memory, 0).lock();
      console.log("holds");
      setInterval(() => {}, 1e6);`);
      assertEquals(await owner.line(), "holds");
      const locking = peer.run("lock", path);
      await owner.kill();
      assertEquals(await locking, `${EOWNERDEAD}`);
      assertEquals(await peer.run("lock", path), "0");
      assertEquals(await peer.run("die", path), "SIGKILL");
      assertEquals(await peer.run("give-up", path), `${EOWNERDEAD}`);
      assertThrows(() => mutex.lockSync(), NotRecoverableError);
    },
  );
}

test("PthreadMutex: programs in C and in TypeScript count to the same number", async (peer, path, memory) => {
  using mutex = PthreadMutex.initialize(memory, 0);
  const words = new Int32Array(memory.buffer);
  const rounds = scaled(50_000);
  const programs = [peer.run("count", path, `${rounds}`), peer.run("count", path, `${rounds}`)];
  for (let left = rounds; left > 0; left--) {
    using _guard = left % 100 === 0 ? await mutex.lock(LONG) : mutex.lockSync(LONG);
    words[16]!++;
  }
  await Promise.all(programs);
  assertEquals(words[16], 3 * rounds);
});

test("PthreadMutex: one of another kind is refused", async (peer, path, memory) => {
  for (const maker of ["make-stalled", "make-recursive"]) {
    await peer.run(maker, path);
    assertThrows(() => PthreadMutex.at(memory, 0), UntrustedError, "that is robust");
  }
});

const LOCKED_BY = `
  const { tryLock } = await import(${JSON.stringify(new URL("_pthread.ts", import.meta.url).href)});
  const mutex = words.subarray(0, ${sizes.mutex / 4});`;

cases.test("LOCK-001", () =>
  withMemory(async (memory, path) => {
    const mutex = new Int32Array(memory.buffer, 0, sizes.mutex / 4);
    initialise(mutex);
    await using owner = new TestProcess(`${opening(path)}${LOCKED_BY}
      console.log(tryLock(mutex));
      setInterval(() => {}, 1e6);`);
    assertEquals(await owner.line(), "0");
    await owner.kill();
    assertEquals(timedLock(mutex, CEILING), EOWNERDEAD);
    assertEquals(pthread.pthread_mutex_consistent!(mutex), 0);
    assertEquals(pthread.pthread_mutex_unlock!(mutex), 0);
  }));

cases.test("LOCK-002", () =>
  withMemory(async (memory, path) => {
    const mutex = new Int32Array(memory.buffer, 0, sizes.mutex / 4);
    initialise(mutex);
    await using owner = new TestProcess(`${opening(path)}${LOCKED_BY}
      tryLock(mutex);
      Deno.kill(Deno.pid, "SIGKILL");`);
    assertEquals((await owner.status).signal, "SIGKILL");
    assertEquals(timedLock(mutex, CEILING), EOWNERDEAD);
    const { pthread_mutex_consistent, pthread_mutex_unlock } = pthread;
    assertEquals([pthread_mutex_consistent!(mutex), pthread_mutex_unlock!(mutex)], [0, 0]);
    assertEquals([tryLock(mutex), pthread_mutex_unlock!(mutex)], [0, 0]);
  }));

cases.test("LOCK-005", () =>
  withMemory(async (memory) => {
    const mutex = new Int32Array(memory.buffer, 0, sizes.mutex / 4);
    initialise(mutex);
    assertEquals(await parked.pthread_mutex_lock(mutex), 0);
    assertEquals(pthread.pthread_mutex_unlock!(mutex), EPERM);
    using handle = PthreadMutex.at(memory, 0);
    assertEquals(handle.tryLock(), undefined);
  }));
