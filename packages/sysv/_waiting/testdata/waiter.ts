/** A process that waits on a queue, in one way or another: `waiter.ts ACTION QUEUE`. It says what it does in lines. */

import { Worker } from "node:worker_threads";
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

/** Until the workers that have something to do are in the kernel for it. */
function blockedInKernel(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
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
  "wait where no worker starts": async () => {
    const LOOKS = 70;
    let [looks, tries] = [0, 0];
    const { promise, resolve } = Promise.withResolvers<void>();
    interceptCalls((symbol, args, real) => {
      if (symbol === "pipe2") return (tries++, -1);
      if (symbol === "msgrcv" && ++looks === LOOKS) resolve();
      return real(...args);
    });
    const given = wait(1);
    await promise;
    given.forEach((giveUp) => giveUp());
    console.log(tries);
  },
  "wait for room, the polling worker failed": async () => {
    const on = Worker.prototype.on;
    const failures: (() => void)[] = [];
    Worker.prototype.on = function (this: Worker, name: string, listener: () => void) {
      if (name === "error") failures.push(listener);
      return on.call(this, name, listener);
    } as typeof on;
    await warmUpWaiting();
    // It ends, and is not missed.
    dispatchEvent(new Event("unload"));
    waitForRoom(id, 1, () => console.log("woken"));
    // Until what the workers rang when they started was heard.
    await new Promise((resolve) => setTimeout(resolve, 50));
    // The polling worker was the first.
    failures[0]!();
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
  "give up when all are blocked": async () => {
    await warmUpWaiting();
    const given = wait(MANY);
    await blockedInKernel();
    given.forEach((giveUp) => giveUp());
  },
  "give up, and look again": async () => {
    await warmUpWaiting();
    const early = waitForMessage(id, 0, 0, (type) => (console.log(`taken ${type}`), giveUp()), nothing);
    await blockedInKernel();
    early();
    // Its end is seen as long as something waits.
    const giveUp = waitForMessage(id, 7, 0, nothing, nothing);
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
