/** A process that waits on a queue, in one way or another: `waiter.ts ACTION QUEUE`. It says what it does in lines. */

import { interceptCalls } from "@ipc/core/sys";
import { interruptSignal } from "../interrupt.ts";
import { Slots } from "../slots.ts";
import { blockForMessage, waitForMessage, waitForRoom, waitingDiagnostics, warmUpWaiting } from "../mod.ts";

const [action = "", queue] = Deno.args;
const id = Number(queue);
const nothing = () => {};

/** So many waits, each of which says when it is woken. */
function wait(count: number): (() => void)[] {
  return Array.from({ length: count }, () => waitForMessage(id, 0, 0, nothing, () => console.log("woken")));
}

/** More than there are blocked workers: some of both hands. */
const MANY = Slots.BLOCKED + 2;

async function workers(count: number): Promise<void> {
  while (waitingDiagnostics().workers < count) await new Promise((resolve) => setTimeout(resolve, 1));
}

function threads(): number {
  return [...Deno.readDirSync("/proc/self/task")].length;
}

const actions: Record<string, () => unknown> = {
  "wait at first": () => wait(1),
  "wait blocked": async () => {
    wait(1);
    await workers(1);
  },
  "wait in every hand": async () => {
    wait(MANY);
    await workers(Slots.BLOCKED + 1);
  },
  "wait for room": () => waitForRoom(id, 1, () => console.log("woken")),
  "wait for room, looking slowly": () => {
    // So that a worker starts while this thread looks.
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    interceptCalls((symbol, args, real) => {
      if (symbol === "msgctl") Atomics.wait(sleeper, 0, 0, 5);
      return real(...args);
    });
    waitForRoom(id, 1, () => console.log("woken"));
  },
  "nothing waits": () => warmUpWaiting(),
  "end the workers": async () => {
    await warmUpWaiting();
    const before = threads();
    dispatchEvent(new Event("unload"));
    while (threads() > before - waitingDiagnostics().workers) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
  "give up at first": () => wait(MANY).forEach((giveUp) => giveUp()),
  "give up while a worker starts": async () => {
    const given = wait(1);
    await workers(1);
    given.forEach((giveUp) => giveUp());
  },
  "give up in every hand": async () => {
    await warmUpWaiting();
    wait(MANY).forEach((giveUp) => giveUp());
  },
  "exit at first": () => {
    wait(MANY);
    Deno.exit(7);
  },
  "exit in every hand": async () => {
    wait(MANY);
    await workers(Slots.BLOCKED + 1);
    Deno.exit(7);
  },
  "throw in every hand": async () => {
    await warmUpWaiting();
    wait(MANY);
    throw new Error("On purpose");
  },
  "wait without descriptors": () => {
    const { setrlimit } = Deno.dlopen("libc.so.6", {
      setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    }).symbols;
    const RLIMIT_NOFILE = 7;
    const open = [...Deno.readDirSync("/proc/self/fd")].length;
    if (setrlimit(RLIMIT_NOFILE, new BigUint64Array([BigInt(open + 5), 4096n])) === -1) {
      throw new Error("No limit");
    }
    wait(MANY);
  },
  "which signal": () => console.log(interruptSignal()),
  "block with a time limit": () => blockForMessage(id, 0, 0, 30, nothing),
};

await actions[action]!();
console.log("ready");
