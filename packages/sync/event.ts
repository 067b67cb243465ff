import type { SyncOptions, WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import type { Mapping } from "@ipc/core/sys";
import { markOf, Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import { Sleepers } from "./_sleep.ts";

const KIND = { name: "event", mark: markOf("evt", 1) };
/**
 * Words: how often the event was set and reset, so that odd is set; how many sleep until that changes; and whether one
 * who waits resets it.
 *
 * Setting and resetting are each one atomic step by 1: whoever is killed has done it or not. One that counts also
 * tells who waits that an event was set and reset again before they looked.
 */
const [COUNT, SLEEPERS, AUTO] = [1, 2, 3];
const BYTES = 16;

/** How an event is made. */
export interface EventOptions {
  /** `manual`, unless told: it stays set until somebody resets it. `auto`: the one that it lets go on resets it. */
  reset?: "manual" | "auto" | undefined;
  /** Whether it is set from the beginning; not, unless told. */
  set?: boolean | undefined;
}

/**
 * An event in memory that processes share: something that has happened, or not yet.
 *
 * `set` says that it has, and lets those who wait go on. With `reset: "manual"` all do, and so does everybody who
 * comes later until `reset`; who waited when it was set goes on even if it is reset at once. With `reset: "auto"`
 * exactly one goes on for each `set`, and the event is not set any more; setting what is set already changes nothing,
 * so that one who sets it twice before anybody looks lets one go on. To count things there is the `Semaphore`.
 *
 * A handle owns nothing: the event lives as long as its memory. One that is killed while it waits takes nothing with
 * it; a wake-up that was its own, or one that a killed setter did not get to, reaches another within a second.
 *
 * Every method throws a `ClosedError` once the handle, or the mapping, is closed. Needs `--allow-ffi`.
 *
 * @example All go on
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Event } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * using ready = Event.initialize(mapping, 0);
 * using same = Event.at(mapping, 0); // In another process, as a rule.
 * const waiting = [same.wait(), same.wait({ timeout: 5000 })];
 * ready.set();
 * await Promise.all(waiting);
 * assertEquals(same.isSet, true);
 * ```
 *
 * @example One goes on
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Event } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * using turn = Event.initialize(mapping, 0, { reset: "auto", set: true });
 * assertEquals([turn.tryWait(), turn.tryWait()], [true, false]);
 * ```
 */
export class Event implements Disposable, AsyncDisposable {
  /** Bytes that it takes of the mapping. */
  static readonly byteLength: number = BYTES;

  readonly #place: Place;
  readonly #auto: boolean;
  readonly #sleepers: Sleepers;
  readonly #line: Waits;
  /** The count at which the call that blocks this thread could not go on. */
  #blocked = 0;

  private constructor(place: Place) {
    this.#place = place;
    this.#auto = Atomics.load(place.words("use"), AUTO) !== 0;
    this.#sleepers = new Sleepers(place, COUNT, SLEEPERS);
    this.#line = new Waits({
      action: `wait for ${place.name}`,
      park: (wake) => this.#sleepers.parkAll(wake),
      block: (timeout) => this.#sleepers.block(this.#blocked, timeout),
    });
    place.onEnd(() => this.#line.close(() => place.closedError("wait for")));
  }

  /**
   * Makes an event of 16 bytes of a mapping, once and before anybody uses it; others find it with `at`.
   *
   * System calls: none.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading, or there is no such way to reset it.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using stop = Event.initialize(mapping, 0);
   * using turn = Event.initialize(mapping, 16, { reset: "auto", set: true });
   * assertEquals([stop.isSet, turn.isSet], [false, true]);
   * ```
   */
  static initialize(mapping: Mapping, offset: number, options: EventOptions = {}): Event {
    const { reset = "manual", set = false } = options;
    if (reset !== "manual" && reset !== "auto") {
      throw new TypeError(`Cannot initialize event with reset "${reset}": it is "manual" or "auto"`);
    }
    return new Event(Place.initialize(KIND, mapping, offset, BYTES, (words) => {
      Atomics.store(words, COUNT, set ? 1 : 0);
      Atomics.store(words, AUTO, reset === "auto" ? 1 : 0);
    }));
  }

  /**
   * The event that somebody has made there, which resets as it was made to.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {UntrustedError} if there is none of this version.
   *
   * @example
   * ```ts
   * import { UntrustedError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * assertThrows(() => Event.at(mapping, 0), UntrustedError);
   * Event.initialize(mapping, 0, { set: true }).close();
   * using event = Event.at(mapping, 0); // In another process, as a rule.
   * assertEquals(event.isSet, true);
   * ```
   */
  static at(mapping: Mapping, offset: number): Event {
    return new Event(Place.at(KIND, mapping, offset, BYTES));
  }

  /**
   * The event in a mapping; where the memory is all zero still it is made: for programs that start together. What is
   * there stays as it is.
   *
   * Throws as `initialize` and `at` do. System calls: none where it is there; `fcntl`, and those of the mapping's
   * `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using ready = Event.openOrInitialize(mapping, 0);
   * using same = Event.openOrInitialize(mapping, 0); // In another process, as a rule.
   * ready.set();
   * assertEquals(same.isSet, true);
   * ```
   */
  static openOrInitialize(mapping: Mapping, offset: number, options: EventOptions = {}): Event {
    const [at, make] = [() => Event.at(mapping, offset), () => Event.initialize(mapping, offset, options)];
    return openOrInitialize(KIND, mapping, offset, at, make);
  }

  /**
   * Says that it has happened: all who wait go on, or with `auto` one. System calls: none; `futex` to wake.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using stop = Event.initialize(mapping, 0);
   * const stopped = stop.wait();
   * stop.set(); // In another process, as a rule.
   * await stopped;
   * ```
   */
  set(): void {
    const words = this.#place.words("set");
    let count = Atomics.load(words, COUNT);
    while ((count & 1) === 0) {
      const found = Atomics.compareExchange(words, COUNT, count, count + 1 | 0);
      if (found === count) return this.#sleepers.wake(words, this.#auto ? 1 : Infinity);
      count = found;
    }
  }

  /**
   * Says that it has not happened, from now on. System calls: none.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using open = Event.initialize(mapping, 0, { set: true });
   * open.reset();
   * assertEquals(open.tryWait(), false);
   * ```
   */
  reset(): void {
    const words = this.#place.words("reset");
    let count = Atomics.load(words, COUNT);
    while ((count & 1) === 1) {
      const found = Atomics.compareExchange(words, COUNT, count, count + 1 | 0);
      if (found === count) return;
      count = found;
    }
  }

  /** Whether it is set at this moment. System calls: none. */
  get isSet(): boolean {
    return (Atomics.load(this.#place.words("look at"), COUNT) & 1) === 1;
  }

  /**
   * Waits until it is set. System calls: none if it is; `futex_waitv` to wait.
   *
   * An aborted or timed-out one has taken nothing.
   *
   * @throws {TimeoutError} if it was not set within `timeout`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using ready = Event.initialize(mapping, 0);
   * const waiting = ready.wait({ timeout: 5000 });
   * ready.set(); // In another process, as a rule.
   * await waiting;
   * ```
   */
  async wait(options: WaitOptions = {}): Promise<void> {
    const start = this.#count("wait for");
    const attempt = () => {
      const count = this.#count("wait for");
      return this.#goesOn(start, count) || this.#sleepers.note(count);
    };
    // With `auto` each takes something, in the order of the calls.
    await this.#line.take(attempt, { ...options, watching: !this.#auto });
  }

  /**
   * Whether it is set; with `auto` this resets it, as a `wait` does that goes on. System calls: none.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using event = Event.initialize(mapping, 0, { reset: "auto", set: true });
   * assertEquals([event.tryWait(), event.tryWait()], [true, false]);
   * ```
   */
  tryWait(): boolean {
    const count = this.#count("wait for");
    return this.#goesOn(count, count);
  }

  /**
   * Waits until it is set, blocking this thread. System calls: none if it is; `futex`.
   *
   * @throws {TimeoutError} if it was not set for `timeout` milliseconds.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { Event } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * using ready = Event.initialize(mapping, 0, { set: true });
   * ready.waitSync({ timeout: 1000 });
   * ```
   */
  waitSync(options: SyncOptions = {}): void {
    const start = this.#count("wait for");
    this.#line.takeSync(() => {
      this.#blocked = this.#count("wait for");
      return this.#goesOn(start, this.#blocked) || undefined;
    }, options);
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

  #count(verb: string): number {
    return Atomics.load(this.#place.words(verb), COUNT);
  }

  /** Whether one who waits since the count was `start` goes on now that it is `count`. */
  #goesOn(start: number, count: number): boolean {
    const set = (count & 1) === 1;
    if (!this.#auto) return set || count !== start;
    return set &&
      Atomics.compareExchange(this.#place.words("wait for"), COUNT, count, count + 1 | 0) === count;
  }
}
