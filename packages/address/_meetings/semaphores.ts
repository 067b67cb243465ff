/**
 * A channel through nothing but semaphores: a set has a thousand of them, each holds 15 bits, and setting and reading
 * all of them is one call. Nobody would do so; but it shows what a semaphore costs.
 */

import { type Bytes, IPC_PRIVATE, LayoutMismatchError, type SyncChannel } from "@ipc/core";
import { SemaphoreSet } from "@ipc/sysv";
import type { FarEnd } from "../meeting.ts";
import { met } from "./arrival.ts";
import { removeAll } from "./remove_all.ts";
import { semaphoresFor, setArrival, setChannel } from "./sets.ts";
import type { Slots } from "./slots.ts";

/** Messages on their way in one direction, each in a set of its own. */
const COUNT = 16;
/** Semaphores in a set. */
const SIZE = 1024;
/** Semaphores before those with the bytes: whether there is a message, and its length. */
const [FULL, LENGTH, DATA] = [0, 1, 2];
/** The bits of a value, which goes up to SEMVMX. */
const BITS = 15;
const VALUE = 2 ** BITS - 1;
/** Bytes of the longest message. */
const LONGEST = Math.floor((SIZE - DATA) * BITS / 8);

/** The sets that all of it needs: one to take turns, and those for the messages. */
export const NEEDS: readonly { size: number; initial?: number[] }[] = [
  semaphoresFor(COUNT),
  ...Array.from({ length: 2 * COUNT }, () => ({ size: SIZE })),
];

/** Starts the far end and opens the near one. The semaphores go with its channel. */
export async function near({ start, signal }: FarEnd): Promise<SyncChannel> {
  using made = new DisposableStack();
  const [turns, ...data] = NEEDS.map((options) =>
    made.use(SemaphoreSet.create(IPC_PRIVATE, { ...options, removeOnClose: true }))
  );
  const kept = made.move();
  // Before the far end comes, which is to notice it if this process is killed by then.
  const channel = setChannel("near", turns!, slotsIn(data), () => kept.dispose());
  const ended = start(...[turns!, ...data].map(({ id }) => String(id)));
  return await met(channel, setArrival(turns!, ended, signal));
}

/** Opens the far end. */
export function far(ids: readonly string[]): SyncChannel {
  using opened = new DisposableStack();
  const [turns, ...data] = ids.map((id) => opened.use(SemaphoreSet.open({ id: Number(id) })));
  const kept = opened.move();
  return setChannel("far", turns!, slotsIn(data), (abandoned) => {
    if (abandoned) removeAll([turns!, ...data]);
    kept.dispose();
  });
}

/** The places for messages of both directions. */
export function slotsIn(data: readonly SemaphoreSet[]): { there: Slots; back: Slots } {
  return {
    there: new SemaphoreSlots(data.slice(0, COUNT)),
    back: new SemaphoreSlots(data.slice(COUNT)),
  };
}

class SemaphoreSlots implements Slots {
  readonly count = COUNT;
  readonly maxMessageSize = LONGEST;
  readonly #sets: readonly SemaphoreSet[];
  readonly #values = new Array<number>(SIZE).fill(0);

  constructor(sets: readonly SemaphoreSet[]) {
    this.#sets = sets;
  }

  placesFor(): number {
    return 1;
  }

  isFull(at: number): boolean {
    return this.#sets[at]!.at(FULL).value !== 0;
  }

  put(at: number, message: Uint8Array): void {
    const values = this.#values;
    values[FULL] = 1;
    values[LENGTH] = message.byteLength;
    let index = DATA;
    let [bits, count] = [0, 0];
    for (const byte of message) {
      bits |= byte << count;
      count += 8;
      if (count >= BITS) {
        values[index++] = bits & VALUE;
        bits >>= BITS;
        count -= BITS;
      }
    }
    if (count > 0) values[index] = bits;
    this.#sets[at]!.setValues(values);
  }

  take(at: number): Bytes {
    const set = this.#sets[at]!;
    const values = set.values;
    const length = values[LENGTH]!;
    if (length > LONGEST) {
      throw new LayoutMismatchError(`Cannot receive: a message of ${length} bytes is none of ours`);
    }
    const message = new Uint8Array(length);
    let index = DATA;
    let [bits, count] = [0, 0];
    for (let offset = 0; offset < length; offset++) {
      if (count < 8) {
        bits |= values[index++]! << count;
        count += BITS;
      }
      message[offset] = bits & 0xff;
      bits >>= 8;
      count -= 8;
    }
    set.at(FULL).setValue(0);
    return message;
  }
}
