/** Many words waited for by one call on one thread of the pool. */

import { nextTurn } from "../base/_ladder.ts";
import { ERRNO } from "../errno.ts";
import { futexes } from "./_futex.ts";
import type { WordWait } from "./_word_wait.ts";
import { abi } from "./abi.ts";
import { errno } from "./errno.ts";

/** Words that one call can wait for, besides the one that ends it. */
export const MOST_WORDS: number = abi.FUTEX_WAITV_MAX - 1;

/** Where those wait for whom there is no place. */
export interface Overflow {
  /** Gives one back; `undefined`: there is none. */
  take(): WordWait | undefined;
  /** Takes one. */
  put(wait: WordWait): void;
  /** The kernel does not wait for words any more. */
  refused(): void;
}

const SYS_FUTEX = BigInt(abi.SYS_futex);
const SYS_FUTEX_WAITV = BigInt(abi.SYS_futex_waitv);

/** `struct futex_waitv` in 64-bit numbers: the expected value, the address, the flags. */
const [VALUE, ADDRESS, FLAGS, NUMBERS] = [0, 1, 2, 3];
/** Words that processes share are known to the kernel by the memory that is mapped, not by an address. */
const SHARED = BigInt(abi.FUTEX_32);
const PRIVATE = BigInt(abi.FUTEX_32 | abi.FUTEX_PRIVATE_FLAG);

/** A moment long ago: the call looks, and does not wait. */
const past = new BigInt64Array(2);

/**
 * Seconds that one call waits before the words are looked at again, which bounds what a wake-up that went astray can
 * cost: one for a thread whose isolate has been terminated meanwhile, or for memory that was closed. Such a thread
 * takes wake-ups that others wait for, and this is how long it lives on.
 */
const SLICE = 1n;

/**
 * A call that waits until one of its words changes or is woken, again and again while there are words.
 *
 * The kernel compares each word with the value that is expected before it sleeps, so that no change between two
 * calls is missed. The first word is this object's own: it is changed to end the call when the words are to be
 * others.
 */
export class WordVector {
  readonly #overflow: Overflow;
  /** Those of the call, in its order, and behind them those that came since. */
  #waits: WordWait[] = [];
  #running = false;
  /** Whether a call is under way that nobody has ended. */
  #parked = false;
  /** In a buffer that was asked for: the collector moves what is as short as this. */
  readonly #control = new Int32Array(new ArrayBuffer(4));
  readonly #vector = new BigInt64Array(NUMBERS * abi.FUTEX_WAITV_MAX);
  /** The moment at which the call is over; asked for as the control word is. */
  readonly #until = new BigInt64Array(new ArrayBuffer(16));

  constructor(overflow: Overflow) {
    this.#overflow = overflow;
    for (let at = 0; at < this.#vector.length; at += NUMBERS) this.#vector[at + FLAGS] = SHARED;
    this.#vector[ADDRESS] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#control));
    this.#vector[FLAGS] = PRIVATE;
  }

  /** Whether it uses a thread of the pool. */
  get running(): boolean {
    return this.#running;
  }

  /** How many words are waited for. */
  get length(): number {
    return this.#waits.length;
  }

  /** Whether the wait is one of these. */
  has(wait: WordWait): boolean {
    return this.#waits.includes(wait);
  }

  /** Adds a wait; where there are too many, the oldest makes room for it. */
  add(wait: WordWait): void {
    this.#waits.push(wait);
    this.change();
  }

  /** The words are to be others: a wait was added, or given up. */
  change(): void {
    if (this.#parked) {
      this.#parked = false;
      Atomics.add(this.#control, 0, 1);
      futexes.futex(SYS_FUTEX, this.#control, abi.FUTEX_WAKE | abi.FUTEX_PRIVATE_FLAG, 1, null);
    } else if (!this.#running) {
      this.#running = true;
      // Waits that begin together get one call.
      queueMicrotask(() => void this.#run());
    }
  }

  /** Whether the kernel would wait for these words: asked on this thread, where errno can be read. */
  accepted(): boolean {
    const count = this.#fill();
    const [vector, clock] = [this.#vector, abi.CLOCK_MONOTONIC];
    const index = futexes.futex_waitv(SYS_FUTEX_WAITV, vector, count, 0, past, clock);
    if (index !== -1) {
      // Asking took a wake-up, which is for whoever waits for that word.
      this.#tell(index);
      return true;
    }
    const code = errno();
    return code === ERRNO.ETIMEDOUT || code === ERRNO.EAGAIN || code === ERRNO.EINTR;
  }

  async #run(): Promise<void> {
    while (this.#gather()) {
      const index = await this.#park();
      const ended = !this.#parked;
      this.#parked = false;
      // Who was told often waits again at once: the next call is to have it.
      if (this.#tell(index)) await new Promise<void>(nextTurn);
      else if (index === -1 && !ended && !this.accepted()) {
        this.#overflow.refused();
        this.#putOut(this.#waits.splice(0));
      }
    }
    this.#running = false;
  }

  /** Drops what was given up, and fills the places; false: nobody waits. */
  #gather(): boolean {
    const waits: WordWait[] = [];
    for (const wait of this.#waits) {
      if (wait.wake === undefined) wait.letGo();
      else waits.push(wait);
    }
    this.#putOut(waits.splice(0, waits.length - MOST_WORDS));
    for (let wait; waits.length < MOST_WORDS && (wait = this.#overflow.take()) !== undefined;) {
      waits.push(wait);
    }
    this.#waits = waits;
    return waits.length > 0;
  }

  #putOut(waits: WordWait[]): void {
    for (const wait of waits) {
      if (wait.wake === undefined) wait.letGo();
      else this.#overflow.put(wait);
    }
  }

  /** The place of a word that was woken, as futex_waitv(2) counts. */
  #park(): Promise<number> {
    this.#parked = true;
    const [vector, count] = [this.#vector, this.#fill()];
    futexes.clock_gettime(abi.CLOCK_MONOTONIC, this.#until);
    this.#until[0]! += SLICE;
    return futexes.futex_waitv_parked(SYS_FUTEX_WAITV, vector, count, 0, this.#until, abi.CLOCK_MONOTONIC);
  }

  #fill(): number {
    const [vector, waits] = [this.#vector, this.#waits];
    vector[VALUE] = BigInt(this.#control[0]! >>> 0);
    for (let index = 0; index < waits.length; index++) {
      const at = NUMBERS * (index + 1);
      vector[at + VALUE] = waits[index]!.value;
      vector[at + ADDRESS] = waits[index]!.address;
    }
    return waits.length + 1;
  }

  /** Ends the waits whose word has changed or was woken; whether there was one. */
  #tell(index: number): boolean {
    const over: WordWait[] = [];
    // The kernel names one word, though others may have been woken too: those are looked at.
    this.#waits = this.#waits.filter((wait, at) => {
      const stays = at !== index - 1 && !wait.changed;
      if (!stays) over.push(wait);
      return stays;
    });
    for (const wait of over) {
      if (wait.wake === undefined) wait.passOn();
      wait.end();
    }
    return over.length > 0;
  }
}

/** Whether this kernel has futex_waitv(2) and lets this process use it: Linux 5.16, and no sandbox that forbids it. */
export function hasFutexWaitv(): boolean {
  return new WordVector({ take: () => undefined, put: () => {}, refused: () => {} }).accepted();
}
