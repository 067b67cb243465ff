import { type SyncOptions, TimeoutError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import type { Mapping } from "@ipc/core/sys";
import { LockWord } from "./_lock_word.ts";
import { markOf, Place } from "./_object.ts";
import { openOrInitialize } from "./_open_or_initialize.ts";
import { newId, Owner } from "./_owner.ts";
import { Sleepers } from "./_sleep.ts";
import {
  type BytesSchema,
  cellBytes,
  checkLabel,
  copyOf,
  HEADER_BYTES,
  label,
  lengthOf,
  LOCK_ID,
  Pairs,
  type Schema,
  schemaOf,
  Scratch,
  SLEEPERS,
  VERSION,
} from "./_snapshot.ts";
import { Subscription } from "./_subscription.ts";

export type { BytesSchema, Schema } from "./_snapshot.ts";

const KIND = { name: "value", mark: markOf("seq", 1) };
/** How often one who reads is overtaken by writers before it asks them to wait. */
const OVERTAKEN = 100;

/** Since when somebody waits for a change. */
export interface ChangedOptions extends WaitOptions {
  /** The version that is known already; the one at this moment, unless told. */
  after?: number | undefined;
}

/**
 * A value in memory that processes share, always read whole: never half of one and half of the next.
 *
 * There are two copies of it, and a version that says which is the current one. Who writes takes turns with the other
 * writers, fills the copy that is not current and adds 1 to the version; who reads copies the current one, and does so
 * again if the version has changed meanwhile. So readers wait for nobody, and **a writer that is killed in the middle**
 * leaves the last whole value, and the next writer goes on.
 *
 * The value is a struct of `@ipc/mmap/struct`, or bytes where there is no schema. `changed` waits for the next
 * version and `subscribe` gives the newest value again and again: a state that several processes see.
 *
 * A handle that has written owns a lock on the file behind the memory until it is closed. Every method throws a
 * `ClosedError` once the handle, or the mapping, is closed. Needs `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { f64, struct, u32 } from "@ipc/mmap/struct";
 * import { SeqLock } from "@ipc/sync";
 * import { assertEquals } from "@std/assert";
 *
 * const Weather = struct({ station: u32, celsius: f64 });
 * using mapping = Mapping.anonymous(4096);
 * using weather = SeqLock.initialize(mapping, 0, Weather, { station: 7, celsius: 21.5 });
 * using same = SeqLock.at(mapping, 0, Weather); // In another process, as a rule.
 * weather.update((draft) => void draft.celsius++);
 * assertEquals(same.read(), { station: 7, celsius: 22.5 });
 * ```
 *
 * @example The newest value, again and again
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { SeqLock } from "@ipc/sync";
 *
 * using mapping = Mapping.anonymous(4096);
 * using cell = SeqLock.initialize(mapping, 0, { byteLength: 1 });
 * const timer = setInterval(() => cell.update(([byte]) => new Uint8Array([byte! + 1])), 1);
 * for await (const [byte] of cell.subscribe()) if (byte! >= 3) break;
 * clearInterval(timer);
 * ```
 */
export class SeqLock<T> implements Disposable, AsyncDisposable {
  readonly #place: Place;
  readonly #owner: Owner;
  /** Of the writers. */
  readonly #lock: LockWord;
  readonly #sleepers: Sleepers;
  readonly #line: Waits;
  readonly #byteLength: number;
  readonly #reading: Scratch<T>;
  readonly #writing: Scratch<T>;
  readonly #pairs = new Pairs();
  #blocked = 0;

  private constructor(place: Place, schema: Schema<T>) {
    this.#place = place;
    const words = place.words("use");
    const last = words.length - 1;
    this.#owner = new Owner(place.mapping, Atomics.load(words, LOCK_ID));
    this.#lock = new LockWord(place, this.#owner, last, last, { verb: "write" });
    this.#sleepers = new Sleepers(place, VERSION, SLEEPERS);
    this.#byteLength = schema.byteLength;
    this.#reading = new Scratch(schema);
    this.#writing = new Scratch(schema);
    this.#line = new Waits({
      action: `wait for a change of ${place.name}`,
      park: (wake) => this.#sleepers.parkAll(wake),
      block: (timeout) => this.#sleepers.block(this.#blocked, timeout),
    });
    place.onEnd(() => {
      this.#line.close(() => place.closedError("wait for a change of"));
      this.#owner.close();
    });
  }

  /**
   * Bytes that a value takes of the mapping: twice its own, and some more.
   *
   * @throws {RangeError} if it is not 1 to 2^30 bytes long.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { SeqLock } from "@ipc/sync";
   *
   * using mapping = Mapping.anonymous(4096);
   * const second = SeqLock.byteLength({ byteLength: 100 });
   * using _first = SeqLock.initialize(mapping, 0, { byteLength: 100 });
   * using _second = SeqLock.initialize(mapping, second, { byteLength: 8 });
   * ```
   */
  static byteLength(schema: BytesSchema): number {
    return cellBytes(schemaOf(schema).byteLength);
  }

  /**
   * Makes a value, once and before anybody uses it; others find it with `at`. Zeros, unless told. System calls: none.
   *
   * @throws {RangeError} if it is not all inside the mapping, `offset` is not a multiple of 8, or `value` does not fit.
   * @throws {TypeError} if the mapping is for reading, or `value` is of another type.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { f64, struct, u32 } from "@ipc/mmap/struct";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * const Point = struct({ id: u32, x: f64 });
   * using point = SeqLock.initialize(mapping, 0, Point, { id: 1, x: 0.5 });
   * assertEquals(point.read(), { id: 1, x: 0.5 });
   * ```
   */
  static initialize<T>(mapping: Mapping, offset: number, schema: Schema<T>, value?: T): SeqLock<T>;
  /** The same of bytes. */
  static initialize(
    mapping: Mapping,
    offset: number,
    schema: BytesSchema,
    value?: Uint8Array,
  ): SeqLock<Uint8Array>;
  static initialize<T>(
    mapping: Mapping,
    offset: number,
    schema: Schema<T> | BytesSchema,
    value?: T,
  ): SeqLock<T> {
    const whole = schemaOf<T>(schema);
    const scratch = new Scratch(whole);
    if (value !== undefined) scratch.value = value;
    // Who has one open here already goes on with its writers' lock.
    const found = Place.find(KIND, mapping, offset, HEADER_BYTES, "initialize", lengthOf);
    const id = found === undefined ? newId() : Atomics.load(found.words("initialize"), LOCK_ID);
    found?.close();
    const place = Place.initialize(KIND, mapping, offset, cellBytes(whole.byteLength), (words) => {
      label(words, whole);
      Atomics.store(words, LOCK_ID, id);
      scratch.store(new Pairs().of(words), copyOf(0, whole.byteLength));
    });
    return new SeqLock(place, whole);
  }

  /**
   * The value that somebody has made there.
   *
   * @throws {RangeError} if it is not all inside the mapping, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {UntrustedError} if there is none of this version.
   * @throws {LayoutMismatchError} if it was made for another schema.
   *
   * @example
   * ```ts
   * import { LayoutMismatchError } from "@ipc/core";
   * import { Mapping } from "@ipc/core/sys";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * SeqLock.initialize(mapping, 0, { byteLength: 8 }).close();
   * using cell = SeqLock.at(mapping, 0, { byteLength: 8 }); // In another process, as a rule.
   * assertEquals(cell.read(), new Uint8Array(8));
   * assertThrows(() => SeqLock.at(mapping, 0, { byteLength: 4 }), LayoutMismatchError);
   * ```
   */
  static at<T>(mapping: Mapping, offset: number, schema: Schema<T>): SeqLock<T>;
  /** The same of bytes. */
  static at(mapping: Mapping, offset: number, schema: BytesSchema): SeqLock<Uint8Array>;
  static at<T>(mapping: Mapping, offset: number, schema: Schema<T> | BytesSchema): SeqLock<T> {
    const whole = schemaOf<T>(schema);
    const place = Place.at(KIND, mapping, offset, HEADER_BYTES, lengthOf);
    try {
      checkLabel(place.words("use"), whole, place.name);
      return new SeqLock(place, whole);
    } catch (error) {
      place.close();
      throw error;
    }
  }

  /**
   * The value that is there; where the memory is all zero still it is made: for programs that start together.
   *
   * Throws as `at` does, and a `TypeError` or `RangeError` if `value` does not fit. System calls: none where it is
   * there; `fcntl`, and those of the mapping's `openFile`.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { f64, struct } from "@ipc/mmap/struct";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * const Weather = struct({ celsius: f64 });
   * using weather = SeqLock.openOrInitialize(mapping, 0, Weather, { celsius: 20 });
   * using same = SeqLock.openOrInitialize(mapping, 0, Weather); // In another process, as a rule.
   * assertEquals(same.read(), { celsius: 20 });
   * ```
   */
  static openOrInitialize<T>(mapping: Mapping, offset: number, schema: Schema<T>, value?: T): SeqLock<T>;
  /** The same of bytes. */
  static openOrInitialize(
    mapping: Mapping,
    offset: number,
    schema: BytesSchema,
    value?: Uint8Array,
  ): SeqLock<Uint8Array>;
  static openOrInitialize<T>(
    mapping: Mapping,
    offset: number,
    schema: Schema<T> | BytesSchema,
    value?: T,
  ): SeqLock<T> {
    const whole = schemaOf<T>(schema);
    const at = () => SeqLock.at(mapping, offset, whole);
    return openOrInitialize(
      KIND,
      mapping,
      offset,
      at,
      () => SeqLock.initialize(mapping, offset, whole, value),
    );
  }

  /** How often it was written, in 32 bits: it begins again at 0. System calls: none. */
  get version(): number {
    return this.#version("look at") >>> 0;
  }

  /** The value at this moment, whole. System calls: none. */
  read(): T {
    this.#load();
    return this.#reading.value;
  }

  /**
   * Puts another value there. System calls: none; `futex` to wake who waits, or to wait for another writer; `fcntl`
   * and those of the mapping's `openFile` the first time.
   *
   * Blocks the thread while others write, which takes as long as copying: nobody runs anything in between but the
   * function of an `update`.
   *
   * @throws {TimeoutError} if others wrote for all of `timeout` milliseconds: one was stopped, perhaps.
   * @throws {RangeError} if the value does not fit.
   * @throws {TypeError} if it is of another type.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using cell = SeqLock.initialize(mapping, 0, { byteLength: 2 });
   * cell.write(new Uint8Array([1, 2]));
   * assertEquals([cell.version, ...cell.read()], [1, 1, 2]);
   * ```
   */
  write(value: T, options: SyncOptions = {}): void {
    this.#place.words("write");
    this.#writing.value = value;
    this.#whileLocked(options, () => this.#commit());
  }

  /**
   * Changes the value, while nobody else writes: `change` gets a copy of it, and changes that or returns another.
   *
   * What `change` throws is thrown, and nothing has changed. It must not wait for anything. Throws as `write` does.
   *
   * @throws {IpcError} with code `EDEADLK` if `change` writes the value by itself.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { f64, struct, u32 } from "@ipc/mmap/struct";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * const Counters = struct({ requests: u32, seconds: f64 });
   * using counters = SeqLock.initialize(mapping, 0, Counters);
   * counters.update((draft) => {
   *   draft.requests++;
   *   draft.seconds += 0.25;
   * });
   * assertEquals(counters.read(), { requests: 1, seconds: 0.25 });
   * ```
   */
  update(change: (draft: T) => T | void, options: SyncOptions = {}): void {
    this.#whileLocked(options, () => {
      const current = copyOf(this.#version("write"), this.#byteLength);
      this.#writing.load(this.#pairs.of(this.#place.words("write")), current);
      const draft = this.#writing.value;
      const next = change(draft) ?? draft;
      if (next instanceof Promise) {
        throw new TypeError(`Cannot write ${this.#place.name}: an update does not wait for a promise`);
      }
      this.#writing.value = next as T;
      this.#commit();
    });
  }

  /**
   * Resolves with the version as soon as it is another than `after`. System call: `futex_waitv` to wait.
   *
   * @throws {TimeoutError} if nobody wrote within `timeout`.
   * @throws {RangeError} if `after` is no integer.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using cell = SeqLock.initialize(mapping, 0, { byteLength: 1 });
   * const version = cell.changed({ after: cell.version, timeout: 5000 });
   * cell.write(new Uint8Array(1)); // In another process, as a rule.
   * assertEquals(await version, 1);
   * ```
   */
  async changed(options: ChangedOptions = {}): Promise<number> {
    const after = this.#known(options);
    const attempt = () => {
      const seen = this.#version("wait for a change of");
      return seen === after ? this.#sleepers.note(seen) : seen >>> 0;
    };
    const version = await this.#line.take(attempt, { ...options, watching: true });
    return version!;
  }

  /**
   * The version as soon as it is another than `after`, blocking this thread. System call: `futex`.
   *
   * @throws {TimeoutError} if nobody wrote for `timeout` milliseconds.
   * @throws {RangeError} if `after` is no integer.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using cell = SeqLock.initialize(mapping, 0, { byteLength: 1 });
   * cell.write(new Uint8Array(1)); // In another process, as a rule.
   * assertEquals(cell.changedSync({ after: 0, timeout: 1000 }), 1);
   * ```
   */
  changedSync(options: SyncOptions & Pick<ChangedOptions, "after"> = {}): number {
    const after = this.#known(options);
    const attempt = () => {
      this.#blocked = this.#version("wait for a change of");
      return this.#blocked === after ? undefined : this.#blocked >>> 0;
    };
    return this.#line.takeSync(attempt, options)!;
  }

  /**
   * The value at this moment, and then each time it has changed: the newest there is, not all that were, and none
   * twice. Ends when the handle is closed; an abort of `signal` rejects with its reason.
   *
   * @example
   * ```ts
   * import { Mapping } from "@ipc/core/sys";
   * import { SeqLock } from "@ipc/sync";
   * import { assertEquals } from "@std/assert";
   *
   * using mapping = Mapping.anonymous(4096);
   * using cell = SeqLock.initialize(mapping, 0, { byteLength: 1 });
   * const values = cell.subscribe();
   * assertEquals((await values.next()).value, new Uint8Array([0]));
   * cell.write(new Uint8Array([7])); // In another process, as a rule.
   * assertEquals((await values.next()).value, new Uint8Array([7]));
   * ```
   */
  subscribe(options: { signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<T> {
    this.#place.words("subscribe to");
    let version: number | undefined;
    return new Subscription(
      async (signal) => {
        if (version !== undefined) await this.changed({ after: version, signal });
        version = this.#load() >>> 0;
        return this.#reading.value;
      },
      () => this.#place.closed,
      options.signal,
    );
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

  #known({ after = this.version }: ChangedOptions): number {
    if (Number.isInteger(after)) return after | 0;
    throw new RangeError(`Cannot wait for a change after version ${after}: it is an integer`);
  }

  #version(verb: string): number {
    return Atomics.load(this.#place.words(verb), VERSION);
  }

  /** Copies the current value out; its version. */
  #load(): number {
    const words = this.#place.words("read");
    const longs = this.#pairs.of(words);
    for (let tries = 1;; tries++) {
      const version = Atomics.load(words, VERSION);
      this.#reading.load(longs, copyOf(version, this.#byteLength));
      if (Atomics.load(words, VERSION) === version) return version;
      if (tries % OVERTAKEN !== 0) continue;
      try {
        return this.#whileLocked({ timeout: 1 }, () => {
          const last = this.#version("read");
          this.#reading.load(longs, copyOf(last, this.#byteLength));
          return last;
        });
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
    }
  }

  /** Makes what was put together the current value; the lock is held. */
  #commit(): void {
    const words = this.#place.words("write");
    const next = Atomics.load(words, VERSION) + 1 | 0;
    this.#writing.store(this.#pairs.of(words), copyOf(next, this.#byteLength));
    Atomics.store(words, VERSION, next);
    this.#sleepers.wake(words);
  }

  #whileLocked<R>(options: SyncOptions, action: () => R): R {
    // A writer that died has left the current value as it was: there is nothing to repair.
    if (this.#lock.soon() === undefined) this.#lock.takeSync(options);
    try {
      return action();
    } finally {
      if (!this.#place.closed) this.#lock.release();
    }
  }
}
