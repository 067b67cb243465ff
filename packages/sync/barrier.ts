import type { SyncOptions, WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import type { Mapping } from "@ipc/core/sys";
import { markOf, Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import { Sleepers } from "./_sleep.ts";

const KIND = { name: "barrier", mark: markOf("bar", 1) };
/** Words: how often it has opened and, in the low bits, how many have arrived since; how many sleep; the parties. */
const [STATE, SLEEPERS, PARTIES] = [1, 2, 3];
const BYTES = 16;
const ARRIVED_BITS = 12;
const ARRIVED = (1 << ARRIVED_BITS) - 1;
const MOST = ARRIVED;

/** One that has arrived and waits: the state of the barrier without those who have. */
interface Arrival {
  readonly round: number;
  /** Once it does not wait any more: whether it has gone away before the barrier opened. */
  left?: boolean;
}

/**
 * A barrier in memory that processes share: nobody goes on before as many have arrived as it was made for; then all
 * do, and it is for the next round.
 *
 * Who gives up, at a timeout or by an abort, has not arrived; nor has one whose handle or mapping is closed. One that
 * is **killed while it waits has arrived**: the others go on when the rest has come, and wait for ever in the next
 * round unless somebody takes its place. A handle owns nothing: the barrier lives as long as its memory.
 *
 * Every method throws a `ClosedError` once the handle, or the mapping, is closed. Needs `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Barrier } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * using barrier = Barrier.initialize(mapping, 0, 2);
 * using same = Barrier.at(mapping, 0); // In another process, as a rule.
 * assertEquals(await Promise.all([barrier.wait(), same.wait({ timeout: 5000 })]), [false, true]);
 * ```
 */
export class Barrier implements Disposable, AsyncDisposable {
  /** Bytes that it takes of the mapping. */
  static readonly byteLength: number = BYTES;

  /** How many have to arrive. */
  readonly parties: number;
  readonly #place: Place;
  readonly #sleepers: Sleepers;
  readonly #line: Waits;
  /** Those of this handle that have arrived, and do not know yet that it has opened. */
  readonly #waiting = new Set<Arrival>();
  #blocked = 0;

  private constructor(place: Place) {
    this.#place = place;
    this.parties = Atomics.load(place.words("use"), PARTIES);
    this.#sleepers = new Sleepers(place, STATE, SLEEPERS);
    this.#line = new Waits({
      action: `wait at ${place.name}`,
      park: (wake) => this.#sleepers.parkAll(wake),
      block: (timeout) => this.#sleepers.block(this.#blocked, timeout),
    });
    place.onEnd(() => {
      for (const arrival of this.#waiting) this.#takeBack(arrival);
    });
    place.onEnd(() => this.#line.close(() => place.closedError("wait at")));
  }

  /**
   * Makes a barrier of 16 bytes of a mapping, once and before anybody uses it; others find it with `at`.
   *
   * System calls: none.
   *
   * @throws {RangeError} if it is not all inside the mapping, `offset` is not a multiple of 8, or `parties` not an
   *   integer from 1 to 4,095.
   * @throws {TypeError} if the mapping is for reading.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Barrier } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using barrier = Barrier.initialize(mapping, 0, 3);
   * assertEquals([barrier.parties, barrier.arrived], [3, 0]);
   * ```
   */
  static initialize(mapping: Mapping, offset: number, parties: number): Barrier {
    if (!isCount(parties)) {
      throw new RangeError(`Cannot initialize barrier for ${parties}: it is an integer from 1 to ${MOST}`);
    }
    return new Barrier(
      Place.initialize(KIND, mapping, offset, BYTES, (words) => Atomics.store(words, PARTIES, parties)),
    );
  }

  /**
   * The barrier that somebody has made there.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {UntrustedError} if there is none of this version.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Barrier } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * Barrier.initialize(mapping, 0, 2).close();
   * using barrier = Barrier.at(mapping, 0); // In another process, as a rule.
   * assertEquals(barrier.parties, 2);
   * ```
   */
  static at(mapping: Mapping, offset: number): Barrier {
    const lengthOf = (words: Int32Array) => isCount(Atomics.load(words, PARTIES)) ? BYTES : undefined;
    return new Barrier(Place.at(KIND, mapping, offset, BYTES, lengthOf));
  }

  /**
   * The barrier in a mapping; where the memory is all zero still it is made: for programs that start together. What is
   * there stays as it is.
   *
   * Throws as `initialize` and `at` do. System calls: none where it is there; `fcntl`, and those of the mapping's
   * `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Barrier } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using barrier = Barrier.openOrInitialize(mapping, 0, 2);
   * using same = Barrier.openOrInitialize(mapping, 0, 2); // In another process, as a rule.
   * assertEquals(await Promise.all([barrier.wait(), same.wait()]), [false, true]);
   * ```
   */
  static openOrInitialize(mapping: Mapping, offset: number, parties: number): Barrier {
    const [at, make] = [
      () => Barrier.at(mapping, offset),
      () => Barrier.initialize(mapping, offset, parties),
    ];
    return openOrInitialize(KIND, mapping, offset, at, make);
  }

  /** How many have arrived and wait at this moment. System calls: none. */
  get arrived(): number {
    return Atomics.load(this.#place.words("look at"), STATE) & ARRIVED;
  }

  /**
   * Arrives, and waits until all have. True for exactly one of them, the last to arrive: it may do what is to be done
   * once. System calls: none for the last but `futex` to wake; `futex_waitv` to wait.
   *
   * @throws {TimeoutError} if not all arrived within `timeout`: this one has not either.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Barrier } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using barrier = Barrier.initialize(mapping, 0, 2);
   * const waits = [barrier.wait({ timeout: 5000 })];
   * assertEquals(barrier.arrived, 1);
   * waits.push(barrier.wait()); // In another process, as a rule.
   * assertEquals(await Promise.all(waits), [false, true]);
   * ```
   */
  async wait(options: WaitOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    const arrival = this.#arrive();
    if (arrival === undefined) return true;
    try {
      await this.#line.take(() => {
        const state = this.#state();
        return roundOf(state) !== arrival.round || this.#sleepers.note(state);
      }, { ...options, watching: true });
    } catch (error) {
      if (!this.#takeBack(arrival)) return false;
      throw error;
    }
    this.#waiting.delete(arrival);
    return false;
  }

  /**
   * The same, blocking this thread. System calls: none for the last but `futex` to wake; `futex` to wait.
   *
   * @throws {TimeoutError} if not all arrived within `timeout` milliseconds: this one has not either.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Barrier } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using barrier = Barrier.initialize(mapping, 0, 2);
   * const first = barrier.wait(); // In another process, as a rule.
   * assertEquals([barrier.waitSync(), await first], [true, false]);
   * ```
   */
  waitSync(options: SyncOptions = {}): boolean {
    const arrival = this.#arrive();
    if (arrival === undefined) return true;
    try {
      this.#line.takeSync(() => {
        this.#blocked = this.#state();
        return roundOf(this.#blocked) !== arrival.round || undefined;
      }, options);
    } catch (error) {
      if (!this.#takeBack(arrival)) return false;
      throw error;
    }
    this.#waiting.delete(arrival);
    return false;
  }

  /** Gives the handle back: waits reject with a `ClosedError`, later calls throw one. Calling it again does nothing. */
  close(): void {
    this.#place.close();
  }

  /** Closes the handle. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the handle. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** `undefined`: the last one, and the barrier has opened. */
  #arrive(): Arrival | undefined {
    const words = this.#place.words("wait at");
    let state = Atomics.load(words, STATE);
    for (;;) {
      const last = (state & ARRIVED) + 1 >= this.parties;
      const next = last ? nextRound(state) : state + 1;
      const found = Atomics.compareExchange(words, STATE, state, next);
      if (found !== state) {
        state = found;
        continue;
      }
      if (last) {
        this.#sleepers.wake(words);
        return undefined;
      }
      const arrival: Arrival = { round: roundOf(state) };
      this.#waiting.add(arrival);
      return arrival;
    }
  }

  #state(): number {
    return Atomics.load(this.#place.words("wait at"), STATE);
  }

  /** Goes away again; false: too late, the barrier has opened. */
  #takeBack(arrival: Arrival): boolean {
    // At the end of the handle all have been taken back, while the memory was there.
    if (arrival.left !== undefined) return arrival.left;
    this.#waiting.delete(arrival);
    const words = this.#place.words("leave");
    let state = Atomics.load(words, STATE);
    while (roundOf(state) === arrival.round && (state & ARRIVED) > 0) {
      const found = Atomics.compareExchange(words, STATE, state, state - 1);
      if (found === state) return arrival.left = true;
      state = found;
    }
    return arrival.left = false;
  }
}

function isCount(parties: number): boolean {
  return Number.isInteger(parties) && parties >= 1 && parties <= MOST;
}

function roundOf(state: number): number {
  return state >>> ARRIVED_BITS;
}

function nextRound(state: number): number {
  return (roundOf(state) + 1) << ARRIVED_BITS;
}
