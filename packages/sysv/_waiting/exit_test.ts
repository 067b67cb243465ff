/** When a process ends that waits, or has waited; and what waiting needs of it. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../../core/testdata/child.ts";
import { TestQueue, within } from "./testdata/objects.ts";

leakCheck();

/** Starts a program with some signals blocked or ignored, as it inherits them. */
const perl = (statement: string) => ["perl", "-MPOSIX", "-e", `${statement}; exec @ARGV`];

const SCRIPT = new URL("testdata/waiter.ts", import.meta.url).href;

/** A process that waits; `lines` are what it has said. */
class Waiter implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #said: Promise<void>;
  readonly #ready = Promise.withResolvers<void>();

  constructor(action: string, queue: TestQueue, flags = ["-A"], before: string[] = []) {
    const deno = [Deno.execPath(), "run", "--quiet", "--no-lock", "--no-check", ...flags, SCRIPT];
    const [program = "", ...args] = [...before, ...deno, action, String(queue.id)];
    this.#child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" })
      .spawn();
    this.#said = this.#listen();
  }

  ready(): Promise<void> {
    return within(this.#ready.promise, "a process says that it is ready");
  }

  /** Its exit code, and what it wrote to standard error. */
  async end(): Promise<{ code: number; stderr: string }> {
    const [{ code }, stderr] = await within(
      Promise.all([this.#child.status, new Response(this.#child.stderr).text(), this.#said]),
      "the end of a process",
    );
    return { code, stderr };
  }

  /** Whether it is still there after some time. */
  async stays(): Promise<boolean> {
    const gone = this.#child.status.then(() => false);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const there = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(true), 300));
    const stays = await Promise.race([gone, there]);
    clearTimeout(timer);
    return stays;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#said;
    if (!this.#child.stderr.locked) await this.#child.stderr.cancel();
  }

  async #listen(): Promise<void> {
    let text = "";
    for await (const more of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text += more).split("\n");
      text = lines.pop()!;
      this.lines.push(...lines);
      if (this.lines.includes("ready")) this.#ready.resolve();
    }
  }
}

for (
  const [action, wakes] of [["wait at first", 1], ["wait blocked", 1], ["wait in every hand", 6]] as const
) {
  Deno.test(`exit: a process lives as long as it waits: ${action}`, async () => {
    using queue = new TestQueue();
    await using waiter = new Waiter(action, queue);
    await waiter.ready();
    assert(await waiter.stays(), "it ended while it waited");
    queue.send(1, [1]);
    assertEquals(await waiter.end(), { code: 0, stderr: "" });
    assertEquals(waiter.lines.filter((line) => line === "woken").length, wakes);
  });
}

for (
  const action of [
    "wait for room",
    "wait for room, looking slowly",
    "wait for room, the polling worker failed",
  ]
) {
  Deno.test(`exit: a process lives as long as it waits: ${action}`, async () => {
    using queue = new TestQueue();
    while (queue.send(1, [1]));
    await using waiter = new Waiter(action, queue);
    await waiter.ready();
    assert(await waiter.stays(), "it ended while it waited");
    queue.receive();
    assertEquals(await waiter.end(), { code: 0, stderr: "" });
    assertEquals(waiter.lines, ["ready", "woken"]);
  });
}

for (
  const action of [
    "nothing waits",
    "give up at first",
    "give up while a worker starts",
    "give up in every hand",
  ]
) {
  Deno.test(`exit: a process ends when nothing waits any more: ${action}`, async () => {
    using queue = new TestQueue();
    await using waiter = new Waiter(action, queue);
    assertEquals(await waiter.end(), { code: 0, stderr: "" });
    assertEquals(waiter.lines, ["ready"]);
  });
}

Deno.test("exit: the workers end with the program that they belong to, though the process may go on", async () => {
  using queue = new TestQueue();
  await using waiter = new Waiter("end the workers", queue);
  assertEquals(await waiter.end(), { code: 0, stderr: "" });
});

for (const action of ["exit at first", "exit in every hand"]) {
  Deno.test(`exit: Deno.exit ends a process that waits: ${action}`, async () => {
    using queue = new TestQueue();
    await using waiter = new Waiter(action, queue);
    assertEquals(await waiter.end(), { code: 7, stderr: "" });
  });
}

Deno.test("exit: an error that nobody catches ends a process that waits", async () => {
  using queue = new TestQueue();
  await using waiter = new Waiter("throw in every hand", queue);
  const { code, stderr } = await waiter.end();
  assertEquals(code, 1);
  assert(stderr.includes("On purpose"), stderr);
});

Deno.test("exit: SIGKILL ends a process that waits, and takes no message with it", async () => {
  using queue = new TestQueue();
  await using waiter = new Waiter("wait in every hand", queue);
  await waiter.ready();
  await waiter[Symbol.asyncDispose]();
  queue.send(2);
  assertEquals(queue.receive(), [2]);
});

Deno.test("limits: without descriptors no worker is started, and everything works", async () => {
  using queue = new TestQueue();
  await using waiter = new Waiter("wait without descriptors", queue);
  await waiter.ready();
  assert(await waiter.stays(), "it ended while it waited");
  queue.send(1, [1]);
  assertEquals(await waiter.end(), { code: 0, stderr: "" });
  assertEquals(waiter.lines.filter((line) => line === "woken").length, 6);
});

Deno.test("limits: where no worker can start it is not tried again and again", async () => {
  using queue = new TestQueue();
  await using waiter = new Waiter("wait where no worker starts", queue);
  assertEquals(await waiter.end(), { code: 0, stderr: "" });
  assertEquals(waiter.lines, ["1", "ready"]);
});

/** Starts a program where there is no room for one real-time signal. */
const noRoom = ["prlimit", "--sigpending=0"];

Deno.test({
  name: "limits: waits are given up where no real-time signal can be sent",
  ignore: !has("prlimit"),
  fn: async () => {
    using queue = new TestQueue();
    for (const action of ["give up when all are blocked", "block with a time limit"]) {
      await using waiter = new Waiter(action, queue, ["-A"], noRoom);
      assertEquals(await waiter.end(), { code: 0, stderr: "" });
      assertEquals(waiter.lines, ["ready"]);
    }
  },
});

Deno.test({
  name: "limits: a process in which no signal can be sent goes on all the same",
  ignore: !has("prlimit") || !has("perl"),
  fn: async () => {
    using queue = new TestQueue();
    const before = [...noRoom, ...perl(`$SIG{STKFLT} = "IGNORE"`)];
    await using waiter = new Waiter("give up when all are blocked", queue, ["-A"], before);
    assertEquals(await waiter.end(), { code: 0, stderr: "" });
    assertEquals(waiter.lines, ["ready"]);
    await using later = new Waiter("give up, and look again", queue, ["-A"], before);
    await later.ready();
    queue.send(3);
    assertEquals(await later.end(), { code: 0, stderr: "" });
    assertEquals(later.lines, ["ready", "taken 3"]);
  },
});

Deno.test("permissions: FFI is all that waiting needs", async () => {
  using queue = new TestQueue();
  await using waiter = new Waiter("wait in every hand", queue, ["--allow-ffi", "--no-prompt"]);
  await waiter.ready();
  queue.send(1, [1]);
  assertEquals(await waiter.end(), { code: 0, stderr: "" });
  assertEquals(waiter.lines.filter((line) => line === "woken").length, 6);
});

Deno.test("permissions: FFI of a path is enough, though no worker starts", async () => {
  using queue = new TestQueue();
  const paths = [`/lib/${Deno.build.arch}-linux-gnu/libc.so.6`, `/lib/libc.musl-${Deno.build.arch}.so.1`];
  const flags = [`--allow-ffi=${paths}`, "--no-prompt"];
  await using waiter = new Waiter("wait at first", queue, flags);
  await waiter.ready();
  assert(await waiter.stays(), "it ended while it waited");
  queue.send(1, [1]);
  assertEquals(await waiter.end(), { code: 0, stderr: "" });
  await using blocking = new Waiter("block with a time limit", queue, flags);
  assertEquals(await blocking.end(), { code: 0, stderr: "" });
});

const blocked = perl("sigprocmask(SIG_BLOCK, POSIX::SigSet->new(44 .. 54))");

Deno.test({
  name: "signals: that who started the process left them blocked does not matter",
  ignore: !has("perl"),
  fn: async () => {
    using queue = new TestQueue();
    for (const action of ["give up in every hand", "block with a time limit"]) {
      await using waiter = new Waiter(action, queue, ["-A"], blocked);
      assertEquals(await waiter.end(), { code: 0, stderr: "" });
    }
  },
});

Deno.test({
  name: "signals: one that is in use already is left alone, and without any everything works",
  ignore: !has("perl"),
  fn: async () => {
    using queue = new TestQueue();
    for (const [last, next] of [[55, 54], [51, 50], [44, 0]] as const) {
      const ignoring = perl(`$SIG{"NUM$_"} = "IGNORE" for ${last} .. 54`);
      await using asked = new Waiter("which signal", queue, ["-A"], ignoring);
      assertEquals(await asked.end(), { code: 0, stderr: "" });
      assertEquals(asked.lines, [String(next), "ready"]);
      for (const action of ["give up in every hand", "block with a time limit"]) {
        await using waiter = new Waiter(action, queue, ["-A"], ignoring);
        assertEquals(await waiter.end(), { code: 0, stderr: "" });
      }
    }
  },
});
