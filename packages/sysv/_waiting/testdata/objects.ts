/** Objects of System V for the tests of this folder: nameless, and removed at the end of a block. */

import { constants } from "../../_abi.ts";
import { libc } from "../../_libc.ts";

const { IPC_CREAT, IPC_NOWAIT, IPC_RMID } = constants;

/** A queue of this test alone. */
export class TestQueue implements Disposable {
  readonly id: number = libc.msgget(0, IPC_CREAT | 0o600);

  /** Whether there was room. */
  send(type: number, bytes: number[] = []): boolean {
    const message = new Uint8Array([...new Uint8Array(new BigInt64Array([BigInt(type)]).buffer), ...bytes]);
    return libc.msgsnd(this.id, message, BigInt(bytes.length), IPC_NOWAIT) === 0;
  }

  /** The next message as its type and its bytes. */
  receive(type = 0, flags = 0): number[] | undefined {
    const message = new BigInt64Array(1025);
    const length = libc.msgrcv(this.id, message, 8192n, BigInt(type), flags | IPC_NOWAIT);
    if (length === -1) return undefined;
    return [Number(message[0]), ...new Uint8Array(message.buffer, 8, length)];
  }

  remove(): void {
    libc.msgctl(this.id, IPC_RMID, null);
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** A set of so many semaphores, all 0. */
export class TestSet implements Disposable {
  readonly id: number;

  constructor(size: number) {
    this.id = libc.semget(0, size, IPC_CREAT | 0o600);
  }

  /** Whether these operations, of index and number, succeeded at once. */
  operate(...operations: [index: number, by: number][]): boolean {
    const buffer = new Int16Array(operations.flatMap(([index, by]) => [index, by, IPC_NOWAIT]));
    return libc.semop(this.id, buffer, BigInt(operations.length)) === 0;
  }

  value(index: number): number {
    return libc.semctl(this.id, index, constants.GETVAL, 0);
  }

  /** How many threads the kernel knows to wait for an increase. */
  waiters(index: number): number {
    return libc.semctl(this.id, index, constants.GETNCNT, 0);
  }

  remove(): void {
    libc.semctl(this.id, 0, IPC_RMID, 0);
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** `struct sembuf` of operations. */
export function sembufs(...operations: [index: number, by: number][]): Int16Array {
  return new Int16Array(operations.flatMap(([index, by]) => [index, by, 0]));
}

/** Milliseconds; long enough for any machine, never waited for in full. */
const CEILING = 60_000;

/** Rejects when a promise takes longer than any machine should. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Too late: ${what}`)), CEILING);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A wait that was begun: `woken` resolves when it is over. */
export interface Begun {
  woken: Promise<void>;
  isWoken: () => boolean;
  giveUp: () => void;
}

/** Begins a wait. */
export function begun(begin: (wake: () => void) => () => void): Begun {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let done = false;
  const giveUp = begin(() => {
    if (done) reject(new Error("Woken twice"));
    done = true;
    resolve();
  });
  return { woken: promise, isWoken: () => done, giveUp };
}

/** Lets so many milliseconds pass. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Sends messages of type 1, 2, 3…, every other one empty, to the queues in turn, with pauses of some 50 µs; a
 * process of its own.
 */
export async function sender(queues: TestQueue[], count: number): Promise<void> {
  const source = `
    const { msgsnd, usleep } = Deno.dlopen("libc.so.6", {
      msgsnd: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
      usleep: { parameters: ["u32"], result: "i32" },
    }).symbols;
    const queues = ${JSON.stringify(queues.map(({ id }) => id))};
    for (let type = 1; type <= ${count}; type++) {
      const message = new BigInt64Array([BigInt(type), 0n]);
      if (msgsnd(queues[type % queues.length], message, BigInt(type % 2), 0) === -1) Deno.exit(1);
      usleep(Math.floor(Math.random() * 100));
    }
  `;
  const args = ["eval", source];
  const { code } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", stderr: "inherit" })
    .output();
  if (code !== 0) throw new Error("The sender failed");
}
