/**
 * What a consumer has acknowledged, in a file that the members of its group share.
 *
 * Two slots are written in turn, so that one that dies while it writes leaves the other: a slot is a count (u64, the
 * greater one holds), the first sequence that is not acknowledged (u64), a bit for each of the 4096 behind it, and a
 * CRC-32C. The first byte of the file is locked while it is read and written; byte 2^40 + sequence while a member has
 * that record: the kernel drops that with the member, and the record is the next one's.
 */

import { LimitError } from "@ipc/core";
import { check, type OwnedFd } from "@ipc/core/sys";
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

const slots = new Uint8Array(2 * SLOT);
const view = new DataView(slots.buffer);

function claim(sequence: number): { offset: number; length: number } {
  return { offset: CLAIMS + sequence, length: 1 };
}

/** The first record that some consumer of a log has not acknowledged; `Infinity`: all have all, or there are none. */
export function firstUnread(directory: LogDirectory): number {
  let first = Infinity;
  for (const name of directory.consumers()) {
    const file = directory.openConsumer(name, false);
    if (file === undefined) continue;
    const state = new ConsumerState(file, `consumer "${name}" of log "${directory.path}"`);
    try {
      first = Math.min(first, state.floor);
    } finally {
      state.close();
    }
  }
  return first;
}

/** One member's way to the state. */
export class ConsumerState {
  readonly #fd: OwnedFd;
  readonly #target: string;
  readonly #retry = new Retry();
  /** What this member has out. */
  readonly #mine = new Set<number>();
  #count = 0;
  #floor = 1;
  readonly #bits = new Uint8Array(WINDOW / 8);

  constructor(fd: OwnedFd, target: string) {
    this.#fd = fd;
    this.#target = target;
  }

  /** Gives the consumer its first place, unless it has one. */
  begin(place: number): void {
    this.#locked(() => {
      if (this.#read()) return;
      this.#floor = place;
      this.#write(true);
    });
  }

  /** The first sequence that is not acknowledged. */
  get floor(): number {
    this.#locked(() => this.#read());
    return this.#floor;
  }

  /** Claims the first record up to `last` that nobody has, and nobody has acknowledged. */
  claim(last: number): { sequence?: number; othersHave: boolean } {
    return this.#locked(() => {
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
        return { sequence, othersHave };
      }
      return { othersHave };
    });
  }

  /** Acknowledges a record that this member has; false: it has it no more. */
  acknowledge(sequence: number, durable: boolean): boolean {
    if (!this.#mine.has(sequence)) return false;
    this.#locked(() => {
      this.#read();
      this.#set(sequence);
      this.#write(durable);
      this.#mine.delete(sequence);
      unlockRange(this.#fd.fd, claim(sequence));
    });
    return true;
  }

  /** Acknowledges all that was dropped before it was read. */
  passTo(oldest: number): void {
    this.#locked(() => {
      this.#read();
      if (this.#floor >= oldest) return;
      for (let sequence = this.#floor; sequence < oldest && sequence < this.#floor + WINDOW; sequence++) {
        this.#bits[(sequence % WINDOW) >> 3]! &= ~(1 << (sequence & 7));
      }
      this.#floor = oldest;
      this.#settle();
      this.#write(false);
    });
  }

  /** Gives a record back, so that any member gets it. */
  release(sequence: number): void {
    if (this.#mine.delete(sequence)) unlockRange(this.#fd.fd, claim(sequence));
  }

  /** How many records up to `last` are out with members, this one too; and not acknowledged by anybody. */
  count(last: number): { out: number; waiting: number } {
    return this.#locked(() => {
      this.#read();
      let out = 0;
      const end = Math.min(last, this.#floor + WINDOW - 1);
      let settled = 0;
      for (let sequence = this.#floor; sequence <= end; sequence++) {
        if (this.#isSet(sequence)) settled++;
        else if (this.#mine.has(sequence) || isLocked(this.#fd.fd, claim(sequence), this.#target)) out++;
      }
      return { out, waiting: Math.max(0, last - this.#floor + 1 - settled - out) };
    });
  }

  close(): void {
    // The kernel drops the claims with the description.
    this.#fd.close();
  }

  #locked<T>(action: () => T): T {
    while (!tryLockRange(this.#fd.fd, STATE, false, this.#target)) this.#retry.block(undefined);
    this.#retry.reset();
    try {
      return action();
    } finally {
      unlockRange(this.#fd.fd, STATE);
    }
  }

  #isSet(sequence: number): boolean {
    return (this.#bits[(sequence % WINDOW) >> 3]! & 1 << (sequence & 7)) !== 0;
  }

  #set(sequence: number): void {
    if (sequence < this.#floor) return;
    if (sequence >= this.#floor + WINDOW) {
      throw new LimitError(
        `Cannot acknowledge record ${sequence} of ${this.#target}: ${this.#floor} is still out`,
      );
    }
    this.#bits[(sequence % WINDOW) >> 3]! |= 1 << (sequence & 7);
    this.#settle();
  }

  /** Moves the floor over what is acknowledged. */
  #settle(): void {
    while (this.#isSet(this.#floor)) {
      this.#bits[(this.#floor % WINDOW) >> 3]! &= ~(1 << (this.#floor & 7));
      this.#floor++;
    }
  }

  /** Reads the newer slot that is whole; false: neither is, nothing was ever written. */
  #read(): boolean {
    slots.fill(0);
    check(libc.pread(this.#fd.fd, slots, BigInt(slots.length), 0n), "pread", "read", this.#target);
    let newest: number | undefined;
    for (const at of [0, SLOT]) {
      if (crc32c(slots, at, at + CRC) !== view.getUint32(at + CRC, true)) continue;
      const count = Number(view.getBigUint64(at, true));
      if (count === 0 || (newest !== undefined && count < this.#count)) continue;
      newest = at;
      this.#count = count;
    }
    if (newest === undefined) return false;
    this.#floor = Number(view.getBigUint64(newest + 8, true));
    this.#bits.set(slots.subarray(newest + BITS, newest + CRC));
    return true;
  }

  #write(durable: boolean): void {
    this.#count++;
    const at = this.#count % 2 * SLOT;
    view.setBigUint64(at, BigInt(this.#count), true);
    view.setBigUint64(at + 8, BigInt(this.#floor), true);
    slots.set(this.#bits, at + BITS);
    view.setUint32(at + CRC, crc32c(slots, at, at + CRC), true);
    const slot = slots.subarray(at, at + SLOT);
    check(libc.pwrite(this.#fd.fd, slot, BigInt(SLOT), BigInt(at)), "pwrite", "write", this.#target);
    if (durable) check(libc.fdatasync(this.#fd.fd), "fdatasync", "flush", this.#target);
  }
}
