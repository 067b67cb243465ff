/** A channel through System V shared memory: messages are copied into it, and semaphores say whose turn it is. */

import { type Bytes, IPC_PRIVATE, LayoutMismatchError, type SyncChannel } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { SemaphoreSet, SharedMemory } from "@ipc/sysv";
import type { FarEnd } from "../meeting.ts";
import { met } from "./arrival.ts";
import { removeAll } from "./remove_all.ts";
import { semaphoresFor, setArrival, setChannel } from "./sets.ts";
import type { Slots } from "./slots.ts";

/** Places of one direction, and bytes of each. */
const COUNT = 4096;
const PLACE = 1024;
/** Bytes of the longest message: several of them are on their way at the same time. */
const LONGEST = 1024 * 1024;
/** For each place a word: the length of the message that begins there and 1, or 0. */
const WORDS = COUNT * Int32Array.BYTES_PER_ELEMENT;
/** Bytes of one direction. */
const DIRECTION = WORDS + COUNT * PLACE;

/** What all of it needs: bytes of memory, and semaphores. */
export const NEEDS = { size: 2 * DIRECTION, semaphores: semaphoresFor(COUNT) } as const;

/** Starts the far end and opens the near one. Memory and semaphores go with its channel. */
export async function near({ start, signal }: FarEnd): Promise<SyncChannel> {
  using made = new DisposableStack();
  const memory = made.use(SharedMemory.create(IPC_PRIVATE, NEEDS.size, { removeOnClose: true }));
  const set = made.use(SemaphoreSet.create(IPC_PRIVATE, { ...NEEDS.semaphores, removeOnClose: true }));
  const kept = made.move();
  // Before the far end comes, which is to notice it if this process is killed by then.
  const channel = setChannel("near", set, slotsIn(memory), () => kept.dispose());
  return await met(channel, setArrival(set, start(String(memory.id), String(set.id)), signal));
}

/** Opens the far end. */
export function far([memoryId, setId]: readonly string[]): SyncChannel {
  using opened = new DisposableStack();
  const memory = opened.use(SharedMemory.open({ id: Number(memoryId) }));
  // From now on it goes with the last who has it attached, whatever becomes of that.
  memory.removeOnLastDetach();
  const set = opened.use(SemaphoreSet.open({ id: Number(setId) }));
  const kept = opened.move();
  return setChannel("far", set, slotsIn(memory), (abandoned) => {
    if (abandoned) removeAll([set]);
    kept.dispose();
  });
}

/** The places for messages of both directions, behind so many bytes. */
export function slotsIn(memory: Mapping, from: number = 0): { there: Slots; back: Slots } {
  return { there: new MemorySlots(memory, from), back: new MemorySlots(memory, from + DIRECTION) };
}

class MemorySlots implements Slots {
  readonly count = COUNT;
  readonly maxMessageSize = LONGEST;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(memory: Mapping, from: number) {
    this.#words = new Int32Array(memory.buffer, from, COUNT);
    this.#bytes = new Uint8Array(memory.buffer, from + WORDS, COUNT * PLACE);
  }

  placesFor(length: number): number {
    return Math.max(1, Math.ceil(length / PLACE));
  }

  isFull(at: number): boolean {
    return Atomics.load(this.#words, at) !== 0;
  }

  put(at: number, message: Uint8Array): void {
    const start = at * PLACE;
    const first = Math.min(message.byteLength, this.#bytes.byteLength - start);
    if (first === message.byteLength) this.#bytes.set(message, start);
    else {
      this.#bytes.set(message.subarray(0, first), start);
      this.#bytes.set(message.subarray(first));
    }
    Atomics.store(this.#words, at, message.byteLength + 1);
  }

  take(at: number): Bytes {
    const length = Atomics.load(this.#words, at) - 1;
    if (length < 0 || length > LONGEST) {
      throw new LayoutMismatchError(`Cannot receive: a message of ${length} bytes is none of ours`);
    }
    const start = at * PLACE;
    const first = Math.min(length, this.#bytes.byteLength - start);
    let message = this.#bytes.slice(start, start + first);
    if (first < length) {
      const whole = new Uint8Array(length);
      whole.set(message);
      whole.set(this.#bytes.subarray(0, length - first), first);
      message = whole;
    }
    Atomics.store(this.#words, at, 0);
    return message;
  }
}
