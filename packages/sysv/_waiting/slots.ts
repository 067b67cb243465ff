/**
 * What the threads share: one slot of memory for each wait, and a few words by which they wake one another.
 *
 * The workers carry the text of this class: it refers to nothing outside itself.
 */
export class Slots {
  /** Nobody's. */
  static readonly FREE = 0;
  /** A wait is on. */
  static readonly WAITING = 1;
  /** The polling worker is looking at this moment. */
  static readonly LOOKING = 2;
  /** Given up; the blocked worker is being interrupted. */
  static readonly LEAVING = 3;
  /** Trying again may succeed. The main thread makes the slot free again. */
  static readonly DONE = 4;
  /** The blocked worker is to end. */
  static readonly QUIT = 5;

  /** The first slots belong to one blocked worker each, those behind them to the polling worker. */
  static readonly BLOCKED = 4;
  /** One process may have so many waits: as many as a system has message queues, and some. */
  static readonly MOST = 32768;

  /** Words of one slot. The memory of slots that were never used costs nothing. */
  static readonly SIZE = 64;
  static readonly STATE = 0;
  /** Counts the waits that this slot has had. */
  static readonly GENERATION = 1;
  static readonly KIND = 2;
  static readonly ID = 3;
  /** Of msgrcv(2). */
  static readonly FLAGS = 4;
  /** Bytes that must fit, or how many `struct sembuf` there are. */
  static readonly LENGTH = 5;
  /** Microseconds for which something is likely to happen soon. */
  static readonly BUSY = 6;
  /** 1: an empty message of type TYPE was taken, or the operations were done. */
  static readonly TOOK = 7;
  /** The thread of a blocked worker; 0 before it has started. */
  static readonly THREAD = 8;
  /** Of msgrcv(2), 64 bits wide. */
  static readonly TYPE = 10;
  /** `struct sembuf`, so many at most. */
  static readonly OPERATIONS = 12;
  static readonly MOST_OPERATIONS = 34;

  static readonly MESSAGE = 0;
  static readonly ROOM = 1;
  static readonly SEMAPHORE = 2;
  /** As SEMAPHORE, but the operations are done. */
  static readonly TAKING = 3;

  /** Words in front of the slots. 1: the main thread wants a byte in the pipe. */
  static readonly ASLEEP = 0;
  /** Changed and notified when the polling worker has something new to look at. */
  static readonly BELL = 1;
  /** Slots that were ever in use. */
  static readonly COUNT = 2;
  /** 1: the polling worker has started; {@linkcode Slots.QUIT}: it is to end. */
  static readonly POLLING = 3;

  readonly words: Int32Array;
  readonly longs: BigInt64Array;
  readonly #operations: Int16Array[] = [];

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer((Slots.MOST + 1) * Slots.SIZE * 4)) {
    this.words = new Int32Array(memory);
    this.longs = new BigInt64Array(memory);
  }

  /** The first word of a slot. */
  at(slot: number): number {
    return (slot + 1) * Slots.SIZE;
  }

  /** The `struct sembuf` of a slot. */
  operations(slot: number): Int16Array {
    return this.#operations[slot] ??= new Int16Array(
      this.memory,
      (this.at(slot) + Slots.OPERATIONS) * 4,
      Slots.MOST_OPERATIONS * 3,
    );
  }
}
