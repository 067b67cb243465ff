import { ClosedError, IpcError, NotFoundError, NotSupportedError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import {
  decodeIdentity,
  encodeIdentity,
  IDENTITY_SIZE,
  isAlive,
  type Mapping,
  type ProcessIdentity,
  processIdentity,
  type ProcessState,
} from "@ipc/core/sys";
import { HeardSource } from "./_heard_source.ts";
import { ProcessHandle } from "./process_handle.ts";

/** What is sent: by default it is ignored, so that one that comes late harms nobody. */
const SIGNAL = "SIGURG";
/** Bytes before the identity: the word that is taken. */
const HEAD = 8;
/**
 * The word: nobody, or the number of who waits, 31 bits of when that process started, and whether the whole name is
 * there. It tells who is about to write their name, too, so that nobody takes that place from them.
 */
const NOBODY = 0n;
const NAMED = 1n << 63n;

/**
 * Wakes a process that waits for shared memory: who changes the memory rings, who reads it waits.
 *
 * It is 32 bytes of a mapping that all share, zero at first, in which the one that waits leaves its name; who rings
 * sends it SIGURG, and makes no system call while nobody waits. A process that has ended, and whose number another
 * has by now, is not rung. One process waits at a bell at a time; any number may ring, all of one pid namespace. For
 * waiting without a signal, and for locks, there is `@ipc/sync`.
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
  /** The word while this process waits. */
  #name = NOBODY;
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
   * `done` looks at the memory, through Atomics. After a ring each call on this bell looks. System calls: none,
   * the signal is heard by the runtime.
   *
   * @throws {TimeoutError} if it was not true within `timeout`.
   * @throws {IpcError} with code `EBUSY` if another process waits at this bell.
   * @throws {ClosedError} if the bell, or the mapping, is closed.
   */
  async wait(done: () => boolean, options: WaitOptions = {}): Promise<void> {
    this.#check("wait for");
    if (this.#heard === undefined) this.#enter();
    const look = () => {
      if (done()) return true;
      // It may have closed the bell.
      this.#check("wait for");
      return undefined;
    };
    try {
      await this.#line.take(() => {
        while (this.#heard?.take() !== undefined);
        const found = look();
        if (found || Atomics.load(this.#word(), 0) === this.#name) return found;
        // Where somebody took this for dead, nobody would ring it any more; nor did who changed something till now.
        this.#take();
        return look();
      }, { ...options, watching: true });
    } finally {
      if (this.#line.length === 0) this.#leave();
    }
  }

  /**
   * Wakes who waits, after the memory was changed; false: nobody does. System calls: none where nobody waits;
   * `open`, `read`, `pidfd_open`, `pidfd_send_signal`.
   *
   * @throws {PermissionError} if it is somebody else's process.
   * @throws {NotSupportedError} if it is a process of another pid namespace, or one that /proc does not show.
   * @throws {ClosedError} if the bell, or the mapping, is closed.
   */
  ring(): boolean {
    this.#check("ring");
    // Nobody, or about to write a name: then it is looked at afterwards, by who waits.
    if (Atomics.load(this.#word(), 0) < NAMED) return false;
    const identity = this.#identity();
    if (identity.pid < 1 || identity.pid > 0x7fff_ffff) return false;
    const own = processIdentity();
    if (identity.bootId === own.bootId && identity.pidNamespace !== own.pidNamespace) {
      throw unseen(identity.pid);
    }
    try {
      using process = ProcessHandle.open(identity.pid);
      // Of the number that the handle holds, looked at while it cannot be another's.
      const state = isAlive(identity);
      if (state === "dead") return false;
      if (state === "unknown") throw unseen(identity.pid);
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
    const heard = new HeardSource([SIGNAL]);
    try {
      this.#take();
    } catch (error) {
      heard.close();
      throw error;
    }
    this.#heard = heard;
  }

  /** Takes the place of who waits, from nobody or from one that has ended. */
  #take(): void {
    const identity = processIdentity();
    const name = wordOf(identity);
    for (;;) {
      const other = Atomics.compareExchange(this.#word(), 0, NOBODY, name);
      if (other === NOBODY) break;
      if (this.#state(other) !== "dead") {
        throw new IpcError(`Cannot wait for the doorbell: process ${pidOf(other)} waits for it`, {
          code: "EBUSY",
        });
      }
      if (Atomics.compareExchange(this.#word(), 0, other, name) === other) break;
    }
    encodeIdentity(identity, this.#mapping.bytes, this.#offset + HEAD);
    this.#name = name | NAMED;
    Atomics.store(this.#word(), 0, this.#name);
  }

  /** What is known of the process that a word names. */
  #state(word: bigint): ProcessState {
    if (word >= NAMED) {
      const identity = this.#identity();
      return wordOf(identity) === (word & ~NAMED) ? isAlive(identity) : "dead";
    }
    // Its name is not there yet; it is of this pid namespace, or it would have to do so at this very moment.
    try {
      return wordOf(processIdentity(pidOf(word))) === word ? "alive" : "dead";
    } catch (error) {
      return error instanceof NotFoundError || error instanceof RangeError ? "dead" : "unknown";
    }
  }

  #leave(): void {
    if (this.#heard === undefined) return;
    this.#heard.close();
    this.#heard = undefined;
    if (!this.#mapping.closed) Atomics.compareExchange(this.#word(), 0, this.#name, NOBODY);
  }

  #identity(): ProcessIdentity {
    return decodeIdentity(this.#mapping.bytes, this.#offset + HEAD);
  }

  /** Memory that was resized is somewhere else. */
  #word(): BigUint64Array {
    return new BigUint64Array(this.#mapping.buffer, this.#offset, 1);
  }

  #check(verb: string): void {
    if (this.#closed || this.#mapping.closed) {
      throw new ClosedError(`Cannot ${verb} the doorbell: it was closed here`);
    }
  }
}

function unseen(pid: number): NotSupportedError {
  return new NotSupportedError(`Cannot ring the doorbell: process ${pid} cannot be seen from here`, {
    hint: "who waits and who rings have to be in one pid namespace",
  });
}

function wordOf({ pid, startTime }: ProcessIdentity): bigint {
  return BigInt(startTime % 2 ** 31) << 32n | BigInt(pid);
}

function pidOf(word: bigint): number {
  return Number(word & 0xffff_ffffn);
}
