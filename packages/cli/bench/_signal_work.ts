/** What a process of ours does that is measured with signals: it sends them to another one that waits. */

import { Doorbell, ProcessHandle, signals } from "@ipc/signal";
import { sharedNow } from "./_clock.ts";
import { help, Helper, obeyLines } from "./_helper.ts";
import { figuresOfTimes, rest, Wakes } from "./_wakes.ts";
import { type Command, cpuTime } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

const SIGNAL = "SIGUSR2";
/** How a program is started so that signals wait in a descriptor for it. */
const BLOCKED = ["env", `--block-signal=${SIGNAL.slice(3)}`];
/** Where in the memory that both have the bell is, and what it is rung for. */
const BELL = 64;
const RUNG = 32;

/** Runs as `near signal PROGRAM [ARGUMENT…]`, where PROGRAM is who hears, or as `far signal FOLDER`. */
export async function signalWork([role, _, ...given]: readonly string[]): Promise<void> {
  if (role === "far") {
    const [folder] = given;
    return await help((command, ready) => hear(folder!, command, ready));
  }
  const folder = await Deno.makeTempDir({ prefix: "ipc-bench-" });
  await using helpers = new AsyncDisposableStack();
  const started = new Map<boolean, Helper>();
  const helper = (blocked: boolean) => {
    let found = started.get(blocked);
    if (found === undefined) {
      const [program, ...args] = [...blocked ? BLOCKED : [], ...given, folder];
      started.set(blocked, found = helpers.use(new Helper(program!, args)));
    }
    return found;
  };
  try {
    await obeyLines((command) => {
      if (command.test === "watch") return watchEnds(command.count);
      return measure(folder, command, helper(command.test.startsWith("blocked")));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The near end: it sends. */
async function measure(folder: string, { test, count }: Command, helper: Helper): Promise<Figures> {
  using wakes = new Wakes(`${folder}/wakes`);
  using bell = Doorbell.at(wakes.file, BELL);
  using process = ProcessHandle.open(helper.pid);
  wakes.begin();
  const words = new Int32Array(wakes.file.buffer);
  Atomics.store(words, RUNG, 0);
  await helper.tell(`${test} 0 ${count}`);
  await helper.answer(); // It listens.
  await wakes.wake(count, (number) => {
    if (test !== "bell") return process.send(SIGNAL);
    Atomics.store(words, RUNG, number + 1);
    bell.ring();
  });
  const there: Figures = JSON.parse(await helper.answer());
  return { ...there, cpu: there.cpu + wakes.cpu / count };
}

/** The far end: it hears. */
async function hear(folder: string, { test, count }: Command, ready: () => void): Promise<Figures> {
  using wakes = new Wakes(`${folder}/wakes`);
  if (test === "bell") {
    using bell = Doorbell.at(wakes.file, BELL);
    const words = new Int32Array(wakes.file.buffer);
    for (let number = 0; number < count; number++) {
      const rung = bell.wait(() => Atomics.load(words, RUNG) > number);
      if (number === 0) ready();
      await rung;
      wakes.come();
    }
    return wakes.figures;
  }
  using heard = signals(SIGNAL);
  ready();
  for (let left = count; left > 0; left--) {
    if (test === "blocked-sync") heard.receiveSync();
    else await heard.receive();
    wakes.come();
  }
  return wakes.figures;
}

/** How long it takes until the end of a process is known that is killed. */
async function watchEnds(count: number): Promise<Figures> {
  const times: number[] = [];
  let used = 0;
  while (times.length < count) {
    const child = new Deno.Command("sleep", { args: ["600"], stdin: "null" }).spawn();
    try {
      using process = ProcessHandle.open(child.pid);
      const ended = process.ended();
      await rest();
      const before = cpuTime();
      const began = sharedNow();
      process.send("SIGKILL");
      await ended;
      times.push(sharedNow() - began);
      used += cpuTime() - before;
    } finally {
      await child.status;
    }
  }
  return figuresOfTimes(times, used);
}
