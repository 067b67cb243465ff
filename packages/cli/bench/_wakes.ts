/** How long it takes to wake another process: what both sides do besides that. */

import { MappedFile } from "@ipc/mmap";
import { sharedNow } from "./_clock.ts";
import { cpuTime } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

/** Memory that both have: how many have come, and when the last one left. */
const COME = 0;
const LEFT = 1;
const SIZE = 4096;

/** The clock of both sides, and the times of one. Each wake begins when the one before has come, and a rest is over. */
export class Wakes implements Disposable {
  readonly file: MappedFile;
  readonly #words: Int32Array;
  readonly #moments: Float64Array;
  readonly #times: number[] = [];
  readonly #before = cpuTime();

  /** By its path; who comes first makes it. */
  constructor(path: string) {
    this.file = MappedFile.open(path, { create: true, size: SIZE });
    this.#words = new Int32Array(this.file.buffer);
    this.#moments = new Float64Array(this.file.buffer);
  }

  /** Begins anew, before the other process waits. */
  begin(): void {
    Atomics.store(this.#words, COME, 0);
  }

  /** Wakes so many times. */
  async wake(count: number, wake: (number: number) => unknown): Promise<void> {
    for (let number = 0; number < count; number++) {
      // Whoever waits has gone to sleep by then.
      do await rest(); while (Atomics.load(this.#words, COME) < number);
      this.#moments[LEFT] = sharedNow();
      await wake(number);
    }
  }

  /** In the process that is woken: it has come. */
  come(): void {
    this.#times.push(sharedNow() - this.#moments[LEFT]!);
    Atomics.add(this.#words, COME, 1);
  }

  /** The CPU time of this process, in microseconds. */
  get cpu(): number {
    return cpuTime() - this.#before;
  }

  /** What the process that was woken has to tell. */
  get figures(): Figures {
    return figuresOfTimes(this.#times, this.cpu);
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/** What is told of wakes that took so many microseconds each. */
export function figuresOfTimes(times: number[], cpu: number): Figures {
  times.sort((a, b) => a - b);
  const sum = times.reduce((sum, time) => sum + time, 0);
  return {
    nanoseconds: Math.round(sum * 1000),
    cpu: cpu / times.length,
    p50: times[times.length >> 1]!,
    p99: times[Math.floor(times.length * 0.99)]!,
  };
}

/** A pause in which who waits goes to sleep. */
export function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
