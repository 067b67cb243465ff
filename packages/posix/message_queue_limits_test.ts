import { assertEquals, assertThrows } from "@std/assert";
import { LimitError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { MessageQueue } from "./mod.ts";
import { answer, prepared, unprivileged, withQueueBytes } from "./testdata/process.ts";
import { MOD, ownName } from "./testdata/queues.ts";

leakCheck();

/** What every program here begins with. */
const BEGINNING = `
import { limits, MessageQueue } from ${MOD};
const name = "/ipc-test-limit-" + crypto.randomUUID();
const tell = (call) => {
  try { call().close(); return "no error"; }
  catch ({ name: kind, code, message, hint }) { return { kind, code, message: message.replace(/"[^"]*"/, "NAME"), hint }; }
};
const most = (name) => limits().find((each) => each.name === name).limit;
`;

const lowLimit = withQueueBytes(1000);

Deno.test({
  name: "MessageQueue: RLIMIT_MSGQUEUE is told as such, not as open files",
  ignore: lowLimit === undefined,
  fn: async () => {
    const told = await answer(
      `${BEGINNING}
      const size = { maxMessages: 10, maxMessageSize: 8, unlinkOnClose: true };
      console.log(JSON.stringify([most("RLIMIT_MSGQUEUE"), tell(() => MessageQueue.create(name, size))]));`,
      { before: lowLimit },
    );
    assertEquals(told, [1000, {
      kind: "LimitError",
      code: "EMFILE",
      message:
        "Cannot create message queue NAME: with its 1040 bytes this user's queues would pass RLIMIT_MSGQUEUE, 1000",
      hint:
        "unlink queues that nobody uses, make this one smaller (maxMessages, maxMessageSize), or raise the " +
        "limit (ulimit -q); open files have nothing to do with it",
    }]);
  },
});

Deno.test("MessageQueue: the limit of open files is told as such", async () => {
  const told = await answer(
    `${BEGINNING}
    const files = [];
    for (;;) { try { files.push(Deno.openSync("/dev/null")); } catch { break; } }
    const told = tell(() => MessageQueue.create(name, { maxMessages: 1, maxMessageSize: 8, unlinkOnClose: true }));
    for (const file of files) file.close();
    console.log(JSON.stringify(told));`,
    { before: ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"] },
  ) as Record<string, string>;
  assertEquals([told.kind, told.code], ["LimitError", "EMFILE"]);
  assertEquals(told.message, "Cannot create message queue NAME: too many open files in this process");
});

const smallLimits = unprivileged && prepared(
  "cd /proc/sys/fs/mqueue && echo 7 >msg_max && echo 300 >msgsize_max && echo 2 >queues_max",
);

Deno.test({
  name: "MessageQueue: msg_max, msgsize_max and queues_max are told by their names",
  ignore: smallLimits === undefined,
  fn: async () => {
    const told = await answer(
      `${BEGINNING}
      const make = (maxMessages, maxMessageSize) =>
        MessageQueue.create(name, { maxMessages, maxMessageSize, unlinkOnClose: true });
      const told = [tell(() => make(8, 1)), tell(() => make(1, 301)), tell(() => make(7, 300))];
      const made = [1, 2].map((number) => MessageQueue.create(name + number, { maxMessages: 1, maxMessageSize: 1 }));
      told.push(tell(() => make(1, 1)));
      // The kernel's own size is cut to its limits.
      MessageQueue.unlink(name + 1);
      made[0].close();
      const usual = MessageQueue.create(name, { unlinkOnClose: true });
      told.push(usual.attributes(), ["msg_max", "msgsize_max", "queues_max"].map(most));
      console.log(JSON.stringify(told));`,
      { before: [...smallLimits!, ...unprivileged!] },
    );
    const error = (code: string, reason: string, hint: string) => ({
      kind: "LimitError",
      code,
      message: `Cannot create message queue NAME: ${reason}`,
      hint,
    });
    const raise = (setting: string) => `raise the limit (sysctl fs.mqueue.${setting})`;
    assertEquals(told, [
      error("EINVAL", "maxMessages is 8, the limit is 7 (msg_max)", `ask for less, or ${raise("msg_max")}`),
      error(
        "EINVAL",
        "maxMessageSize is 301, the limit is 300 (msgsize_max)",
        `ask for less, or ${raise("msgsize_max")}`,
      ),
      "no error",
      error(
        "ENOSPC",
        "there are 2 queues already (queues_max)",
        `unlink queues that nobody uses, or ${raise("queues_max")}`,
      ),
      { messages: 0, maxMessages: 7, maxMessageSize: 300 },
      [7, 300, 2],
    ]);
  },
});

Deno.test("MessageQueue: what not even a privileged process may ask for is a LimitError too", () => {
  for (
    const [size, says] of [
      [
        { maxMessages: 65_537, maxMessageSize: 1 },
        "maxMessages is 65537, and the kernel takes no more than 65536",
      ],
      [{ maxMessages: 1, maxMessageSize: 2 ** 53 - 1 }, "and the kernel takes no more than 16777216"],
    ] as const
  ) {
    const error = assertThrows(() => MessageQueue.create(ownName(), size), LimitError, says);
    assertEquals([error.code, error.hint], ["EINVAL", "ask for less"]);
  }
});

const highLimits = prepared("echo 70000 >/proc/sys/fs/mqueue/msgsize_max");

Deno.test({
  name: "MessageQueue: where the limits are raised, long messages pass too",
  ignore: highLimits === undefined,
  fn: async () => {
    const told = await answer(
      `${BEGINNING}
      const queue = MessageQueue.create(name, { maxMessages: 2, maxMessageSize: 70_000 });
      const same = [];
      for (const length of [70_000, 4097, 4096, 1, 0]) {
        const message = Uint8Array.from({ length }, (_, index) => index * 31 >> 3);
        queue.sendSync(message);
        await queue.send(message);
        for (const got of [await queue.receive(), queue.receiveSync()]) {
          same.push(got.length === length && got.every((byte, index) => byte === message[index]));
        }
      }
      console.log(JSON.stringify(same));`,
      { before: highLimits },
    );
    assertEquals(told, Array.from({ length: 10 }, () => true));
  },
});
