/**
 * Who owns a lock in memory, and whether that one is still alive.
 *
 * An owner is a token: a process number and a nonce. While it lives it holds a write lock on one byte of the file
 * behind the memory, far beyond the file's end, whose position is the token (fcntl(2), "Open file description locks").
 * The kernel drops that lock with the last descriptor of its description, whichever way a process ends. So no
 * process number is ever looked at to find out who lives: neither one that is used again nor one of another pid
 * namespace can be mistaken for the owner.
 */

import { ERRNO, IpcError, LimitError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { lockByte, lockedBytes, unlockByte } from "./_byte_lock.ts";
import { type LockFile, lockFileOf } from "./_lock_file.ts";

/** Bits of a token: a nonce of 8, and above it a process number, which the kernel keeps below 2^22. */
const NONCE_BITS = 8;
const NONCES = 1 << NONCE_BITS;
const PID_MASK = 0x3f_ffff;
/** The part of a lock's word that is a token. */
export const TOKEN_MASK = 0x3fff_ffff;
/** Positions of locks begin where no file has bytes, with room for 2^30 tokens of each of 2^31 locks. */
export const FIRST_POSITION: bigint = 1n << 62n;
const TOKEN_BITS = 30n;

/** The process number in a token. */
export function pidOf(token: number): number {
  return token >>> NONCE_BITS & PID_MASK;
}

/** What became of an attempt to take over from an owner. */
export type TakeOver = "alive" | "changed" | "taken";

/**
 * A handle as the owner of locks: its token, chosen when it is first needed.
 *
 * It owns a byte of the lock file from then on, until `close`.
 */
export class Owner {
  /** 0 as long as none has been chosen. */
  token = 0;
  readonly #mapping: Mapping;
  readonly #firstPosition: bigint;
  #file: LockFile | undefined;

  /** `id` tells the lock from others in the same file. */
  constructor(mapping: Mapping, id: number) {
    this.#mapping = mapping;
    this.#firstPosition = FIRST_POSITION + (BigInt(id & 0x7fff_ffff) << TOKEN_BITS);
  }

  /**
   * Chooses a token that no living owner has, and that no dead one has left in words of the lock, from `first` on.
   *
   * With a token that is still in a word we would pass for the owner who left it there. System calls: `fcntl`, and
   * once for a mapping those of its `openFile`.
   *
   * @throws {IpcError} with code `EBUSY` if a program has locked the whole file.
   * @throws {LimitError} if this process has 256 owners of this lock already, or there is no descriptor left.
   */
  choose(words: Int32Array<ArrayBuffer>, first: number): number {
    const file = this.#file ??= lockFileOf(this.#mapping);
    const start = nonces.first();
    for (let tried = 0; tried < NONCES; tried++) {
      const token = pidBits() | (start + tried) % NONCES;
      const position = this.#position(token);
      if (file.has(position) || !this.#claim(position)) continue;
      if (isIn(words, first, token)) {
        this.#release(position);
        continue;
      }
      file.add(position);
      return this.token = token;
    }
    const whole = file.fd !== undefined && lockedBytes(file.fd, this.#position(pidBits())) > 1;
    file.leave();
    this.#file = undefined;
    if (whole) {
      throw new IpcError("Cannot lock: a program has locked the whole file behind the memory", {
        code: "EBUSY",
        errno: ERRNO.EBUSY,
        hint: "a lock of fcntl(2) in it must end before byte 2^62, and not be of length 0",
      });
    }
    throw new LimitError(`Cannot lock: this process has ${NONCES} handles of the lock already`, {
      hint: "close some",
    });
  }

  /** Whether an owner is a handle of this isolate. */
  isHere(token: number): boolean {
    return this.#file !== undefined && this.#file.has(this.#position(token));
  }

  /** Whether an owner lives. System call: `fcntl`. */
  isAlive(token: number): boolean {
    const position = this.#position(token);
    const file = this.#file ??= lockFileOf(this.#mapping);
    return file.has(position) || file.fd !== undefined && lockedBytes(file.fd, position) > 0;
  }

  /**
   * Puts `next` in the place of `seen`, the word of another owner, if that one is dead. System call: `fcntl`.
   *
   * The byte of the dead one is held meanwhile: so nobody can take over twice, nor anybody come to life under that
   * token between the look and the change.
   */
  takeOver(words: Int32Array<ArrayBuffer>, index: number, seen: number, next: number): TakeOver {
    const token = seen & TOKEN_MASK;
    if (this.isAlive(token)) return "alive";
    const position = this.#position(token);
    if (!this.#claim(position)) return "alive";
    const found = Atomics.compareExchange(words, index, seen, next);
    this.#release(position);
    return found === seen ? "taken" : "changed";
  }

  /** Gives the byte back: what this owner still holds counts as abandoned. */
  close(): void {
    if (this.#file === undefined) return;
    if (this.token !== 0) {
      const position = this.#position(this.token);
      this.#file.delete(position);
      this.#release(position);
    }
    this.#file.leave();
    this.#file = undefined;
    this.token = 0;
  }

  #position(token: number): bigint {
    return this.#firstPosition + BigInt(token);
  }

  #claim(position: bigint): boolean {
    const fd = this.#file!.fd;
    return fd === undefined || lockByte(fd, position);
  }

  #release(position: bigint): void {
    const fd = this.#file!.fd;
    if (fd !== undefined) unlockByte(fd, position);
  }
}

/** An id for a lock: 31 random bits. */
export function newId(): number {
  return crypto.getRandomValues(new Int32Array(1))[0]! & 0x7fff_ffff;
}

/** Where nonces begin; tests put another in its place. */
export const nonces: { first: () => number } = {
  first: () => crypto.getRandomValues(new Uint8Array(1))[0]!,
};

function pidBits(): number {
  return (Deno.pid & PID_MASK) << NONCE_BITS;
}

function isIn(words: Int32Array<ArrayBuffer>, first: number, token: number): boolean {
  for (let index = first; index < words.length; index++) {
    if ((Atomics.load(words, index) & TOKEN_MASK) === token) return true;
  }
  return false;
}
