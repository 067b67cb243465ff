import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Broken } from "../testdata/broken_channel.ts";
import { brokenReceivers } from "../testdata/broken_receivers.ts";
import { brokenSenders } from "../testdata/broken_senders.ts";
import { checks } from "./_checks.ts";
import type { ConformanceOptions } from "./conformance.ts";
import { memoryChannel } from "./memory_channel.ts";
import { type Check, runCheck } from "./_trial.ts";

const OPTIONS: ConformanceOptions = {
  capacity: 256 * 1024,
  maxQueuedBytes: 1024 * 1024,
  maxTestedSize: 64 * 1024,
  scale: 0.3,
};

const brokenProcesses: readonly Broken[] = [
  {
    name: "keeps the process alive while idle",
    check: "an open but idle channel lets the process exit",
    says: /the process goes on/,
    options: { ceiling: 100, childScript: child("setInterval(() => {}, 1e6);") },
    breaks: () => {},
  },
  {
    name: "lets the process exit while it waits",
    check: "a pending wait keeps the process alive",
    says: /status 0, not 7/,
    options: { childScript: child("") },
    breaks: () => {},
  },
];

/** A module that opens a pair which does nothing, after running `code`. */
function child(code: string): { module: string } {
  const source = `export function open() {
    ${code}
    const end = { close() {}, send: async () => {}, receive: () => new Promise(() => {}) };
    end[Symbol.asyncIterator] = () => ({ next: end.receive });
    return { sender: end, receiver: end };
  }`;
  return { module: `data:application/javascript,${encodeURIComponent(source)}` };
}

function named(title: string): Check {
  const check = checks.find((each) => each.title === title);
  if (check === undefined) throw new Error(`There is no check "${title}"`);
  return check;
}

Deno.test("conformance: a pair brings a way to cut a message, unless its mechanism has none", async () => {
  const check = named("a sender that dies inside a frame is a TruncatedError");
  const open = () => {
    const { sender, receiver } = memoryChannel({ seed: 1 });
    return { sender, receiver };
  };
  await assertRejects(() => runCheck(check, open, OPTIONS), Error, "the pair has no truncate hook");
  assertEquals([{}, { truncatable: false }].map((options) => check.applies?.(options)), [true, false]);
});

for (
  const { name, check, says, breaks, options, settle } of [
    ...brokenReceivers,
    ...brokenSenders,
    ...brokenProcesses,
  ]
) {
  Deno.test(`conformance: a channel that ${name} is found out`, async () => {
    let seed = 1;
    const intact = () => memoryChannel({ seed: seed++, maxQueuedBytes: 1024 * 1024 });
    if (options?.childScript === undefined) await runCheck(named(check), intact, OPTIONS);
    const open = () => {
      const channel = intact();
      return { ...channel, ...breaks(channel) };
    };
    const failure = await assertRejects(
      () => runCheck(named(check), open, { ...OPTIONS, ...options }),
      Error,
    );
    await settle?.();
    assertMatch(failure.message, says);
    assertMatch(failure.message, /\(seed \d+\)$/);
  });
}
