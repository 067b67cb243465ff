/**
 * A channel from a ring of places that hold messages, and semaphores that count the messages and the empty places.
 *
 * It is what programs have always made of shared memory and semaphores.
 */

import { BrokenPipeError, type Bytes, duplex, RemovedError, type SyncChannel } from "@ipc/core";
import { BaseReceiver, BaseSender, type Sink, type Source } from "@ipc/core/base";

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

/** What counts for a receiver: messages that have come, and places that it has emptied. */
export interface Incoming {
  /** One message less; false: there is none. */
  tryTake(): boolean;
  /** The same, blocking this thread until there is one. */
  takeSync(): void;
  /** So many places are empty again. */
  emptied(places: number): void;
  /** Whether the sender has said that it ends. */
  readonly goodbye: boolean;
  /** Nobody receives any more: the sender is not to wait for that. */
  leave(): void;
  /** Waits for a message and leaves it there; whatever else comes of it, trying tells. */
  park(wake: () => void): () => void;
  /** The same, blocking this thread. */
  block(timeout: number | undefined): void;
}

/** What counts for a sender: empty places, and messages that it has sent. */
export interface Outgoing {
  /** So many places less; false: there are not so many. */
  tryTake(places: number): boolean;
  /** The same, blocking this thread until there are. */
  takeSync(places: number): void;
  /** Places that were taken in vain. */
  giveBack(places: number): void;
  /** One message more; or none, behind which there is the end. */
  announce(): void;
  /** This is the end. */
  sayGoodbye(): void;
  /** Whether nobody receives any more. */
  readonly left: boolean;
  /** Waits for places and leaves them there; whatever else comes of it, trying tells. */
  park(places: number, wake: () => void): () => void;
  /** The same, blocking this thread. */
  block(places: number, timeout: number | undefined): void;
}

/** One end of a channel; `close` is told whether the other one went without a word. */
export function slotChannel(
  [incoming, received]: readonly [Incoming, Slots],
  [outgoing, sent]: readonly [Outgoing, Slots],
  close: (abandoned: boolean) => void,
): SyncChannel {
  let open = 2;
  const closeHalf = () => {
    // Who only sends has not seen the end.
    if (--open === 0) {
      close(source.abandoned || unlessRemoved(() => outgoing.left && !incoming.goodbye) === true);
    }
  };
  const source = new SlotSource(incoming, received, closeHalf);
  const sink = new SlotSink(outgoing, sent, closeHalf);
  return duplex(new BaseReceiver(source), new BaseSender(sink));
}

class SlotSource implements Source<Bytes> {
  readonly #incoming: Incoming;
  readonly #slots: Slots;
  readonly #onClose: () => void;
  #next = 0;
  ended = false;
  /** Whether the sender has ended without a word: its process was killed. */
  abandoned = false;

  constructor(incoming: Incoming, slots: Slots, onClose: () => void) {
    this.#incoming = incoming;
    this.#slots = slots;
    this.#onClose = onClose;
  }

  take(): Bytes | undefined {
    if (this.ended || !this.#unlessRemoved(() => this.#incoming.tryTake())) return undefined;
    return this.#taken();
  }

  takeSync(): Bytes | undefined {
    if (this.ended || !this.#unlessRemoved(() => (this.#incoming.takeSync(), true))) return undefined;
    return this.#taken();
  }

  park(wake: () => void): () => void {
    return this.#incoming.park(wake);
  }

  block(timeout: number | undefined): void {
    this.#incoming.block(timeout);
  }

  close(): void {
    this.#unlessRemoved(() => this.#incoming.leave());
    this.#onClose();
  }

  #taken(): Bytes | undefined {
    if (!this.#slots.isFull(this.#next)) {
      this.abandoned = this.#unlessRemoved(() => this.#incoming.goodbye) === false;
      this.ended = true;
      return undefined;
    }
    const message = this.#slots.take(this.#next);
    const places = this.#slots.placesFor(message.byteLength);
    this.#next = (this.#next + places) % this.#slots.count;
    this.#unlessRemoved(() => this.#incoming.emptied(places));
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
  readonly #outgoing: Outgoing;
  readonly #slots: Slots;
  readonly #onClose: () => void;
  #next = 0;
  /** The places that the last message wanted. */
  #wanted = 1;
  #ended = false;

  constructor(outgoing: Outgoing, slots: Slots, onClose: () => void) {
    this.#outgoing = outgoing;
    this.#slots = slots;
    this.#onClose = onClose;
  }

  get maxMessageSize(): number {
    return this.#slots.maxMessageSize;
  }

  put(message: Uint8Array): boolean {
    this.#wanted = this.#slots.placesFor(message.byteLength);
    if (!unlessGone(() => this.#outgoing.tryTake(this.#wanted))) return false;
    this.#put(message);
    return true;
  }

  putSync(message: Uint8Array): void {
    this.#wanted = this.#slots.placesFor(message.byteLength);
    unlessGone(() => this.#outgoing.takeSync(this.#wanted));
    this.#put(message);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park(wake: () => void): () => void {
    return this.#outgoing.park(this.#wanted, wake);
  }

  block(timeout: number | undefined): void {
    this.#outgoing.block(this.#wanted, timeout);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#outgoing.sayGoodbye();
      this.#outgoing.announce();
    } catch (error) {
      if (!(error instanceof RemovedError)) throw error;
    }
  }

  close(): void {
    this.end();
    this.#onClose();
  }

  #put(message: Uint8Array): void {
    // The places came from a receiver that is no more; the next message is to find them, too.
    if (this.#slots.isFull(this.#next)) {
      this.#outgoing.giveBack(this.#wanted);
      throw gone();
    }
    this.#slots.put(this.#next, message);
    this.#next = (this.#next + this.#wanted) % this.#slots.count;
    unlessGone(() => this.#outgoing.announce());
  }
}

/** `undefined` where the objects are there no more. */
function unlessRemoved<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof RemovedError) return undefined;
    throw error;
  }
}

function unlessGone<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof RemovedError ? gone(error) : error;
  }
}

/** The error of sending to nobody. */
export function gone(cause?: unknown): BrokenPipeError {
  return new BrokenPipeError("Cannot send: the other end has gone", { cause });
}
