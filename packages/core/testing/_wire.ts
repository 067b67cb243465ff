/** A stream of bytes inside one process that is as unkind as a kernel may be, and the same for one seed. */

import { nextTurn } from "../base/_ladder.ts";
import { BrokenPipeError } from "../errors.ts";
import type { Random } from "./_random.ts";

/** Timers count in 31 bits; this one only keeps the process alive. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** A piece under way. */
interface Piece {
  bytes: Uint8Array;
  /** How many more looks it takes to arrive. */
  delay: number;
}

/**
 * The bytes between a sender and a receiver.
 *
 * Where it cuts is drawn along the stream, not by call, so that it does not depend on how often either side
 * looks: the same seed cuts the same bytes at the same places.
 */
export class Wire {
  readonly #cuts: Random;
  readonly #reads: Random;
  readonly #delays: Random;
  readonly #capacity: number;
  readonly #dieAt: number;
  readonly #pieces: Piece[] = [];
  readonly #readers = new Set<() => void>();
  readonly #writers = new Set<() => void>();
  #held = 0;
  #written = 0;
  #untilCut = 0;
  #untilRead = 0;
  #writerGone = false;
  #readerGone = false;

  constructor(random: Random, capacity: number, dieAt: number) {
    this.#cuts = random.fork();
    this.#reads = random.fork();
    this.#delays = random.fork();
    this.#capacity = capacity;
    this.#dieAt = dieAt;
    if (dieAt === 0) this.#writerGone = true;
  }

  /** Takes some of the bytes; 0: there is no room. */
  write(bytes: Uint8Array): number {
    if (this.#readerGone) throw new BrokenPipeError("Cannot send: the receiver has gone", { code: "EPIPE" });
    if (this.#writerGone) {
      throw new BrokenPipeError(`Cannot send: the sender died at byte ${this.#written}`, { code: "EPIPE" });
    }
    if (this.#untilCut === 0) this.#untilCut = length(this.#cuts);
    const room = this.#capacity - this.#held;
    const count = Math.min(bytes.byteLength, room, this.#untilCut, this.#dieAt - this.#written);
    if (count === 0) return 0;
    this.#pieces.push({ bytes: bytes.slice(0, count), delay: this.#delays.between(0, 3) });
    this.#untilCut -= count;
    this.#held += count;
    this.#written += count;
    if (this.#written === this.#dieAt) this.#writerGone = true;
    call(this.#readers);
    return count;
  }

  /** Puts some bytes into `target`; 0: nothing now, undefined: the end. */
  read(target: Uint8Array): number | undefined {
    const first = this.#pieces[0];
    if (first === undefined) return this.#writerGone ? undefined : 0;
    if (first.delay > 0) {
      first.delay--;
      return 0;
    }
    if (this.#untilRead === 0) this.#untilRead = length(this.#reads);
    const most = Math.min(target.byteLength, this.#untilRead);
    let count = 0;
    for (let piece: Piece | undefined = first; piece?.delay === 0 && count < most; piece = this.#pieces[0]) {
      const part = piece.bytes.subarray(0, most - count);
      target.set(part, count);
      count += part.byteLength;
      if (part.byteLength === piece.bytes.byteLength) this.#pieces.shift();
      else piece.bytes = piece.bytes.subarray(part.byteLength);
    }
    this.#untilRead -= count;
    this.#held -= count;
    call(this.#writers);
    return count;
  }

  /** Nothing more will be written. */
  closeWriter(): void {
    this.#writerGone = true;
    call(this.#readers);
  }

  /** Nobody will read any more. */
  closeReader(): void {
    this.#readerGone = true;
    this.#pieces.length = 0;
    this.#held = 0;
    call(this.#writers);
  }

  /** Wakes a reader when it is worth another look. */
  parkReader(wake: () => void): () => void {
    return park(this.#readers, this.#pieces.length > 0 || this.#writerGone, wake);
  }

  /** Wakes a writer when there is room, or never will be. */
  parkWriter(wake: () => void): () => void {
    return park(this.#writers, this.#held < this.#capacity || this.#readerGone || this.#writerGone, wake);
  }
}

/** How many bytes belong together: often few, sometimes all that there are. */
function length(random: Random): number {
  return random.between(1, random.pick([1, 4, 16, 300, 5000, 100_000]));
}

function call(waiting: Set<() => void>): void {
  for (const notice of [...waiting]) notice();
}

/** Waits for a turn of the event loop once there is something to look at, and keeps the process alive so long. */
function park(waiting: Set<() => void>, ready: boolean, wake: () => void): () => void {
  const alive = setInterval(() => {}, LONGEST_TIMER);
  let over = false;
  const stop = () => {
    over = true;
    waiting.delete(notice);
    clearInterval(alive);
  };
  const notice = () => {
    waiting.delete(notice);
    nextTurn(() => {
      if (over) return;
      stop();
      wake();
    });
  };
  if (ready) notice();
  else waiting.add(notice);
  return stop;
}
