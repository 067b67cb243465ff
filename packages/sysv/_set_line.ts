/** Calls that want the same operations done on a semaphore set. */

import { ERRNO, PermissionError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { errno } from "@ipc/core/sys";
import type { OpenSet } from "./_open_set.ts";
import { type Operations, semop } from "./_set_calls.ts";
import {
  mustNotWait,
  onlyForZero,
  onlyTake,
  opposite,
  someMustNotWait,
  upTo,
  waitsAt,
  withoutWaiting,
} from "./_set_operations.ts";
import { waitForSemaphore, waitToOperate } from "./_waiting/mod.ts";

/**
 * They are served in the order of the calls. As a rule the operations are done by this thread: what waits for it
 * elsewhere only learns when to try again, and giving up takes nothing. Where somebody else was quicker then, and
 * could be for ever, the thread that waits does them, and giving up gives back what it has taken. Where all of them
 * wait for 0 it always does them, for a value that was 0 is soon another again; then all calls that wait are served.
 */
export class Line {
  readonly #set: OpenSet;
  readonly #operations: Operations;
  readonly #verb: string;
  readonly #now: Operations;
  /** Whether some operation must not wait, so that the others wait for less. */
  readonly #mayFail: boolean;
  /** Whether all operations wait for 0. */
  readonly #forZero: boolean;
  /** What must be possible before trying again may succeed. */
  #missing: Operations;
  readonly #waits: Waits;
  /** Whether blocking, or the thread that waited, has done the operations. */
  #done = false;
  /** How often the thread that waited has seen all 0. */
  #zeros = 0;
  /** Whether the last wait was over, and somebody else was quicker. */
  #overtaken = false;

  constructor(set: OpenSet, operations: Operations, verb: string) {
    this.#set = set;
    this.#operations = this.#missing = operations;
    this.#verb = verb;
    this.#now = withoutWaiting(operations);
    this.#mayFail = someMustNotWait(operations);
    this.#forZero = onlyForZero(operations);
    this.#waits = new Waits({
      action: set.describe(verb),
      park: (wake) => this.#park(wake),
      block: (timeout) => this.#block(timeout),
    });
  }

  /** How many calls wait. */
  get length(): number {
    return this.#waits.length;
  }

  /** Does the operations without waiting; false where they would have to. */
  try(): boolean {
    if (semop(this.#set.id, this.#now) === 0) return true;
    const code = errno();
    if (code === ERRNO.EAGAIN) return false;
    throw this.#set.failure(code, this.#verb);
  }

  /** Does the operations as soon as that is possible. */
  async take(options: WaitOptions): Promise<void> {
    if (!this.#forZero) {
      await this.#waits.take(this.#attempt, options);
      return;
    }
    const before = this.#zeros;
    const seen = () => this.#zeros !== before || this.try() || undefined;
    await this.#waits.take(seen, { ...options, watching: true });
  }

  /** Does the operations as soon as that is possible, blocking this thread. */
  takeSync(options: SyncOptions): void {
    if (options.timeout === undefined && semop(this.#set.id, this.#operations) === 0) return;
    // Also what was interrupted, and what failed: it fails again.
    this.#waits.takeSync(this.#attempt, options);
  }

  close(): void {
    this.#waits.close(() => this.#set.closedError(this.#verb));
  }

  readonly #attempt = (): true | undefined => {
    if (this.#done || this.try()) {
      this.#done = this.#overtaken = false;
      return true;
    }
    if (this.#mayFail) {
      const at = this.#waitsAt();
      if (at >= 0 && mustNotWait(this.#operations, at)) throw this.#set.failure(ERRNO.EAGAIN, this.#verb);
      if (at >= 0) this.#missing = upTo(this.#operations, at);
    }
    return undefined;
  };

  /** Which operation would have to wait, which the kernel does not say; one that must not where we may not look. */
  #waitsAt(): number {
    try {
      return waitsAt(this.#operations, this.#set.values(this.#verb));
    } catch (error) {
      if (!(error instanceof PermissionError)) throw error;
      let at = 0;
      while (!mustNotWait(this.#operations, at)) at++;
      return at;
    }
  }

  #park(wake: () => void): () => void {
    if (this.#forZero) return waitToOperate(this.#set.id, this.#operations, () => this.#zeros++, wake);
    if (!this.#overtaken || !onlyTake(this.#operations)) {
      return waitForSemaphore(this.#set.id, this.#missing, () => {
        // Unless the attempt that follows succeeds.
        this.#overtaken = true;
        wake();
      });
    }
    const giveUp = waitToOperate(this.#set.id, this.#operations, () => this.#done = true, wake);
    return () => {
      giveUp();
      if (!this.#done) return;
      this.#done = false;
      // What was taken has room to go back to, unless somebody has released more than was acquired.
      semop(this.#set.id, opposite(this.#operations));
    };
  }

  #block(timeout: number | undefined): void {
    this.#done = semop(this.#set.id, this.#operations, timeout) === 0;
    if (this.#done) return;
    const code = errno();
    // Interrupted, or too late, or one must not wait: trying again tells.
    if (code !== ERRNO.EINTR && code !== ERRNO.EAGAIN) throw this.#set.failure(code, this.#verb);
  }
}
