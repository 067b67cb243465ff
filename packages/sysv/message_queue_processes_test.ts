import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { warmUpWaiting } from "./_waiting/mod.ts";
import type { MessageQueue } from "./mod.ts";
import { TestProcess } from "./testdata/process.ts";
import { withQueue } from "./testdata/queue_pair.ts";
import { MOD } from "./testdata/semaphore_sets.ts";

await warmUpWaiting();
leakCheck();

const CEILING = { timeout: 20_000 };

/** A process with the queue as `queue`, which has started; what `source` gives at the end of its input is ignored. */
async function processWith({ id }: MessageQueue, source: string, flags?: string[]): Promise<TestProcess> {
  const process = new TestProcess(
    `import { MessageQueue } from ${MOD};
     const queue = MessageQueue.open({ id: ${id} });
     const say = (what) => console.log(JSON.stringify(what));
     const failure = async (call) => { try { await call(); return "none"; } catch (error) { return error.name; } };
     console.log("started");
     ${source}`,
    { flags },
  );
  assertEquals(await process.line(), "started");
  return process;
}

async function said(process: TestProcess): Promise<unknown> {
  return JSON.parse(await process.line() ?? "null");
}

for (
  const call of [
    "receiveSync()",
    "receiveSync({ timeout: 60_000 })",
    "receiveMessageSync({ type: 5 })",
    "receiveMessageSync({ atMost: 5, timeout: 60_000 })",
    "sendSync(new Uint8Array(100))",
    "sendSync(new Uint8Array(100), { timeout: 60_000 })",
  ]
) {
  Deno.test(`MessageQueue: removal ends ${call} of another process`, () =>
    withQueue(async (queue) => {
      if (call.startsWith("send")) queue.sendSync(new Uint8Array(100));
      await using process = await processWith(queue, `say(await failure(() => queue.${call}));`);
      await process.blocked();
      queue.remove();
      assertEquals(await said(process), "RemovedError");
    }, { maxBytes: 100 }));
}

Deno.test("MessageQueue: a process that blocks for a type is woken by that type only", () =>
  withQueue(async (queue) => {
    const source = `
      const { type, data } = queue.receiveMessageSync({ type: 5 });
      say([type, data.length]);
      say([queue.receiveMessageSync({ except: 6, timeout: 60_000 }).type]);
      say([(await queue.receiveMessage({ atMost: 3 })).type]);`;
    await using process = await processWith(queue, source);
    for (const [type, length] of [[5, 3], [5, 0], [2, 0]] as const) {
      await process.blocked();
      queue.sendSync(new Uint8Array(1), { type: 6 });
      await process.blocked();
      queue.sendSync(new Uint8Array(length), { type });
      assertEquals(await said(process), type === 5 && length === 3 ? [5, 3] : [type]);
    }
    assertEquals(queue.stat().messages, 3);
  }));

Deno.test("MessageQueue: a process that blocks for room goes on when there is some", () =>
  withQueue(async (queue) => {
    queue.sendSync(new Uint8Array(100));
    const source = `
      queue.sendSync(new Uint8Array(60).fill(1), { type: 2 });
      queue.sendSync(new Uint8Array(60).fill(2), { type: 3, timeout: 60_000 });
      await queue.send(new Uint8Array(60).fill(3), { type: 4 });
      say("done");`;
    await using process = await processWith(queue, source);
    for (const type of [1, 2, 3, 4]) {
      const { data, ...message } = (await queue.receiveMessage(CEILING))!;
      assertEquals([message.type, data.length, data[0]], [type, type === 1 ? 100 : 60, type - 1]);
    }
    assertEquals(await said(process), "done");
  }, { maxBytes: 100 }));

Deno.test("MessageQueue: requests and replies of several processes over one queue", () =>
  withQueue(async (queue) => {
    const count = scaled(1000);
    const client = `
      const channel = queue.duplex({ send: 1, receive: Deno.pid });
      let right = 0;
      for (let number = 0; number < ${count}; number++) {
        const request = new Uint32Array([Deno.pid, number]);
        await channel.send(new Uint8Array(request.buffer));
        const reply = number % 2 === 0 ? await channel.receive() : channel.receiveSync();
        if (new DataView(reply.buffer, reply.byteOffset).getUint32(0, true) === number * 2) right++;
      }
      channel.close();
      say(right);`;
    await using stack = new AsyncDisposableStack();
    const clients = await Promise.all([1, 2, 3].map(() => processWith(queue, client)));
    clients.forEach((process) => stack.use(process));
    for (let left = clients.length * count; left > 0; left--) {
      const { data } = (await queue.receiveMessage({ type: 1, ...CEILING }))!;
      const [pid, number] = new Uint32Array(data.slice().buffer) as unknown as [number, number];
      await queue.send(new Uint8Array(new Uint32Array([number * 2]).buffer), { type: pid });
    }
    for (const process of clients) assertEquals(await said(process), count);
    assertEquals(queue.stat().messages, 0);
  }));

Deno.test("MessageQueue: receivers in several processes share the messages, each in order", () =>
  withQueue(async (queue) => {
    const count = scaled(3000);
    const receiver = `
      const got = [];
      for (let round = 0;; round++) {
        const message = round % 3 === 0
          ? queue.receiveSync()
          : await queue.receive(round % 3 === 1 ? { timeout: Math.random() } : {}).catch(() => null);
        if (message === null) continue;
        if (message.length === 0) break;
        got.push(new DataView(message.buffer, message.byteOffset).getUint32(0, true));
      }
      say(got);`;
    await using stack = new AsyncDisposableStack();
    const receivers = await Promise.all([1, 2, 3].map(() => processWith(queue, receiver)));
    receivers.forEach((process) => stack.use(process));
    for (let number = 0; number < count; number++) {
      await queue.send(new Uint8Array(new Uint32Array([number]).buffer), CEILING);
    }
    // One for each, by which it ends.
    for (const _ of receivers) await queue.send(new Uint8Array(0), CEILING);
    const shares = await Promise.all(receivers.map(said)) as number[][];
    for (const share of shares) assertEquals(share, [...share].sort((one, other) => one - other));
    assertEquals(
      shares.flat().sort((one, other) => one - other),
      Array.from({ length: count }, (_, number) => number),
    );
    assert(shares.filter((share) => share.length > 0).length > 1, "one process got all messages");
  }));

/** libc, where this system has it. */
const LIBC = [
  `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`,
  "/lib64/libc.so.6",
  `/lib/libc.musl-${Deno.build.arch}.so.1`,
].find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

for (const flag of ["--allow-ffi", `--allow-ffi=${LIBC}`]) {
  Deno.test({
    name: `MessageQueue: everything works with ${flag.replace(/=.*/, " for libc")} alone`,
    ignore: LIBC === undefined,
    fn: () =>
      withQueue(async (queue) => {
        const source = `
          const other = MessageQueue.open({ id: queue.id });
          const waiting = other.receiveMessage({ type: 2 });
          await queue.send(new Uint8Array(10_000 % 8192), { type: 3 });
          queue.sendSync(new Uint8Array(1), { type: 4 });
          say([queue.peek(1).type, queue.receiveSync().length, queue.stat().messages, queue.maxMessageSize > 0]);
          say(await failure(() => queue.receiveMessageSync({ type: 9, timeout: 5 })));
          queue.sendSync(new Uint8Array(2), { type: 2 });
          say([(await waiting).data.length, queue.receiveMessageSync({ timeout: 60_000 }).type]);
          const late = queue.receive();
          say(await failure(() => queue.receive({ timeout: 5 })));
          say((await late).length);
          queue.close();
          other.close();`;
        await using process = await processWith(queue, source, [flag]);
        assertEquals(await said(process), [4, 1808, 1, true]);
        assertEquals(await said(process), "TimeoutError");
        assertEquals(await said(process), [2, 4]);
        assertEquals(await said(process), "TimeoutError");
        queue.sendSync(new Uint8Array(7));
        assertEquals(await said(process), 7);
        assertEquals((await process.status).success, true);
      }),
  });
}
