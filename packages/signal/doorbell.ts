import { ClosedError, IpcError, NotFoundError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import {
  decodeIdentity,
  encodeIdentity,
  IDENTITY_SIZE,
  isAlive,
  type Mapping,
  processIdentity,
} from "@ipc/core/sys";
import { HeardSource } from "./_heard_source.ts";
import { ProcessHandle } from "./process_handle.ts";

/** What is sent: by default it is ignored, so that one that comes late harms nobody. */
const SIGNAL = "SIGURG";
/** Bytes before the identity: one word, and one to make it even. */
const HEAD = 8;

/**
 * Wakes a process that waits for shared memory: who changes the memory rings, who reads it waits.
 *
 * It is 32 bytes of a mapping that all share, zero at first, in which the one that waits leaves its name; who rings
 * sends it SIGURG, and makes no system call while nobody waits. A process that has ended, and whose number another
 * has by now, is not rung. One process waits at a bell at a time; any number may ring. For waiting without a signal,
 * and for locks, there is `@ipc/sync`.
 *
 * It owns nothing of the mapping. A name that a process leaves behind when it is killed is replaced by the next.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { Doorbell } from "@ipc/signal";
 *
 * using memory = Mapping.anonymous(4096); // Shared memory of any kind, as a rule.
 * const words = new Int32Array(memory.buffer);
 * using bell = Doorbell.at(memory, 64);
 * const changed = bell.wait(() => Atomics.load(words, 0) === 7);
 *
 * using same = Doorbell.at(memory, 64); // In another process, as a rule.
 * Atomics.store(words, 0, 7);
 * same.ring();
 * await changed;
 * ```
 */
export class Doorbell implements Disposable {
  /** Bytes that one takes. */
  static readonly byteLength: number = HEAD + IDENTITY_SIZE;

  readonly #mapping: Mapping;
  readonly #offset: number;
  readonly #line: Waits;
  readonly #forget: () => void;
  #heard: HeardSource | undefined;
  #closed = false;

  private constructor(mapping: Mapping, offset: number) {
    this.#mapping = mapping;
    this.#offset = offset;
    this.#forget = mapping.onClose(() => this.close());
    this.#line = new Waits({ action: "wait for the doorbell", park: (wake) => this.#heard!.park(wake) });
  }

  /**
   * The bell at byte `offset` of a mapping. System calls: none.
   *
   * @throws {RangeError} if it is not all inside, or `offset` is not a multiple of 8.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {ClosedError} if the mapping was closed.
   */
  static at(mapping: Mapping, offset: number): Doorbell {
    if (!Number.isInteger(offset) || offset < 0 || offset % 8 !== 0) {
      throw new RangeError(`Cannot use a doorbell at byte ${offset}: it lies at a multiple of 8`);
    }
    if (mapping.readOnly) throw new TypeError("Cannot use a doorbell in a mapping that is for reading");
    if (mapping.buffer.byteLength < offset + Doorbell.byteLength) {
      throw new RangeError(
        `Cannot use a doorbell at byte ${offset}: the mapping has ${mapping.byteLength} bytes`,
      );
    }
    return new Doorbell(mapping, offset);
  }

  /**
   * Resolves once `done` is true: looks now, and after each ring; keeps this process alive until then.
   *
   * `done` looks at the memory, through Atomics. Calls on one bell are served in their order. System calls: none,
   * the signal is heard by the runtime.
   *
   * @throws {TimeoutError} if it was not true within `timeout`.
   * @throws {IpcError} with code `EBUSY` if another process waits at this bell.
   * @throws {ClosedError} if the bell, or the mapping, is closed.
   */
  async wait(done: () => boolean, options: WaitOptions = {}): Promise<void> {
    this.#check("wait for");
    if (this.#heard === undefined) this.#enter();
    try {
      await this.#line.take(() => {
        while (this.#heard?.take() !== undefined);
        return done() || undefined;
      }, options);
    } finally {
      if (this.#line.length === 0) this.#leave();
    }
  }

  /**
   * Wakes who waits, after the memory was changed; false: nobody does. System calls: none where nobody waits;
   * `open`, `read`, `pidfd_open`, `pidfd_send_signal`.
   *
   * @throws {PermissionError} if it is somebody else's process.
   * @throws {ClosedError} if the bell, or the mapping, is closed.
   */
  ring(): boolean {
    this.#check("ring");
    const { words, index } = this.#words();
    // Empty, or being written: then it is looked at afterwards, by who waits.
    if (Atomics.load(words, index) !== WAITING) return false;
    const identity = decodeIdentity(this.#mapping.bytes, this.#offset + HEAD);
    if (identity.pid < 1 || identity.pid > 0x7fff_ffff) return false;
    try {
      using process = ProcessHandle.open(identity.pid);
      // Of the number that the handle holds, looked at while it cannot be another's.
      if (isAlive(identity) === "dead") return false;
      process.send(SIGNAL);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  /** Ends waits with a `ClosedError`; calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.#line.close(() => new ClosedError("Cannot wait for the doorbell: it was closed here"));
    this.#leave();
  }

  /** The same as {@linkcode Doorbell.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Leaves this process's name, once its ear is open. */
  #enter(): void {
    const identity = processIdentity();
    const heard = new HeardSource([SIGNAL]);
    try {
      this.#take();
    } catch (error) {
      heard.close();
      throw error;
    }
    encodeIdentity(identity, this.#mapping.bytes, this.#offset + HEAD);
    const { words, index } = this.#words();
    Atomics.store(words, index, WAITING);
    this.#heard = heard;
  }

  /** Takes the place of who waits, from nobody or from one that has ended. */
  #take(): void {
    const { words, index } = this.#words();
    for (;;) {
      const state = Atomics.compareExchange(words, index, EMPTY, WRITING);
      if (state === EMPTY) return;
      // Who is writing is about to be there; one that died while it wrote has left no name to look up.
      const identity = decodeIdentity(this.#mapping.bytes, this.#offset + HEAD);
      if (state === WAITING && isAlive(identity) !== "dead") {
        throw new IpcError(`Cannot wait for the doorbell: process ${identity.pid} waits for it`, {
          code: "EBUSY",
        });
      }
      if (Atomics.compareExchange(words, index, state, WRITING) === state) return;
    }
  }

  #leave(): void {
    if (this.#heard === undefined) return;
    this.#heard.close();
    this.#heard = undefined;
    if (this.#mapping.closed) return;
    const { words, index } = this.#words();
    Atomics.store(words, index, EMPTY);
  }

  /** Memory that was resized is somewhere else. */
  #words(): { words: Int32Array; index: number } {
    return { words: new Int32Array(this.#mapping.buffer), index: this.#offset / 4 };
  }

  #check(verb: string): void {
    if (this.#closed || this.#mapping.closed) {
      throw new ClosedError(`Cannot ${verb} the doorbell: it was closed here`);
    }
  }
}

const EMPTY = 0;
const WRITING = 1;
const WAITING = 2;
