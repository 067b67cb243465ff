import { LimitError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import type { Mapping } from "@ipc/core/sys";
import { markOf, Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import { GREEDY, Sleepers } from "./_sleep.ts";

const KIND = { name: "semaphore", mark: markOf("sem", 1) };
/** Words: the number, and how many sleep until it changes. */
const [VALUE, SLEEPERS] = [1, 2];
const BYTES = 16;
const MOST = 0x7fff_ffff;

/** One who waits: the number that was not enough, and how it is counted. */
interface Waiting {
  seen: number;
  weight: number;
}

/**
 * A semaphore in memory that processes share: a number from 0 to 2,147,483,647.
 *
 * `release` adds to it; `acquire` takes from it, and waits while there is not enough. A handle owns nothing: the
 * semaphore lives as long as its memory. A call that need not wait makes no system call.
 *
 * **A holder that dies** keeps what it took, as with every semaphore: for a lock use a `Mutex`. One that is killed
 * while it waits has taken nothing; a wake-up that was its own reaches another within a second.
 *
 * **Who comes first.** Calls of `acquire` on one handle are served in their order, so that one that wants much is not
 * overtaken for ever; between handles and processes it is chance. `tryAcquire` and `acquireSync` stand in no line.
 *
 * Every method throws a `ClosedError` once the handle, or the mapping, is closed. Programs in C cannot use it: the
 * `Semaphore` of `@ipc/posix` is theirs too. Needs `--allow-ffi`.
 *
 * @example Places for two
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Semaphore } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * using places = Semaphore.initialize(mapping, 0, { value: 2 });
 * using same = Semaphore.at(mapping, 0); // In another process, as a rule.
 * await places.acquire();
 * same.acquireSync(1, { timeout: 1000 });
 * assertEquals(places.tryAcquire(), false);
 * same.release(2);
 * assertEquals(places.value, 2);
 * ```
 */
export class Semaphore implements Disposable, AsyncDisposable {
  /** Bytes that it takes of the mapping. */
  static readonly byteLength: number = BYTES;

  readonly #place: Place;
  readonly #sleepers: Sleepers;
  readonly #line: Waits;
  /** The first of the line. */
  readonly #first: Waiting = { seen: 0, weight: 1 };
  /** The call that blocks this thread. */
  readonly #blocked: Waiting = { seen: 0, weight: 1 };

  private constructor(place: Place) {
    this.#place = place;
    this.#sleepers = new Sleepers(place, VALUE, SLEEPERS);
    this.#line = new Waits({
      action: `acquire ${place.name}`,
      park: (wake) => this.#sleepers.park(this.#first.seen, wake, this.#first.weight),
      block: (timeout) => this.#sleepers.block(this.#blocked.seen, timeout, this.#blocked.weight),
    });
    place.onEnd(() => this.#line.close(() => place.closedError("acquire")));
  }

  /**
   * Makes a semaphore of 16 bytes of a mapping, once and before anybody uses it; others find it with `at`.
   *
   * `value` is what it begins with; 0 unless told. System calls: none.
   *
   * @throws {RangeError} if it is not all inside the mapping, `offset` is not a multiple of 8, or `value` not an
   *   integer from 0 to 2,147,483,647.
   * @throws {TypeError} if the mapping is for reading.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using places = Semaphore.initialize(mapping, 64, { value: 3 });
   * assertEquals(places.value, 3);
   * ```
   */
  static initialize(mapping: Mapping, offset: number, options: { value?: number } = {}): Semaphore {
    const { value = 0 } = options;
    if (!(Number.isInteger(value) && value >= 0 && value <= MOST)) {
      throw new RangeError(
        `Cannot initialize semaphore with ${value}: a value is an integer from 0 to ${MOST}`,
      );
    }
    return new Semaphore(
      Place.initialize(KIND, mapping, offset, BYTES, (words) => Atomics.store(words, VALUE, value)),
    );
  }

  /**
   * The semaphore that somebody has made there.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {UntrustedError} if there is none of this version.
   *
   * @example
   * ```ts
   * import { UntrustedError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/sync";
   * import { assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * assertThrows(() => Semaphore.at(mapping, 64), UntrustedError);
   * Semaphore.initialize(mapping, 64).close();
   * Semaphore.at(mapping, 64).close(); // In another process, as a rule.
   * ```
   */
  static at(mapping: Mapping, offset: number): Semaphore {
    return new Semaphore(Place.at(KIND, mapping, offset, BYTES));
  }

  /**
   * The semaphore in a mapping; where the memory is all zero still it is made: for programs that start together. What is
   * there stays as it is.
   *
   * Throws as `initialize` and `at` do. System calls: none where it is there; `fcntl`, and those of the mapping's
   * `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using places = Semaphore.openOrInitialize(mapping, 0, { value: 2 });
   * places.acquireSync();
   * using same = Semaphore.openOrInitialize(mapping, 0, { value: 2 }); // In another process, as a rule.
   * assertEquals(same.value, 1);
   * ```
   */
  static openOrInitialize(mapping: Mapping, offset: number, options: { value?: number } = {}): Semaphore {
    const make = () => Semaphore.initialize(mapping, offset, options);
    return openOrInitialize(KIND, mapping, offset, () => Semaphore.at(mapping, offset), make);
  }

  /**
   * Takes `n` at once, as soon as there are so many. System calls: none where there are; `futex_waitv` to wait.
   *
   * An aborted or timed-out one has taken nothing.
   *
   * @throws {TimeoutError} if there were not so many within `timeout`.
   * @throws {RangeError} if `n` is not an integer from 1 to 2,147,483,647.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using items = Semaphore.initialize(mapping, 0);
   * const two = items.acquire(2, { timeout: 5000 });
   * items.release();
   * items.release(); // In another process, as a rule.
   * await two;
   * ```
   */
  async acquire(n: number = 1, options: WaitOptions = {}): Promise<void> {
    checkCount(n, "acquire");
    this.#place.words("acquire");
    await this.#line.take(() => this.#take(n, this.#first) || undefined, options);
  }

  /**
   * Takes `n` at once if there are so many; false: there are not. System calls: none.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using places = Semaphore.initialize(mapping, 0, { value: 1 });
   * assertEquals([places.tryAcquire(), places.tryAcquire()], [true, false]);
   * ```
   */
  tryAcquire(n: number = 1): boolean {
    checkCount(n, "acquire");
    return this.#take(n);
  }

  /**
   * Takes `n` at once, blocking this thread until there are so many. System calls: none where there are; `futex`.
   *
   * @throws {TimeoutError} if there were not so many for `timeout` milliseconds.
   * @throws {RangeError} if `n` is not an integer from 1 to 2,147,483,647.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/sync";
   * import { assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using places = Semaphore.initialize(mapping, 0, { value: 1 });
   * places.acquireSync();
   * assertThrows(() => places.acquireSync(1, { timeout: 10 }), TimeoutError);
   * ```
   */
  acquireSync(n: number = 1, options: SyncOptions = {}): void {
    checkCount(n, "acquire");
    if (options.timeout === undefined) {
      // Short, for right after a switch of process all code is cold.
      const blocked = this.#blocked;
      while (!this.#take(n)) this.#sleepers.block(blocked.seen, undefined, blocked.weight);
      return;
    }
    this.#line.takeSync(() => this.#take(n, this.#blocked) || undefined, options);
  }

  /**
   * Adds `n`, which never waits; who waits for them goes on. System calls: none; `futex` to wake.
   *
   * @throws {LimitError} if there would be more than 2,147,483,647: nothing is changed.
   * @throws {RangeError} if `n` is not an integer from 1 to 2,147,483,647.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Semaphore } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using items = Semaphore.initialize(mapping, 0);
   * items.release(3);
   * assertEquals(items.value, 3);
   * ```
   */
  release(n: number = 1): void {
    checkCount(n, "release");
    const words = this.#place.words("release");
    let value = Atomics.load(words, VALUE);
    for (;;) {
      if (value > MOST - n) {
        throw new LimitError(`Cannot release ${this.#place.name}: its value would pass ${MOST}`, {
          code: "EOVERFLOW",
        });
      }
      const found = Atomics.compareExchange(words, VALUE, value, value + n);
      if (found === value) break;
      value = found;
    }
    this.#sleepers.wake(words, n);
  }

  /** The number at this moment. Who wants to act on it uses `tryAcquire`. System calls: none. */
  get value(): number {
    return Atomics.load(this.#place.words("look at"), VALUE);
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

  #take(n: number, waiting: Waiting = this.#blocked): boolean {
    const words = this.#place.words("acquire");
    let value = Atomics.load(words, VALUE);
    while (value >= n) {
      const found = Atomics.compareExchange(words, VALUE, value, value - n);
      if (found === value) return true;
      value = found;
    }
    waiting.seen = value;
    // One that is woken and finds less than it wants must not keep the wake-up from one who wants less.
    waiting.weight = n === 1 ? 1 : GREEDY;
    return false;
  }
}

function checkCount(n: number, verb: string): void {
  if (Number.isInteger(n) && n >= 1 && n <= MOST) return;
  throw new RangeError(`Cannot ${verb} ${n} of a semaphore: it is an integer from 1 to ${MOST}`);
}
