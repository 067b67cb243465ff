import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { type LimitName, limits } from "./mod.ts";
import { answer, prepared } from "./testdata/process.ts";
import { MOD } from "./testdata/queues.ts";

leakCheck();

const setting = (name: string) => Number(Deno.readTextFileSync(`/proc/sys/fs/mqueue/${name}`));

Deno.test("limits are what the system says", () => {
  const found = Object.fromEntries(limits().map(({ name, limit }) => [name, limit]));
  const [, bytes] = /^Max msgqueue size +(\S+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))!;
  const expected: Partial<Record<LimitName, number>> = {
    msg_max: setting("msg_max"),
    msg_default: setting("msg_default"),
    msgsize_max: setting("msgsize_max"),
    msgsize_default: setting("msgsize_default"),
    queues_max: setting("queues_max"),
    RLIMIT_MSGQUEUE: bytes === "unlimited" ? Infinity : Number(bytes),
    MQ_PRIO_MAX: 32_768,
    SEM_VALUE_MAX: 2 ** 31 - 1,
  };
  assertEquals({ ...found, ...expected }, found);
});

const mounted = prepared("mount -t mqueue none /mnt");

Deno.test({
  name: "limits tell what the queues of this user take, as the kernel counts it",
  ignore: mounted === undefined,
  fn: async () => {
    const told = await answer(
      `import { limits, MessageQueue } from ${MOD};
      const queues = ["/a", "/b"].map((name) => MessageQueue.create(name, { maxMessages: 4, maxMessageSize: 104 }));
      const of = (wanted) => limits().find(({ name }) => name === wanted);
      const { limit, used, percent } = of("RLIMIT_MSGQUEUE");
      const most = of("queues_max");
      console.log(JSON.stringify([used, percent === used / limit * 100, most.used, most.percent === 2 / most.limit * 100]));`,
      { before: mounted },
    );
    assertEquals(told, [2 * 4 * (104 + 96), true, 2, true]);
  },
});
