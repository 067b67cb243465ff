/**
 * What a consumer has acknowledged, in a file that the members of its group share.
 *
 * Two slots are written in turn, so that one that dies while it writes leaves the other: a slot is a count (u64, the
 * greater one holds), the first sequence that is not acknowledged (u64), a bit for each of the 4096 behind it, and a
 * CRC-32C. The first byte of the file is locked while it is read and written; byte 2^40 + sequence while a member has
 * that record: the kernel drops that with the member, and the record is the next one's.
 */

import { TimeoutError } from "@ipc/core";
import { type OwnedFd, stat } from "@ipc/core/sys";
import { must } from "./_call.ts";
import { crc32c } from "./_crc32c.ts";
import { libc } from "./_libc.ts";
import type { LogDirectory } from "./_log_directory.ts";
import { isLocked, tryLockRange, unlockRange } from "./_range_lock.ts";
import { Retry } from "./_retry.ts";

/** So many records behind the first that is not acknowledged can be out at once. */
const WINDOW = 4096;
const BITS = 16;
const CRC = BITS + WINDOW / 8;
const SLOT = CRC + 8;
const STATE = { offset: 0, length: 1 } as const;
const CLAIMS = 2 ** 40;
/** How often the lock is tried before it counts as taken: whoever has it gives it back after some microseconds. */
const TRIES = 20;
/** How long the thread is blocked at most for one who has it and does not run, in milliseconds. */
const PATIENCE = 2000;

const slots = new Uint8Array(2 * SLOT);
const view = new DataView(slots.buffer);

function claim(sequence: number): { offset: number; length: number } {
  return { offset: CLAIMS + sequence, length: 1 };
}

/** The first record that some consumer of a log has not acknowledged; `Infinity`: all have all, or there are none. */
export function firstUnread(directory: LogDirectory): number {
  let first = Infinity;
  for (const name of directory.consumers()) {
    try {
      using file = directory.openConsumer(name, "read");
      if (file !== undefined) first = Math.min(first, new ConsumerState(file, name).floor);
    } catch {
      // A place that cannot be read keeps all.
      return 1;
    }
  }
  return first;
}

/** Sees to it that no consumer of a log has acknowledged records that are to come: a disk that failed may have lost them. */
export function cutConsumers(directory: LogDirectory, end: number): void {
  for (const name of directory.consumers()) {
    using file = directory.openConsumer(name, "write");
    if (file !== undefined) new ConsumerState(file, `consumer "${name}"`).cutAt(end);
  }
}

/** One member's way to the state. */
export class ConsumerState {
  readonly #fd: OwnedFd;
  readonly #target: string;
  /** What this member has out. */
  readonly #mine = new Set<number>();
  #count = 0;
  #floor = 1;
  readonly #bits = new Uint8Array(WINDOW / 8);

  constructor(fd: OwnedFd, target: string) {
    this.#fd = fd;
    this.#target = target;
  }

  /**
   * Gives the consumer its first place, unless it has one; where that was lost, it begins with the oldest record.
   *
   * A disk that failed may have kept the place and lost records: what was acknowledged behind the end never was.
   */
  begin(place: { first: number; oldest: () => number; end: () => number }): void {
    // Nobody need be kept waiting while the end is looked for, unless that is so.
    if (this.#read() && !this.#isBeyond(place.end())) return;
    this.#locked("open", () => {
      if (!this.#read()) {
        this.#floor = this.#isNew() ? place.first : place.oldest();
        return this.#write();
      }
      const end = place.end();
      if (this.#isBeyond(end)) this.#cut(end);
    });
    this.#flush();
  }

  /** What was acknowledged from `end` on never was, for the log ends there. */
  cutAt(end: number): void {
    if (!this.#read() || !this.#isBeyond(end)) return;
    this.#locked("write", () => {
      if (this.#read() && this.#isBeyond(end)) this.#cut(end);
    });
  }

  /** The first sequence that is not acknowledged; 1 where that cannot be read. Waits for nobody: a slot is whole, or is not taken. */
  get floor(): number {
    return this.#read() ? this.#floor : 1;
  }

  /**
   * Claims the first record up to `last` that nobody has, and nobody has acknowledged; `full`: `last` is too far.
   *
   * `undefined`: another member has the state now.
   */
  claim(last: number): { sequence?: number; othersHave: boolean; full: boolean } | undefined {
    return this.#tryLocked(() => {
      this.#read();
      let othersHave = false;
      const end = Math.min(last, this.#floor + WINDOW - 1);
      for (let sequence = this.#floor; sequence <= end; sequence++) {
        if (this.#mine.has(sequence) || this.#isSet(sequence)) continue;
        if (!tryLockRange(this.#fd.fd, claim(sequence), false, this.#target)) {
          othersHave = true;
          continue;
        }
        this.#mine.add(sequence);
        return { sequence, othersHave, full: false };
      }
      return { othersHave, full: end < last };
    });
  }

  /**
   * Acknowledges records; returns how many of them this member had.
   *
   * @throws {TimeoutError} if another member has the state, and does not run.
   */
  acknowledge(sequences: readonly number[], durable: boolean): number {
    const had = sequences.filter((sequence) => this.#mine.has(sequence));
    if (had.length === 0) return 0;
    this.#locked("acknowledge a record of", () => this.#acknowledge(had));
    if (durable) this.#flush();
    return had.length;
  }

  /** Acknowledges records that this member has; `undefined`: another member has the state now. */
  tryAcknowledge(sequences: readonly number[], durable: boolean): true | undefined {
    const had = sequences.filter((sequence) => this.#mine.has(sequence));
    if (had.length === 0) return true;
    const done = this.#tryLocked(() => this.#acknowledge(had));
    if (done && durable) this.#flush();
    return done;
  }

  /**
   * Acknowledges those from `lost` on to before `next`, which cannot be read, and all before `oldest`, which are gone.
   *
   * Those that are too far away, and all while another member has the state, come again, and are passed then.
   */
  pass(lost: number, next: number, oldest: number): void {
    this.#tryLocked(() => {
      this.#read();
      const before = this.#floor;
      if (oldest > before) {
        for (let sequence = before; sequence < oldest && sequence < before + WINDOW; sequence++) {
          this.#clear(sequence);
        }
        this.#floor = oldest;
      }
      const end = Math.min(next, this.#floor + WINDOW);
      for (let sequence = Math.max(lost, this.#floor); sequence < end; sequence++) this.#set(sequence);
      this.#advance();
      this.#write();
    });
  }

  /** Gives a record back, so that any member gets it. */
  release(sequence: number): void {
    if (this.#mine.delete(sequence)) unlockRange(this.#fd.fd, claim(sequence));
  }

  /** How many records up to `last` are out with members, this one too; and not acknowledged by anybody. */
  count(last: number): { out: number; waiting: number } {
    this.#read();
    let out = 0;
    let settled = 0;
    const end = Math.min(last, this.#floor + WINDOW - 1);
    for (let sequence = this.#floor; sequence <= end; sequence++) {
      if (this.#isSet(sequence)) settled++;
      else if (this.#mine.has(sequence) || isLocked(this.#fd.fd, claim(sequence), this.#target)) out++;
    }
    return { out, waiting: Math.max(0, last - this.#floor + 1 - settled - out) };
  }

  close(): void {
    // The kernel drops the claims with the description.
    this.#fd.close();
  }

  /** Runs `action` while nobody else reads or writes the state; `undefined`: another member has it now. */
  #tryLocked<T>(action: () => T): T | undefined {
    const { fd } = this.#fd;
    for (let tries = 1; !tryLockRange(fd, STATE, false, this.#target); tries++) {
      if (tries === TRIES) return undefined;
    }
    try {
      return action();
    } finally {
      unlockRange(fd, STATE);
    }
  }

  /** The same, blocking this thread for a while: whoever has the state may be stopped, and then nobody should hang. */
  #locked<T>(what: string, action: () => T): T {
    const retry = new Retry();
    const deadline = performance.now() + PATIENCE;
    let done: { result: T } | undefined;
    while ((done = this.#tryLocked(() => ({ result: action() }))) === undefined) {
      if (performance.now() >= deadline) {
        throw new TimeoutError(
          `Cannot ${what} ${this.#target}: another member has had it for ${PATIENCE} ms`,
          { code: "ETIMEDOUT", target: this.#target, hint: "is one stopped, or in a debugger?" },
        );
      }
      retry.block(undefined);
    }
    return done.result;
  }

  #acknowledge(had: readonly number[]): true {
    this.#read();
    for (const sequence of had) this.#set(sequence);
    this.#advance();
    this.#write();
    for (const sequence of had) this.release(sequence);
    return true;
  }

  #isSet(sequence: number): boolean {
    return (this.#bits[(sequence % WINDOW) >> 3]! & 1 << (sequence & 7)) !== 0;
  }

  #clear(sequence: number): void {
    this.#bits[(sequence % WINDOW) >> 3]! &= ~(1 << (sequence & 7));
  }

  /** Whether records from `end` on were acknowledged. */
  #isBeyond(end: number): boolean {
    if (this.#floor > end) return true;
    for (let sequence = end; sequence < this.#floor + WINDOW; sequence++) {
      if (this.#isSet(sequence)) return true;
    }
    return false;
  }

  #cut(end: number): void {
    if (this.#floor > end) {
      this.#bits.fill(0);
      this.#floor = end;
    }
    for (let sequence = end; sequence < this.#floor + WINDOW; sequence++) this.#clear(sequence);
    this.#write();
  }

  #set(sequence: number): void {
    if (sequence >= this.#floor && sequence < this.#floor + WINDOW) {
      this.#bits[(sequence % WINDOW) >> 3]! |= 1 << (sequence & 7);
    }
  }

  /** Moves the floor over what is acknowledged. */
  #advance(): void {
    while (this.#isSet(this.#floor)) this.#clear(this.#floor++);
  }

  /** Whether nothing was ever written. */
  #isNew(): boolean {
    return stat(this.#fd.fd).size === 0;
  }

  /** Reads the newer slot that is whole; false: neither is. */
  #read(): boolean {
    slots.fill(0);
    const { fd } = this.#fd;
    must(() => libc.pread(fd, slots, BigInt(slots.length), 0n), "pread", "read", this.#target);
    let newest: number | undefined;
    for (const at of [0, SLOT]) {
      if (crc32c(slots, at, at + CRC) !== view.getUint32(at + CRC, true)) continue;
      const count = Number(view.getBigUint64(at, true));
      const floor = Number(view.getBigUint64(at + 8, true));
      if (count === 0 || floor === 0 || !Number.isSafeInteger(count) || !Number.isSafeInteger(floor)) {
        continue;
      }
      if (newest !== undefined && count < this.#count) continue;
      newest = at;
      this.#count = count;
      this.#floor = floor;
    }
    if (newest === undefined) return false;
    this.#bits.set(slots.subarray(newest + BITS, newest + CRC));
    return true;
  }

  #write(): void {
    this.#count++;
    const at = this.#count % 2 * SLOT;
    view.setBigUint64(at, BigInt(this.#count), true);
    view.setBigUint64(at + 8, BigInt(this.#floor), true);
    slots.set(this.#bits, at + BITS);
    view.setUint32(at + CRC, crc32c(slots, at, at + CRC), true);
    const slot = slots.subarray(at, at + SLOT);
    const { fd } = this.#fd;
    must(() => libc.pwrite(fd, slot, BigInt(SLOT), BigInt(at)), "pwrite", "write", this.#target);
  }

  #flush(): void {
    const { fd } = this.#fd;
    must(() => libc.fdatasync(fd), "fdatasync", "flush", this.#target);
  }
}
