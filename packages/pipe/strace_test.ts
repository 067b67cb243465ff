/** Faults made outside of the process, by strace: what is trusted here is the kernel, not a shim of our own. */

import { assert, assertEquals } from "@std/assert";
import { TruncatedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { spawnWithChannel } from "./mod.ts";
import { tracedMessage } from "./testdata/traced_message.ts";

leakCheck();

const SCRIPT = new URL("testdata/traced.ts", import.meta.url).href;

/** Without it, or where tracing is forbidden, as in some containers, the tests are skipped. */
const ignore = !new Deno.Command("sh", {
  args: ["-c", "strace -f -qq -o /dev/null -e inject=getppid:error=EPERM true"],
  stdout: "null",
  stderr: "null",
}).outputSync().success;

/** What came out of a traced process. */
interface Traced {
  /** What its calls came to; nothing where it was killed. */
  outcomes: string[];
  /** The messages that reached us, by what they should be; `"truncated"` where we were told so. */
  arrived: string[];
  signal: string | null;
}

/** How a process is traced. */
interface TraceOptions {
  /** Calls on any descriptor, not only on the two pipes, of which the runtime makes the same calls. */
  everywhere?: boolean;
  /** We receive only when so many of its calls have ended. */
  after?: number;
}

/** Runs `action` in a process in which strace makes some calls fail. */
async function traced(action: string, inject: string, options: TraceOptions = {}): Promise<Traced> {
  const { everywhere = false, after = 0 } = options;
  const only = everywhere ? "" : '-P "$(readlink /proc/self/fd/3)" -P "$(readlink /proc/self/fd/4)"';
  const command = `exec strace -f -qq -o /dev/null -e inject=${inject} ${only} "$@"`;
  const deno = [Deno.execPath(), "run", "-A", "--quiet", "--no-lock", "--no-check", SCRIPT, action];
  const { process, channel } = spawnWithChannel("sh", {
    args: ["-c", command, "sh", ...deno],
    stdout: "piped",
  });
  const watchdog = setTimeout(() => process.kill("SIGKILL"), 30_000);
  try {
    const outcomes: string[] = [];
    const begin = Promise.withResolvers<void>();
    const listening = (async () => {
      let text = "";
      for await (const more of process.stdout!.pipeThrough(new TextDecoderStream())) {
        const lines = (text += more).split("\n");
        text = lines.pop()!;
        outcomes.push(...lines);
        if (outcomes.length >= after) begin.resolve();
      }
      begin.resolve();
    })();
    if (after === 0) begin.resolve();
    await begin.promise;
    const arrived = await (action.startsWith("receive") ? feed(channel) : collect(channel));
    await listening;
    // strace ends as its child did.
    return { outcomes, arrived, signal: (await process.status).signal };
  } finally {
    clearTimeout(watchdog);
    channel.close();
  }
}

type Channel = ReturnType<typeof spawnWithChannel>["channel"];

/** Sends what it is to receive. */
async function feed(channel: Channel): Promise<string[]> {
  for (const number of [0, 1, 2, 3]) await channel.send(tracedMessage(number)).catch(() => {});
  await channel.end().catch(() => {});
  return [];
}

/** Receives until the end. */
async function collect(channel: Channel): Promise<string[]> {
  const arrived: string[] = [];
  while (true) {
    try {
      const message = await channel.receive();
      if (message === undefined) return arrived;
      const number = [0, 1, 2, 3].find((each) => message.join() === tracedMessage(each).join());
      arrived.push(number === undefined ? "another" : String(number));
    } catch (error) {
      arrived.push(error instanceof TruncatedError ? "truncated" : `${error}`);
    }
  }
}

const whole = { outcomes: ["sent", "sent", "sent", "sent"], arrived: ["0", "1", "2", "3"], signal: null };

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `strace: ${name}`, ignore, fn });
}

for (const action of ["send", "sendSync"]) {
  for (
    const [errno, when] of [["EINTR", "1+2"], ["EAGAIN", "1+2"], ["EINTR", "2"], ["EAGAIN", "3"]] as const
  ) {
    test(`${action}: write fails with ${errno} at ${when}, and every message arrives whole`, async () => {
      assertEquals(await traced(action, `write:error=${errno}:when=${when}`), whole);
    });
  }
  for (const [errno, error] of [["EPIPE", "BrokenPipeError"], ["ENOSPC", "LimitError"]] as const) {
    test(`${action}: write fails with ${errno}, which is an error of this message`, async () => {
      const { outcomes, arrived } = await traced(action, `write:error=${errno}:when=1`);
      assertEquals(outcomes, [`${error} ${errno}`, "sent", "sent", "sent"]);
      assertEquals(arrived, ["1", "2", "3"]);
    });
    test(`${action}: write fails with ${errno} inside a message, and nothing follows it`, async () => {
      // The second message takes several writes.
      const { outcomes, arrived } = await traced(action, `write:error=${errno}:when=3`);
      const broken = "BrokenPipeError EPIPE";
      assertEquals(outcomes, ["sent", `${error} ${errno}`, broken, broken]);
      assertEquals(arrived, ["0", "truncated"]);
    });
  }
  const arrivals = [[], ["0"], ["0", "truncated"]];
  for (const [index, arrived] of arrivals.entries()) {
    test(`${action}: killed at write ${index + 1}, and no short message arrives`, async () => {
      const killed = await traced(action, `write:signal=KILL:when=${index + 1}`);
      assertEquals([killed.arrived, killed.signal], [arrived, "SIGKILL"]);
    });
  }
}

test("sendBatch: write fails with ENOSPC", async () => {
  const { outcomes, arrived } = await traced("sendBatch", "write:error=ENOSPC:when=1");
  assertEquals([outcomes, arrived], [["LimitError ENOSPC"], []]);
});

for (const action of ["receive", "receiveSync"]) {
  test(`${action}: read fails with EINTR, and every message arrives whole`, async () => {
    assertEquals((await traced(action, "read:error=EINTR:when=1+3")).outcomes, whole.outcomes);
  });
  test(`${action}: read fails with EIO, which is an error of one call`, async () => {
    const { outcomes } = await traced(action, "read:error=EIO:when=1");
    assertEquals(outcomes, ["IpcError EIO", "sent", "sent", "sent", "sent"]);
  });
}

test("send: epoll_ctl fails with ENOMEM while there is no room, and what was begun still arrives", async () => {
  const { outcomes, arrived } = await traced("send", "epoll_ctl:error=ENOMEM:when=1", { after: 2 });
  assertEquals(outcomes, ["sent", "LimitError ENOMEM", "sent", "sent"]);
  assertEquals(arrived, ["0", "1", "2", "3"]);
});

test("receive: any fcntl fails, from adopting the descriptors to duplicating one for the reactor", async () => {
  // The first of them are the runtime's own, when it starts.
  const all: string[] = [];
  for (let nth = 1; nth <= 8; nth++) {
    const { outcomes } = await traced("receive", `fcntl:error=EMFILE:when=${nth}`);
    const sent = outcomes.filter((each) => each === "sent").length;
    const refused = outcomes.filter((each) => each === "LimitError EMFILE").length;
    assertEquals(sent + refused, outcomes.length, outcomes.join());
    assert(sent === 4 || outcomes.join() === "LimitError EMFILE", `${nth}: ${outcomes.join()}`);
    all.push(...outcomes);
  }
  assert(all.includes("LimitError EMFILE"));
});

test("createPipe: every second pipe2 fails with EMFILE, and nothing is left", async () => {
  const { outcomes } = await traced("create", "pipe2:error=EMFILE:when=1+2", { everywhere: true });
  const refused = outcomes.filter((each) => each === "LimitError EMFILE").length;
  assertEquals([refused, outcomes.length, outcomes.at(-1)], [2, 5, "0 left"]);
});
