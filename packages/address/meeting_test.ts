import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { BrokenPipeError, type Bytes, type Channel, RemovedError, type SyncChannel } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { type FarEnd, type Meeting, meetings } from "./meeting.ts";
import { waitsEnded } from "./testdata/waits.ts";
import { newSeed, UdpProxy } from "../socket/testdata/proxy.ts";
import { warmUpWaiting } from "../sysv/_waiting/mod.ts";

await warmUpWaiting();
leakCheck();

const program = new URL("./testdata/meeting_end.ts", import.meta.url).pathname;

/** A far end as the demo starts it, and its process. */
class Far implements FarEnd, AsyncDisposable {
  readonly command = Deno.execPath();
  readonly folder = Deno.makeTempDirSync();
  readonly #stop = new AbortController();
  readonly #name: string;
  process: Deno.ChildProcess | undefined;

  constructor({ name }: Meeting) {
    this.#name = name;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  readonly args = (...more: string[]): string[] => {
    return ["run", "-A", "--quiet", "--no-check", program, "far", this.#name, ...more];
  };

  start = (...more: string[]): Promise<Deno.CommandStatus> => {
    this.process = new Deno.Command(this.command, {
      args: this.args(...more),
      stdin: "null",
      signal: this.signal,
    })
      .spawn();
    return this.process.status;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.process?.status;
    await waitsEnded();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** What comes within half a minute: a machine may be busy. */
function soon<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("it takes too long")), 30_000);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Messages of all lengths that a mechanism takes, and any bytes. */
function messagesFor({ maxMessageSize }: Channel): Bytes[] {
  return [0, 1, 7, 8, 15, 64, 1000, Math.min(maxMessageSize, 1024 * 1024)].map((length) => {
    return new Uint8Array(length).map((_, index) => index * 31 + (index >> 8) + length);
  });
}

/** A pipe starts the far end itself, and has tests of its own. */
const started = meetings.filter(({ name }) => name !== "pipe");

/** What a process has open or mapped of that which meetings make. */
function ownNames(pid: number): string[] {
  const open = [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => {
    return Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
  });
  const mapped = Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n");
  return [...open, ...mapped].filter((text) => /\/ipc-[0-9a-f-]{36}/.test(text));
}

for (const meeting of started) {
  Deno.test(`${meeting.name}: what is sent to another process comes back, and the end goes there and back`, async () => {
    await using far = new Far(meeting);
    using channel = await soon(meeting.near(far));
    const messages = messagesFor(channel);
    for (const message of messages) {
      await channel.send(message);
      assertEquals(await soon(channel.receive()), message);
      if (meeting.blocking === false) continue;
      const blocking = channel as SyncChannel;
      blocking.sendSync(message);
      assertEquals(blocking.receiveSync({ timeout: 30_000 }), message);
    }
    await Promise.all([
      channel.sendBatch(messages),
      (async () => {
        for (const message of messages) assertEquals(await soon(channel.receive()), message);
      })(),
    ]);
    await channel.end();
    if (meeting.endDetectable !== false) assertEquals(await soon(channel.receive()), undefined);
    channel.close();
    if (far.process !== undefined) assertEquals((await soon(far.process.status)).code, 0);
  });
}

Deno.test("udp: what the network drops, doubles and reorders arrives once and in order", async () => {
  const seed = newSeed();
  await using far = new Far(meetings.find(({ name }) => name === "udp")!);
  const { promise: between, resolve } = Promise.withResolvers<UdpProxy>();
  const start = far.start;
  far.start = async (address = "", ...more) => {
    const port = Number(address.split(":")[1]);
    const proxy = await UdpProxy.start(port, { seed, drop: 0.1, double: 0.1, reorder: 0.1 });
    resolve(proxy);
    return await start(proxy.address, ...more);
  };
  using channel = await soon(meetings.find(({ name }) => name === "udp")!.near(far));
  await using proxy = await between;
  for (let round = 0; round < 40; round++) {
    const message = new Uint8Array([round]);
    await soon(channel.send(message));
    assertEquals(await soon(channel.receive()), message, `seed ${seed}`);
  }
  const { dropped, doubled, reordered } = proxy.counts;
  assert(dropped > 0 && doubled > 0 && reordered > 0, `seed ${seed}`);
  await soon(channel.end());
  assertEquals(await soon(channel.receive()), undefined);
});

/** A FIFO has a far end of the kernel's. */
const watched = started.filter(({ name }) => name !== "fifo");

for (const meeting of watched) {
  Deno.test(`${meeting.name}: a far end that is killed is noticed, by who receives and by who sends`, async () => {
    await using far = new Far(meeting);
    using channel = await soon(meeting.near(far));
    await channel.send(new Uint8Array(1));
    await soon(channel.receive());
    const pending = channel.receive();
    pending.catch(() => {});
    far.process!.kill("SIGKILL");
    if (meeting.endDetectable === false) await assertRejects(() => soon(pending), RemovedError);
    else if (meeting.name === "ws") await assertRejects(() => soon(pending), BrokenPipeError);
    else assertEquals(await soon(pending), undefined);
    await assertRejects(async () => {
      while (true) await soon(channel.send(new Uint8Array(1)));
    });
  });

  Deno.test(`${meeting.name}: a near end that is killed takes the far end and all objects with it`, async () => {
    await killedNear("near", meeting, "met", (pid) => {
      // Nothing that it holds of POSIX has a name by now.
      for (const name of ownNames(pid)) assertMatch(name, / \(deleted\)$/);
    });
  });

  Deno.test(`${meeting.name}: the same where it is killed before the far end has come`, async () => {
    await killedNear("alone", meeting, "late");
  });

  // Queues do not wait for who receives from them.
  const waits = !["sysv-msg", "mq", "file"].includes(meeting.name);
  if (!waits) continue;
  Deno.test(`${meeting.name}: a far end that does not come leaves nothing behind`, async () => {
    await using far = new Far(meeting);
    far.start = () => new Deno.Command("false", { stdin: "null" }).spawn().status;
    await assertRejects(() => soon(meeting.near(far)), Error, "the far end has ended");
  });
}

/** Starts a near end, kills it when one of the two ends has said a word, and waits until both have ended. */
async function killedNear(
  end: string,
  { name }: Meeting,
  word: string,
  look = (_pid: number) => {},
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const near = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", program, end, name, folder],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const output = near.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    while (!text.includes(`${word}\n`)) {
      const { value, done } = await soon(output.read());
      assert(!done, "the near end has ended");
      text += value;
    }
    look(near.pid);
  } finally {
    near.kill("SIGKILL");
    await near.status;
  }
  // The far end has the other end of this pipe.
  while (!(await soon(output.read())).done);
  // Empty, as it was.
  Deno.removeSync(folder);
}
