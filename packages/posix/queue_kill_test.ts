import { assert, assertEquals } from "@std/assert";
import { TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import type { MessageQueue } from "./mod.ts";
import { TestProcess } from "./testdata/process.ts";
import { CEILING, MOD, withQueue } from "./testdata/queues.ts";

leakCheck();

const TESTING = JSON.stringify(import.meta.resolve("@ipc/core/testing"));
/** So many processes live at once. */
const AT_ONCE = 4;
const SIZE = { maxMessages: 10, maxMessageSize: 1024 };

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Lengths of the messages, each of which is a row of its own number. */
const LENGTHS = [0, 1, 64, 0, 1000, 100, 0, 7, 1024, 5];
const letters = LENGTHS.map((length, index) => new Uint8Array(length).fill(index));

/** What the process does that is killed before or after its n-th call into libc. */
const actions = {
  send: `
    await queue.send(letters[0]);
    queue.sendSync(letters[1]);
    await Promise.all(letters.slice(2, 5).map((letter) => queue.send(letter)));
    await queue.sendBatch(letters.slice(5, 8));
    queue.trySend(letters[8]);
    queue.sendSync(letters[9], { timeout: 1000 });
    await queue.end();`,
  receive: `
    await queue.receive();
    queue.receiveSync();
    await queue.receiveMessage();
    queue.tryReceive();
    queue.receiveSync({ timeout: 1000 });
    for (let left = 5; left > 0;) left -= (await queue.receiveBatch({ max: 3 })).length;
    await queue.receive({ timeout: 5 }).catch(() => {});`,
};

const program = (name: string, action: keyof typeof actions, nth: number, kill: string) => `
import { MessageQueue } from ${MOD};
import { withFault } from ${TESTING};
const letters = ${JSON.stringify(LENGTHS)}.map((length, index) => new Uint8Array(length).fill(index));
const queue = MessageQueue.open("${name}");
const run = await withFault({ nth: ${nth}, kill: "${kill}" }, async () => {${actions[action]}});
if (run.error !== undefined) throw run.error;
queue.close();
`;

/** All that is in a queue. */
function drain(queue: MessageQueue): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let message; (message = queue.tryReceive()) !== undefined;) messages.push(message);
  return messages;
}

for (const action of ["send", "receive"] as const) {
  for (const when of ["before", "after"]) {
    Deno.test(`POSIX message queue: killed ${when} each call, to ${action}`, async () => {
      let next = 1;
      let through = false;
      let deaths = 0;
      const lane = async () => {
        while (!through) {
          const nth = next++;
          assert(nth < 200, "the calls do not end");
          await withQueue(async (queue) => {
            if (action === "receive") await queue.sendBatch(letters);
            await using process = new TestProcess(program(queue.name, action, nth, when));
            const { signal, success } = await process.status;
            if (success) through = true;
            else {
              assertEquals(signal, "SIGKILL");
              deaths++;
            }
            const found = drain(queue);
            const from = action === "send" ? 0 : letters.length - found.length;
            assertEquals(found, letters.slice(from, from + found.length), `call ${nth}`);
            if (success) assertEquals(found.length, action === "send" ? letters.length : 0);
            // Whoever comes next finds all as it should be.
            queue.sendSync(letters[4]!);
            assertEquals(await queue.receive(CEILING), letters[4]);
          }, SIZE);
        }
      };
      const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
      for (const outcome of lanes) if (outcome.status === "rejected") throw outcome.reason;
      assert(deaths >= letters.length / 2, `only ${deaths} deaths`);
    });
  }
}

/** Sends numbers without end, in all the ways there are, behind its own number. */
const sender = (name: string, lane: number) => `
import { MessageQueue } from ${MOD};
const queue = MessageQueue.open("${name}");
let number = 0;
const message = () => {
  const words = new Uint32Array(2 + Math.floor(Math.random() * 250)).fill(number++);
  words[0] = ${lane};
  return new Uint8Array(words.buffer);
};
for (;;) {
  if (Math.random() < 0.3) queue.sendSync(message());
  else if (Math.random() < 0.5) await queue.send(message());
  else await Promise.all([1, 2, 3].map(() => queue.send(message())));
}
`;

Deno.test("POSIX message queue: kill -9 of senders while messages flow costs no other message", () =>
  withQueue(async (queue) => {
    const kills = Math.max(3, scaled(100));
    let lanes = 0;
    const begun = new Map<number, number>();
    let over = false;
    const receiving = (async () => {
      while (!over || queue.attributes().messages > 0) {
        try {
          const data = (await queue.receive({ timeout: 10 }))!;
          const [lane = 0, ...numbers] = new Uint32Array(data.slice().buffer);
          const expected = begun.get(lane) ?? 0;
          assert(
            numbers.every((number) => number === expected),
            `sender ${lane}: ${numbers}, not ${expected}`,
          );
          begun.set(lane, expected + 1);
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
        }
      }
    })();
    const lane = async () => {
      while (lanes < kills && !over) {
        const mine = ++lanes;
        await using process = new TestProcess(sender(queue.name, mine));
        for (const end = performance.now() + CEILING.timeout; (begun.get(mine) ?? 0) < 5;) {
          assert(performance.now() < end, `nothing came from sender ${mine}`);
          await pause(1);
        }
        await pause(Math.random() * 10);
        await process.kill();
      }
    };
    const ended = Promise.all([lane(), lane(), lane()]).finally(() => over = true);
    await Promise.all([receiving, ended]);
    assertEquals(begun.size, lanes);
  }));

/** Receives without end, in several ways, and tells each number that it got. */
const receiver = (name: string, told: string) => `
import { MessageQueue } from ${MOD};
const queue = MessageQueue.open("${name}");
const told = MessageQueue.open("${told}");
for (;;) {
  const way = Math.random();
  const message = way < 0.3
    ? queue.receiveSync()
    : await (way < 0.6 ? queue.receive() : queue.receive({ timeout: 2 })).catch(() => undefined);
  if (message !== undefined) told.sendSync(message);
}
`;

Deno.test("POSIX message queue: kill -9 of receivers costs at most the message in each one's hands", () =>
  withQueue((queue) =>
    withQueue(async (told) => {
      const kills = Math.max(3, scaled(100));
      const got: number[] = [];
      const hear = (message: Uint8Array) =>
        void got.push(new DataView(message.buffer, message.byteOffset).getUint32(0, true));
      let killed = 0;
      let sent = 0;
      let over = false;
      const sending = (async () => {
        while (!over) {
          await queue.send(new Uint8Array(new Uint32Array([sent]).buffer), { timeout: 20 }).then(
            () => sent++,
            (error) => {
              if (!(error instanceof TimeoutError)) throw error;
            },
          );
          if (sent % 16 === 0) await pause(0);
        }
      })();
      const listening = (async () => {
        while (!over) await told.receive({ timeout: 10 }).then((message) => hear(message!), () => {});
      })();
      const lane = async () => {
        while (killed < kills) {
          await using process = new TestProcess(receiver(queue.name, told.name));
          const before = got.length;
          for (const end = performance.now() + CEILING.timeout; got.length < before + 5;) {
            assert(performance.now() < end, "no message is received");
            await pause(1);
          }
          await pause(200 + Math.random() * 200);
          await process.kill();
          killed++;
        }
      };
      await Promise.all([lane(), lane(), lane()]).finally(() => {
        over = true;
        return Promise.all([sending, listening]);
      });
      for (const message of [...drain(told), ...drain(queue)]) hear(message);
      const all = new Set(got);
      assertEquals(all.size, got.length, "a message came twice");
      assert(sent - all.size <= killed, `${sent - all.size} messages are lost after ${killed} deaths`);
      assert([...all].every((number) => number < sent));
    })
  ));
