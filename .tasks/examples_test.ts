/** The examples as the README tells to run them: with `deno run -A`, and what they print. */

import { assertEquals, assertStringIncludes } from "@std/assert";

const folder = new URL("../examples/", import.meta.url);

/** Runs an example and returns what it prints. */
function run(name: string, ...args: string[]): Promise<string> {
  return runWith({}, name, ...args);
}

/** The same, with more in its environment. */
async function runWith(env: Record<string, string>, name: string, ...args: string[]): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", name, ...args],
    cwd: folder,
    stdin: "null",
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(success, true, decoder.decode(stderr));
  return decoder.decode(stdout);
}

const ignore = (program: string): boolean => {
  try {
    return !new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return true;
  }
};

Deno.test("examples: pipe_parent and pipe_child", async () => {
  assertStringIncludes(await run("pipe_parent.ts"), "{ limit: 1000, primes: 168, largest: 997 }");
});

Deno.test("examples: pipe_duplex", async () => {
  assertEquals(await run("pipe_duplex.ts"), "both!\nways!\nat once!\n");
});

Deno.test("examples: pipe_shell", async () => {
  assertStringIncludes(await run("pipe_shell.ts"), "3 the\n2 and\n");
});

Deno.test({
  name: "examples: pipe_python",
  ignore: ignore("python3"),
  fn: async () => {
    assertStringIncludes(await run("pipe_python.ts"), '{ word: "stats", palindrome: true }');
  },
});

Deno.test("examples: fifo_writer and fifo_reader", async () => {
  const [read] = await Promise.all([run("fifo_reader.ts"), run("fifo_writer.ts")]);
  assertStringIncludes(read, "job 2: 1000000 characters");
});

Deno.test("examples: fifo_shell", async () => {
  assertStringIncludes(await run("fifo_shell.ts"), "6 * 7 = 42");
});

Deno.test("examples: fifo_to_pipe", async () => {
  assertStringIncludes(await run("fifo_to_pipe.ts"), "lost apple\nlost fig\nlost pear\n");
});

Deno.test({
  name: "examples: sysv_jobs and its worker in perl",
  ignore: ignore("perl"),
  fn: async () => {
    assertStringIncludes(
      await run("sysv_jobs.ts"),
      "priority 1: 4 primes up to 10\npriority 5: 168 primes up to 1000\npriority 9: 25 primes up to 100\n",
    );
  },
});

Deno.test("examples: sysv_request and sysv_reply", async () => {
  const [answers] = await Promise.all([run("sysv_request.ts"), run("sysv_reply.ts")]);
  assertStringIncludes(answers, 'word: "stats", palindrome: true');
  assertStringIncludes(answers, 'word: "queue", palindrome: false');
});

Deno.test({
  name: "examples: sysv_counter, here and in C",
  ignore: ignore("cc"),
  fn: async () => {
    assertStringIncludes(await run("sysv_counter.ts"), "C ended with status 0\ntwice 20000 is 40000\n");
  },
});

Deno.test({
  name: "examples: sysv_table, read by python",
  ignore: ignore("python3"),
  fn: async () => {
    assertStringIncludes(await run("sysv_table.ts"), "pear: 8 at 0.50\nfig: 0 at 1.25\n");
  },
});

Deno.test("examples: mmap_writer and mmap_reader", async () => {
  const read = await run("mmap_reader.ts");
  assertEquals(read.replaceAll(/ at .*Z$/gm, ""), "19.5 degrees\n20.25 degrees\n21 degrees\n");
});

Deno.test("examples: mmap_table, with a small heap", async () => {
  const told = await run("--v8-flags=--max-old-space-size=64", "mmap_table.ts");
  assertEquals(told, "the table has 2289 MiB\nit fits into the heap: false\nits rows are worth 2475\n");
});

Deno.test({
  name: "examples: posix_jobs and its worker in C",
  ignore: ignore("cc"),
  fn: async () => {
    assertEquals(
      await run("posix_jobs.ts"),
      "priority 9: 25 primes up to 100\npriority 5: 168 primes up to 1000\npriority 1: 4 primes up to 10\n",
    );
  },
});

Deno.test({
  name: "examples: struct_with_c",
  ignore: ignore("cc"),
  fn: async () => {
    const told = await run("struct_with_c.ts");
    assertStringIncludes(told, "Küche at 1004: 21 degrees\nC ended with status 0\n");
  },
});

/** An example that goes on until it is ended. */
class Running implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #told = "";

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", ...args],
      cwd: folder,
      stdin: "null",
      stdout: "piped",
      env: { NO_COLOR: "1", ...env },
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits until it has told this; returns all that it has told. */
  async until(text: string): Promise<string> {
    while (!this.#told.includes(text)) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`Expected "${text}", it told: ${this.#told}`);
      this.#told += value;
    }
    return this.#told;
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end; the signal that has ended it, if one has. */
  async ended(): Promise<Deno.Signal | null> {
    return (await this.#child.status).signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#lines.cancel();
  }
}

Deno.test("examples: signal_server reloads on SIGHUP and gives back on SIGTERM", async () => {
  await using server = new Running(["signal_server.ts"]);
  await server.until("serves with configuration 1\n");
  server.signal("SIGHUP");
  await server.until("configuration 2\n");
  server.signal("SIGTERM");
  await server.until("Stopped by SIGTERM\neverything given back\n");
  assertEquals(await server.ended(), "SIGTERM");
});

/** Runs a test over a job queue of its own: `jobs` runs the example there to its end. */
async function withJobs(
  test: (jobs: (...args: string[]) => Promise<string>, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  const place = await Deno.makeTempDir();
  const env = { JOBS: `${place}/jobs` };
  try {
    await test((...args) => runWith(env, "file_jobs.ts", ...args), env);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

Deno.test("examples: file_jobs, whose worker is killed and another takes its job", () =>
  withJobs(async (jobs, env) => {
    await using first = new Running(["file_jobs.ts", "work"], { ...env, SECONDS: "600" });
    assertEquals(await jobs("add", "one", "two", "three"), "job 3 is the last\n");
    await first.until("job 1: one\n");
    assertEquals(await jobs("status"), "all before 1 done, 1 under way, 2 to do\n");
    await using second = new Running(["file_jobs.ts", "work"], env);
    assertEquals(await second.until("job 3: three\n"), "job 2: two\njob 3: three\n");
    first.signal("SIGKILL");
    await second.until("job 1: one\n");
    await jobs("add", "four");
    await second.until("job 4: four\n");
  }));

Deno.test("examples: file_jobs survives that all are killed at once", () =>
  withJobs(async (jobs, env) => {
    assertEquals(await jobs("add", "one", "two", "three"), "job 3 is the last\n");
    for (const rounds of [1, 2]) {
      await using worker = new Running(["file_jobs.ts", "work"], { ...env, SECONDS: "600" });
      await worker.until("job 1: one\n");
      worker.signal("SIGKILL");
      assertEquals(await worker.ended(), "SIGKILL", `round ${rounds}`);
    }
    // Nobody is there now. Then both sides start again.
    assertEquals(await jobs("status"), "all before 1 done, 0 under way, 3 to do\n");
    assertEquals(await jobs("add", "four"), "job 4 is the last\n");
    assertEquals(await jobs("work", "--once"), "job 1: one\njob 2: two\njob 3: three\njob 4: four\n");
    assertEquals(await jobs("work", "--once"), "");
    assertEquals(await jobs("status"), "all before 5 done, 0 under way, 0 to do\n");
  }));

Deno.test("examples: file_follow, through rotation and for a file that comes later", async () => {
  const place = await Deno.makeTempDir();
  const [app, other] = [`${place}/app.log`, `${place}/other.log`];
  const write = (path: string, text: string) => Deno.writeTextFile(path, text, { append: true });
  try {
    await write(app, "ERROR before\n");
    await using follower = new Running(["file_follow.ts", "--until", "5", app, other]);
    await follower.until("following 2\n");
    await write(app, "INFO all is well\nERROR in app\n");
    await follower.until(`${app}: ERROR in app\n`);
    await Deno.rename(app, `${app}.1`);
    await write(app, "WARN a new file\nERROR in the new one\n");
    await follower.until(`${app}: ERROR in the new one\n`);
    await write(other, "said by another\n");
    const told = await follower.until("}\n");
    assertStringIncludes(told, "{ INFO: 1, ERROR: 2, WARN: 1, other: 1 }\n");
    assertEquals(told.includes("before"), false);
    assertEquals(await follower.ended(), null);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
});

Deno.test("examples: sync_bounded_buffer", async () => {
  assertEquals(
    await run("sync_bounded_buffer.ts"),
    "2000 items went through 4 places\ntheir sum is 1001000\n",
  );
});

Deno.test({
  name: "examples: sync_struct_with_c",
  ignore: ignore("cc"),
  fn: async () => {
    assertStringIncludes(
      await run("sync_struct_with_c.ts"),
      "C ended with status 0\n40000 values, whose sum is 10000\n",
    );
  },
});

Deno.test("examples: sync_live_value", async () => {
  assertStringIncludes(await run("sync_live_value.ts"), "the heating is off");
});

Deno.test("examples: socket_restart, with no client refused", async () => {
  assertStringIncludes(
    await run("socket_restart.ts"),
    "4 servers one after another, each answered; 0 clients were refused",
  );
});

Deno.test("examples: socket_pass_file", async () => {
  assertStringIncludes(await run("socket_pass_file.ts"), "words: 9");
});

Deno.test({
  name: "examples: socket_python",
  ignore: ignore("python3"),
  fn: async () => {
    assertStringIncludes(await run("socket_python.ts"), "{'sum': 6}");
  },
});

Deno.test("examples: rpc_caller and rpc_service, by five addresses", async () => {
  assertStringIncludes(await run("rpc_caller.ts"), "ws reward a-b-c [ 3, 5 ]");
});

Deno.test("examples: rpc_workers", async () => {
  assertStringIncludes(await run("rpc_workers.ts"), "33860 primes below 400000, in 40 pieces");
});

Deno.test("examples: rpc_progress", async () => {
  assertStringIncludes(await run("rpc_progress.ts"), "it stopped before");
});
