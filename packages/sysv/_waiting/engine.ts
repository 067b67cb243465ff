/**
 * Who looks after which wait.
 *
 * At first a timer of this thread does. When that has gone on for some milliseconds, workers are started, one after
 * the other: four that block in the kernel, each for one wait, and one that polls for all the others. They are kept,
 * and do not keep the process alive. Where none can start, the timer goes on.
 *
 * A wait is always in one slot, and a slot in one hand: this thread's until it says WAITING, then the worker's
 * until it says DONE, unless this thread takes it back before. To take it back is to wait until no other thread is
 * in the kernel for it, some 25 µs where one is blocked; so a wait that was given up can take nothing any more, and
 * there is nothing to remember of it.
 *
 * Each isolate has its own. One that is ended from outside, by `terminate` of a Web Worker, leaves its threads
 * behind with the waits that were on.
 */

import { errno, fullGrant } from "@ipc/core/sys";
import { LimitError } from "@ipc/core";
import { constants, sembuf } from "../_abi.ts";
import { libc } from "../_libc.ts";
import { attempts } from "./attempt.ts";
import { Doorbell } from "./doorbell.ts";
import { interruptSignal, interruptUntilChanged } from "./interrupt.ts";
import { Slots } from "./slots.ts";
import { mayStartWorker, startWorker } from "./worker.ts";

/** What is waited for. */
export interface Goal {
  /** {@linkcode Slots.MESSAGE}, {@linkcode Slots.ROOM}, {@linkcode Slots.SEMAPHORE} or {@linkcode Slots.TAKING}. */
  readonly kind: number;
  readonly id: number;
  /** Of msgrcv(2). */
  readonly type: number;
  /** Of msgrcv(2). */
  readonly flags: number;
  /** Bytes that must fit, or how many operations there are. */
  readonly count: number;
  /** `struct sembuf` as triples. */
  readonly operations?: Int16Array;
  /** Gets the type of an empty message that was taken, or learns that the operations were done. */
  readonly taken?: (type: number) => void;
  readonly wake: () => void;
}

/** A wait that is on, or over. */
interface Wait extends Goal {
  /** Where it is; -1 once it is over. */
  slot: number;
  givenUp: boolean;
  /** Whether it was given up and its worker could not be interrupted, which has it until it is over. */
  left: boolean;
}

/** After a wake-up the same object is looked at often, for so many milliseconds. */
const BUSY = 10;
/** Of so many objects it is known. */
const MOST_RECENT = 4096;
/** So many looks of this thread come before each start of a worker, which stops it for some 25 ms. */
const LOOKS_BEFORE_START = 10;
/** After so many more it is tried again, where a worker could not start. */
const LOOKS_BEFORE_RETRY = 1000;
/** Looks that found nothing, after which this thread takes its time. */
const EAGER_LOOKS = 100;

const { FREE, WAITING, LOOKING, LEAVING, DONE, QUIT, BLOCKED, ROOM } = Slots;

/** The waits, by slot. */
const waits: (Wait | undefined)[] = [];
/** Slots of the polling worker that were used and are free. */
const free: number[] = [];
/** When an object last was the reason of a wake-up. */
const recent = new Map<number, number>();
/** The blocked workers: whether each has started. */
const blockers: boolean[] = [];
/** Whether the polling worker has started; `undefined` before that was asked of it. */
let poller: boolean | undefined;
/** Whether one of them has been asked to start, and has not. */
let starting = false;
/** Waits behind the slots of blocked workers, and those among them that only polling can help. */
let polled = 0;
let rooms = 0;
let blocked = 0;
let looks = 0;
let fruitless = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let doorbell: Doorbell | undefined;
let stopListening: (() => void) | undefined;

const slots = new Slots();
const { words, longs } = slots;
words[Slots.ASLEEP] = 1;
words[Slots.COUNT] = BLOCKED;
const attempt = attempts(slots, Slots, {
  msgrcv: (...parameters) => libc.msgrcv(...parameters),
  msgctl: (...parameters) => libc.msgctl(...parameters),
  semop: (...parameters) => libc.semop(...parameters),
  errno,
});

/** Begins a wait; returns what gives it up, after which nothing of it is left in any thread. */
export function begin(goal: Goal): () => void {
  const wait: Wait = { ...goal, slot: -1, givenUp: false, left: false };
  place(wait);
  return () => {
    if (wait.givenUp) return;
    wait.givenUp = true;
    if (wait.slot === -1) return;
    if (takeBack(wait)) release(wait);
    else leave(wait);
    watch();
  };
}

/** What waiting takes at this moment. */
export function waitingDiagnostics(): { blocked: number; polled: number; workers: number } {
  return { blocked, polled, workers: blockers.length + (poller === undefined ? 0 : 1) };
}

/** Starts all workers. */
export async function startAll(): Promise<void> {
  while (looks >= 0 && (poller === undefined || missingBlockers() > 0)) {
    start(poller === undefined ? undefined : blockers.length);
    while (starting) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      welcome();
    }
  }
}

/** Puts a wait into a slot, that of a blocked worker if one has nothing to do, and calls who looks after it. */
function place(wait: Wait): void {
  if (starting) welcome();
  const blocker = wait.kind === ROOM ? -1 : blockers.findIndex((ready, slot) => ready && !waits[slot]);
  const slot = wait.slot = blocker !== -1 ? blocker : free.pop() ?? newSlot();
  const at = slots.at(slot);
  const nowait = blocker !== -1 ? 0 : constants.IPC_NOWAIT;
  waits[slot] = wait;
  words[at + Slots.GENERATION]!++;
  words[at + Slots.KIND] = wait.kind;
  words[at + Slots.ID] = wait.id;
  words[at + Slots.FLAGS] = wait.flags | nowait;
  words[at + Slots.LENGTH] = wait.count;
  words[at + Slots.BUSY] = Math.max(0, BUSY - (performance.now() - (recent.get(wait.id) ?? -BUSY))) * 1000;
  words[at + Slots.TOOK] = 0;
  longs[(at + Slots.TYPE) / 2] = BigInt(wait.type);
  if (wait.operations !== undefined) {
    const operations = slots.operations(slot);
    operations.set(wait.operations);
    const kept = wait.kind === Slots.TAKING ? constants.SEM_UNDO : 0;
    for (let at = sembuf.flg; at < wait.count * 3; at += 3) operations[at] = operations[at]! & kept | nowait;
  }
  Atomics.store(words, at + Slots.STATE, WAITING);
  if (blocker !== -1) {
    blocked++;
    Atomics.notify(words, at + Slots.STATE);
  } else {
    polled++;
    if (wait.kind === ROOM) rooms++;
    if (poller) callPoller();
  }
  watch();
}

function newSlot(): number {
  const slot = words[Slots.COUNT]!;
  if (slot === Slots.MOST) {
    throw new LimitError(`Cannot wait: ${polled} calls wait already`, { code: "EAGAIN" });
  }
  Atomics.store(words, Slots.COUNT, slot + 1);
  return slot;
}

/** Gets the slot of a wait out of the hand of its worker; false: nothing interrupts that. */
function takeBack({ slot }: Wait): boolean {
  const state = slots.at(slot) + Slots.STATE;
  if (slot < BLOCKED) {
    if (Atomics.compareExchange(words, state, WAITING, LEAVING) !== WAITING) return true;
    if (interruptUntilChanged(words[slots.at(slot) + Slots.THREAD]!, words, state, LEAVING)) return true;
    // From now on it rings again when it is done, unless it is at this moment.
    return Atomics.compareExchange(words, state, LEAVING, WAITING) !== LEAVING;
  } else {
    // A look takes less than a microsecond, unless the thread that looks was put aside in the midst of it.
    while (Atomics.compareExchange(words, state, WAITING, FREE) === LOOKING) {
      Atomics.wait(words, state, LOOKING, 0.05);
    }
    return true;
  }
}

/**
 * Leaves a wait that was given up with its worker, and does not stay alive for it. An empty message that it takes
 * after that is handed over late; better than to stop this thread for ever.
 */
function leave(wait: Wait): void {
  wait.left = true;
  blocked--;
}

/** Makes the slot of a wait free, and hands over the message that it may have taken. */
function release(wait: Wait): void {
  const { slot } = wait;
  const at = slots.at(slot);
  Atomics.store(words, at + Slots.STATE, FREE);
  waits[slot] = undefined;
  wait.slot = -1;
  if (slot < BLOCKED) {
    if (!wait.left) blocked--;
  } else {
    polled--;
    if (wait.kind === ROOM) rooms--;
    free.push(slot);
  }
  if (words[at + Slots.TOOK] === 1) wait.taken?.(Number(longs[(at + Slots.TYPE) / 2]));
}

/** Wakes those whose wait is over. */
function answer(): void {
  // From now on a byte is written again; what was done before that is seen here.
  Atomics.store(words, Slots.ASLEEP, 1);
  const over: Wait[] = [];
  for (let slot = 0; slot < waits.length; slot++) {
    const wait = waits[slot];
    if (wait === undefined || Atomics.load(words, slots.at(slot) + Slots.STATE) !== DONE) continue;
    over.push(wait);
    if (recent.size === MOST_RECENT) recent.clear();
    recent.set(wait.id, performance.now());
    release(wait);
  }
  if (starting) welcome();
  watch();
  for (const wait of over) if (!wait.givenUp) wait.wake();
}

/** Sees to it that this thread learns of the end of each wait, and that it lives as long as one is on. */
function watch(): void {
  const listen = doorbell !== undefined && blocked + polled > 0;
  if (!listen) {
    stopListening?.();
    stopListening = undefined;
  } else {
    stopListening ??= doorbell!.listen(() => {
      stopListening = undefined;
      answer();
    });
  }
  const look = polled > 0 && (!poller || wanted() !== undefined);
  if (look) timer ??= setTimeout(tick, fruitless > EAGER_LOOKS ? 4 : 1);
  else {
    clearTimeout(timer);
    timer = undefined;
  }
}

/** What this thread does while workers are missing. */
function tick(): void {
  timer = undefined;
  fruitless++;
  for (let slot = BLOCKED; !poller && slot < waits.length; slot++) {
    const state = slots.at(slot) + Slots.STATE;
    // The polling worker may have started in the meantime.
    if (Atomics.compareExchange(words, state, WAITING, LOOKING) !== WAITING) continue;
    const over = attempt(slot);
    Atomics.store(words, state, over ? DONE : WAITING);
    if (over) fruitless = 0;
  }
  const next = wanted();
  const due = next !== undefined && !starting && ++looks > 0 && looks % LOOKS_BEFORE_START === 0;
  if (due) start(next.slot);
  answer();
}

/** The worker that should be there and is not. */
function wanted(): { slot: number | undefined } | undefined {
  const missing = missingBlockers();
  if (poller === undefined && (rooms > 0 || polled > missing)) return { slot: undefined };
  return missing > 0 && polled > rooms ? { slot: blockers.length } : undefined;
}

/** A thread that nothing can interrupt is never blocked. */
function missingBlockers(): number {
  return interruptSignal() === 0 ? 0 : BLOCKED - blockers.length;
}

/** Starts the blocked worker of a slot, or the polling worker. */
function start(slot: number | undefined): void {
  const failed = () => {
    starting = false;
    looks = -LOOKS_BEFORE_RETRY;
    if (slot === undefined) {
      poller = undefined;
      // So that the next one has to say that it has started.
      Atomics.store(words, Slots.POLLING, 0);
    } else blockers.length = slot;
    // This thread looks again.
    watch();
  };
  starting = true;
  if (slot === undefined) poller = false;
  else blockers[slot] = false;
  try {
    // Where FFI was granted for a path, a worker could not read errno.
    if (!fullGrant() || !mayStartWorker()) return failed();
    if (doorbell === undefined) {
      doorbell = new Doorbell();
      // A process ends with its threads, but a file of tests, which has its own, may be followed by others.
      addEventListener("unload", dismiss);
    }
    startWorker(slots, slot, doorbell.button, failed);
  } catch {
    // No memory, no descriptor: this thread goes on as it does.
    failed();
  }
}

/** Ends the workers that have nothing to do. */
function dismiss(): void {
  for (let slot = 0; slot < BLOCKED; slot++) {
    const state = slots.at(slot) + Slots.STATE;
    if (Atomics.compareExchange(words, state, FREE, QUIT) === FREE) Atomics.notify(words, state);
  }
  if (polled > 0) return;
  Atomics.store(words, Slots.POLLING, QUIT);
  callPoller();
}

/** Has the polling worker look at all slots. */
function callPoller(): void {
  Atomics.add(words, Slots.BELL, 1);
  Atomics.notify(words, Slots.BELL);
}

/** Gives work to a worker that has started. */
function welcome(): void {
  if (poller === false && Atomics.load(words, Slots.POLLING) === 1) {
    poller = true;
    starting = false;
    // It has passed over what this thread was looking at when it started.
    callPoller();
  }
  const slot = blockers.indexOf(false);
  if (slot === -1 || Atomics.load(words, slots.at(slot) + Slots.THREAD) === 0) return;
  blockers[slot] = true;
  starting = false;
  const wait = waits.find((each) => each !== undefined && each.slot >= BLOCKED && each.kind !== ROOM);
  if (wait === undefined) return;
  takeBack(wait);
  // What has just been done stays where it is, to be answered.
  if (Atomics.load(words, slots.at(wait.slot) + Slots.STATE) === DONE) return;
  release(wait);
  place(wait);
}
