/** Starts the threads that wait. */

import { Worker } from "node:worker_threads";
import { abi } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import { attempts } from "./attempt.ts";
import { blockedWorker } from "./blocked_worker.ts";
import { pollingWorker } from "./polling_worker.ts";
import { interruptSignal, signalSet } from "./interrupt.ts";
import { Slots } from "./slots.ts";

/** What a worker has to work with. */
export interface Tools {
  slots: Slots;
  /** The class of `slots`, for its constants. */
  Table: typeof Slots;
  /** Asks the kernel whether the wait of a slot is over. */
  attempt: (slot: number) => boolean;
  /** The number of this thread. */
  thread: number;
  /** Wakes the main thread, if it sleeps. */
  ring: () => void;
  /** Takes away the 50 µs that the kernel may add to each sleep of a thread. */
  sleepExactly: () => void;
}

/** What a worker is told when it starts. */
interface Start {
  memory: SharedArrayBuffer;
  /** Of a blocked worker; the polling worker has none. */
  slot: number | undefined;
  /** The writing end of the pipe by which the main thread is woken. */
  doorbell: number;
  gettid: bigint;
  /** A `sigset_t` of the signals that interrupt. */
  signals: BigUint64Array;
}

/**
 * What a worker runs first, and all that it has of libc, with parameters as in the tables of this package. A worker
 * must need no permission but that for FFI, so it can import nothing: it carries the text of what it needs.
 */
function setUp(
  { memory, doorbell, gettid, signals }: Start,
  Table: typeof Slots,
  attemptsOf: typeof attempts,
): Tools {
  const slots = new Table(memory);
  const symbols = {
    __errno_location: { parameters: [], result: "pointer" },
    syscall: { parameters: ["i64"], result: "i32" },
    sigprocmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
    msgrcv: { parameters: ["i32", "buffer", "usize", "i64", "i32"], result: "i32" },
    msgctl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
    semop: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  } as const;
  const open = (name: string) => Deno.dlopen(name, symbols).symbols;
  let libc: ReturnType<typeof open>;
  try {
    libc = open("libc.so.6");
  } catch {
    libc = open(`libc.musl-${Deno.build.arch}.so.1`);
  }
  const location = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(libc.__errno_location()!, 4));
  const { msgrcv, msgctl, semop } = libc;
  const byte = new Uint8Array(1);
  const [PR_SET_TIMERSLACK, SIG_UNBLOCK] = [29, 1];
  libc.sigprocmask(SIG_UNBLOCK, signals, null);
  return {
    slots,
    Table,
    attempt: attemptsOf(slots, Table, { msgrcv, msgctl, semop, errno: () => location[0]! }),
    thread: libc.syscall(gettid),
    ring() {
      if (Atomics.exchange(slots.words, Table.ASLEEP, 0) === 1) libc.write(doorbell, byte, 1n);
    },
    sleepExactly() {
      libc.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
    },
  };
}

const text = `
import { workerData } from "node:worker_threads";
const tools = (${setUp})(workerData, ${Slots}, ${attempts});
if (workerData.slot === undefined) (${pollingWorker})(tools);
else (${blockedWorker})(tools, workerData.slot);
`;

/** Half the descriptors that the runtime opens for a worker, with some to spare. */
const PIPES = 10;

/**
 * Starts a worker, which takes some 25 ms of this thread and 12 MB; `failed` is called if it cannot run.
 *
 * It does not keep the process alive, whatever it is doing.
 */
export function startWorker(
  slots: Slots,
  slot: number | undefined,
  doorbell: number,
  failed: () => void,
): void {
  const workerData: Start = {
    memory: slots.memory,
    slot,
    doorbell,
    gettid: BigInt(abi.SYS_gettid),
    signals: signalSet(interruptSignal()),
  };
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`), { workerData });
  worker.on("error", failed);
  worker.unref();
}

/** Whether there is room for what a worker opens: where there is none, the runtime ends the process. */
export function mayStartWorker(): boolean {
  const opened: Int32Array<ArrayBuffer>[] = [];
  let ends = new Int32Array(2);
  while (opened.length < PIPES && libc.pipe2(ends, abi.O_CLOEXEC) === 0) {
    opened.push(ends);
    ends = new Int32Array(2);
  }
  for (const [reading, writing] of opened) {
    libc.close(reading!);
    libc.close(writing!);
  }
  return opened.length === PIPES;
}
