/**
 * POSIX semaphores in mapped memory that count the messages of a channel, which are in the same memory.
 *
 * Nobody gives back what a process has taken that is killed, so its peer looks after it, and does in its place what
 * ends the channel.
 */

import { type SyncChannel, TimeoutError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { Semaphore } from "@ipc/posix";
import { arrival } from "./arrival.ts";
import { NEEDS as PLACES, slotsIn } from "./memory.ts";
import type { Peer } from "./peer.ts";
import { gone, type Incoming, type Outgoing, slotChannel, type Slots } from "./slots.ts";

/** Where the semaphores and the words of each direction are; by one semaphore the far end says that it is there. */
const LAYOUT = {
  there: { full: 0, emptied: 32, goodbye: 160, left: 164 },
  back: { full: 64, emptied: 96, goodbye: 168, left: 172 },
  arrived: 128,
} as const;
/** Bytes before the places of the messages. */
const HEADER = 192;

/** Bytes that a channel needs. */
export const SIZE: number = HEADER + PLACES.size;

/** Makes the semaphores, once. */
export function prepare(memory: Mapping): void {
  const { there, back, arrived } = LAYOUT;
  for (const offset of [there.full, there.emptied, back.full, back.emptied, arrived]) {
    Semaphore.initialize(memory, offset, 0).close();
  }
}

/** Waits until the far end has opened; `ended` resolves should it end before. */
export async function mappedArrival(
  memory: Mapping,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  using arrived = Semaphore.at(memory, LAYOUT.arrived);
  await arrival((options) => arrived.acquire(options), ended, signal);
}

/** One end of a channel. */
export function mappedChannel(
  end: "near" | "far",
  memory: Mapping,
  watch: (onGone: () => void) => Peer,
  close: () => void,
): SyncChannel {
  const [out, back] = end === "near" ? ["there", "back"] as const : ["back", "there"] as const;
  const slots = slotsIn(memory, HEADER);
  const peer = watch(() => {
    incoming.announceEnd();
    outgoing.announceLeft();
  });
  const incoming = new IncomingPosts(memory, back, peer);
  const outgoing = new OutgoingPosts(memory, out, slots[out], peer);
  const channel = slotChannel([incoming, slots[back]], [outgoing, slots[out]], () => {
    peer.close();
    incoming.close();
    outgoing.close();
    close();
  });
  if (end === "far") {
    using arrived = Semaphore.at(memory, LAYOUT.arrived);
    arrived.release();
  }
  return channel;
}

/** A semaphore of which waiting takes a unit, and keeps it for who tries next. */
class Posts {
  readonly #semaphore: Semaphore;
  readonly #peer: Peer;
  #held = 0;

  constructor(memory: Mapping, offset: number, peer: Peer) {
    this.#semaphore = Semaphore.at(memory, offset);
    this.#peer = peer;
  }

  tryTake(): boolean {
    if (this.#held === 0) return this.#semaphore.tryAcquire();
    this.#held--;
    return true;
  }

  post(): void {
    this.#semaphore.release();
  }

  park(wake: () => void): () => void {
    const stop = new AbortController();
    const woken = () => {
      if (!stop.signal.aborted) wake();
    };
    const taken = () => {
      this.#held++;
      woken();
    };
    this.#semaphore.acquire({ signal: stop.signal }).then(taken, woken);
    return () => stop.abort();
  }

  block(timeout: number | undefined): void {
    this.#peer.block(timeout, (slice) => {
      try {
        this.#semaphore.acquireSync({ timeout: slice });
        this.#held++;
        return true;
      } catch (error) {
        if (error instanceof TimeoutError) return false;
        throw error;
      }
    });
  }

  close(): void {
    this.#semaphore.close();
  }
}

class IncomingPosts implements Incoming {
  readonly #full: Posts;
  readonly #emptied: Posts;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #at: typeof LAYOUT["there" | "back"];

  constructor(memory: Mapping, direction: "there" | "back", peer: Peer) {
    this.#at = LAYOUT[direction];
    this.#full = new Posts(memory, this.#at.full, peer);
    this.#emptied = new Posts(memory, this.#at.emptied, peer);
    this.#words = new Int32Array(memory.buffer, 0, HEADER / 4);
  }

  tryTake(): boolean {
    return this.#full.tryTake();
  }

  takeSync(): void {
    while (!this.#full.tryTake()) this.#full.block(undefined);
  }

  /** Once for each message: the sender knows how many places that had. */
  emptied(_places: number): void {
    this.#emptied.post();
  }

  get goodbye(): boolean {
    return Atomics.load(this.#words, this.#at.goodbye / 4) !== 0;
  }

  leave(): void {
    Atomics.store(this.#words, this.#at.left / 4, 1);
    this.#emptied.post();
  }

  park(wake: () => void): () => void {
    return this.#full.park(wake);
  }

  block(timeout: number | undefined): void {
    this.#full.block(timeout);
  }

  /** In the place of a sender that was killed; it may have left a message that it had not announced. */
  announceEnd(): void {
    this.#full.post();
    this.#full.post();
  }

  close(): void {
    this.#full.close();
    this.#emptied.close();
  }
}

class OutgoingPosts implements Outgoing {
  readonly #full: Posts;
  readonly #emptied: Posts;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #at: typeof LAYOUT["there" | "back"];
  #empty: number;
  /** The places of the messages that were not received yet, a ring. */
  readonly #sent: Int32Array<ArrayBuffer>;
  #first = 0;
  #next = 0;

  constructor(memory: Mapping, direction: "there" | "back", { count }: Slots, peer: Peer) {
    this.#at = LAYOUT[direction];
    this.#full = new Posts(memory, this.#at.full, peer);
    this.#emptied = new Posts(memory, this.#at.emptied, peer);
    this.#words = new Int32Array(memory.buffer, 0, HEADER / 4);
    this.#empty = count;
    this.#sent = new Int32Array(count);
  }

  tryTake(places: number): boolean {
    if (this.left) throw gone();
    while (this.#empty < places) {
      if (!this.#emptied.tryTake()) return false;
      this.#empty += this.#sent[this.#first]!;
      this.#first = (this.#first + 1) % this.#sent.length;
    }
    this.#empty -= places;
    this.#sent[this.#next] = places;
    this.#next = (this.#next + 1) % this.#sent.length;
    return true;
  }

  takeSync(places: number): void {
    while (!this.tryTake(places)) this.#emptied.block(undefined);
  }

  giveBack(places: number): void {
    this.#empty += places;
    this.#next = (this.#next + this.#sent.length - 1) % this.#sent.length;
  }

  announce(): void {
    this.#full.post();
  }

  get left(): boolean {
    return Atomics.load(this.#words, this.#at.left / 4) !== 0;
  }

  sayGoodbye(): void {
    Atomics.store(this.#words, this.#at.goodbye / 4, 1);
  }

  park(_places: number, wake: () => void): () => void {
    return this.#emptied.park(wake);
  }

  block(_places: number, timeout: number | undefined): void {
    this.#emptied.block(timeout);
  }

  /** In the place of a receiver that was killed. */
  announceLeft(): void {
    Atomics.store(this.#words, this.#at.left / 4, 1);
    this.#emptied.post();
  }

  close(): void {
    this.#full.close();
    this.#emptied.close();
  }
}
