/**
 * A channel from a ring of places that hold messages, and semaphores that count the messages and the empty places.
 *
 * It is what programs have always made of System V's memory and semaphores. The kernel gives back what a process
 * has to undo, also where that is killed: here those are units by which the peer wakes up and finds nothing.
 */

import { BrokenPipeError, type Bytes, duplex, RemovedError, type SyncChannel, TimeoutError } from "@ipc/core";
import { BaseReceiver, BaseSender, type Sink, type Source } from "@ipc/core/base";
import type { Semaphore, SemaphoreSet } from "@ipc/sysv";

/** Where the messages of one direction are, on their way. */
export interface Slots {
  /** How many places there are. */
  readonly count: number;
  /** The longest message in bytes. */
  readonly maxMessageSize: number;
  /** How many places a message of this length takes, one behind the other. */
  placesFor(length: number): number;
  /** Whether a message begins there. */
  isFull(at: number): boolean;
  /** Puts a message there. */
  put(at: number, message: Uint8Array): void;
  /** Takes the message that begins there. */
  take(at: number): Bytes;
}

/** The semaphores of a channel: three for each direction, and one by which the far end says that it is there. */
const SEMAPHORES = {
  there: { full: 0, empty: 1, goodbye: 2 },
  back: { full: 3, empty: 4, goodbye: 5 },
  arrived: 6,
  size: 7,
} as const;

/** What the semaphores of a channel are created with. */
export function semaphoresFor(places: number): { size: number; initial: number[] } {
  const initial = new Array(SEMAPHORES.size).fill(0);
  initial[SEMAPHORES.there.empty] = initial[SEMAPHORES.back.empty] = places;
  return { size: SEMAPHORES.size, initial };
}

/** How long the near end waits for the far end to open, in milliseconds. */
const OPENING = 10_000;

/** Waits until the far end has opened; `ended` resolves should it end before. */
export async function arrival(
  set: SemaphoreSet,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  ended.then(() => stop.abort(new BrokenPipeError("Cannot open the channel: the far end has ended")));
  const either = AbortSignal.any([signal, stop.signal]);
  await set.at(SEMAPHORES.arrived).acquire(1, { timeout: OPENING, signal: either });
}

/** One end of a channel; `close` is told whether the other one went without a word. */
export function slotChannel(
  end: "near" | "far",
  set: SemaphoreSet,
  slots: { readonly there: Slots; readonly back: Slots },
  close: (abandoned: boolean) => void,
): SyncChannel {
  const [out, back] = end === "near" ? ["there", "back"] as const : ["back", "there"] as const;
  let open = 2;
  const closeHalf = () => {
    if (--open === 0) close(source.abandoned);
  };
  // Leaves the values as they are, and something to undo: what the peer would wait for in vain.
  const owed = [[SEMAPHORES[out].full, 1], [SEMAPHORES[back].empty, slots[back].count]] as const;
  set.operateSync(owed.flatMap(([index, by]) => [{ index, by }, { index, by: -by, undo: true }]));
  const source = new SlotSource(new Ends(set, back), slots[back], closeHalf);
  const receiver = new BaseReceiver(source);
  const sender = new BaseSender(new SlotSink(new Ends(set, out), slots[out], closeHalf));
  if (end === "far") set.at(SEMAPHORES.arrived).release();
  return duplex(receiver, sender);
}

/** The semaphores of one direction. */
class Ends {
  readonly full: Semaphore;
  readonly empty: Semaphore;
  /** 1 where the sender has said that it ends. */
  readonly goodbye: Semaphore;
  readonly #set: SemaphoreSet;

  constructor(set: SemaphoreSet, direction: "there" | "back") {
    this.#set = set;
    this.full = set.at(SEMAPHORES[direction].full);
    this.empty = set.at(SEMAPHORES[direction].empty);
    this.goodbye = set.at(SEMAPHORES[direction].goodbye);
  }

  /** Waits for units and leaves them there; whatever else comes of it, trying tells. */
  park({ index }: Semaphore, units: number, wake: () => void): () => void {
    const stop = new AbortController();
    const woken = () => {
      if (!stop.signal.aborted) wake();
    };
    this.#set.operate([{ index, by: -units }, { index, by: units }], { signal: stop.signal }).then(
      woken,
      woken,
    );
    return () => stop.abort();
  }

  /** The same, blocking this thread. */
  block({ index }: Semaphore, units: number, timeout: number | undefined): void {
    try {
      this.#set.operateSync([{ index, by: -units }, { index, by: units }], { timeout });
    } catch (error) {
      if (!(error instanceof TimeoutError) && !(error instanceof RemovedError)) throw error;
    }
  }
}

class SlotSource implements Source<Bytes> {
  readonly #ends: Ends;
  readonly #slots: Slots;
  readonly #onClose: () => void;
  #next = 0;
  ended = false;
  /** Whether the sender has ended without a word: its process was killed. */
  abandoned = false;

  constructor(ends: Ends, slots: Slots, onClose: () => void) {
    this.#ends = ends;
    this.#slots = slots;
    this.#onClose = onClose;
  }

  take(): Bytes | undefined {
    if (this.ended || !this.#unlessRemoved(() => this.#ends.full.tryAcquire())) return undefined;
    return this.#taken();
  }

  takeSync(): Bytes | undefined {
    if (this.ended || !this.#unlessRemoved(() => (this.#ends.full.acquireSync(), true))) return undefined;
    return this.#taken();
  }

  park(wake: () => void): () => void {
    return this.#ends.park(this.#ends.full, 1, wake);
  }

  block(timeout: number | undefined): void {
    this.#ends.block(this.#ends.full, 1, timeout);
  }

  close(): void {
    this.#unlessRemoved(() => this.#ends.empty.release(this.#slots.count));
    this.#onClose();
  }

  #taken(): Bytes | undefined {
    if (!this.#slots.isFull(this.#next)) {
      this.abandoned = this.#unlessRemoved(() => this.#ends.goodbye.value) === 0;
      this.ended = true;
      return undefined;
    }
    const message = this.#slots.take(this.#next);
    const places = this.#slots.placesFor(message.byteLength);
    this.#next = (this.#next + places) % this.#slots.count;
    this.#unlessRemoved(() => this.#ends.empty.release(places));
    return message;
  }

  /** The peer removes the objects when it closes: for us that is the end. */
  #unlessRemoved<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof RemovedError)) throw error;
      this.ended = true;
      return undefined;
    }
  }
}

class SlotSink implements Sink {
  readonly begun = false;
  readonly #ends: Ends;
  readonly #slots: Slots;
  readonly #onClose: () => void;
  #next = 0;
  /** The places that the last message wanted. */
  #wanted = 1;
  #ended = false;

  constructor(ends: Ends, slots: Slots, onClose: () => void) {
    this.#ends = ends;
    this.#slots = slots;
    this.#onClose = onClose;
  }

  get maxMessageSize(): number {
    return this.#slots.maxMessageSize;
  }

  put(message: Uint8Array): boolean {
    this.#wanted = this.#slots.placesFor(message.byteLength);
    if (!unlessGone(() => this.#ends.empty.tryAcquire(this.#wanted))) return false;
    this.#put(message);
    return true;
  }

  putSync(message: Uint8Array): void {
    this.#wanted = this.#slots.placesFor(message.byteLength);
    unlessGone(() => this.#ends.empty.acquireSync(this.#wanted));
    this.#put(message);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park(wake: () => void): () => void {
    return this.#ends.park(this.#ends.empty, this.#wanted, wake);
  }

  block(timeout: number | undefined): void {
    this.#ends.block(this.#ends.empty, this.#wanted, timeout);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#ends.goodbye.release();
      this.#ends.full.release();
    } catch (error) {
      if (!(error instanceof RemovedError)) throw error;
    }
  }

  close(): void {
    this.end();
    this.#onClose();
  }

  #put(message: Uint8Array): void {
    // The units came from a receiver that is no more; the next message is to find them, too.
    if (this.#slots.isFull(this.#next)) {
      this.#ends.empty.release(this.#wanted);
      throw gone();
    }
    this.#slots.put(this.#next, message);
    this.#next = (this.#next + this.#wanted) % this.#slots.count;
    unlessGone(() => this.#ends.full.release());
  }
}

function unlessGone<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof RemovedError ? gone(error) : error;
  }
}

function gone(cause?: RemovedError): BrokenPipeError {
  return new BrokenPipeError("Cannot send: the other end has gone", { cause });
}
